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
    Inference", 2020)."""
    first: dict[Node, int] = {}
    last: dict[Node, int] = {}
    for i, batch in enumerate(launches):
        for k in batch:
            first |= dict.fromkeys(k.outputs, i)
            last |= dict.fromkeys((*k.outputs, *k.inputs), i)
    temporaries = sorted((n for n in first if n not in kept), key=lambda n: (-nbytes(n), first[n]))
    offsets: dict[Node, int] = {}
    placed: list[tuple[int, int, int, int]] = []  # offset, end, first, last
    for n in temporaries:
        size = -(-max(nbytes(n), 1) // alignment) * alignment
        at = 0
        for offset, end, start, stop in placed:  # by offset
            if start <= last[n] and first[n] <= stop and offset < at + size and at < end:
                at = end
        offsets[n] = at
        _insert(placed, (at, at + size, first[n], last[n]))
    return Arena(offsets, max((end for _, end, _, _ in placed), default=0))


def _insert(placed: list[tuple[int, int, int, int]], entry: tuple[int, int, int, int]) -> None:
    bisect.insort(placed, entry)
