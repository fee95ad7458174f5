"""Groups of candidates: what one kernel computes, over which index space, and when each part of it is known.

A group runs an *outer* index space in parallel; each member adds loops of its own inside. Members are:

    POINT   elementwise over the whole outer space
    ROWS    reductions and elementwise members that share the outer space ("rows") and loop inside it
    DOT     one contraction over the whole outer space, and elementwise members after it (its epilogue)
    ALONE   a SCATTER, a SCAN or a REPEAT

A member is made position by position of the outer space. One that *collects* reduces the outer space itself, or is
computed from what does: it is known only after the whole of it. So what is read of a member inside its group is read
at the reader's own position, where it is still at hand; and nothing but what comes after the outer space, too, reads
what is collected (`is_at_hand`). `verify` holds every group to this.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from lazygrad.index import view
from lazygrad.index.expr import Dim, Expr
from lazygrad.ir.node import Node
from lazygrad.ir.op import Op
from lazygrad.schedule.access import Index, Place, Walk, domain, reads, reduced_sizes
from lazygrad.schedule.stored import element


class GroupKind(Enum):
    POINT = auto()
    ROWS = auto()
    DOT = auto()
    ALONE = auto()


@dataclass(frozen=True, slots=True)
class Read:
    """An element of a candidate or a buffer, at an index in terms of its reader's: `d0, d1, ...` for the axes of that,
    `r0, r1, ...` for those that it reduces."""

    node: Node
    index: Index


def reads_of(n: Node, stored: set[Node]) -> list[Read]:
    """What one element of candidate `n` is computed from: elements of `stored` nodes and buffers."""
    at = domain(n.shape, "d")
    places: list[Place] = [(*element(n, at), None)]
    if n.op in (Op.SCATTER, Op.SCAN, Op.REPEAT):
        places = [(s, domain(s.shape, "d"), None) for s in n.src]
    elif n.op is not Op.REDUCE:
        places = Walk().sources((n, at, None))
    return [Read(m, index) for m, index, _ in reads(places, stored)]


@dataclass(eq=False, slots=True)
class Member:
    """A candidate in a group. `outer`: its axes that together run over the group's outer space, in order."""

    node: Node
    outer: tuple[int, ...]
    collects: bool = False  # reduces the outer space, or is computed from what does: known at the end
    reads: tuple[Read, ...] = ()

    @property
    def inner(self) -> tuple[int, ...]:
        return tuple(k for k in range(self.node.ndim) if k not in self.outer)

    def position(self, index: Index) -> Expr:
        """The position in the outer space at which the element at `index` is made."""
        return view.flat([index[k] for k in self.outer], [self.node.shape[k] for k in self.outer])

    @property
    def own_position(self) -> Expr:
        """The position at which it is made, in terms of its own index; for one that reduces the outer space, of that
        in which a turn reads."""
        if not self.collects:
            return self.position(domain(self.node.shape, "d"))
        sizes = reduced_sizes(self.node)
        return view.flat(domain(sizes, "r"), sizes)

    def is_at_hand(self, read: Read, of: Member) -> bool:
        """Whether the value that this member reads of another one of its group is known by then, and not passed yet."""
        if self.collects and self.node.op is not Op.REDUCE:
            return of.collects
        return not of.collects and of.position(read.index) is self.own_position


@dataclass(eq=False, slots=True)
class Group:
    kind: GroupKind
    outer: tuple[Dim, ...]
    members: list[Member] = field(default_factory=list)
    sources: dict[Node, None] = field(default_factory=dict)  # what members read from outside, in order

    @property
    def collects(self) -> bool:
        return any(m.collects for m in self.members)

    def member(self, n: Node) -> Member | None:
        return next((m for m in self.members if m.node is n), None)


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """What one launch computes: `outputs` from `inputs` (buffers, or outputs of kernels before it)."""

    group: Group
    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
