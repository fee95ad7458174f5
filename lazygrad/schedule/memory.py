"""The memory planner: temporaries that do not live at the same time share bytes of one arena."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lazygrad.ir.node import Node
from lazygrad.schedule.batch import Batch
from lazygrad.schedule.stored import nbytes


@dataclass(frozen=True, slots=True)
class Arena:
    """Offsets in bytes of the temporaries, and the size they need together."""

    offsets: Mapping[Node, int]
    size: int


def plan(launches: Sequence[Batch], kept: set[Node], alignment: int) -> Arena:
    """Places every output that is not in `kept`. The largest are placed first, each at the lowest offset that is free
    for its whole life (greedy by size, Y. Pisarchyk and J. Lee, "Efficient Memory Management for Deep Neural Net
    Inference", 2020). What is made twice needs no memory between its last use and the second making."""
    lives = _lives(launches, kept)
    offsets: dict[Node, int] = {}
    placed: list[tuple[int, int, int, int]] = []  # offset, end, first, last
    for n in sorted(lives, key=lambda n: (-nbytes(n), lives[n][0][0])):
        size = -(-max(nbytes(n), 1) // alignment) * alignment
        at = 0
        for offset, end, start, stop in placed:  # by offset
            together = any(start <= last and first <= stop for first, last in lives[n])
            if together and offset < at + size and at < end:
                at = end
        offsets[n] = at
        for first, last in lives[n]:
            bisect.insort(placed, (at, at + size, first, last))
    return Arena(offsets, max((end for _, end, _, _ in placed), default=0))


def _lives(launches: Sequence[Batch], kept: set[Node]) -> dict[Node, list[tuple[int, int]]]:
    """The stretches of launches (first, last) in which each temporary has to be in memory."""
    lives: dict[Node, list[tuple[int, int]]] = {}
    for i, batch in enumerate(launches):
        for k in batch:
            for n in k.inputs:
                if n in lives:
                    lives[n][-1] = (lives[n][-1][0], i)
            for n in k.outputs:
                if n not in kept:
                    lives.setdefault(n, []).append((i, i))
    return lives
