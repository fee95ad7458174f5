"""The dtype and shape rule of every primitive: what `Node` checks when a node is made."""

from __future__ import annotations

from typing import NoReturn, Protocol

from lazygrad.dtype import DType, dtypes
from lazygrad.errors import DTypeError, ShapeError, located
from lazygrad.index.expr import Dim, Expr, as_dim, dim_max, dim_product, lift
from lazygrad.index.variable import Variable, variables
from lazygrad.ir.op import (
    ELEMENTWISE,
    IDENTITY,
    Arg,
    AxesArg,
    AxisArg,
    BoundsArg,
    Op,
    PadArg,
    ReduceArg,
    RepeatArg,
    ScanArg,
    ScatterArg,
    ShapeArg,
)

Shape = tuple[Dim, ...]
Signature = tuple[DType, Shape]


class Operand(Protocol):
    """What the rules need of a node, so that this module need not import `Node`, which imports it."""

    @property
    def dtype(self) -> DType: ...
    @property
    def shape(self) -> Shape: ...
    @property
    def ndim(self) -> int: ...


_ELEMENTS_AT_MOST = 1 << 59  # in bytes, of eight each, half of what an address reaches
_FLOAT_ONLY = frozenset({Op.DIV, Op.POW, Op.EXP2, Op.EXPM1, Op.LOG2, Op.SIN, Op.COS, Op.SQRT, Op.ERF})
_INT_ONLY = frozenset({Op.IDIV, Op.SHL, Op.SHR})
_BITS_ONLY = frozenset({Op.AND, Op.OR, Op.XOR})


def signature(op: Op, src: tuple[Operand, ...], arg: Arg | None, dtype: DType | None, shape: Shape) -> Signature:
    """The dtype and shape of `op` over `src`; ShapeError or DTypeError when it does not apply to them."""
    if op in ELEMENTWISE:
        return _elementwise(op, src, dtype)
    if op in IDENTITY:
        return src[0].dtype, src[0].shape
    if op in (Op.CONST, Op.BUFFER):
        assert dtype is not None
        return dtype, shape
    if op is Op.IOTA:
        assert dtype is not None and isinstance(arg, ShapeArg)
        return dtype, _check_sizes(op, src, arg.shape)
    if op is Op.REDUCE:
        return _reduce(src[0], arg)
    if op is Op.SCAN:
        assert isinstance(arg, ScanArg)
        _check_axis(op, arg.axis, src[0])
        return src[0].dtype, src[0].shape
    if op is Op.REPEAT:
        assert isinstance(arg, RepeatArg)
        return arg.body.dtype, (arg.body.elements,)
    if op in (Op.GATHER, Op.SCATTER):
        return _indexed(op, src, arg)
    return src[0].dtype, _movement(op, src[0], arg)


def fail(op: Op, src: tuple[Operand, ...], why: str, kind: type[Exception] = ShapeError) -> NoReturn:
    inputs = ", ".join(f"{s.dtype}{list(s.shape)}" for s in src)
    raise kind(located(f"{op.name.lower()}({inputs}): {why}"))


def _check_sizes(op: Op, src: tuple[Operand, ...], shape: Shape) -> Shape:
    """`shape`, of which no size is negative, and whose elements can be counted."""
    count = 1
    for n in shape:
        most = n.hi if isinstance(n, Expr) else n
        if most < 0:
            fail(op, src, f"{list(shape)} holds a negative size")
        count *= most
    if count > _ELEMENTS_AT_MOST:
        fail(op, src, f"{list(shape)} are more elements than any memory holds")
    return shape


def _elementwise(op: Op, src: tuple[Operand, ...], dtype: DType | None) -> Signature:
    first = src[-1]
    if any(s.shape != first.shape for s in src):
        fail(op, src, "shapes differ; broadcast them to one shape first")
    if op is Op.CAST:
        assert dtype is not None
        return dtype, first.shape
    if op is Op.BITCAST:
        assert dtype is not None
        if dtype.itemsize != first.dtype.itemsize or dtypes.bool in (dtype, first.dtype):
            fail(op, src, f"its {first.dtype.itemsize} bytes cannot be read as {dtype}", DTypeError)
        return dtype, first.shape
    values = src[1:] if op is Op.WHERE else src
    if op is Op.WHERE and not src[0].dtype.is_bool:
        fail(op, src, "the condition must be bool", DTypeError)
    if any(s.dtype is not first.dtype for s in values):
        fail(op, src, "dtypes differ; cast them to one dtype first", DTypeError)
    if op in _FLOAT_ONLY and not first.dtype.is_float:
        fail(op, src, "needs a floating dtype; cast first, e.g. .float()", DTypeError)
    if op in _INT_ONLY and not first.dtype.is_int:
        fail(op, src, "needs an integer dtype", DTypeError)
    if op is Op.MOD and first.dtype.is_bool:
        fail(op, src, "needs numbers; cast bools first, e.g. .int()", DTypeError)
    if op in _BITS_ONLY and first.dtype.is_float:
        fail(op, src, "needs an integer or bool dtype", DTypeError)
    return (dtypes.bool if op in (Op.LT, Op.NE) else first.dtype), first.shape


def _reduce(x: Operand, arg: Arg | None) -> Signature:
    assert isinstance(arg, ReduceArg)
    for axis in arg.axes:
        _check_axis(Op.REDUCE, axis, x)
    return x.dtype, tuple(n for i, n in enumerate(x.shape) if i not in arg.axes)


def index_dtype(dtype: DType, size: Dim) -> DType:
    """The type in which an index of type `dtype` into `size` elements is computed: signed, and it holds -1..size.

    >>> index_dtype(dtypes.uint8, 300), index_dtype(dtypes.uint32, 300), index_dtype(dtypes.int32, 1 << 31)
    (int32, int64, int64)
    """
    if not dtype.is_int:
        return dtype
    low, high = int(dtype.min), max(int(dtype.max), dim_max(size))
    return dtypes.int32 if low >= dtypes.int32.min and high <= dtypes.int32.max else dtypes.int64


def _check_axis(op: Op, axis: int, x: Operand) -> None:
    if not 0 <= axis < x.ndim:
        fail(op, (x,), f"axis {axis} is not among its {x.ndim} axes")


def _indexed(op: Op, src: tuple[Operand, ...], arg: Arg | None) -> Signature:
    assert isinstance(arg, (AxisArg, ScatterArg))
    x, index = src[0], src[1]
    if not index.dtype.is_int:
        fail(op, src, "the index must be an integer tensor", DTypeError)
    _check_axis(op, arg.axis, x)
    wide = index_dtype(index.dtype, x.shape[arg.axis])
    if index.dtype is not wide:
        fail(op, src, f"an index into {x.shape[arg.axis]} elements is {wide}; see `as_index`", DTypeError)
    if index.ndim != x.ndim:
        fail(op, src, "the index must have as many axes as the indexed tensor")
    for i, (n, m) in enumerate(zip(index.shape, x.shape)):
        if i != arg.axis and not at_most(n, m):
            fail(op, src, f"the index is longer than the indexed tensor on axis {i}{_for_all(n, m)}")
    if op is Op.GATHER:
        return x.dtype, index.shape
    if src[2].shape != index.shape:
        fail(op, src, "index and updates must have one shape")
    if src[2].dtype is not x.dtype:
        fail(op, src, "updates must have the dtype of the tensor they go into", DTypeError)
    return x.dtype, x.shape


def at_most(a: Dim, b: Dim) -> bool:
    """Whether a <= b, for all values that variables can have: kernels are compiled for all of them."""
    return a is b or (a <= b if isinstance(a, int) and isinstance(b, int) else (lift(b) - a).lo >= 0)


def _for_all(*sizes: Dim) -> str:
    found = sorted({v for n in sizes if isinstance(n, Expr) for v in n.vars}, key=lambda v: v.name)
    return f" for all values of {', '.join(f'{v.name} in {v.lo}..{v.hi}' for v in found)}" if found else ""


def _movement(op: Op, x: Operand, arg: Arg | None) -> Shape:
    src = (x,)
    if op is Op.RESHAPE:
        assert isinstance(arg, ShapeArg)
        if dim_product(arg.shape) != dim_product(x.shape):
            fail(op, src, f"{dim_product(x.shape)} elements cannot have shape {list(arg.shape)}")
        return arg.shape
    if op is Op.EXPAND:
        assert isinstance(arg, ShapeArg)
        if len(arg.shape) != x.ndim or any(a != b and a != 1 for a, b in zip(x.shape, arg.shape)):
            fail(op, src, f"cannot expand to {list(arg.shape)}: only axes of size 1 expand")
        return _check_sizes(op, src, arg.shape)
    if op is Op.PERMUTE:
        assert isinstance(arg, AxesArg)
        if sorted(arg.axes) != list(range(x.ndim)):
            fail(op, src, f"{list(arg.axes)} is not an order of its {x.ndim} axes")
        return tuple(x.shape[a] for a in arg.axes)
    if op is Op.FLIP:
        assert isinstance(arg, AxesArg)
        for axis in arg.axes:
            _check_axis(op, axis, x)
        return x.shape
    if op is Op.PAD:
        assert isinstance(arg, PadArg)
        if len(arg.pads) != x.ndim or not all(at_most(0, p) for pair in arg.pads for p in pair):
            fail(op, src, f"padding {arg.pads} needs one pair of sizes >= 0 for each axis")
        return _check_sizes(op, src, tuple(as_dim(lo + n + hi) for (lo, hi), n in zip(arg.pads, x.shape)))
    assert op is Op.SHRINK and isinstance(arg, BoundsArg)
    if len(arg.bounds) != x.ndim:
        fail(op, src, f"{len(arg.bounds)} bounds for {x.ndim} axes")
    for (start, stop), n in zip(arg.bounds, x.shape):
        if not (at_most(0, start) and at_most(start, stop) and at_most(stop, n)):
            fail(op, src, f"[{start}:{stop}] is not inside an axis of size {n}{_for_all(start, stop, n)}")
    return tuple(as_dim(stop - start) for start, stop in arg.bounds)


def own_variables(arg: Arg | None, shape: Shape) -> frozenset[Variable]:
    """The variables in a node's own shape and argument, as opposed to those of all its graph."""
    found = frozenset[Variable]()
    for size in shape:
        if isinstance(size, Expr):
            found = found | variables(size)
    for pair in arg.bounds if isinstance(arg, BoundsArg) else arg.pads if isinstance(arg, PadArg) else ():
        for size in pair:
            if isinstance(size, Expr):
                found = found | variables(size)
    return found
