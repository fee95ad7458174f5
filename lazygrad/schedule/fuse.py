"""Puts candidates together into groups, each of which becomes one kernel.

Candidates are visited sources first. Each may join the *latest* group among those it reads from, and no later one
can depend on it yet; so groups never depend on each other in a circle, and the cost is linear. Reading a member at
the same outer position is what makes joining possible: then the value is still at hand and need not be stored (see
`group`).
"""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.index import view
from lazygrad.index.expr import Dim, Expr, Var, dim_max, dim_product
from lazygrad.ir.node import Node
from lazygrad.ir.op import ELEMENTWISE, Op, ReduceArg
from lazygrad.schedule.access import Index, domain
from lazygrad.schedule.collect import absorbs, collecting
from lazygrad.schedule.group import Group, GroupKind, Member, Read, reads_of
from lazygrad.schedule.stored import product

MIN_ROWS = 16  # a group with fewer parallel rows than this must be small, or it would leave cores idle
NEAR = 8  # groups past which an elementwise one is drawn into a later one
SMALL = 1 << 15  # elements that one core handles faster than several kernels could be launched


def fuse(order: list[Node], stored: set[Node]) -> list[Group]:
    """Groups of the candidates `stored` among `order` (sources first), in an order in which they can run."""
    groups: list[Group] = []
    position: dict[Node, int] = {}
    recent: dict[Node, int] = {}  # for each source, the last group that reads it
    for n in order:
        if n not in stored:
            continue
        found = reads_of(n, stored)
        sources = dict.fromkeys(r.node for r in found)
        latest = max((position[s] for s in sources if s in position), default=-1)
        where = latest if latest >= 0 and _join(groups[latest], n, found, stored) else -1
        if where >= 0 and (groups[where].collects or groups[where].kind is GroupKind.POINT):
            _absorb(groups, position, recent, where)
        if where < 0:
            beside = max((recent[s] for s in sources if recent.get(s, -1) > latest), default=-1)
            where = beside if beside >= 0 and _join_beside(groups[beside], n, found, stored) else -1
        if where < 0:
            where = len(groups)
            groups.append(_alone(n, found, stored))
        position[n] = where
        outside = [s for s in sources if position.get(s) != where]
        groups[where].sources |= dict.fromkeys(outside)
        for s in outside:
            recent[s] = where
    return [g for g in groups if g.members]


def _alone(n: Node, found: list[Read], stored: set[Node]) -> Group:
    if n.op in (Op.SCATTER, Op.SCAN, Op.REPEAT):
        kind = GroupKind.ALONE
    elif n.op is Op.REDUCE:
        kind = GroupKind.DOT if product(n, stored) else GroupKind.ROWS
    else:
        kind = GroupKind.POINT
    return Group(kind, n.shape, [Member(n, tuple(range(n.ndim)), reads=tuple(found))])


def _join(group: Group, n: Node, found: list[Read], stored: set[Node]) -> bool:
    """Add `n` to the group if everything it reads of the group is at its own outer position."""
    inside = [r for r in found if group.member(r.node)]
    if group.kind is GroupKind.ALONE or n.op in (Op.SCATTER, Op.SCAN, Op.REPEAT):
        return False
    if (last := collecting(group, n, found, stored)) is not None:
        group.kind = GroupKind.ROWS
        group.members.append(last)
        return True
    if any(m.collects for r in inside if (m := group.member(r.node))):
        return False
    if n.op is Op.REDUCE and (group.kind is GroupKind.DOT or product(n, stored)):
        return False
    at = domain(n.shape, "d")
    before = group.outer, [m.outer for m in group.members]
    if group.kind is GroupKind.POINT and n.op is Op.REDUCE and not _split(group, n, inside, at):
        return False
    axes = _matching(group, inside, at, n.shape)
    whole = n.op is Op.REDUCE or group.kind is not GroupKind.ROWS  # such members have no loops of their own inside
    if axes is None or (whole and len(axes) != len(_sized(n))) or not _enough_rows(group, n):
        group.outer = before[0]  # elementwise members go on over their whole shape
        for m, outer in zip(group.members, before[1]):
            m.outer = outer
        return False
    if n.op is Op.REDUCE:
        group.kind = GroupKind.ROWS
    group.members.append(Member(n, axes, reads=tuple(found)))
    return True


def _sized(n: Node) -> list[int]:
    return [k for k in range(n.ndim) if n.shape[k] != 1]


def _enough_rows(group: Group, n: Node) -> bool:
    """Whether running `n` row by row still leaves enough parallel work."""
    if group.kind is not GroupKind.ROWS and n.op is not Op.REDUCE:
        return True
    work = dim_max(dim_product(n.src[0].shape if n.op is Op.REDUCE else n.shape))
    return dim_max(dim_product(group.outer)) >= MIN_ROWS or work <= SMALL


def _matching(group: Group, inside: list[Read], at: Index, shape: Sequence[Dim]) -> tuple[int, ...] | None:
    """The axes of the node of `shape` with index `at` that are at the outer position of every read of the group; None
    where there are none."""
    axes: tuple[int, ...] | None = None
    for r in inside:
        member = group.member(r.node)
        assert member is not None
        mine = _axes_of(member.position(r.index), at, shape, dim_product(group.outer))
        if mine is None or (axes is not None and axes != mine):
            return None
        axes = mine
    return axes


def _axes_of(position: Expr, at: Index, shape: Sequence[Dim], size: Dim) -> tuple[int, ...] | None:
    """The axes k1, k2, ... for which `position` is the row-major offset of (at[k1], at[k2], ...) in `size` elements.

    They are in falling order of their strides; where those have variables, only their own order is tried.
    """
    axes = tuple(k for k, var in enumerate(at) if isinstance(var, Var) and var in position.vars)
    strides = {k: position.coefficient(var) for k in axes if isinstance(var := at[k], Var)}
    if all(stride is not None for stride in strides.values()):
        axes = tuple(sorted(axes, key=lambda k: -(strides[k] or 0)))
    sizes = [shape[k] for k in axes]
    if dim_product(sizes) != size or view.flat([at[k] for k in axes], sizes) is not position:
        return None
    return axes


def _split(group: Group, n: Node, inside: list[Read], at: Index) -> bool:
    """Turn an elementwise group into rows, for a reduction `n` of its members along whole axes."""
    if not inside or any(r.node.shape != inside[0].node.shape for r in inside):
        return False
    shape = inside[0].node.shape
    if any(m.node.shape != shape for m in group.members):
        return False
    axes: tuple[int, ...] | None = None
    for r in inside:
        mine = tuple(k for k, e in enumerate(r.index) if e.vars and e.vars <= frozenset().union(*(v.vars for v in at)))
        position = view.flat([r.index[k] for k in mine], [shape[k] for k in mine])
        if (axes is not None and axes != mine) or _axes_of(position, at, n.shape, dim_product(n.shape)) is None:
            return False
        axes = mine
    if axes is None or not _enough_rows(Group(GroupKind.ROWS, n.shape), n):
        return False
    group.outer = tuple(shape[k] for k in axes)
    for m in group.members:
        m.outer = axes
    return True


def _join_beside(group: Group, n: Node, found: list[Read], stored: set[Node]) -> bool:
    """Add `n` to a group that reads the same source over the same loops, and that `n` does not read from.

    A reduction joins reductions, an elementwise node those of its shape.
    """
    first = group.members[0].node
    if group.kind is GroupKind.POINT and n.op in ELEMENTWISE:
        size = dim_max(dim_product(n.shape))
        common = any(r.node in group.sources and dim_max(dim_product(r.node.shape)) >= size for r in found)
        if not common or n.shape != group.outer or any(group.member(r.node) for r in found):
            return False
        group.members.append(Member(n, tuple(range(n.ndim)), reads=tuple(found)))
        return True
    if group.kind is not GroupKind.ROWS or n.op is not Op.REDUCE or product(n, stored):
        return False
    if first.op is not Op.REDUCE or n.shape != first.shape or n.src[0].shape != first.src[0].shape:
        return False
    if n.argument(ReduceArg).axes != first.argument(ReduceArg).axes or any(group.member(r.node) for r in found):
        return False
    group.members.append(Member(n, tuple(range(n.ndim)), reads=tuple(found)))
    return True


def _is_near(group: Group, distance: int) -> bool:
    """Whether an elementwise group may be made so many groups later: what it reads is kept for so long."""
    return group.kind is GroupKind.POINT and distance <= NEAR


def _absorb(groups: list[Group], position: dict[Node, int], recent: dict[Node, int], where: int) -> None:
    """Draw the earlier groups that the latest member of the group `where` reads into it, where that may be.

    What they made and read is found at `where` from then on, and they are left empty.
    """
    mine = groups[where]
    for r in mine.members[-1].reads:
        other = position.get(r.node, where)
        theirs = groups[other]
        if other == where or not (mine.collects or _is_near(theirs, where - other)):
            continue
        if not absorbs(mine, theirs, groups[other + 1 : where]):
            continue
        mine.members[:0] = theirs.members
        mine.sources = {s: None for s in (theirs.sources | mine.sources) if mine.member(s) is None}
        position |= {m.node: where for m in theirs.members}
        recent |= {s: where for s in theirs.sources if recent[s] == other}
        theirs.members, theirs.sources = [], {}
