"""The order in which kernels run: producers first, and as early as given otherwise."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from lazygrad.ir.node import Node


class Step(Protocol):
    """What ordering needs to know of a kernel."""

    @property
    def inputs(self) -> Iterable[Node]: ...
    @property
    def outputs(self) -> Iterable[Node]: ...


StepT = TypeVar("StepT", bound=Step)


def ordered(kernels: Sequence[StepT], before: Iterable[tuple[int, int]] = ()) -> list[StepT]:
    """`kernels` sorted so that each runs after those whose outputs it reads; `before` pairs (a, b) have a run before b.

    Returns fewer kernels than given when `before` contradicts the data flow.
    """
    producer: dict[Node, int] = {n: i for i, k in enumerate(kernels) for n in k.outputs}
    followers: list[set[int]] = [set() for _ in kernels]
    for i, k in enumerate(kernels):
        for n in k.inputs:
            if n in producer:
                followers[producer[n]].add(i)
    for a, b in before:
        if a != b:
            followers[a].add(b)
    waiting = [0] * len(kernels)
    for targets in followers:
        for b in targets:
            waiting[b] += 1
    ready = [i for i, n in enumerate(waiting) if n == 0]
    heapq.heapify(ready)
    result: list[StepT] = []
    while ready:
        i = heapq.heappop(ready)
        result.append(kernels[i])
        for b in followers[i]:
            waiting[b] -= 1
            if waiting[b] == 0:
                heapq.heappush(ready, b)
    return result
