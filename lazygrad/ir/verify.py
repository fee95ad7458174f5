"""Checks every invariant of a graph again: for tests, and between passes when LAZYGRAD_VERIFY is set."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from lazygrad.dtype import DType
from lazygrad.errors import GraphError, LazygradError
from lazygrad.index.expr import Expr, dim_product
from lazygrad.ir.node import Node, const_arg, node, topological
from lazygrad.ir.op import (
    BINARY,
    Arg,
    AxesArg,
    AxisArg,
    BoundsArg,
    BufferArg,
    CallArg,
    CheckArg,
    Combine,
    ConstArg,
    DeviceArg,
    IdArg,
    Op,
    PadArg,
    ReduceArg,
    RepeatArg,
    ScanArg,
    ScatterArg,
    ShapeArg,
    StoreArg,
)
from lazygrad.ir.show import signature as described
from lazygrad.ir.signature import signature

_ARGUMENT: dict[Op, type[Arg]] = {
    Op.CONST: ConstArg,
    Op.BUFFER: BufferArg,
    Op.IOTA: ShapeArg,
    Op.REDUCE: ReduceArg,
    Op.SCAN: ScanArg,
    Op.REPEAT: RepeatArg,
    Op.RESHAPE: ShapeArg,
    Op.PERMUTE: AxesArg,
    Op.EXPAND: ShapeArg,
    Op.PAD: PadArg,
    Op.SHRINK: BoundsArg,
    Op.FLIP: AxesArg,
    Op.GATHER: AxisArg,
    Op.SCATTER: ScatterArg,
    Op.CALL: CallArg,
    Op.CONTIGUOUS: IdArg,
    Op.STORE: StoreArg,
    Op.COPY: DeviceArg,
    Op.CHECK: CheckArg,
}
_SOURCES: dict[Op, int] = {
    **dict.fromkeys((Op.CONST, Op.BUFFER, Op.IOTA), 0),
    **dict.fromkeys(BINARY, 2),
    **dict.fromkeys((Op.WHERE, Op.SCATTER), 3),
    Op.GATHER: 2,
}
_TYPED = frozenset({Op.CONST, Op.BUFFER, Op.IOTA, Op.CAST, Op.BITCAST})  # their dtype is given, not inferred
_PREFIX = frozenset({Combine.ADD, Combine.MUL, Combine.MAX})
_INTO = frozenset({Combine.SET, Combine.ADD, Combine.MAX})


def verify(roots: Sequence[Node]) -> None:
    """Raise GraphError, naming the node and the user's line, at the first node that breaks an invariant.

    Checked are: no cycle, the kind and number of sources, the argument's class and values, shape and dtype
    against the op's rule, one device, and that each node is the only one of its kind (interned).
    """
    seen: set[Node] = set()
    for n in topological(roots):
        if any(s not in seen for s in n.src):
            _fail(n, "is computed from itself")
        seen.add(n)
        _check_form(n)
        _check_argument(n)
        _check_signature(n)
        if node(n.op, n.src, n.arg, n.dtype if n.op in _TYPED else None, n.shape) is not n:
            _fail(n, "is not the interned node of its op, sources and argument")


def _fail(n: Node, why: str) -> None:
    raise GraphError(f"invalid graph: {described(n)} {why} ({n.line})")


def _check_form(n: Node) -> None:
    least = _SOURCES.get(n.op, 1)
    if len(n.src) != least and not (n.op in (Op.CALL, Op.REPEAT) and n.src):
        _fail(n, f"has {len(n.src)} sources, not {least}")
    kind = _ARGUMENT.get(n.op, type(None))
    if type(n.arg) is not kind:
        _fail(n, f"has the argument {n.arg!r}, not one of class {kind.__name__}")
    if not all(_is_size(d) for d in n.shape):
        _fail(n, "has a dimension that is not a size")


def _is_size(d: object) -> bool:
    """An int, or an expression whose value is not known: so that equal sizes are equal objects."""
    return (type(d) is int and d >= 0) or (isinstance(d, Expr) and d.lo < d.hi)


def _check_signature(n: Node) -> None:
    given: DType | None = n.dtype if n.op in _TYPED else None
    try:
        expected = signature(n.op, n.src, n.arg, given, n.shape)
    except LazygradError as error:
        raise GraphError(f"invalid graph: {described(n)} does not apply to its sources: {error}") from error
    if (n.dtype, n.shape) != expected:
        _fail(n, f"should be {expected[0]}{list(expected[1])}")
    if n.op is Op.CONST and n.shape != ():
        _fail(n, "is not a scalar")
    beside = n.src[:1] if n.op is Op.CALL else n.src
    if not isinstance(n.arg, DeviceArg) and any(s.device not in (None, n.device) for s in beside):
        _fail(n, f"is on {n.device}, its sources on {[s.device for s in n.src]}")


def _check_argument(n: Node) -> None:
    arg = n.arg
    if isinstance(arg, ConstArg) and const_arg(arg.value, n.dtype) != arg:
        _fail(n, f"holds {arg.text}, which its dtype spells {const_arg(arg.value, n.dtype).text}")
    if isinstance(arg, PadArg) and const_arg(arg.fill.value, n.dtype) != arg.fill:
        _fail(n, f"is filled with {arg.fill.text}, which its dtype spells {const_arg(arg.fill.value, n.dtype).text}")
    axes = arg.axes if isinstance(arg, ReduceArg) or (isinstance(arg, AxesArg) and n.op is Op.FLIP) else (0,)
    if not axes or any(a >= b for a, b in pairwise(axes)):
        _fail(n, f"has axes {list(axes)}, which should be some, ascending and different")
    if isinstance(arg, (ReduceArg, ScanArg)) and arg.combine not in _PREFIX:
        _fail(n, f"cannot combine by {arg.combine!r}")
    if isinstance(arg, ScatterArg) and arg.combine not in _INTO:
        _fail(n, f"cannot combine by {arg.combine!r}")
    if isinstance(arg, (BufferArg, StoreArg)):
        count = dim_product(n.shape)
        if isinstance(count, int) and arg.storage.nbytes < count * n.dtype.itemsize:
            _fail(n, f"needs {count * n.dtype.itemsize} bytes; its storage has {arg.storage.nbytes}")
