"""Pass for GPUs with matrix units that warps use (sm_80 and later): a contraction of 16-bit floats, or of
float32 that may be rounded to TF32.

A work-group computes a block of the output, each of its warps a part in registers. Slices of both factors come to
local memory by asynchronous copies, `STAGES` of them underway, into the slots of a swizzled array; each warp loads
fragments from there and multiplies. A factor that is computed (the prologue) is computed a slice ahead instead. What
follows the sum (the epilogue) is evaluated on the registers and stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lazygrad.dtype import DType, dtypes
from lazygrad.index.expr import Const, Expr, Var
from lazygrad.runtime.base import DeviceInfo
from lazygrad.tile.array import Array, Axis, Kind, Scope
from lazygrad.tile.collective import ZERO, Copy, Let, Mma, Tile, Token, Wait
from lazygrad.tile.computed import Computed, Filler, factor
from lazygrad.tile.contract import Contraction, contraction
from lazygrad.tile.layout import WARP, Fragment, Swizzled
from lazygrad.tile.lower_copy import WORD
from lazygrad.tile.lower_matrix import BYTES
from lazygrad.tile.operand import Block, Operand, clear, epilogue, factor_dtype, known, operand
from lazygrad.tile.order import grouped
from lazygrad.tile.program import Barrier, If, Loop, Program, Stage, Start, Stmt
from lazygrad.tile.workgroups import guarded, power_of_two

BLOCK = 128  # rows and columns of the largest block of a work-group
SMALL_BLOCK = 32
WARPS = 2  # along the rows, and as many along the columns
DEPTH_BYTES = 64  # of a slice
STAGES = 4
BAND = 8  # rows of blocks that are computed column by column
ARCHITECTURE = 80  # the first one with all of this


Factor = Operand | Computed


@dataclass(frozen=True, slots=True)
class Shape:
    """Rows and columns of a work-group's block, and how many of its slices there are."""

    rows: int
    columns: int
    stages: int = STAGES

    @property
    def local_bytes(self) -> int:
        return self.stages * DEPTH_BYTES * (self.rows + self.columns)


def architecture(info: DeviceInfo) -> int:
    """The number in "sm_90a"; 0 where there is none."""
    digits = "".join(ch for ch in info.arch if ch.isdigit())
    return int(digits) if info.arch.startswith("sm_") and digits else 0


def tensorize(program: Program, info: DeviceInfo) -> Program | None:
    """`program` on matrix units, or None when it is no contraction that they can compute."""
    if architecture(info) < ARCHITECTURE:
        return None
    c = contraction(program)
    dtype = factor_dtype(c) if c is not None else None
    if c is None or dtype is None:
        return None
    pairs = ((c.a, c.rows), (c.b, c.columns))
    found = [factor(c, source, axes, operand(c, source, axes)) for source, axes in pairs]
    shape = _shape(c, info)
    if shape.local_bytes > info.local_bytes or any(f is None for f in found):
        return None
    return replace(program, body=Blocks(c, [f for f in found if f is not None], dtype, shape).body())


def _shape(c: Contraction, info: DeviceInfo) -> Shape:
    """Large blocks, but enough of them to keep the device busy."""
    sizes = known(c.rows) or 1, known(c.columns) or 1
    rows, columns = (min(BLOCK, max(SMALL_BLOCK, power_of_two(n))) for n in sizes)
    batch = known(c.batch) or 1
    while max(rows, columns) > SMALL_BLOCK and batch * -(-sizes[0] // rows) * -(-sizes[1] // columns) < info.units:
        rows, columns = (rows // 2, columns) if rows >= columns else (rows, columns // 2)
    return Shape(rows, columns)


class Blocks:
    """Builds the statements of one contraction."""

    def __init__(self, c: Contraction, factors: Sequence[Factor], dtype: DType, shape: Shape) -> None:
        self.c, self.shape = c, shape
        rows, columns, depth = (known(axes) for axes in (c.rows, c.columns, c.depth))
        assert rows is not None and columns is not None and depth is not None
        self.whole = rows % shape.rows == 0, columns % shape.columns == 0
        self.blocks = -(-rows // shape.rows), -(-columns // shape.columns)
        self.factors, self.dtype = factors, dtype
        self.depth = DEPTH_BYTES // dtype.itemsize  # of a slice
        self.step = BYTES // dtype.itemsize  # of one matrix instruction
        self.steps = -(-depth // self.depth)
        self.number = Var("block", 0, self.blocks[0] * self.blocks[1] - 1)
        places = zip(("row", "column"), grouped(self.number, *self.blocks, BAND))
        self.lets = tuple(Let(Var(f"block_{name}", e.lo, e.hi), e) for name, e in places)
        self.block = self.lets[0].var, self.lets[1].var
        self.loads = Token("loads")
        sizes = (shape.rows, shape.columns)
        self.slices = [self._slice(f, size, name) for f, size, name in zip(factors, sizes, ("a", "b"))]
        self.fillers = [
            Filler(f"{name}_next", f, array, block * size, WARP * WARPS * WARPS)
            for f, size, array, name, block in zip(factors, sizes, self.slices, ("a", "b"), self.block)
            if isinstance(f, Computed)
        ]
        warp_rows, warp_columns = (size // WARPS for size in sizes)
        self.acc = _registers("acc", dtypes.float32, Fragment(warp_rows, warp_columns))
        self.parts = [
            _registers("a_part", dtype, Fragment(warp_rows, self.step, run=WORD // dtype.itemsize)),
            _registers("b_part", dtype, Fragment(warp_columns, self.step, run=WORD // dtype.itemsize, halves=1)),
        ]
        self.warp = Var("warp_row", 0, WARPS - 1), Var("warp_column", 0, WARPS - 1)

    def _slice(self, f: Factor, rows: int, name: str) -> Array:
        layout = f.tile(rows, self.depth)
        return Array(f"{name}_slice", self.dtype, layout.size * self.shape.stages, Scope.LOCAL, layout=layout)

    def body(self) -> tuple[Stmt, ...]:
        step = Var("step", 0, self.steps - 1)
        turn = (*self._begin(step), *self._fetch(step + 1), *self._by_warps(self._products(step)), *self._put(step + 1))
        kept = [Stage(filler.kept, ()) for filler in self.fillers]
        first = [s for filler in self.fillers for s in (*filler.fetch(ZERO), *filler.put(ZERO))]
        inner: tuple[Stmt, ...] = (
            *self.lets,
            *(Stage(array, ()) for array in (*self.slices, *self.parts)),
            *kept,
            Stage(self.acc, clear(self.acc)),
            *self._ahead(),
            *first,
            Loop(Axis(step, self.steps), turn),
            *((Wait(self.loads),) if self._is_async() else ()),
            *self._by_warps(epilogue(self.c, self.acc, Block(self._corner(), self.whole, {}))),
        )
        inner = (Loop(Axis(self.number, self.number.hi + 1, Kind.GRID), inner),)
        for axis in reversed(self.c.batch):
            inner = (Loop(replace(axis, kind=Kind.GRID), inner),)
        return inner

    def _is_async(self) -> bool:
        return any(isinstance(f, Operand) for f in self.factors)

    def _ahead(self) -> tuple[Stmt, ...]:
        """The copies of the first slices."""
        if not self._is_async():
            return ()
        steps = range(self.shape.stages - 1)
        return tuple(Start(self.loads, self._copies(Const(k)) if k < self.steps else ()) for k in steps)

    def _begin(self, step: Expr) -> tuple[Stmt, ...]:
        """Slice number `step` is there for all; the copies of one further ahead begin."""
        if not self._is_async():
            return (Barrier(),)
        ahead = self.shape.stages - 1
        copies = If((step + ahead).lt(self.steps), self._copies(step + ahead))
        return (Wait(self.loads, ahead - 1), Barrier(), Start(self.loads, (copies,)))

    def _fetch(self, step: Expr) -> tuple[Stmt, ...]:
        fetched = [s for filler in self.fillers for s in filler.fetch(step)]
        return guarded(step.lt(self.steps), tuple(fetched)) if fetched else ()

    def _put(self, step: Expr) -> tuple[Stmt, ...]:
        put = [s for filler in self.fillers for s in filler.put(step % self.shape.stages)]
        return guarded(step.lt(self.steps), tuple(put)) if put else ()

    def _corner(self) -> tuple[Expr, Expr]:
        """Row and column of the first element that this warp computes."""
        sizes = (self.shape.rows, self.shape.columns)
        row, column = (b * size + w * (size // WARPS) for b, w, size in zip(self.block, self.warp, sizes))
        return row, column

    def _by_warps(self, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        for var in reversed(self.warp):
            body = (Loop(Axis(var, WARPS, Kind.LOCAL), body),)
        return body

    def _copies(self, step: Expr) -> tuple[Stmt, ...]:
        """A slice of each factor in memory into its slot."""
        copies = []
        for f, array, block in zip(self.factors, self.slices, self.block):
            if isinstance(f, Operand):
                assert isinstance(array.layout, Swizzled)
                rows, depth = array.layout.rows, self.depth
                source = Tile(f.array, rows, depth, (block * rows, step * depth), view=f.view)
                copies.append(Copy(Tile(array, rows, depth, slot=step % self.shape.stages), source))
        return tuple(copies)

    def _products(self, step: Expr) -> tuple[Stmt, ...]:
        """What a warp does with a slice: fragments of both operands, and their product."""
        found: list[Stmt] = []
        for k in range(0, self.depth, self.step):
            tiles = []
            for array, part, warp in zip(self.slices, self.parts, self.warp):
                assert isinstance(part.layout, Fragment)
                rows = part.layout.rows
                source = Tile(array, rows, self.step, (warp * rows, Const(k)), slot=step % self.shape.stages)
                tiles.append(Tile(part, rows, self.step))
                found.append(Copy(tiles[-1], source))
            found.append(Mma(_whole(self.acc), *tiles))
        return tuple(found)


def _registers(name: str, dtype: DType, layout: Fragment) -> Array:
    return Array(name, dtype, layout.registers, Scope.PRIVATE, layout=layout)


def _whole(array: Array) -> Tile:
    assert isinstance(array.layout, Fragment)
    return Tile(array, array.layout.rows, array.layout.columns)
