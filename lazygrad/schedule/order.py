"""The order in which kernels run: producers first, and what gives memory back before what takes more."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol, TypeVar

from lazygrad.ir.node import Node
from lazygrad.ir.op import Op
from lazygrad.schedule.stored import nbytes


class Step(Protocol):
    """What ordering needs to know of a kernel."""

    @property
    def inputs(self) -> Iterable[Node]: ...
    @property
    def outputs(self) -> Iterable[Node]: ...


StepT = TypeVar("StepT", bound=Step)


def ordered(
    kernels: Sequence[StepT], results: Collection[Node] = (), before: Iterable[tuple[int, int]] = ()
) -> list[StepT]:
    """`kernels` sorted so that each runs after those whose outputs it reads; `before` pairs (a, b) have a run before b.

    Among those that can run, one that frees more bytes of temporaries than it needs goes first (in training, the
    gradient of a weight before that of the next layer), else the first one given. `results` are kept, and so are no
    temporaries. Returns fewer kernels than given when `before` contradicts the data flow.
    """
    followers = _followers(kernels, before)
    waiting = Counter(b for targets in followers for b in targets)
    left = Counter(n for k in kernels for n in k.inputs if n.op is not Op.BUFFER and n not in results)
    readers: dict[Node, list[int]] = {}
    for i, k in enumerate(kernels):
        for n in k.inputs:
            readers.setdefault(n, []).append(i)

    def entry(i: int) -> tuple[bool, int]:
        freed = sum(nbytes(n) for n in kernels[i].inputs if left[n] == 1)
        return freed <= sum(nbytes(n) for n in kernels[i].outputs if n not in results), i

    ready = [entry(i) for i in range(len(kernels)) if not waiting[i]]
    heapq.heapify(ready)
    done: set[int] = set()
    result: list[StepT] = []
    while ready:
        _, i = heapq.heappop(ready)
        if i in done:
            continue
        done.add(i)
        result.append(kernels[i])
        for b in followers[i]:
            waiting[b] -= 1
        left.subtract(n for n in kernels[i].inputs if n in left)
        alone = [r for n in kernels[i].inputs if left[n] == 1 for r in readers[n]]
        for b in (*followers[i], *alone):  # those that may run now, and those whose freeing it has become
            if not waiting[b] and b not in done:
                heapq.heappush(ready, entry(b))
    return result


def _followers(kernels: Sequence[StepT], before: Iterable[tuple[int, int]]) -> list[set[int]]:
    """For each kernel, those that have to run after it."""
    producer: dict[Node, int] = {n: i for i, k in enumerate(kernels) for n in k.outputs}
    followers: list[set[int]] = [set() for _ in kernels]
    for i, k in enumerate(kernels):
        for n in k.inputs:
            if n in producer:
                followers[producer[n]].add(i)
    for a, b in before:
        if a != b:
            followers[a].add(b)
    return followers
