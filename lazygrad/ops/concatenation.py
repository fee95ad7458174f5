"""Nodes behind each other along a dimension."""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.index.expr import Dim
from lazygrad.ir.node import Node, alu, pad
from lazygrad.ir.op import Op


def side_by_side(parts: Sequence[Node], axis: int) -> Node:
    """Nodes of one dtype behind each other along `axis`: the sum of all, padded to where they go."""
    total: Dim = sum(p.shape[axis] for p in parts)
    fill = -0.0 if parts[0].dtype.is_float else 0  # x + -0.0 is x, also for -0.0
    padded: list[Node] = []
    offset: Dim = 0
    for part in parts:
        pads: list[tuple[Dim, Dim]] = [(0, 0)] * part.ndim
        pads[axis] = (offset, total - offset - part.shape[axis])
        padded.append(pad(part, pads, fill))
        offset = offset + part.shape[axis]
    return _sum_of(padded)


def _sum_of(nodes: list[Node]) -> Node:
    """A balanced sum, so that its depth grows with the logarithm of the number of terms."""
    while len(nodes) > 1:
        pairs = [alu(Op.ADD, a, b) for a, b in zip(nodes[::2], nodes[1::2])]
        nodes = pairs + nodes[len(pairs) * 2 :]
    return nodes[0]
