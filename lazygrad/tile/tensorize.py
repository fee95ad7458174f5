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
from lazygrad.tile.blocks import Grid
from lazygrad.tile.collective import Copy, Mma, Tile
from lazygrad.tile.computed import factor
from lazygrad.tile.contract import Contraction, contraction
from lazygrad.tile.layout import WARP, Fragment
from lazygrad.tile.lower_copy import WORD
from lazygrad.tile.lower_matrix import BYTES
from lazygrad.tile.operand import clear, epilogue, factor_dtype, known, operand
from lazygrad.tile.program import Loop, Program, Stage, Stmt
from lazygrad.tile.slices import Factor, Slices
from lazygrad.tile.workgroups import power_of_two

BLOCK = 128  # rows and columns of the largest block of a work-group
SMALL_BLOCK = 32
WARPS = 2  # along the rows, and as many along the columns
DEPTH_BYTES = 64  # of a slice
STAGES = 4
ARCHITECTURE = 80  # the first one with all of this


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
        self.c, self.sizes = c, (shape.rows, shape.columns)
        depth = known(c.depth)
        assert depth is not None
        self.depth = DEPTH_BYTES // dtype.itemsize  # of a slice
        self.each = BYTES // dtype.itemsize  # of one matrix instruction
        self.grid = Grid(c, *self.sizes)
        layouts = [f.tile(size, self.depth) for f, size in zip(factors, self.sizes)]
        self.step = Var("step", 0, -(-depth // self.depth) - 1)
        items = WARP * WARPS * WARPS
        self.slices = Slices(factors, layouts, self.grid.block.at, self.step, shape.stages, items)
        warp_rows, warp_columns = (size // WARPS for size in self.sizes)
        self.acc = _registers("acc", dtypes.float32, Fragment(warp_rows, warp_columns))
        self.parts = [
            _registers("a_part", dtype, Fragment(warp_rows, self.each, run=WORD // dtype.itemsize)),
            _registers("b_part", dtype, Fragment(warp_columns, self.each, run=WORD // dtype.itemsize, halves=1)),
        ]
        self.warp = Var("warp_row", 0, WARPS - 1), Var("warp_column", 0, WARPS - 1)

    def body(self) -> tuple[Stmt, ...]:
        return self.grid.run(
            (
                *self.slices.declared(),
                *(Stage(array, ()) for array in self.parts),
                Stage(self.acc, clear(self.acc)),
                *self.slices.run(self._by_warps(self._products())),
                *self._by_warps(epilogue(self.c, self.acc, replace(self.grid.block, at=self._corner()))),
            )
        )

    def _corner(self) -> tuple[Expr, Expr]:
        """Row and column of the first element that this warp computes."""
        row, column = (b + w * (size // WARPS) for b, w, size in zip(self.grid.block.at, self.warp, self.sizes))
        return row, column

    def _by_warps(self, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        for var in reversed(self.warp):
            body = (Loop(Axis(var, WARPS, Kind.LOCAL), body),)
        return body

    def _products(self) -> tuple[Stmt, ...]:
        """What a warp does with a slice: fragments of both operands, and their product."""
        found: list[Stmt] = []
        for k in range(0, self.depth, self.each):
            tiles = []
            for array, part, warp in zip(self.slices.arrays, self.parts, self.warp):
                assert isinstance(part.layout, Fragment)
                rows = part.layout.rows
                source = Tile(array, rows, self.each, (warp * rows, Const(k)), slot=self.slices.slot(self.step))
                tiles.append(Tile(part, rows, self.each))
                found.append(Copy(tiles[-1], source))
            found.append(Mma(_whole(self.acc), *tiles))
        return tuple(found)


def _registers(name: str, dtype: DType, layout: Fragment) -> Array:
    return Array(name, dtype, layout.registers, Scope.PRIVATE, layout=layout)


def _whole(array: Array) -> Tile:
    assert isinstance(array.layout, Fragment)
    return Tile(array, array.layout.rows, array.layout.columns)
