"""Groups with reductions over their own outer space: a total beside the rows, or elements, that it is a total of.

What is collected is known only after the whole outer space, so no member that runs inside of it may read it (see
`group`). That decides what may be collected, and which earlier groups the one that collects may draw in.
"""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.index.expr import dim_max, dim_product
from lazygrad.ir.node import Node
from lazygrad.ir.op import Op, ReduceArg
from lazygrad.schedule.access import reduced_sizes
from lazygrad.schedule.group import Group, GroupKind, Member, Read
from lazygrad.schedule.stored import product

MIN_TURNS = 16  # a total of fewer elements is a reduction like others


def collecting(group: Group, n: Node, found: Sequence[Read], stored: set[Node]) -> Member | None:
    """`n` as a member of `group` that collects: a reduction over the outer space, or a scalar computed from such."""
    if group.kind is GroupKind.DOT or dim_product(n.shape) != 1:
        return None
    if n.op is Op.REDUCE and (not _over_outer(group, n) or product(n, stored)):
        return None
    made = Member(n, (), True, tuple(found))
    inside = [(r, of) for r in found if (of := group.member(r.node))]
    return made if inside and all(made.is_at_hand(r, of) for r, of in inside) else None


def _over_outer(group: Group, n: Node) -> bool:
    """Whether REDUCE `n` goes over as many elements as the outer space has, and may do so."""
    size = dim_product(reduced_sizes(n))
    if size != dim_product(group.outer) or dim_max(size) < MIN_TURNS:
        return False
    return all(_may_run_in_turn(m.node) for m in group.members)


def _may_run_in_turn(n: Node) -> bool:
    """Whether the elements of `n` may well be made one after the other. Sums of columns should not: they run side by
    side, many columns at a time, which a loop over columns would end."""
    if n.op is not Op.REDUCE:
        return True
    source = n.src[0]
    last = max((k for k in range(source.ndim) if source.shape[k] != 1), default=0)
    return last in n.argument(ReduceArg).axes


def absorbs(mine: Group, theirs: Group, between: Sequence[Group]) -> bool:
    """Whether group `mine`, which collects, may draw in an earlier one that it reads, past those `between` them.

    It may where their spaces are one, nothing between needs what theirs makes, and each value of theirs is at hand
    where mine reads it. A total of theirs is not, inside the loop that it is a total of.
    """
    if theirs.kind in (GroupKind.DOT, GroupKind.ALONE) or dim_product(theirs.outer) != dim_product(mine.outer):
        return False
    made = {m.node: m for m in theirs.members}
    if any(g.sources.keys() & made.keys() for g in between) or not all(map(_may_run_in_turn, made)):
        return False
    return all(m.is_at_hand(r, made[r.node]) for m in mine.members for r in m.reads if r.node in made)
