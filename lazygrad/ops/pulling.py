"""The gradient by tensors, at every node that each of them had."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce

from lazygrad.ir.build import add
from lazygrad.ir.node import Node
from lazygrad.ir.reverse import gradient
from lazygrad.ops.core import Core

Changes = Mapping[Node, Callable[[Node], Node]]


def pulled(
    outputs: Sequence[Core], cotangents: Sequence[Node], variables: Sequence[Core], changes: Changes | None = None
) -> list[Node | None]:
    """The gradient by each variable of the sum of the outputs times their cotangents; None where there is none."""
    nodes = [v._nodes() for v in variables]
    flat = [n for own in nodes for n in own]
    sums: list[list[Node]] = [[] for _ in flat]
    for y, g in zip(outputs, cotangents):
        for place, found in zip(sums, gradient(y.node, g, flat, changes)):
            if found is not None:
                place.append(found)
    parts = iter(sums)
    totals = [[n for _ in own for n in next(parts)] for own in nodes]
    return [reduce(add, total) if total else None for total in totals]
