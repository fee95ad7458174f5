"""From a group of graph nodes to a plain tile program: loops, reductions and stores, not optimized yet.

Every value is made by asking for a node *at an index*: movement operations change the index, elementwise ones make
an `Alu`, stored nodes a `Load`, reductions of the group an accumulator.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from lazygrad.dtype import dtypes
from lazygrad.index import view
from lazygrad.index.expr import Dim, Expr, Var, all_of, as_dim, dim_max
from lazygrad.ir.node import Node
from lazygrad.ir.op import ELEMENTWISE, IDENTITY, Combine, ConstArg, Op, PadArg, ReduceArg, ScanArg, ScatterArg
from lazygrad.schedule.access import ZERO, Index, Place, Walk, domain, reduced_index, reduced_sizes
from lazygrad.schedule.fuse import Group, GroupKind, Member
from lazygrad.schedule.stored import element
from lazygrad.tile import program as tp
from lazygrad.tile.factors import matrix_factors
from lazygrad.tile.values import accumulators

Arrays = Mapping[Node, tp.Array]


@dataclass
class Values:
    """Makes values of nodes at indices, each once."""

    arrays: Arrays  # what is read from memory, and so not entered
    group: Group
    walk: Walk = field(default_factory=Walk)
    made: dict[Place, tp.Value] = field(default_factory=dict)
    bindings: dict[Var, tp.Value] = field(default_factory=dict)
    accs: dict[tuple[Node, Index], tp.Accumulator] = field(default_factory=dict)

    def at(self, n: Node, index: Index, valid: Expr | None = None) -> tp.Value:
        """The value of `n` at `index` (where `valid` holds; elsewhere it is unspecified, but safe to compute)."""
        stack: list[tuple[Place, bool]] = [((n, index, valid), False)]
        while stack:
            place, expanded = stack.pop()
            if place in self.made:
                continue
            below = self._below(place)
            if expanded or not below:
                self.made[place] = self._make(place, [self.made[p] for p in below])
                continue
            if place[0].op is Op.GATHER:  # its index comes first: what is gathered from is read at the loaded variable
                if below[1] not in self.made:
                    stack += [(place, False), (below[1], False)]
                    continue
                self._bind(place, self.made[below[1]])
            stack.append((place, True))
            stack.extend((p, False) for p in reversed(below) if p not in self.made)
        return self.made[n, index, valid]

    def _reads(self, n: Node) -> bool:
        return n in self.arrays and self.group.member(n) is None

    def _below(self, place: Place) -> list[Place]:
        n, index, _ = place
        if self._reads(n) or not n.src:
            return []
        if n.op is Op.REDUCE:
            return [(*self._summand(n, index), None)]
        return self.walk.sources(place)

    def _summand(self, n: Node, index: Index) -> tuple[Node, Index]:
        """What REDUCE `n` goes over; one that collects goes over the outer space itself."""
        member = self.group.member(n)
        if member is None or not member.collects:
            return element(n, index)
        along = view.reshape(domain(self.group.outer, "o"), self.group.outer, reduced_sizes(n))
        return n.src[0], reduced_index(n, index, along)

    def _bind(self, place: Place, loaded: tp.Value) -> None:
        """Let the gathered-from node be indexed by `loaded`, held within -1..size so that it fits the variable."""
        n, index, _ = place
        var = self.walk.loaded(n, index)
        if var not in self.bindings:
            self.bindings[var] = _held(loaded, var)

    def _make(self, place: Place, src: list[tp.Value]) -> tp.Value:
        n, index, valid = place
        dtype = tp.compute_dtype(n.dtype)
        if self._reads(n):
            return tp.load(self.arrays[n], view.flat(index, n.shape), valid, 0, self.bindings)
        if n.op is Op.CONST:
            return tp.const(n.argument(ConstArg).value, dtype)
        if n.op is Op.IOTA:
            return self._counter(n, index)
        if n.op is Op.REDUCE:
            return tp.ref(self._accumulator(n, index, src[0]))
        if n.op is Op.CAST:
            return src[0] if tp.compute_dtype(n.src[0].dtype) is dtype else tp.alu(Op.CAST, dtype, src[0])
        if n.op in ELEMENTWISE:
            return tp.alu(n.op, dtype, *src)
        if n.op is Op.PAD:
            fill = n.argument(PadArg).fill.value
            return self._inside(self.walk.sources((n, index, None))[0][2], src[0], n.src[0], fill)
        if n.op is Op.GATHER:
            return self._inside(self.walk.sources((n, index, None))[0][2], src[0], n.src[0], 0)
        assert len(src) == 1 or n.op in IDENTITY, n
        return src[0]

    def _counter(self, n: Node, index: Index) -> tp.Value:
        if n.dtype.is_int:
            return tp.index(index[0], n.dtype, self.bindings)
        return tp.alu(Op.CAST, tp.compute_dtype(n.dtype), tp.index(index[0], dtypes.int64, self.bindings))

    def _inside(self, condition: Expr | None, v: tp.Value, source: Node, fill: bool | int | float) -> tp.Value:
        """`v` where `condition` holds, else `fill`."""
        if condition is None or condition.constant == 1:
            return v
        if isinstance(v, tp.Load) and self._reads(source) and v.valid is condition:
            return tp.load(v.array, v.index, v.valid, fill, self.bindings)
        test = tp.index(condition, dtypes.bool, self.bindings)
        return tp.alu(Op.WHERE, v.dtype, test, v, tp.const(fill, v.dtype))

    def _accumulator(self, n: Node, index: Index, body: tp.Value) -> tp.Accumulator:
        key = (n, index)
        if key not in self.accs:
            axes = {axis.var for axis in self._axes(n)}
            self.accs[key] = tp.Accumulator(
                f"acc{len(self.accs)}",
                n.argument(ReduceArg).combine,
                tp.compute_dtype(n.dtype),
                body,
                body.vars - axes,
                matrix_factors(n, self._reads),
            )
        return self.accs[key]

    def reduction_axes(self, acc: tp.Accumulator) -> tuple[tp.Axis, ...]:
        return self._axes(self._node(acc))

    def collects(self, acc: tp.Accumulator) -> bool:
        member = self.group.member(self._node(acc))
        return member is not None and member.collects

    def _node(self, acc: tp.Accumulator) -> Node:
        return next(node for (node, _), a in self.accs.items() if a is acc)

    def _axes(self, n: Node) -> tuple[tp.Axis, ...]:
        member = self.group.member(n)
        prefix, sizes = ("o", self.group.outer) if member and member.collects else ("r", reduced_sizes(n))
        return tuple(tp.Axis(v, as_dim(size)) for v, size in zip(domain(sizes, prefix), sizes) if isinstance(v, Var))


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


def _held(loaded: tp.Value, var: Var) -> tp.Value:
    """An integer within the bounds of `var`, of 32 bits where that is enough: those outside become the nearest one."""
    low = loaded
    if loaded.dtype.kind == "int":
        low = tp.alu(Op.MAX, loaded.dtype, loaded, tp.const(var.lo, loaded.dtype))
    high = tp.const(var.hi, loaded.dtype)
    held = tp.alu(Op.WHERE, loaded.dtype, tp.alu(Op.LT, dtypes.bool, low, high), low, high)
    is_wide = loaded.dtype.itemsize > dtypes.int32.itemsize and var.hi <= dtypes.int32.max
    return tp.alu(Op.CAST, dtypes.int32, held) if is_wide else held


def _compared(loaded: tp.Value, var: Var) -> tp.Value:
    """An integer that is within the bounds of `var` where `loaded` is; signed, to be compared with these bounds."""
    if loaded.dtype.itemsize > dtypes.int32.itemsize:
        return _held(loaded, var)
    return loaded if loaded.dtype is dtypes.int32 else tp.alu(Op.CAST, dtypes.int32, loaded)


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
    values.bindings[target] = _compared(values.at(index_node, from_, masked), target)
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
