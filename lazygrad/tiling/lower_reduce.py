"""Reductions: accumulators over the register tile, spread over segments of the reduced axes, then combined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from lazygrad.errors import GraphError
from lazygrad.index.expr import Var
from lazygrad.ir.op import Combine

from . import arithmetic
from .lower_across import Across, Items
from .lower_context import Context, Element, Registers, TileAxis
from .lower_long import Cuts, Long, Longs, stretches
from .lower_loop import Segment, most_lanes, run_segment, segments
from .lower_value import Values
from .machine import Code, Compute, Operand, Register
from .program import Accumulator, Alu, Kind, Reduction, Stmt, compute_dtype


@dataclass
class Partial:
    """The registers of one accumulator: for each element of the register tile, one per combination of strips.

    `rest` takes what the longest vectors leave over: one register for each element and number of lanes.
    """

    acc: Accumulator
    main: dict[Registers, dict[Registers, Register]] = field(default_factory=dict)
    rest: dict[tuple[Registers, int], Register] = field(default_factory=dict)
    longs: dict[Registers, Long] = field(default_factory=dict)  # of `main`, and of `rest`
    rest_longs: dict[tuple[Registers, int], Long] = field(default_factory=dict)

    def finish(self, context: Context) -> None:
        """Registers of long sums get what these have found."""
        for key, long in self.longs.items():
            self.main[key] = {(): long.finish(context)}
        for long in self.rest_longs.values():
            long.finish(context)


@dataclass(frozen=True, slots=True)
class _Run:
    """The loops of one reduction: the segments of every axis, what they add to, and which sums of it are long."""

    cuts: Cuts
    partials: Sequence[Partial]
    body: Sequence[Stmt]
    longs: Longs | None

    def stretch(self, level: int, segment: Segment) -> AbstractContextManager[Segment]:
        """Around what runs a segment of an axis: the loop over its stretches."""
        if self.longs is None or level != self.longs.cut.level:
            return nullcontext(segment)
        return self.longs.stretch(segment, most_lanes(self.cuts[level]))


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
        run = _Run(cuts, partials, stmt.body, self._longs(cuts, partials))
        self._nest(run, 0, [])
        for partial in partials:
            partial.finish(context)
        totals = [{key: self._total(partial, key) for key in partial.main} for partial in partials]
        if items is not None:
            Across(context, items).combine([(partial.acc, total) for partial, total in zip(partials, totals)])
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

    def _longs(self, cuts: Cuts, partials: Sequence[Partial]) -> Longs | None:
        """Sums of floats as long ones, where there are too many turns for one running sum."""
        sums = [p for p in partials if p.acc.combine is Combine.ADD and compute_dtype(p.acc.dtype).is_float]
        cut = stretches(cuts, sum(len(p.main) for p in sums)) if sums else None
        if cut is None:
            return None
        longs = Longs(self.context, cut)
        is_short = cut.level == 0 and most_lanes(cuts[0]) > 1  # what vectors leave over is a few turns at the end
        for partial in sums:
            for key, registers in partial.main.items():
                partial.longs[key] = Long.of(self.context, list(registers.values()))
            for place, register in {} if is_short else partial.rest.items():
                partial.rest_longs[place] = Long.of(self.context, [register])
                longs.rest.setdefault(register.lanes, []).append(partial.rest_longs[place])
            longs.main += partial.longs.values()
        return longs

    # ---- loops ---------------------------------------------------------------------------------

    def _nest(self, run: _Run, level: int, spread: list[TileAxis]) -> None:
        """The loops over axes from number `level` on, inside those that `spread` says are register tiles now."""
        if level == len(run.cuts):
            self.body(run.body)
            self._accumulate(run.partials, spread)
            return
        for segment in run.cuts[level]:
            with run.stretch(level, segment) as part, run_segment(self.context, part) as axis:
                self._nest(run, level + 1, spread if axis is None else [*spread, axis])

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
            arithmetic.combine_into(context, acc.combine, register, operand)

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


def _strip_register(registers: Mapping[Registers, Register], strip: Mapping[Var, int]) -> Register:
    """The register for an element of the strips; what unrolling leaves over goes to the first one."""
    for key, register in registers.items():
        if all(strip.get(var, 0) == u for var, u in key):
            return register
    raise AssertionError("every combination of strips has a register")
