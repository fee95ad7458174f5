"""Pass for GPUs with a copy engine and warp groups (sm_90a): a contraction of 16-bit floats.

One work-group for each multiprocessor computes block after block of the output (persistent, in an order that finds
operands in the L2 cache), two of them as a cluster that shares the slice of the second operand. One role fills a ring
of slices with the copy engine; two warp groups multiply them out of local memory, half of the rows each, evaluate what
follows the sum (the epilogue) on their registers, and hand their part to the copy engine, which stores it while the
next block is computed.

The division of labour follows NVIDIA's CUTLASS, "Efficient GEMM in CUDA", section "Warp specialization".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lazygrad.dtype import dtypes
from lazygrad.index.expr import Expr, Var, as_dim
from lazygrad.runtime.base import DeviceInfo
from lazygrad.tile.array import Array, Axis, Kind, Scope
from lazygrad.tile.collective import ZERO, Copy, Let, Mma, Open, Release, Ring, Tile, Token, Turn, Wait
from lazygrad.tile.contract import Contraction, contraction
from lazygrad.tile.factors import HALF
from lazygrad.tile.layout import Fragment
from lazygrad.tile.operand import Block, Operand, clear, epilogue, factor_dtype, known, operands, stored
from lazygrad.tile.order import grouped
from lazygrad.tile.program import Barrier, If, Loop, Program, Role, Roles, Stage, Start, Stmt
from lazygrad.tile.workgroups import positions

GROUP_ROWS = 64  # of one warp group
READERS = 2  # warp groups that multiply
ROWS = GROUP_ROWS * READERS
# Columns of a block, and the part of its speed that a multiprocessor reaches: wider ones read local memory less often.
COLUMNS = {256: 1.0, 192: 0.97, 128: 0.9, 64: 0.65}
DEPTH = 64
CLUSTER = 2
WARP_GROUP = 128
FILL_REGISTERS, MULTIPLY_REGISTERS = 40, 232  # of 65536, with one role of 128 and one of 256 work-items
BAND = 8  # pairs of blocks that are computed column by column
RESERVED_BYTES = 1 << 10  # of local memory, for barriers
MOST_SLOTS = 8
ARCHITECTURE = "sm_90a"


@dataclass(frozen=True, slots=True)
class Shape:
    """Columns of a block, slots of the ring, and whether the output goes through local memory."""

    columns: int
    slots: int
    staged: bool


def hopper(program: Program, info: DeviceInfo) -> Program | None:
    """`program` on warp groups' matrix units, or None when they cannot compute it or would mostly wait."""
    c = contraction(program) if info.arch == ARCHITECTURE and info.units >= CLUSTER else None
    found = operands(c) if c is not None and factor_dtype(c) in HALF else None
    if c is None or found is None or known(c.batch) is None:
        return None
    shape = _shape(c, info)
    return None if shape is None else replace(program, body=_Persistent(c, found, shape, info.units).body())


def _shape(c: Contraction, info: DeviceInfo) -> Shape | None:
    """The columns with which all blocks are done first; None where most multiprocessors would have none."""
    rows, columns, batch = known(c.rows) or 1, known(c.columns) or 1, known(c.batch) or 1
    pairs = -(-rows // (ROWS * CLUSTER)) * batch

    def time(width: int) -> float:
        turns = -(-pairs * -(-columns // width) // (info.units // CLUSTER))
        return turns * width / COLUMNS[width]

    width = min(COLUMNS, key=time)
    if pairs * -(-columns // width) * CLUSTER < info.units // 2 or rows < ROWS or columns < min(COLUMNS):
        return None
    staged = stored(c) is not None
    free = info.local_bytes - RESERVED_BYTES - 2 * ROWS * width * staged
    slots = min(MOST_SLOTS, free // (2 * DEPTH * (ROWS + width)))
    return Shape(width, slots, staged) if slots > 1 else None


class _Persistent:
    """Builds the statements of one contraction."""

    def __init__(self, c: Contraction, found: tuple[Operand, Operand], shape: Shape, units: int) -> None:
        self.c, self.operands, self.shape = c, found, shape
        rows, columns, depth, batch = (known(axes) for axes in (c.rows, c.columns, c.depth, c.batch))
        assert rows is not None and columns is not None and depth is not None and batch is not None
        self.whole = rows % (ROWS * CLUSTER) == 0, columns % shape.columns == 0  # the pair of a cluster together
        self.steps = -(-depth // DEPTH)
        pairs, across = -(-rows // (ROWS * CLUSTER)), -(-columns // shape.columns)
        self.tiles = batch * pairs * across
        self.clusters = min(units // CLUSTER, self.tiles)
        self.cluster, self.rank = Var("cluster", 0, self.clusters - 1), Var("rank", 0, CLUSTER - 1)
        self.turn = Var("turn", 0, -(-self.tiles // self.clusters) - 1)
        self.step = Var("step", 0, self.steps - 1)
        self.reader = Var("reader", 0, READERS - 1)
        number = self.turn * self.clusters + self.cluster
        pair, column = grouped(number % (pairs * across), pairs, across, BAND)
        tile = [Let(Var(name, e.lo, e.hi), e) for name, e in (("pair", pair), ("column", column))]
        if batch > 1:
            tile.append(Let(Var("batch", 0, batch - 1), number // (pairs * across)))
        self.lets = tuple(tile)
        self.at = (self.lets[0].var * CLUSTER + self.rank) * ROWS, self.lets[1].var * shape.columns
        self.outer = positions(c.batch, self.lets[2].var) if batch > 1 else {a.var: ZERO for a in c.batch}
        own, shared = (0, ROWS, Scope.LOCAL), (1, shape.columns, Scope.CLUSTER)
        self.slices = self._slice("a_slice", *own), self._slice("b_slice", *shared)
        self.ring = Ring("slices", self.slices, shape.slots, READERS)
        fragment = Fragment(GROUP_ROWS, shape.columns, WARP_GROUP)
        self.acc = Array("acc", dtypes.float32, fragment.registers, Scope.PRIVATE, layout=fragment)
        self.products, self.stores = Token("products"), Token("stores")
        self.out = stored(c) if shape.staged else None
        if self.out is not None:
            layout = self.out.tile(GROUP_ROWS, shape.columns)
            size = READERS * layout.size
            self.part = Array("out_part", self.out.array.dtype, size, Scope.LOCAL, layout=layout)

    def _slice(self, name: str, which: int, rows: int, scope: Scope) -> Array:
        layout = self.operands[which].tile(rows, DEPTH)
        dtype = self.operands[which].array.dtype
        return Array(name, dtype, layout.size * self.shape.slots, scope, layout=layout)

    def body(self) -> tuple[Stmt, ...]:
        fill = Role("fill", WARP_GROUP, self._turns(self._fill()), FILL_REGISTERS, alone=True)
        begin, end = ((Stage(self.part, ()),), (Wait(self.stores),)) if self.out is not None else ((), ())
        readers = Loop(Axis(self.reader, READERS, Kind.LOCAL), (*begin, *self._turns(self._multiply()), *end))
        multiply = Role("multiply", READERS * WARP_GROUP, (readers,), MULTIPLY_REGISTERS)
        inner: tuple[Stmt, ...] = (Open(self.ring), Roles((fill, multiply)))
        inner = (Loop(Axis(self.rank, CLUSTER, Kind.CLUSTER), inner),)
        return (Loop(Axis(self.cluster, self.clusters, Kind.GRID), inner),)

    def _turns(self, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        count = as_dim((self.tiles - 1 - self.cluster) // self.clusters + 1)
        return (Loop(Axis(self.turn, count), (*self.lets, *body)),)

    def _slot(self, back: int = 0) -> Turn:
        """The turn of the ring that this step is, or the one `back` before it."""
        return Turn(self.ring, self.turn * self.steps + self.step - back)

    # ---- the role that fills -------------------------------------------------------------------

    def _fill(self) -> tuple[Stmt, ...]:
        """Every work-group brings its rows of the first operand, and its lines of the second to the whole cluster."""
        columns = self.shape.columns
        if self.operands[1].transposed:
            part = self._copy(1, columns, DEPTH // CLUSTER, (ZERO, self.rank * (DEPTH // CLUSTER)))
        else:
            part = self._copy(1, columns // CLUSTER, DEPTH, (self.rank * (columns // CLUSTER), ZERO))
        copies = (self._copy(0, ROWS, DEPTH, (ZERO, ZERO)), part)
        return (Loop(Axis(self.step, self.steps), (Start(self._slot(), copies),)),)

    def _copy(self, which: int, rows: int, depth: int, first: tuple[Expr, Expr]) -> Copy:
        o = self.operands[which]
        at = self.at[which] + first[0], self.step * DEPTH + first[1]
        source = Tile(o.array, rows, depth, at, view=o.moved(self.outer))
        return Copy(Tile(self.slices[which], rows, depth, first, self._slot().slot), source)

    # ---- the role that multiplies --------------------------------------------------------------

    def _multiply(self) -> tuple[Stmt, ...]:
        slot = self._slot().slot
        a = Tile(self.slices[0], GROUP_ROWS, DEPTH, (self.reader * GROUP_ROWS, ZERO), slot)
        b = Tile(self.slices[1], self.shape.columns, DEPTH, slot=slot)
        acc = Tile(self.acc, GROUP_ROWS, self.shape.columns)
        step: tuple[Stmt, ...] = (
            Wait(self._slot()),
            Start(self.products, (Mma(acc, a, b),)),
            Wait(self.products, 1),
            If(self.step.ge(1), (Release(self._slot(1)),)),
        )
        last = Turn(self.ring, self.turn * self.steps + (self.steps - 1))
        return (
            Stage(self.acc, clear(self.acc)),
            Loop(Axis(self.step, self.steps), step),
            Wait(self.products),
            Release(last),
            *self._store(),
        )

    def _store(self) -> tuple[Stmt, ...]:
        row, column = self.at[0] + self.reader * GROUP_ROWS, self.at[1]
        block = Block((row, column), self.whole, self.outer)
        if self.out is None:
            return epilogue(self.c, self.acc, block)
        own = Tile(self.part, GROUP_ROWS, self.shape.columns, slot=self.reader)
        dest = Tile(self.out.array, own.rows, own.columns, (row, column), view=self.out.moved(self.outer))
        return (
            Wait(self.stores),
            Barrier(together=True),
            *epilogue(self.c, self.acc, block, own),
            Barrier(together=True),
            Start(self.stores, (Copy(dest, own),)),
        )
