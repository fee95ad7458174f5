"""Pass for GPUs with matrix units that warps use (sm_80 and later): a contraction of 16-bit floats, or of
float32 that may be rounded to TF32.

A work-group computes a block of the output, each of its warps a part in registers. Slices of both factors come to
local memory by asynchronous copies, several of them underway, into the slots of a swizzled array; each warp loads
fragments from there and multiplies. A factor that is computed (the prologue) is computed a slice ahead instead. What
follows the sum (the epilogue) is evaluated on the registers and stored. Where blocks would be few or small, several
groups may share the depth of each (`partial`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lazygrad.dtype import DType, dtypes
from lazygrad.index.expr import Const, Expr, Var
from lazygrad.runtime.base import DeviceInfo
from lazygrad.tiling.array import Array, Axis, Kind, Scope
from lazygrad.tiling.blocks import Grid
from lazygrad.tiling.collective import Copy, Mma, Tile
from lazygrad.tiling.computed import factor
from lazygrad.tiling.contract import Contraction, contraction
from lazygrad.tiling.layout import WARP, Fragment
from lazygrad.tiling.lower_copy import WORD
from lazygrad.tiling.lower_matrix import BYTES
from lazygrad.tiling.operand import clear, epilogue, factor_dtype, known, operand
from lazygrad.tiling.partial import Partial
from lazygrad.tiling.program import Program, Stage, Stmt
from lazygrad.tiling.slices import Factor, Slices
from lazygrad.tiling.target import AMPERE, architecture
from lazygrad.tiling.tensor_shape import DEPTH_BYTES, Shape, best_shape, blocks
from lazygrad.tiling.walk import around

WARPS = 2  # along the rows, and as many along the columns


def tensorize(program: Program, info: DeviceInfo) -> Program | None:
    """`program` on matrix units, or None when it is no contraction that they can compute."""
    if architecture(info) < AMPERE:
        return None
    c = contraction(program)
    dtype = factor_dtype(c) if c is not None else None
    if c is None or dtype is None:
        return None
    pairs = ((c.a, c.rows), (c.b, c.columns))
    found = [factor(c, source, axes, operand(c, source, axes)) for source, axes in pairs]
    shape = best_shape(c, dtype, info)
    if shape.local_bytes > info.local_bytes or any(f is None for f in found):
        return None
    made = Blocks(c, [f for f in found if f is not None], dtype, shape)
    return replace(program, body=made.body(), workspace=made.partial.workspace if made.partial else ())


class Blocks:
    """Builds the statements of one contraction."""

    def __init__(self, c: Contraction, factors: Sequence[Factor], dtype: DType, shape: Shape) -> None:
        self.c, self.sizes = c, (shape.rows, shape.columns)
        depth = known(c.depth)
        assert depth is not None
        self.depth = DEPTH_BYTES // dtype.itemsize  # of a slice
        self.each = BYTES // dtype.itemsize  # of one matrix instruction
        self.grid = Grid(c, *self.sizes, shape.splits)
        layouts = [f.tile(size, self.depth) for f, size in zip(factors, self.sizes)]
        self.step = Var("step", 0, -(-depth // (self.depth * shape.splits)) - 1)
        items = WARP * WARPS * WARPS
        start = self.grid.split * (self.step.hi + 1)
        self.slices = Slices(factors, layouts, self.grid.block.at, self.step, shape.stages, items, start)
        warp_rows, warp_columns = (size // WARPS for size in self.sizes)
        self.acc = _registers("acc", dtypes.float32, fragment := Fragment(warp_rows, warp_columns))
        warps = blocks(c, shape) * WARPS * WARPS
        self.partial = Partial(fragment, warps, shape.splits) if shape.splits > 1 else None
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
                *self._by_warps(self._store()),
            )
        )

    def _store(self) -> tuple[Stmt, ...]:
        stored = epilogue(self.c, self.acc, replace(self.grid.block, at=self._corner()))
        if self.partial is None:
            return stored
        number = (self.grid.each * WARPS + self.warp[0]) * WARPS + self.warp[1]
        return self.partial.combined(self.acc, number, self.grid.split, stored)

    def _corner(self) -> tuple[Expr, Expr]:
        """Row and column of the first element that this warp computes."""
        row, column = (b + w * (size // WARPS) for b, w, size in zip(self.grid.block.at, self.warp, self.sizes))
        return row, column

    def _by_warps(self, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        return around([Axis(var, WARPS, Kind.LOCAL) for var in self.warp], body)

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
