"""Small graphs that rules and rewrites build again and again, in their shortest form."""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.dtype import DType, Scalar, dtypes
from lazygrad.index.expr import Dim, lift
from lazygrad.ir.node import (
    Node,
    alu,
    cast,
    const,
    expand,
    flip,
    full_like_shape,
    iota,
    pad,
    reduce,
    reshape,
    scan,
    shrink,
)
from lazygrad.ir.op import Combine, ConstArg, Op
from lazygrad.ir.signature import Shape, index_dtype
from lazygrad.settings import settings

_SAME_ELEMENTS = frozenset({Op.RESHAPE, Op.PERMUTE, Op.EXPAND, Op.SHRINK, Op.FLIP})


def constant_value(n: Node) -> Scalar | None:
    """The value that every element of `n` has, when `n` is a CONST under movement ops that add no other value.

    >>> constant_value(const(2, dtypes.float32, (3, 4)))
    2.0
    """
    while n.op in _SAME_ELEMENTS:
        n = n.src[0]
    return n.argument(ConstArg).value if n.op is Op.CONST else None


def filled_like(x: Node, value: Scalar) -> Node:
    """`value` in the dtype and shape of `x`."""
    return const(value, x.dtype, x.shape)


def add(a: Node, b: Node) -> Node:
    return alu(Op.ADD, a, b)


def mul(a: Node, b: Node) -> Node:
    """a * b, without multiplying by a constant one."""
    if constant_value(a) == 1:
        return b
    return a if constant_value(b) == 1 else alu(Op.MUL, a, b)


def scaled(x: Node, factor: Scalar) -> Node:
    """factor * x."""
    return mul(x, filled_like(x, factor))


def sub(a: Node, b: Node) -> Node:
    return add(a, scaled(b, -1))


def total(x: Node, axes: Sequence[int]) -> Node:
    """The sum over `axes`, and as the settings say now: of float32 products whose factors may be rounded to TF32."""
    return reduce(x, Combine.ADD, axes, x.dtype is dtypes.float32 and settings.float32_matmul_precision == "high")


def put_back(reduced: Node, axes: Sequence[int], shape: Shape) -> Node:
    """`reduced`, which lost `axes` of `shape`, repeated along them."""
    value = constant_value(reduced)
    if value is not None:
        return const(value, reduced.dtype, shape)
    return expand(reshape(reduced, tuple(1 if i in axes else n for i, n in enumerate(shape))), shape)


def size_value(size: Dim, dtype: DType, shape: Shape = ()) -> Node:
    """A size as the value of every element of `shape`: what a kernel is given at launch, for one with variables."""
    if isinstance(size, int):
        return const(size, dtype, shape)
    last = size - min(size.lo, 0)  # positions are not negative; no longer than that, for devices that make all of them
    counted = reshape(shrink(iota(last + 1, dtypes.int64), [(last, last + 1)]), ())
    value = counted if size.lo >= 0 else add(counted, const(size.lo, dtypes.int64))
    return full_like_shape(cast(value, dtype), shape)


def positions(shape: Shape, axis: int, dtype: DType | None = None) -> Node:
    """The index along `axis` of every element of `shape`: int32, or int64 where the axis is too long for that."""
    line = iota(shape[axis], dtype or index_dtype(dtypes.int32, shape[axis]))
    return expand(reshape(line, tuple(n if i == axis else 1 for i, n in enumerate(shape))), shape)


def shifted(x: Node, axis: int, by: int, fill: Scalar) -> Node:
    """Elements moved `by` places towards the end of `axis` (towards its start when negative), `fill` moving in.

    Cut first, so that nothing is padded and then cut; an axis that may be shorter than `by` is padded first.
    """
    n = x.shape[axis]
    bounds: list[tuple[Dim, Dim]] = [(0, m) for m in x.shape]
    pads: list[tuple[Dim, Dim]] = [(0, 0)] * x.ndim
    start, long_enough = max(-by, 0), lift(n).lo >= abs(by)
    bounds[axis] = (start, start + (n - abs(by) if long_enough else n))
    pads[axis] = (max(by, 0), start)
    return pad(shrink(x, bounds), pads, fill) if long_enough else shrink(pad(x, pads, fill), bounds)


def inverse_order(order: Sequence[int]) -> list[int]:
    """The PERMUTE that undoes the PERMUTE by `order`."""
    return sorted(range(len(order)), key=order.__getitem__)


def products_of_others(x: Node, axis: int) -> Node:
    """For each element the product of all the others along `axis`: without a division, so right with zeros."""
    if x.shape[axis] == 0:
        return x
    before = shifted(scan(x, Combine.MUL, axis), axis, 1, 1)
    after = shifted(flip(scan(flip(x, [axis]), Combine.MUL, axis), [axis]), axis, -1, 1)
    return mul(before, after)
