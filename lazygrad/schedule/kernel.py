"""A schedule: the kernels that compute some graph, in order, and which buffer each root ends up in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lazygrad.ir.node import Node, const, full_like_shape, is_empty, topological, with_sources
from lazygrad.ir.op import IDENTITY, Combine, Op, PadArg, ReduceArg
from lazygrad.ir.rewrite import simplify
from lazygrad.schedule.arrange import arranged
from lazygrad.schedule.fuse import fuse
from lazygrad.schedule.group import Group
from lazygrad.schedule.group import Kernel as Kernel
from lazygrad.schedule.order import ordered
from lazygrad.schedule.stored import candidates
from lazygrad.schedule.verify import verify
from lazygrad.settings import settings


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """`results[k]` is the node whose elements are those of root k, in the same order: an output or a BUFFER."""

    kernels: tuple[Kernel, ...]
    results: tuple[Node, ...]


def schedule(roots: Sequence[Node]) -> Schedule:
    """The kernels that compute `roots`. Roots may share nodes; each result is stored once."""
    stripped, required = _strip(_without_empty(simplify(roots)))
    moved = arranged([*stripped, *required])
    stripped, required = moved[: len(stripped)], moved[len(stripped) :]
    results = [base(r) for r in stripped]
    wanted = dict.fromkeys(r for r in (*results, *map(base, required)) if r.op is not Op.BUFFER and not is_empty(r))
    order = topological(wanted)
    stored = candidates(order, wanted)
    groups = fuse(order, stored)
    kernels = ordered(_kernels(groups, set(results)), set(results))
    if settings.verify:
        verify(kernels, results)
    return Schedule(tuple(kernels), tuple(results))


def base(n: Node) -> Node:
    """What holds the elements of `n` in the same order."""
    while n.op is Op.RESHAPE:
        n = n.src[0]
    return n


def _strip(roots: Sequence[Node]) -> tuple[list[Node], list[Node]]:
    """The graph without identity ops, and the nodes that CONTIGUOUS asks to be stored."""
    new: dict[Node, Node] = {}
    required: dict[Node, None] = {}
    for n in topological(roots):
        src = tuple(new[s] for s in n.src)
        if n.op in IDENTITY:
            new[n] = src[0]
            if n.op is Op.CONTIGUOUS:
                required[src[0]] = None
        else:
            new[n] = with_sources(n, src)
    return [new[r] for r in roots], list(required)


_IDENTITY: dict[Combine, float] = {Combine.ADD: 0, Combine.MUL: 1}


def _without_empty(roots: Sequence[Node]) -> list[Node]:
    """The graph where what is made of empty tensors only (a sum over no elements, a padding of none) is a constant."""
    order = topological(roots)
    if not any(is_empty(n) for n in order):
        return list(roots)
    new: dict[Node, Node] = {}
    for n in order:
        new[n] = with_sources(n, tuple(new[s] for s in n.src))
        if is_empty(n):
            new[n] = full_like_shape(const(0, n.dtype), n.shape)
        elif n.op is Op.REDUCE and is_empty(n.src[0]):
            combine = n.argument(ReduceArg).combine
            new[n] = full_like_shape(const(_IDENTITY.get(combine, n.dtype.min), n.dtype), n.shape)
        elif n.op is Op.PAD and is_empty(n.src[0]):
            new[n] = full_like_shape(const(n.argument(PadArg).fill.value, n.dtype), n.shape)
        elif n.op is Op.GATHER and is_empty(n.src[0]):
            new[n] = full_like_shape(const(0, n.dtype), n.shape)
        elif n.op is Op.SCATTER and is_empty(n.src[1]):
            new[n] = new[n.src[0]]
    return [new[r] for r in roots]


def _kernels(groups: list[Group], results: set[Node]) -> list[Kernel]:
    """One kernel per group; a member is an output when a root or another group needs it."""
    needed = set(results)
    for g in groups:
        needed.update(g.sources)
    kernels = []
    for g in groups:
        inputs = tuple(s for s in g.sources if g.member(s) is None)
        outputs = tuple(m.node for m in g.members if m.node in needed)
        kernels.append(Kernel(g, inputs, outputs))
    return kernels
