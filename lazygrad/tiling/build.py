"""From a group of graph nodes to a plain tile program: loops, reductions and stores, not optimized yet.

Every value is made by asking for a node *at an index* (`indexed`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lazygrad.index import view
from lazygrad.index.expr import Dim, Var, all_of, as_dim, dim_max
from lazygrad.ir.node import Node
from lazygrad.ir.op import Combine, Op, ScanArg, ScatterArg
from lazygrad.schedule.access import ZERO, Index, domain
from lazygrad.schedule.group import Group, GroupKind, Member
from lazygrad.tiling import program as tp
from lazygrad.tiling.indexed import Arrays, Values, compared
from lazygrad.tiling.values import accumulators


def build(name: str, group: Group, arrays: Arrays, outputs: Sequence[Node]) -> tp.Program:
    """The plain program of `group`. `arrays` holds its parameters: what it reads, and the `outputs` it writes."""
    values = Values(arrays, group)
    outer = domain(group.outer, "o")
    if group.kind is GroupKind.ALONE:
        body = _alone(values, group.members[0].node, arrays)
    else:
        inside = [m for m in outputs_of(group, outputs) if not m.collects]
        body = _rows(values, group, arrays, inside, outer)
        if group.collects:
            body = _collected(values, arrays, [m for m in outputs_of(group, outputs) if m.collects], body, outer)
        else:
            body = _loops(outer, group.outer, tp.Kind.GRID, body)
    params = tuple(dict.fromkeys(arrays.values()))
    return tp.Program(name, params, (), body)


def _loops(index: Index, sizes: Sequence[Dim], kind: tp.Kind, body: tuple[tp.Stmt, ...]) -> tuple[tp.Stmt, ...]:
    for var, size in zip(reversed(index), reversed(sizes)):
        if isinstance(var, Var):
            body = (tp.Loop(tp.Axis(var, as_dim(size), kind), body),)
    return body


def outputs_of(group: Group, outputs: Sequence[Node]) -> list[Member]:
    """The members of `group` that are stored, in the order of `outputs`."""
    members = {m.node: m for m in group.members}
    return [members[n] for n in outputs]


def _collected(
    values: Values, arrays: Arrays, outputs: Sequence[Member], rows: tuple[tp.Stmt, ...], outer: Index
) -> tuple[tp.Stmt, ...]:
    """One reduction over the outer space with the rows' statements inside, then the stores of what it collects."""
    stores = [tp.Store(arrays[m.node], ZERO, values.at(m.node, (ZERO,) * m.node.ndim)) for m in outputs]
    accs = [a for a in accumulators([s.value for s in stores]) if values.collects(a)]
    done = {a for s in rows if isinstance(s, tp.Reduction) for a in s.accumulators}
    more = _reductions(values, [a.value for a in accs], done)
    inside = (
        [s for s in rows if isinstance(s, tp.Reduction)] + more + [s for s in rows if not isinstance(s, tp.Reduction)]
    )
    return (tp.Reduction(values.reduction_axes(accs[0]), tuple(accs), tuple(inside)), *stores)


def _rows(values: Values, group: Group, arrays: Arrays, outputs: Sequence[Member], outer: Index) -> tuple[tp.Stmt, ...]:
    """Reductions in the order they need each other, then one loop nest of stores for each inner index space."""
    nests: dict[tuple[Dim, ...], list[tp.Store]] = {}
    for member in outputs:
        n = member.node
        sizes = tuple(n.shape[k] for k in member.inner)
        at = _member_index(member, group, outer, domain(sizes, "i"))
        value = values.at(n, at)
        nests.setdefault(sizes, []).append(tp.Store(arrays[n], view.flat(at, n.shape), value))
    reductions = _reductions(values, [s.value for stores in nests.values() for s in stores])
    stores = [
        s for sizes, nest in nests.items() for s in _loops(domain(sizes, "i"), sizes, tp.Kind.SERIAL, tuple(nest))
    ]
    return (*reductions, *stores)


def _member_index(member: Member, group: Group, outer: Index, inner: Index) -> Index:
    shape = tuple(member.node.shape[k] for k in member.outer)
    outside = iter(view.reshape(outer, group.outer, shape))
    by_axis = dict(zip(member.outer, outside)) | dict(zip(member.inner, inner))
    return tuple(by_axis[k] for k in range(member.node.ndim))


def _reductions(
    values: Values, roots: Sequence[tp.Value], before: Collection[tp.Accumulator] = ()
) -> list[tp.Reduction]:
    """One pass for each set of accumulators that run over the same axes and need no other first; none made `before`."""
    done = set(before)
    waiting = [a for a in accumulators(roots) if a not in done]
    passes: list[tp.Reduction] = []
    while waiting:
        axes = values.reduction_axes(waiting[0])
        now = [a for a in waiting if a.value.accs <= done and values.reduction_axes(a) == axes]
        passes.append(tp.Reduction(axes, tuple(now)))
        done.update(now)
        waiting = [a for a in waiting if a not in done]
    return passes


def _alone(values: Values, n: Node, arrays: Arrays) -> tuple[tp.Stmt, ...]:
    return _scan(values, n, arrays) if n.op is Op.SCAN else _scatter(values, n, arrays)


def _scan(values: Values, n: Node, arrays: Arrays) -> tuple[tp.Stmt, ...]:
    """Each element is the one before it combined with its own source, in order along the axis."""
    arg = n.argument(ScanArg)
    at = domain(n.shape, "o")
    own = values.at(n.src[0], at)
    position = at[arg.axis]
    before = (*at[: arg.axis], position - 1, *at[arg.axis + 1 :])
    dtype = tp.compute_dtype(n.dtype)
    identity: bool | int | float = {Combine.ADD: 0, Combine.MUL: 1, Combine.MAX: n.dtype.min}[arg.combine]
    previous = tp.load(arrays[n], view.flat(before, n.shape), position.ge(1), identity)
    op = {Combine.ADD: Op.ADD, Combine.MUL: Op.MUL, Combine.MAX: Op.MAX}[arg.combine]
    store = tp.Store(arrays[n], view.flat(at, n.shape), tp.alu(op, dtype, previous, own))
    along = _loops((position,), (n.shape[arg.axis],), tp.Kind.SERIAL, (store,))
    rest = [k for k in range(n.ndim) if k != arg.axis]
    return _loops(tuple(at[k] for k in rest), [n.shape[k] for k in rest], tp.Kind.GRID, along)


def _scatter(values: Values, n: Node, arrays: Arrays) -> tuple[tp.Stmt, ...]:
    """Fill along the axis with the base, then go through the updates in order; the other axes are parallel."""
    arg = n.argument(ScatterArg)
    base, index_node, updates = n.src
    at = domain(n.shape, "o")
    fill = tp.Store(arrays[n], view.flat(at, n.shape), values.at(base, at))
    filled = _loops((at[arg.axis],), (n.shape[arg.axis],), tp.Kind.SERIAL, (fill,))
    others = [k for k in range(n.ndim) if k != arg.axis]
    turn = domain(index_node.shape, "u")[arg.axis]
    from_ = (*at[: arg.axis], turn, *at[arg.axis + 1 :])
    has_update = all_of(at[k].lt(index_node.shape[k]) for k in others)  # elsewhere the index may be shorter
    masked = None if has_update.constant == 1 else has_update
    size = n.shape[arg.axis]
    target = Var("at", -1, dim_max(size))
    values.bindings[target] = compared(values.at(index_node, from_, masked), target)
    to = (*at[: arg.axis], target, *at[arg.axis + 1 :])
    update = tp.Store(
        arrays[n],
        view.flat(to, n.shape),
        values.at(updates, from_, masked),
        combine=arg.combine,
        valid=all_of((target.ge(0), target.lt(size), has_update)),
        bindings=((target, values.bindings[target]),),
    )
    updated = _loops((turn,), (index_node.shape[arg.axis],), tp.Kind.SERIAL, (update,))
    reductions = _reductions(values, [fill.value, update.value])
    body = (*reductions, *filled, *updated)
    return _loops(tuple(at[k] for k in others), [n.shape[k] for k in others], tp.Kind.GRID, body)
