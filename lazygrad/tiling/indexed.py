"""Graph nodes at indices as values: what one element of them is computed from.

Movement operations change the index, elementwise ones make an `Alu`, stored nodes a `Load`, reductions an accumulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lazygrad.dtype import DType, dtypes
from lazygrad.index import view
from lazygrad.index.expr import Expr, Var, as_dim
from lazygrad.ir.node import Node
from lazygrad.ir.op import ELEMENTWISE, IDENTITY, ConstArg, Op, PadArg, ReduceArg
from lazygrad.schedule.access import Index, Place, Walk, domain, reduced_index, reduced_sizes
from lazygrad.schedule.group import Group
from lazygrad.schedule.stored import element
from lazygrad.tiling import program as tp
from lazygrad.tiling.factors import matrix_factors

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
        var = self.walk.loaded(*place)
        if var not in self.bindings:
            self.bindings[var] = held(loaded, var)

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
            return self._cast(n.dtype, n.src[0].dtype, src[0])
        if n.op is Op.BITCAST:
            return self._bits(n, src[0])
        if n.op in ELEMENTWISE:
            return tp.alu(n.op, dtype, *src)
        if n.op is Op.PAD:
            fill = n.argument(PadArg).fill.value
            return self._inside(self.walk.sources((n, index, None))[0][2], src[0], n.src[0], fill)
        if n.op is Op.GATHER:
            return self._inside(self.walk.is_inside(*place), src[0], n.src[0], 0)
        assert len(src) == 1 or n.op in IDENTITY, n
        return src[0]

    def _cast(self, to: DType, kind: DType, v: tp.Value) -> tp.Value:
        """`v`, of a node of dtype `kind`, as `to`. What is cast to a 16-bit float is rounded to it here; what is merely
        computed in one is not, until it is stored."""
        if to.is_half and to is not kind:
            return tp.alu(Op.CAST, to, v)
        dtype = tp.compute_dtype(to)
        return v if tp.compute_dtype(kind) is dtype else tp.alu(Op.CAST, dtype, v)

    def _bits(self, n: Node, v: tp.Value) -> tp.Value:
        """The bits of `v`, which may differ from the graph in type: not rounded to 16 bits, or not cast to 32."""
        kind = n.src[0].dtype
        return tp.alu(Op.BITCAST, n.dtype, v if v.dtype is kind else tp.alu(Op.CAST, kind, v))

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


def held(loaded: tp.Value, var: Var) -> tp.Value:
    """An index within the bounds of `var`, of 32 bits where that is enough: those outside become the nearest one."""
    low = tp.alu(Op.MAX, loaded.dtype, loaded, tp.const(var.lo, loaded.dtype))
    high = tp.const(var.hi, loaded.dtype)
    held = tp.alu(Op.WHERE, loaded.dtype, tp.alu(Op.LT, dtypes.bool, low, high), low, high)
    is_wide = loaded.dtype.itemsize > dtypes.int32.itemsize and var.hi <= dtypes.int32.max
    return tp.alu(Op.CAST, dtypes.int32, held) if is_wide else held


def compared(loaded: tp.Value, var: Var) -> tp.Value:
    """An index that is within the bounds of `var` where `loaded` is, to be compared with these bounds."""
    return held(loaded, var) if loaded.dtype.itemsize > dtypes.int32.itemsize else loaded
