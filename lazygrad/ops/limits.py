"""Whose gradient an element within limits is, where the limits are tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lazygrad.ir.build import filled_like
from lazygrad.ir.call import UserFunction
from lazygrad.ir.node import Node, node, where
from lazygrad.ir.op import Op
from lazygrad.ops.compare import equal


@dataclass(frozen=True)
class Limits(UserFunction):
    """The gradients of `clamp`; its inputs are the elements, the lower limits if `low`, and the upper ones if `high`.

    The element's is passed where it is within both, they included. The lower limit's is passed below it, if the upper
    one is greater, and the upper limit's above it, and where it is less than the lower one. Nothing compares with nan.
    """

    low: bool
    high: bool
    name = "clamp"

    def gradients(self, inputs: Sequence[Node], by_outputs: Mapping[int, Node]) -> Sequence[Node | None]:
        """By the elements and by the limits."""
        x, *limits = inputs
        g, zero = by_outputs[0], filled_like(by_outputs[0], 0)
        held, passed = [], None
        if self.low:
            below = node(Op.LT, (x, limits[0]))
            if self.high:
                below = node(Op.AND, (below, node(Op.LT, (limits[0], limits[1]))))
            held.append(below)
            passed = _at_most(limits[0], x)
        if self.high:
            above = node(Op.LT, (limits[-1], x))
            if self.low:
                above = node(Op.OR, (above, node(Op.LT, (limits[1], limits[0]))))
            held.append(above)
            within = _at_most(x, limits[-1])
            passed = within if passed is None else node(Op.AND, (passed, within))
        assert passed is not None
        return [where(its, g, zero) for its in (passed, *held)]


def _at_most(a: Node, b: Node) -> Node:
    return node(Op.OR, (node(Op.LT, (a, b)), equal(a, b)))
