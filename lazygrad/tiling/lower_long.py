"""Long sums: a register adds up a short stretch of turns, and the stretches' sums are added without losing anything.

A running sum of n floats loses up to n/2 units in the last place, in the same direction for equal summands: a million
tenths make 100,958. So the loop over a reduced axis is cut into stretches. After each, what the registers of an
accumulator have found is added to its total, less what the addition before lost (W. Kahan's compensated summation).
The error is that of one stretch, however many there are: NumPy's pairwise sum has 16 turns in each of its 8 running
sums, and one rounding more for each doubling of the length.

What an addition lost is exact only as it is written: compilers may not reorder additions of floats, and no option of
ours lets them. It counts as 0 where the total is infinite or no number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from lazygrad.dtype import DType
from lazygrad.index.expr import Const, Expr, minimum

from .lower_context import Context, zero
from .lower_loop import Segment
from .machine import Code, Compute, Register
from .masks import compare, select

Cuts = Sequence[Sequence[Segment]]  # the segments of every axis of a reduction, the outermost axis first

# Registers side by side, at most; the turns that need no cut; those of a stretch. Register tiles of products leave no
# registers for totals, which come from memory: rarely, or products would wait. Half a tile is what an edge leaves over.
LENGTHS = ((8, 32, 16), (16, 128, 64))
LENGTHS_OF_TILES = (1024, 512)


@dataclass(frozen=True, slots=True)
class Stretches:
    """The loop over axis number `level` is cut into stretches of `turns` turns at most."""

    level: int
    turns: int


def stretches(cuts: Cuts, registers: int) -> Stretches | None:
    """Where the turns of a reduction are cut that has so many registers side by side; None where they are few."""
    few, most = next((lengths for n, *lengths in LENGTHS if registers <= n), LENGTHS_OF_TILES)
    inside = 1
    for level, cut in reversed(list(enumerate(cuts))):
        turns = sum(max(0, segment.trips.hi) for segment in cut)
        if turns * inside > few:
            return Stretches(level, max(1, most // inside))
        inside *= max(1, turns)
    return None


@dataclass
class Long:
    """One running sum over stretches: what `registers` find in each of them, added up in `total` less `excess`."""

    registers: list[Register]
    total: Register
    excess: Register

    @staticmethod
    def of(context: Context, registers: Sequence[Register]) -> Long:
        first = registers[0]
        total, excess = (_zeroed(context, f"{first.name}_{what}", first) for what in ("total", "excess"))
        return Long(list(registers), total, excess)

    def fold(self, context: Context) -> None:
        """The registers' sum is added, and they start again at 0."""
        dtype = self.total.dtype
        found = _pairwise(context, dtype, self.registers)
        due = context.compute(Code.SUB, dtype, found, self.excess)
        total = context.compute(Code.ADD, dtype, self.total, due)
        added = context.compute(Code.SUB, dtype, total, self.total)
        excess = context.compute(Code.SUB, dtype, added, due)
        zero_if_finite = context.compute(Code.SUB, dtype, excess, excess)
        is_finite = compare(context, Code.EQ, dtype, zero_if_finite, zero(dtype), native=True)
        kept = select(context, is_finite, excess, zero(dtype))
        context.emit(Compute(self.excess, Code.COPY, (kept,), declare=False))
        context.emit(Compute(self.total, Code.COPY, (total,), declare=False))
        for register in self.registers:
            context.emit(Compute(register, Code.COPY, (zero(dtype),), declare=False))

    def finish(self, context: Context) -> Register:
        """The whole sum, in the first register; every stretch has been folded."""
        register = self.registers[0]
        context.emit(Compute(register, Code.SUB, (self.total, self.excess), declare=False))
        return register


@dataclass
class Longs:
    """The long sums of one reduction: `main` of the longest vectors, `rest` of shorter ones, by their lanes."""

    context: Context
    cut: Stretches
    main: list[Long] = field(default_factory=list)
    rest: dict[int, list[Long]] = field(default_factory=dict)

    @contextmanager
    def stretch(self, segment: Segment, longest: int) -> Iterator[Segment]:
        """A loop over stretches of `segment`, of an axis with at most `longest` lanes; yields one of them."""
        context, is_rest = self.context, segment.lanes < longest
        trips, step = segment.trips, segment.count * segment.lanes
        turns = _even(trips, self.cut.turns)
        count = Const(1) if is_rest and not self.rest else (trips + (turns - 1)) // turns
        with context.loop(f"{segment.axis.var.name}_stretch", Const(0), count) as number:
            if count.constant == 1:
                yield segment
            else:
                whole = trips.divisible_by(turns)
                left = Const(turns) if whole else minimum(turns, trips - number * turns)
                yield replace(segment, start=segment.start + number * (turns * step), trips=left)
            self._fold(segment, longest)

    def _fold(self, segment: Segment, longest: int) -> None:
        """Every sum is added up that turns of `segment` may have added to."""
        rest = [long for lanes, longs in self.rest.items() if longest == 1 or lanes == segment.lanes for long in longs]
        for long in rest if segment.lanes < longest else self.main + rest:
            long.fold(self.context)


def _even(trips: Expr, most: int) -> int:
    """The length of stretches: at most `most` turns, and if possible the same number in each of them."""
    known = trips.constant
    if known is None or known <= most:
        return most
    even = -(-known // -(-known // most))
    return next((n for n in range(most, most // 2, -1) if known % n == 0), even)


def _pairwise(context: Context, dtype: DType, parts: Sequence[Register]) -> Register:
    """Their sum, in pairs."""
    while len(parts) > 1:
        pairs = [context.compute(Code.ADD, dtype, a, b) for a, b in zip(parts[::2], parts[1::2])]
        parts = [*pairs, *parts[len(pairs) * 2 :]]
    return parts[0]


def _zeroed(context: Context, name: str, like: Register) -> Register:
    register = Register(context.names.exact(name), like.dtype, like.lanes)
    context.emit(Compute(register, Code.COPY, (zero(like.dtype),)))
    return register
