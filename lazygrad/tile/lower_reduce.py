"""Reductions: accumulators in registers over the register tile, spread over strips of the reduced axes, then combined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lazygrad.dtype import dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Expr, Var
from lazygrad.ir.op import Combine

from . import arithmetic
from .lower_context import Context, Element, Key, TileAxis
from .lower_loop import Strips, main_strips, rest_loop, strips
from .lower_value import Values
from .machine import Code, Compute, LoadFrom, Meet, Operand, Register, StoreTo
from .program import Accumulator, Alu, Array, Kind, Reduction, Scope, Stmt, compute_dtype


@dataclass
class Partial:
    """The registers of one accumulator: for each element of the register tile, one per combination of strips.

    `rest` takes the elements that the strips in lanes leave over, one scalar per element of the register tile.
    """

    acc: Accumulator
    main: dict[Key, dict[Key, Register]] = field(default_factory=dict)
    rest: dict[Key, Register] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Items:
    """The work-items that a LOCAL axis spreads a reduction over: `count` neighbours, of which this is number `item`."""

    id: Expr  # of this work-item in its group
    item: Expr
    count: int
    group_size: int


class Reducer:
    """Lowers Reductions: a pass of loops, then the end where partial results meet."""

    def __init__(self, context: Context, values: Values, body: Callable[[Sequence[Stmt]], None]) -> None:
        self.context, self.values, self.body = context, values, body

    def reduce(self, stmt: Reduction, items: Items | None = None) -> None:
        """Runs the reduction over its SERIAL axes and makes its accumulators known.

        Its LOCAL axes are bound by the caller, who says in `items` which work-items have partial results.
        """
        context = self.context
        cuts = [strips(context, axis) for axis in stmt.axes if axis.kind is Kind.SERIAL]
        self._check(stmt, cuts)
        partials = [self._declare(acc, cuts) for acc in stmt.accumulators]
        self._nest(cuts, partials, [], stmt.body)
        for partial in partials:
            final = {key: self._total(partial, key) for key in partial.main}
            if items is not None:
                final = {key: self._across_items(partial.acc, register, items) for key, register in final.items()}
            context.accumulators[partial.acc] = (context.here, final)

    def _check(self, stmt: Reduction, cuts: Sequence[Strips]) -> None:
        vectors = [cut for cut in cuts if cut.lanes > 1 and cut.has_main]
        if len(vectors) > 1:
            raise GraphError("a Reduction has two axes in vector lanes: " + ", ".join(c.axis.var.name for c in vectors))
        axes = {axis.var for axis in stmt.axes}
        for acc in stmt.accumulators:
            missing = (acc.value.vars - axes - acc.vars).intersection(self.context.tile)
            if missing:
                names = ", ".join(sorted(var.name for var in missing))
                raise GraphError(f"accumulator {acc.name!r} depends on {names}, which its vars do not list")

    # ---- registers -----------------------------------------------------------------------------

    def _key(self, used: frozenset[Var], element: Element) -> Key:
        return tuple((var, element[var]) for var in self.context.tile if var in used)

    def _declare(self, acc: Accumulator, cuts: Sequence[Strips]) -> Partial:
        context = self.context
        partial = Partial(acc)
        outer_axis = context.lane_axis(acc.vars)
        outer_lanes = outer_axis.lanes if outer_axis else 1
        cut = [c for c in cuts if c.has_main]
        inner_lanes = max((c.lanes for c in cut), default=1)
        if outer_lanes > 1 and inner_lanes > 1:
            raise GraphError(f"accumulator {acc.name!r} is in vector lanes already; its reduced axis cannot be")
        spread: list[Key] = [()]
        for c in cut:
            spread = [(*key, (c.axis.var, u)) for key in spread for u in range(c.count)]
        for element in context.elements(acc.vars):
            key = self._key(acc.vars, element)
            stem = acc.name + "".join(f"_{u}" for _, u in key)
            partial.main[key] = {
                s: self._start(acc, stem + "".join(f"_{u}" for _, u in s) * (len(spread) > 1), outer_lanes * inner_lanes)
                for s in spread
            }
            if inner_lanes > 1 and any(c.has_rest and c.lanes > 1 for c in cut):
                partial.rest[key] = self._start(acc, f"{stem}_rest", 1)
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
        self, cuts: Sequence[Strips], partials: Sequence[Partial], spread: list[TileAxis], body: Sequence[Stmt]
    ) -> None:
        if not cuts:
            self.body(body)
            self._accumulate(partials, spread)
            return
        context, cut = self.context, cuts[0]
        if cut.has_main:
            with main_strips(context, cut) as axis:
                self._nest(cuts[1:], partials, [*spread, axis], body)
        if cut.has_rest:
            with rest_loop(context, cut):
                self._nest(cuts[1:], partials, spread, body)

    def _accumulate(self, partials: Sequence[Partial], spread: Sequence[TileAxis]) -> None:
        """One step of every accumulator, for each element of the register tile and of the strips."""
        context = self.context
        strips_of = frozenset(axis.var for axis in spread)
        in_lanes = any(axis.lanes > 1 for axis in spread)
        done: set[Key] = set()
        for element in context.elements(strips_of.union(*(p.acc.vars for p in partials))):
            strip = self._key(strips_of, element)
            for partial in partials:
                key = self._key(partial.acc.vars, element)
                if (partial.acc, key, strip) in done:
                    continue  # this element differs from an earlier one only in axes that the accumulator does not have
                done.add((partial.acc, key, strip))
                if partial.rest and not in_lanes:
                    self._step(partial.acc, partial.rest[key], element)
                else:
                    self._step(partial.acc, _strip_register(partial.main[key], dict(strip)), element)

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

    def _total(self, partial: Partial, key: Key) -> Register:
        """All registers of one element combined: strips in pairs, then lanes in halves, then what was left over."""
        context, acc = self.context, partial.acc
        dtype = compute_dtype(acc.dtype)
        parts: list[Operand] = list(partial.main[key].values())
        while len(parts) > 1:
            pairs = [arithmetic.combine(context, acc.combine, dtype, a, b) for a, b in zip(parts[::2], parts[1::2])]
            parts = pairs + parts[len(pairs) * 2 :]
        total = parts[0]
        if context.lane_axis(acc.vars) is None:
            while total.lanes > 1:
                half = total.lanes // 2
                if half == 1:
                    low, high = (arithmetic.lane(context, total, k, dtype) for k in (0, 1))
                else:
                    low, high = (context.compute(code, dtype, total, lanes=half) for code in (Code.LOW, Code.HIGH))
                total = arithmetic.combine(context, acc.combine, dtype, low, high)
        if key in partial.rest:
            total = arithmetic.combine(context, acc.combine, dtype, total, partial.rest[key])
        assert isinstance(total, Register)
        return total

    # ---- across work-items ---------------------------------------------------------------------

    def _across_items(self, acc: Accumulator, mine: Register, items: Items) -> Register:
        """The combination over neighbouring work-items, given to all of them.

        Halves are combined with halves in local memory; every work-item reaches every barrier.
        """
        context = self.context
        if context.fault_depth:
            raise GraphError(f"accumulator {acc.name!r} is reduced over work-items inside an If; barriers must be uniform")
        dtype, lanes = dtypes.int32 if mine.dtype.is_bool else mine.dtype, mine.lanes
        array = context.declare(Array(f"{acc.name}_items", dtype, items.group_size * lanes, Scope.LOCAL))
        self._put(array, items.id * lanes, mine)
        context.emit(Meet())
        left = items.count
        while left > 1:
            half = (left + 1) // 2
            with context.branch((items.item + half).lt(left)):
                pair = [self._get(array, at * lanes, mine) for at in (items.id, items.id + half)]
                self._put(array, items.id * lanes, arithmetic.combine(context, acc.combine, mine.dtype, *pair))
            context.emit(Meet())
            left = half
        total = self._get(array, (items.id - items.item) * lanes, mine)
        context.emit(Meet())
        return total

    def _put(self, array: Array, at: Expr, value: Operand) -> None:
        self.context.emit(StoreTo(array, (at,), value, value.lanes))

    def _get(self, array: Array, at: Expr, like: Register) -> Register:
        register = self.context.register(like.dtype, like.lanes, array.name)
        self.context.emit(LoadFrom(register, array, (at,)))
        return register


def _strip_register(registers: Mapping[Key, Register], strip: Mapping[object, object]) -> Register:
    """The register for an element of the strips; what unrolling leaves over goes to the first one."""
    for key, register in registers.items():
        if all(strip.get(var, 0) == u for var, u in key):  # type: ignore[misc, has-type]
            return register
    raise AssertionError("every combination of strips has a register")
