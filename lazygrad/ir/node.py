"""The graph: frozen, interned nodes, checked when they are made.

`Node(op, src, arg)` computes dtype and shape by the op's rule, and two nodes with the same op, sources and
argument are one object: structural equality is identity. Use the named constructors at the end of the file.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from lazygrad.dtype import DType, Scalar
from lazygrad.errors import DeviceError, location_text, user_line, user_location
from lazygrad.index.expr import Dim, dim_max, dim_product
from lazygrad.index.variable import Variable
from lazygrad.interned import Interned
from lazygrad.ir.op import (
    Arg,
    AxesArg,
    AxisArg,
    BoundsArg,
    BufferArg,
    CallArg,
    Combine,
    ConstArg,
    DeviceArg,
    FunctionLike,
    IdArg,
    Op,
    PadArg,
    ReduceArg,
    ScanArg,
    ScatterArg,
    ShapeArg,
    StorageLike,
    StoreArg,
)
from lazygrad.ir.signature import Shape, index_dtype, own_variables, signature

_Key = tuple[Op, DType | None, tuple[int, ...], Arg | None]
_nodes: Interned[_Key, Node] = Interned()
_uids = itertools.count(1)
_A = TypeVar("_A", bound=Arg)


class Node:
    """One whole-tensor primitive. Do not construct directly: the functions below intern."""

    __slots__ = ("op", "dtype", "shape", "src", "arg", "device", "variables", "location", "__weakref__")
    op: Op
    dtype: DType
    shape: Shape
    src: tuple[Node, ...]
    arg: Arg | None
    device: str | None  # where its buffers live; None when it has none
    variables: frozenset[Variable]  # of the sizes and positions in its graph
    location: tuple[str, int]  # file and line of the user's code that made it first; outside equality

    def argument(self, kind: type[_A]) -> _A:
        """The op's argument, as the class that this op has."""
        assert isinstance(self.arg, kind), (self.op, self.arg, kind)
        return self.arg

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def line(self) -> str:
        """The user's line that made it first, as text."""
        return location_text(*self.location)

    def __repr__(self) -> str:
        return f"<{self.op.name} {self.dtype} {list(self.shape)}>"

    def __reduce__(self) -> Any:
        raise TypeError("lazygrad graphs are never pickled; save tensors with lazygrad.io instead")


def node(
    op: Op, src: tuple[Node, ...] = (), arg: Arg | None = None, dtype: DType | None = None, shape: Shape = ()
) -> Node:
    """The node of `op` over `src`. `dtype` is given for sources and casts, `shape` for BUFFER only."""
    key = (op, dtype, tuple(map(id, src)), arg)
    found = _nodes.find(key)
    if found is not None:
        return found
    new = Node()
    new.op, new.src, new.arg = op, src, arg
    new.dtype, new.shape = signature(op, src, arg, dtype, shape)
    new.device = _device(op, src, arg)
    new.variables = _variables(op, src, arg, new.shape)
    new.location = user_location()
    return _nodes.add(key, new)  # another thread may have made it meanwhile: all have to hold the same one


def _device(op: Op, src: tuple[Node, ...], arg: Arg | None) -> str | None:
    if isinstance(arg, BufferArg):
        return arg.storage.device
    if isinstance(arg, DeviceArg):
        return arg.device
    if op is Op.CALL:  # a function may move what it gets
        return src[0].device
    found: str | None = None
    for s in src:
        if s.device is not None:
            if found is not None and s.device != found:
                raise DeviceError(
                    f"{op.name.lower()}: its inputs are on {found} and on {s.device}; "
                    f"move one with .to({found!r}) first ({user_line()})"
                )
            found = s.device
    return found


_SIZED = frozenset({Op.BUFFER, Op.IOTA, Op.EXPAND, Op.SHRINK, Op.PAD})  # where variables enter a graph


def _variables(op: Op, src: tuple[Node, ...], arg: Arg | None, shape: Shape) -> frozenset[Variable]:
    found = frozenset[Variable]()
    for s in src:
        if s.variables is not found:
            found = found | s.variables
    return found | own_variables(arg, shape) if op in _SIZED else found


def live_nodes() -> int:
    """How many nodes exist now (for leak tests)."""
    return len(_nodes)


def new_uid() -> int:
    return next(_uids)


def is_empty(n: Node) -> bool:
    """Whether it has no elements, whatever the values of symbolic sizes."""
    return dim_max(dim_product(n.shape)) == 0


def topological(roots: Iterable[Node], stop: Callable[[Node], bool] | None = None) -> list[Node]:
    """Every node that `roots` need, sources first, each once; does not look below a node where `stop` is true."""
    order: list[Node] = []
    done: set[Node] = set()
    stack: list[tuple[Node, bool]] = [(r, False) for r in reversed(list(roots))]
    while stack:
        n, expanded = stack.pop()
        if expanded:
            order.append(n)
            continue
        if n in done:
            continue
        done.add(n)
        stack.append((n, True))
        if stop is None or not stop(n):
            stack.extend((s, False) for s in reversed(n.src) if s not in done)
    return order


def with_sources(n: Node, src: tuple[Node, ...]) -> Node:
    """`n` over other sources."""
    return n if src == n.src else node(n.op, src, n.arg, n.dtype if n.op in (Op.CAST, Op.BITCAST) else None)


# ---- constructors: one per form --------------------------------------------------------------------


def const_arg(value: Scalar, dtype: DType) -> ConstArg:
    v: Scalar = bool(value) if dtype.is_bool else float(value) if dtype.is_float else _wrap(int(value), dtype)
    return ConstArg(v, repr(v))


def _wrap(value: int, dtype: DType) -> int:
    value &= (1 << dtype.bits) - 1
    return value - (1 << dtype.bits) if dtype.kind == "int" and value >> (dtype.bits - 1) else value


def const(value: Scalar, dtype: DType, shape: Shape = ()) -> Node:
    """A scalar, expanded to `shape`."""
    scalar = node(Op.CONST, (), const_arg(value, dtype), dtype)
    return full_like_shape(scalar, shape)


def full_like_shape(scalar: Node, shape: Shape) -> Node:
    return expand(reshape(scalar, (1,) * len(shape)), shape) if shape else scalar


def buffer(storage: StorageLike, dtype: DType, shape: Shape) -> Node:
    """What `storage` holds: its BUFFER, or a RESHAPE of that, which has the shape that was asked for first."""
    flat = node(Op.BUFFER, (), BufferArg(storage), dtype, shape)
    count = dim_product(shape)
    if dim_product(flat.shape) != count:
        flat = node(Op.BUFFER, (), BufferArg(storage, count), dtype, shape)
    return flat if flat.shape == shape else reshape(flat, shape)


def iota(n: Dim, dtype: DType) -> Node:
    return node(Op.IOTA, (), ShapeArg((n,)), dtype)


def alu(op: Op, *src: Node) -> Node:
    return node(op, src)


def where(condition: Node, a: Node, b: Node) -> Node:
    return node(Op.WHERE, (condition, a, b))


def cast(x: Node, dtype: DType) -> Node:
    return x if x.dtype is dtype else node(Op.CAST, (x,), None, dtype)


def bitcast(x: Node, dtype: DType) -> Node:
    return x if x.dtype is dtype else node(Op.BITCAST, (x,), None, dtype)


def reduce(x: Node, combine: Combine, axes: Sequence[int], tf32: bool = False) -> Node:
    return node(Op.REDUCE, (x,), ReduceArg(combine, tuple(sorted(axes)), tf32)) if axes else x


def scan(x: Node, combine: Combine, axis: int) -> Node:
    return node(Op.SCAN, (x,), ScanArg(combine, axis))


def reshape(x: Node, shape: Shape) -> Node:
    if x.shape == shape:
        return x
    if x.op is Op.RESHAPE:
        return reshape(x.src[0], shape)
    return node(Op.RESHAPE, (x,), ShapeArg(shape))


def permute(x: Node, axes: Sequence[int]) -> Node:
    return x if tuple(axes) == tuple(range(x.ndim)) else node(Op.PERMUTE, (x,), AxesArg(tuple(axes)))


def expand(x: Node, shape: Shape) -> Node:
    return x if x.shape == shape else node(Op.EXPAND, (x,), ShapeArg(shape))


def pad(x: Node, pads: Sequence[tuple[Dim, Dim]], fill: Scalar = 0) -> Node:
    if all(isinstance(p, int) and p == 0 for pair in pads for p in pair):
        return x
    return node(Op.PAD, (x,), PadArg(tuple(pads), const_arg(fill, x.dtype)))


def shrink(x: Node, bounds: Sequence[tuple[Dim, Dim]]) -> Node:
    whole = all(a == 0 and b == n for (a, b), n in zip(bounds, x.shape))
    return x if whole else node(Op.SHRINK, (x,), BoundsArg(tuple(bounds)))


def flip(x: Node, axes: Sequence[int]) -> Node:
    return node(Op.FLIP, (x,), AxesArg(tuple(sorted(axes)))) if axes else x


def gather(x: Node, index: Node, axis: int) -> Node:
    return node(Op.GATHER, (x, as_index(index, x.shape[axis])), AxisArg(axis))


def scatter(base: Node, index: Node, updates: Node, axis: int, combine: Combine) -> Node:
    return node(Op.SCATTER, (base, as_index(index, base.shape[axis]), updates), ScatterArg(axis, combine))


def as_index(index: Node, size: Dim) -> Node:
    """`index` in a type in which it can be compared with all of `size` places; uint64's that are too large are < 0."""
    return cast(index, index_dtype(index.dtype, size))


def detach(x: Node) -> Node:
    return x if x.op is Op.DETACH else node(Op.DETACH, (x,))


def call(value: Node, inputs: Sequence[Node], function: FunctionLike, output: int = 0) -> Node:
    """`value`, which `function` made of `inputs`: gradients go by its rule, not through `value`."""
    return node(Op.CALL, (value, *inputs), CallArg(function, output))


def contiguous(x: Node, uid: int = 0) -> Node:
    return node(Op.CONTIGUOUS, (x,), IdArg(uid))


def store(value: Node, storage: StorageLike) -> Node:
    """`value`, kept where `storage` is if nothing else reads its old contents; a node with its own identity."""
    return node(Op.STORE, (value,), StoreArg(new_uid(), storage))


def copy(x: Node, device: str) -> Node:
    return node(Op.COPY, (x,), DeviceArg(device))
