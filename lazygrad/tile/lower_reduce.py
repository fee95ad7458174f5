"""Reductions: accumulators over the register tile, spread over segments of the reduced axes, then combined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lazygrad.dtype import dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Const, Expr, Var
from lazygrad.ir.op import Combine

from . import arithmetic
from .lower_context import Context, Element, Registers, TileAxis
from .lower_loop import Segment, most_lanes, run_segment, segments
from .lower_value import Values
from .machine import Code, Compute, LoadFrom, Meet, Operand, Register, StoreTo
from .program import Accumulator, Alu, Array, Kind, Reduction, Scope, Stmt, compute_dtype


@dataclass
class Partial:
    """The registers of one accumulator: for each element of the register tile, one per combination of strips.

    `rest` takes what the longest vectors leave over: one register for each element and number of lanes.
    """

    acc: Accumulator
    main: dict[Registers, dict[Registers, Register]] = field(default_factory=dict)
    rest: dict[tuple[Registers, int], Register] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Items:
    """The work-items that a LOCAL axis spreads a reduction over: `count` neighbours, of which this is number `item`."""

    id: Expr  # of this work-item in its group
    item: Expr
    count: int
    group_size: int


Shared = tuple[Array, Accumulator, Register]  # local memory with each work-item's total, and this one's


class Reducer:
    """Lowers Reductions: a pass of loops, then the end where partial results meet."""

    def __init__(self, context: Context, values: Values, body: Callable[[Sequence[Stmt]], None]) -> None:
        self.context, self.values, self.body = context, values, body

    def reduce(self, stmt: Reduction, items: Items | None = None) -> None:
        """Runs the reduction over its SERIAL axes and makes its accumulators known.

        Its LOCAL axes are bound by the caller, who says in `items` which work-items have partial results.
        """
        context = self.context
        cuts = [segments(context, axis) for axis in stmt.axes if axis.kind is Kind.SERIAL]
        self._check(stmt, cuts)
        partials = [self._declare(acc, cuts) for acc in stmt.accumulators]
        self._nest(cuts, partials, [], stmt.body)
        totals = [{key: self._total(partial, key) for key in partial.main} for partial in partials]
        if items is not None:
            self._across_items(list(zip(partials, totals)), items)
        for partial, total in zip(partials, totals):
            context.accumulators[partial.acc] = (context.here, total)

    def _check(self, stmt: Reduction, cuts: Sequence[Sequence[Segment]]) -> None:
        vectors = [cut[0].axis.var.name for cut in cuts if most_lanes(cut) > 1]
        if len(vectors) > 1:
            raise GraphError("a Reduction has two axes in vector lanes: " + ", ".join(vectors))
        axes = {axis.var for axis in stmt.axes}
        for acc in stmt.accumulators:
            missing = (acc.value.vars - axes - acc.vars).intersection(self.context.tile)
            if missing:
                names = ", ".join(sorted(var.name for var in missing))
                raise GraphError(f"accumulator {acc.name!r} depends on {names}, which its vars do not list")

    # ---- registers -----------------------------------------------------------------------------

    def _key(self, used: frozenset[Var], element: Element) -> Registers:
        return tuple((var, element[var]) for var in self.context.tile if var in used)

    def _declare(self, acc: Accumulator, cuts: Sequence[Sequence[Segment]]) -> Partial:
        context = self.context
        partial = Partial(acc)
        outer_axis = context.lane_axis(acc.vars)
        outer_lanes = outer_axis.lanes if outer_axis else 1
        inner_lanes = max((most_lanes(cut) for cut in cuts), default=1)
        if outer_lanes > 1 and inner_lanes > 1:
            raise GraphError(f"accumulator {acc.name!r} is in vector lanes already; its reduced axis cannot be")
        spread: list[Registers] = [()]
        for cut in cuts:
            count = max((s.count for s in cut if s.lanes == most_lanes(cut)), default=1)
            if count > 1:
                spread = [(*key, (cut[0].axis.var, u)) for key in spread for u in range(count)]
        shorter = sorted({s.lanes for cut in cuts if most_lanes(cut) > 1 for s in cut} - {inner_lanes})
        for element in context.elements(acc.vars):
            key = self._key(acc.vars, element)
            stem = acc.name + "".join(f"_{element[a.var]}" for a in context.tile_axes(acc.vars) if a.count > 1)
            partial.main[key] = {
                s: self._start(acc, stem + "".join(f"_{u}" for _, u in s), outer_lanes * inner_lanes) for s in spread
            }
            for lanes in shorter:
                partial.rest[key, lanes] = self._start(acc, f"{stem}_rest{lanes}", lanes)
        return partial

    def _start(self, acc: Accumulator, name: str, lanes: int) -> Register:
        """A new register with the identity of the accumulator's combination."""
        dtype = compute_dtype(acc.dtype)
        register = Register(self.context.names.exact(name), dtype, lanes)
        identity = arithmetic.constant({Combine.ADD: 0, Combine.MUL: 1, Combine.MAX: dtype.min}[acc.combine], dtype)
        start = arithmetic.splat(self.context, identity, lanes)
        self.context.emit(Compute(register, Code.COPY, (start,)))
        return register

    # ---- loops ---------------------------------------------------------------------------------

    def _nest(
        self,
        cuts: Sequence[Sequence[Segment]],
        partials: Sequence[Partial],
        spread: list[TileAxis],
        body: Sequence[Stmt],
    ) -> None:
        """The loops over what is left of the axes, inside those that `spread` says are register tiles now."""
        if not cuts:
            self.body(body)
            self._accumulate(partials, spread)
            return
        for segment in cuts[0]:
            with run_segment(self.context, segment) as axis:
                self._nest(cuts[1:], partials, spread if axis is None else [*spread, axis], body)

    def _accumulate(self, partials: Sequence[Partial], spread: Sequence[TileAxis]) -> None:
        """One step of every accumulator, for each element of the register tile and of the strips."""
        context = self.context
        strips_of = frozenset(axis.var for axis in spread)
        lanes = max((axis.lanes for axis in spread), default=1)
        done: set[object] = set()
        for element in context.elements(strips_of.union(*(p.acc.vars for p in partials))):
            strip = self._key(strips_of, element)
            for partial in partials:
                key = self._key(partial.acc.vars, element)
                if (partial.acc, key, strip) in done:
                    continue  # this element differs from an earlier one only in axes that the accumulator does not have
                done.add((partial.acc, key, strip))
                register = partial.rest.get((key, lanes)) or _strip_register(partial.main[key], dict(strip))
                self._step(partial.acc, register, element)

    def _step(self, acc: Accumulator, register: Register, element: Element) -> None:
        """register = combine(register, value)"""
        context, values = self.context, self.values
        value = acc.value
        if acc.combine is Combine.ADD and values.single_product(value) and register.dtype.is_float:
            assert isinstance(value, Alu)
            if values.find(value, element) is None and values.depth(value) == context.here:
                a, b = (values.operand(s, element) for s in value.src)
                context.emit(Compute(register, Code.FMA, (a, b, register), declare=False))
                return
        operand = values.operand(value, element)
        if acc.combine is Combine.ADD and not register.dtype.is_bool:
            context.emit(Compute(register, Code.ADD, (register, operand), declare=False))
        elif acc.combine is Combine.MUL and not register.dtype.is_bool:
            context.emit(Compute(register, Code.MUL, (register, operand), declare=False))
        else:
            self._combine_into(acc, register, operand)

    def _combine_into(self, acc: Accumulator, register: Register, operand: Operand) -> None:
        result = arithmetic.combine(self.context, acc.combine, register.dtype, register, operand)
        self.context.emit(Compute(register, Code.COPY, (result,), declare=False))

    # ---- the end -------------------------------------------------------------------------------

    def _total(self, partial: Partial, key: Registers) -> Register:
        """All registers of one element combined: strips in pairs, then lanes in halves, each with its rest."""
        context, acc = self.context, partial.acc
        dtype = compute_dtype(acc.dtype)
        parts: list[Operand] = list(partial.main[key].values())
        while len(parts) > 1:
            pairs = [arithmetic.combine(context, acc.combine, dtype, a, b) for a, b in zip(parts[::2], parts[1::2])]
            parts = pairs + parts[len(pairs) * 2 :]
        total = parts[0]
        while total.lanes > 1 and context.lane_axis(acc.vars) is None:
            half = total.lanes // 2
            if half == 1:
                low, high = (arithmetic.lane(context, total, k, dtype) for k in (0, 1))
            else:
                low, high = (context.compute(code, dtype, total, lanes=half) for code in (Code.LOW, Code.HIGH))
            total = arithmetic.combine(context, acc.combine, dtype, low, high)
            if (key, half) in partial.rest:
                total = arithmetic.combine(context, acc.combine, dtype, total, partial.rest[key, half])
        assert isinstance(total, Register)
        return total

    # ---- across work-items ---------------------------------------------------------------------

    def _across_items(self, totals: Sequence[tuple[Partial, dict[Registers, Register]]], items: Items) -> None:
        """Replace every total by its combination over neighbouring work-items, given to all of them.

        In local memory, the first few work-items combine what the others have; then each combines what these few
        found. All totals pass between the same three barriers, which every work-item reaches.
        """
        context = self.context
        if context.parted:
            name = totals[0][0].acc.name
            raise GraphError(f"accumulator {name!r} is reduced over work-items inside an If; barriers must be uniform")
        if self._fills_warps(totals, items):
            self._across_warps(totals, items)
            return
        few = min(items.count, 1 << (items.count.bit_length() + 1) // 2)
        shared = [self._shared(partial.acc, mine, items) for partial, total in totals for mine in total.values()]
        context.emit(Meet())
        if few < items.count:
            with context.branch(items.item.lt(few)):
                stop = items.item.lt(items.count % few) + items.count // few
                for (array, _, mine), found in zip(shared, self._combined(shared, items.id, few, stop)):
                    self._put(array, items.id * mine.lanes, found)
            context.emit(Meet())
        combined = iter(self._combined(shared, items.id - items.item, 1, Const(few)))
        for _, total in totals:
            total.update((key, next(combined)) for key in total)
        context.emit(Meet())

    def _fills_warps(self, totals: Sequence[tuple[Partial, dict[Registers, Register]]], items: Items) -> bool:
        """Whether neighbours of a reduction are those that can read each other's registers."""
        warp = self.context.device.warp
        scalars = all(mine.lanes == 1 for _, total in totals for mine in total.values())
        return warp > 1 and scalars and items.group_size % warp == 0 and items.count & (items.count - 1) == 0

    def _across_warps(self, totals: Sequence[tuple[Partial, dict[Registers, Register]]], items: Items) -> None:
        """As `_across_items`, from register to register within warps, and through local memory between them only."""
        context, warp = self.context, self.context.device.warp
        mine = [(partial.acc, register) for partial, total in totals for register in total.values()]
        found = [self._exchanged(acc, register, min(items.count, warp)) for acc, register in mine]
        if items.count > warp:
            warps, own = items.group_size // warp, items.count // warp
            arrays = [self._local(acc, register, warps) for acc, register in mine]
            with context.branch((items.id % warp).eq(0)):
                for array, register in zip(arrays, found):
                    self._put(array, items.id // warp, register)
            context.emit(Meet())
            at = items.id // items.count * own + items.id % own
            parts = [self._get(array, at, register) for array, register in zip(arrays, found)]
            found = [self._exchanged(acc, part, own) for (acc, _), part in zip(mine, parts)]
            if context.here:  # the next turn of a loop writes there again
                context.emit(Meet())
        combined = iter(found)
        for _, total in totals:
            total.update((key, next(combined)) for key in total)

    def _exchanged(self, acc: Accumulator, mine: Register, count: int) -> Register:
        """The combination over `count` neighbours, in every one of them: pairs, then pairs of pairs, ..."""
        context = self.context
        distance = 1
        while distance < count:
            other = context.compute(Code.EXCHANGE, mine.dtype, mine, detail=distance)
            combined = arithmetic.combine(context, acc.combine, mine.dtype, mine, other)
            assert isinstance(combined, Register)
            mine = combined
            distance *= 2
        return mine

    def _combined(self, shared: Sequence[Shared], first: Expr, step: int, stop: Expr) -> list[Register]:
        """The combination of the elements first, first + step, ... of each array, `stop` of them."""
        found = [self._get(array, first * mine.lanes, mine) for array, _, mine in shared]
        if stop.constant == 1:
            return found
        with self.context.loop("part", Const(1), stop) as part:
            for (array, acc, mine), register in zip(shared, found):
                self._combine_into(acc, register, self._get(array, (first + part * step) * mine.lanes, mine))
        return found

    def _shared(self, acc: Accumulator, mine: Register, items: Items) -> Shared:
        """Local memory where each work-item has put its own total."""
        array = self._local(acc, mine, items.group_size)
        self._put(array, items.id * mine.lanes, mine)
        return array, acc, mine

    def _local(self, acc: Accumulator, like: Register, count: int) -> Array:
        dtype = dtypes.int32 if like.dtype.is_bool else like.dtype
        return self.context.declare(Array(f"{acc.name}_items", dtype, count * like.lanes, Scope.LOCAL))

    def _put(self, array: Array, at: Expr, value: Operand) -> None:
        self.context.emit(StoreTo(array, (at,), value, value.lanes))

    def _get(self, array: Array, at: Expr, like: Register) -> Register:
        register = self.context.register(like.dtype, like.lanes, array.name)
        self.context.emit(LoadFrom(register, array, (at,)))
        return register


def _strip_register(registers: Mapping[Registers, Register], strip: Mapping[Var, int]) -> Register:
    """The register for an element of the strips; what unrolling leaves over goes to the first one."""
    for key, register in registers.items():
        if all(strip.get(var, 0) == u for var, u in key):
            return register
    raise AssertionError("every combination of strips has a register")
