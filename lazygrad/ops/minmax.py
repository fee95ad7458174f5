"""Extremes: what they need, and whose gradient an extreme is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lazygrad.dtype import dtypes
from lazygrad.engine.tracing import watch_here
from lazygrad.errors import ShapeError, fail
from lazygrad.index.expr import Expr, as_dim, dim_product
from lazygrad.index.variable import variables
from lazygrad.ir.build import add, filled_like, mul, positions, put_back, size_value
from lazygrad.ir.call import UserFunction
from lazygrad.ir.node import Node, alu, const, flip, gather, reduce, reshape, scatter, where
from lazygrad.ir.op import Combine, Op
from lazygrad.ir.signature import Shape, index_dtype
from lazygrad.ops.compare import equal


def need_elements(what: str, shape: Shape, axes: Iterable[int]) -> None:
    """ShapeError where there is nothing along one of `axes`; for variables without a value, once a replay has 0."""
    for i in axes:
        n = shape[i]
        if isinstance(n, Expr) and any(v.bound is None for v in variables(n)):
            if n.lo < 1 and (watch := watch_here()) is not None:
                watch.needs(n, what, i)
        elif int(n) == 0:
            fail(ShapeError, f"{what}: shape {list(shape)} has no elements along dim {i}")


@dataclass(frozen=True)
class Extreme(UserFunction):
    """The largest or smallest element over `axes`; its inputs are the elements and that extreme.

    Of equal elements `first` gets all of the gradient, or all of them share it. A nan is more extreme than any number.
    """

    axes: tuple[int, ...]
    first: bool
    name = "extreme"

    def gradients(self, inputs: Sequence[Node], by_outputs: Mapping[int, Node]) -> Sequence[Node | None]:
        """By the elements."""
        x, extreme = inputs
        g = by_outputs[0]
        here = put_back(extreme, self.axes, x.shape)
        both_nan = alu(Op.AND, alu(Op.NE, x, x), alu(Op.NE, here, here))
        found = alu(Op.OR, equal(x, here), both_nan)
        if self.first:
            left = _places_left(x, self.axes)
            most = reduce(where(found, left, filled_like(left, -1)), Combine.MAX, self.axes)
            found = equal(left, put_back(most, self.axes, x.shape))
        else:
            ties = reduce(where(found, filled_like(x, 1), filled_like(x, 0)), Combine.ADD, self.axes)
            g = alu(Op.DIV, g, reshape(ties, g.shape))
        return where(found, put_back(g, self.axes, x.shape), filled_like(x, 0)), None


@dataclass(frozen=True)
class PlacedExtreme(UserFunction):
    """The largest or smallest of an element and of all updates at its place along `axis`.

    Its inputs are the elements, the updates, that extreme, and the places. Of equal ones all share the gradient, the
    element also where it is not one of them (`with_base`): its part is lost then, as in PyTorch. An extreme of nan
    equals nothing, so that its gradients are nan.
    """

    axis: int
    with_base: bool
    name = "placed_extreme"

    def gradients(self, inputs: Sequence[Node], by_outputs: Mapping[int, Node]) -> Sequence[Node | None]:
        """By the elements and by the updates."""
        base, updates, extreme, places = inputs
        hit = where(equal(base, extreme), filled_like(base, 1), filled_like(base, 0))
        equals = equal(updates, gather(extreme, places, self.axis))
        hits = where(equals, filled_like(updates, 1), filled_like(updates, 0))
        share = alu(Op.DIV, by_outputs[0], scatter(hit, places, hits, self.axis, Combine.ADD))
        by_base = mul(hit, share)
        if not self.with_base:
            by_base = scatter(by_base, places, filled_like(updates, 0), self.axis, Combine.SET)
        return by_base, mul(hits, gather(share, places, self.axis)), None, None


def _places_left(x: Node, axes: tuple[int, ...]) -> Node:
    """How many places over `axes`, row by row, come after each element's."""
    kind = index_dtype(dtypes.int32, dim_product(x.shape[axis] for axis in axes))
    left, inside = const(0, kind, x.shape), as_dim(1)
    for axis in reversed(axes):
        here = flip(positions(x.shape, axis, kind), [axis])
        left = add(left, mul(here, size_value(inside, kind, x.shape)))
        inside = as_dim(inside * x.shape[axis])
    return left
