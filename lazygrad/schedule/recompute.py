"""Gives memory back in exchange for a little work: what is cheap to compute again is not kept until it is needed again.

In training, an activation like gelu(h) is used by the next layer at once, and by the gradient of that layer's weight
much later. If h is kept anyway, computing gelu(h) a second time costs a pass over it, and frees as many bytes in
between, when the most memory is in use. (The idea is that of T. Chen et al., "Training Deep Nets with Sublinear Memory
Cost", 2016, with the choice made by liveness rather than by the user.)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lazygrad.ir.node import Node, topological
from lazygrad.ir.op import ELEMENTWISE, Op
from lazygrad.schedule.access import Walk, domain, reads
from lazygrad.schedule.group import Group, GroupKind, Member
from lazygrad.schedule.kernel import Kernel
from lazygrad.schedule.stored import RECOMPUTE_OPS, nbytes

LEAST_BYTES = 1 << 16  # smaller temporaries are not worth a launch
LEAST_GAP = 16  # kernels between the uses


@dataclass(frozen=True, slots=True)
class _Life:
    """Where a temporary is made (an index into the kernels), and where it is used."""

    made: int
    uses: tuple[int, ...]

    @property
    def gap(self) -> tuple[int, int]:
        """The longest stretch without a use: from one use to the next."""
        points = (self.made, *self.uses)
        return max(pairwise(points), key=lambda pair: pair[1] - pair[0])


def recomputed(kernels: Sequence[Kernel], kept: Collection[Node], aliases: Mapping[Node, Node]) -> list[Kernel]:
    """`kernels` with some temporaries made a second time, right before they are used after a long time.

    `kept` are no temporaries; `aliases` are outputs that are written over inputs (output -> input), which nothing may
    read later.
    """
    lives = _lives(kernels, kept)
    overwritten = {aliases[n]: i for i, k in enumerate(kernels) for n in k.outputs if n in aliases}
    peak = _peak(lives, len(kernels))
    stored = {n for k in kernels for n in (*k.inputs, *k.outputs)}
    again: dict[int, list[Kernel]] = {}
    absent: dict[Node, tuple[int, int]] = {}
    for n, life in lives.items():  # sources first
        start, end = life.gap
        if not start < peak < end or end - start < LEAST_GAP or nbytes(n) < LEAST_BYTES or n.op not in ELEMENTWISE:
            continue
        sources = _sources(n, stored)
        if sources is None or any(not _there(s, end, lives, kept, overwritten) for s in sources):
            continue
        if any(s in absent and absent[s][0] < end < absent[s][1] for s in sources):
            continue
        absent[n] = (start, end)
        group = Group(GroupKind.POINT, n.shape, [Member(n, tuple(range(n.ndim)))], dict.fromkeys(sources))
        again.setdefault(end, []).append(Kernel(group, sources, (n,)))
    return [k for i, kernel in enumerate(kernels) for k in (*again.get(i, ()), kernel)]


def _lives(kernels: Sequence[Kernel], kept: Collection[Node]) -> dict[Node, _Life]:
    uses: dict[Node, list[int]] = {}
    made: dict[Node, int] = {}
    for i, k in enumerate(kernels):
        for n in k.outputs:
            made.setdefault(n, i)
        for n in k.inputs:
            uses.setdefault(n, []).append(i)
    return {n: _Life(i, tuple(uses[n])) for n, i in made.items() if n not in kept and n in uses}


def _peak(lives: dict[Node, _Life], count: int) -> int:
    """The kernel during which temporaries need most memory."""
    change = [0] * (count + 1)
    for n, life in lives.items():
        change[life.made] += nbytes(n)
        change[life.uses[-1] + 1] -= nbytes(n)
    live = most = peak = 0
    for i, more in enumerate(change):
        live += more
        if live > most:
            most, peak = live, i
    return peak


def _sources(n: Node, stored: set[Node]) -> tuple[Node, ...] | None:
    """What `n` is computed from, if that is little work: at most one input of its own size, and few operations."""
    inside = topological([n], stop=lambda m: m is not n and (m in stored or m.op is Op.BUFFER))
    own = [m for m in inside if m is n or not (m in stored or m.op is Op.BUFFER)]
    if len(own) > RECOMPUTE_OPS or any(m.op in (Op.REDUCE, Op.SCAN, Op.SCATTER, Op.REPEAT) for m in own):
        return None
    found = dict.fromkeys(m for m, _, _ in reads(Walk().sources((n, domain(n.shape, "d"), None)), stored - {n}))
    large = [m for m in found if 4 * nbytes(m) > nbytes(n)]
    return tuple(found) if sum(map(nbytes, large)) <= 1.5 * nbytes(n) else None


def _there(n: Node, at: int, lives: dict[Node, _Life], kept: Collection[Node], overwritten: Mapping[Node, int]) -> bool:
    """Whether the value of `n` is still in memory when kernel number `at` runs, without keeping it longer for that."""
    if n.op is Op.BUFFER:
        return at <= overwritten.get(n, at)
    return n in lives and lives[n].uses[-1] >= at and n not in kept
