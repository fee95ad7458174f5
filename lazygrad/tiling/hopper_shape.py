"""How a contraction is cut into blocks for warp groups, by an estimate of the clocks that each way takes.

Two warp groups either compute a block *together*, half of its rows each, or blocks *alternately*: while one evaluates
what follows its sum, the matrix units work for the other. Together they can have wider blocks, which load less; in
turns they hide a long epilogue.

Where blocks are few and deep, their depth may be divided among several clusters. Each brings its sums to memory, and
the last one reads all of them: so many bytes at the speed of the L2 cache have to be worth the multiprocessors that
would have had nothing to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lazygrad.ir.op import Op
from lazygrad.runtime.base import DeviceInfo
from lazygrad.tiling.array import Scope
from lazygrad.tiling.contract import Contraction
from lazygrad.tiling.operand import Operand, known, stored
from lazygrad.tiling.partial import CACHE_BYTES, HAND_OVER, parts, reading
from lazygrad.tiling.program import Alu, Load, Store, Value
from lazygrad.tiling.values import topological

GROUP_ROWS = 64  # of a warp group that shares a block; of one matrix instruction
READERS = 2  # warp groups that multiply
ROWS = GROUP_ROWS * READERS  # of a block
COLUMNS = (256, 192, 128, 64)
ALTERNATING_COLUMNS = (128, 64)  # a group holds all of the rows in its registers
DEPTH = 64
CLUSTER = 2
RESERVED_BYTES = 1 << 10  # of local memory, for barriers
MOST_SLOTS = 8
# What a multiprocessor of this architecture does in a clock ("H100 Tensor Core GPU Architecture", NVIDIA 2022): matrix
# units multiply so many pairs of 16-bit floats, local memory brings and takes so many bytes.
PRODUCTS, LOCAL_BYTES = 2048, 128
LATENCY = 1000  # clocks from asking for a slice to having it
START = 500  # clocks of a block in which its sum does not grow
# Instructions of a warp for one element of each of its work-items, as compiled code has them; a row of a fragment that
# goes to or comes from device memory by itself keeps the load and store unit for so long.
INSTRUCTIONS = {
    Op.ERF: 24,
    Op.EXP2: 4,
    Op.EXPM1: 16,
    Op.LOG2: 6,
    Op.DIV: 8,
    Op.SQRT: 8,
    Op.SIN: 40,
    Op.COS: 40,
    Op.POW: 60,
}
STAGED_STORE, APART = 2, 16
WORTH = 0.95  # of the time of undivided blocks: what parts cost is estimated only


@dataclass(frozen=True, slots=True)
class Shape:
    """Columns of a block, slots of the ring, whether groups alternate, the outputs that go through local memory, and in
    how many parts the depth is added up.
    """

    columns: int
    slots: int
    alternates: bool
    staged: tuple[Operand, ...]
    splits: int = 1

    @property
    def part_rows(self) -> int:
        """Rows of a warp group's part of a block, or of its whole block."""
        return ROWS if self.alternates else GROUP_ROWS

    @property
    def parts(self) -> int:
        """Parts of a block, each of one warp group."""
        return ROWS // self.part_rows


def best_shape(c: Contraction, info: DeviceInfo) -> Shape | None:
    """The one that is done first; None where most multiprocessors would have nothing to do."""
    found = [d for s in shapes(c, info) for d in divided(c, s) if blocks(c, d) * d.splits * CLUSTER >= info.units // 2]
    if (known(c.rows) or 1) < ROWS or (known(c.columns) or 1) < min(COLUMNS) or not found:
        return None
    times = {s: clocks(c, s, info) for s in found}
    best = min(found, key=times.__getitem__)
    plain = min((s for s in found if s.splits == 1), key=times.__getitem__, default=best)
    return best if times[best] < WORTH * times[plain] else plain


def blocks(c: Contraction, shape: Shape) -> int:
    """How many pairs of blocks there are, one pair for a cluster."""
    rows, columns, batch = (known(axes) or 1 for axes in (c.rows, c.columns, c.batch))
    return batch * -(-rows // (ROWS * CLUSTER)) * -(-columns // shape.columns)


def divided(c: Contraction, shape: Shape) -> list[Shape]:
    """`shape`, with the depth as a whole and in parts."""
    return [shape, *(replace(shape, splits=n) for n in parts(-(-(known(c.depth) or 1) // DEPTH)))]


def shapes(c: Contraction, info: DeviceInfo) -> list[Shape]:
    """All that local memory has room for, wide blocks first."""
    found = []
    ways = [(n, False) for n in COLUMNS] + [(n, True) for n in ALTERNATING_COLUMNS]
    for staged in dict.fromkeys((stored(c), ())):
        for columns, alternates in ways:
            shape = Shape(columns, 0, alternates, staged)
            own = READERS * shape.part_rows * columns * 2 * len(staged)
            slots = min(MOST_SLOTS, (info.local_bytes - RESERVED_BYTES - own) // (2 * DEPTH * (ROWS + columns)))
            if slots > 1:
                found.append(Shape(columns, slots, alternates, staged))
    return found


def clocks(c: Contraction, shape: Shape, info: DeviceInfo) -> float:
    """Clocks of the multiprocessor that has most to do, with blocks that fill all of their rows and columns."""
    clusters = info.units // CLUSTER
    turns = -(-blocks(c, shape) * shape.splits // clusters)
    steps = -(-(known(c.depth) or 1) // (DEPTH * shape.splits))
    products = DEPTH * ROWS * shape.columns / PRODUCTS
    read = DEPTH // 16 * READERS * 32 * (GROUP_ROWS + shape.columns)  # by instructions of 64 rows and 16 deep
    moved = read + 2 * DEPTH * (ROWS + shape.columns)
    step = max(products, moved / LOCAL_BYTES, LATENCY / (shape.slots - 1))
    total, after, end = steps * step + START, shape.columns * _after(c, shape), 0.0
    if shape.splits > 1:
        sums, readers = 4 * ROWS * shape.columns, blocks(c, shape) * CLUSTER
        end = -(-blocks(c, shape) // clusters) * (after + reading(shape.splits * sums, readers, info))
        after = sums / CACHE_BYTES + HAND_OVER
    if not shape.alternates:
        return turns * (total + after) + end
    return turns * max(total, (total + after) / 2) + after + end


def _after(c: Contraction, shape: Shape) -> float:
    """Instructions for each element of a block after its sum is known, by one of the four schedulers."""
    stores = [s for s in c.body[1:] if isinstance(s, Store)]
    cost = sum(STAGED_STORE if shape.staged else APART for _ in stores)
    return cost + _instructions([s.value for s in stores], c)


def _instructions(values: Sequence[Value], c: Contraction) -> int:
    rows = {a.var for a in c.rows}
    cost = 0
    for v in topological(values):
        if isinstance(v, Alu):
            cost += INSTRUCTIONS.get(v.op, 1)
        elif isinstance(v, Load) and v.array.scope is Scope.GLOBAL:
            cost += APART if v.index.vars & rows else 1
    return cost
