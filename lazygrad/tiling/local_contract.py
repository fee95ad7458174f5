"""Pass for GPUs: a contraction whose products are taken in the registers of single work-items.

A work-group computes a block of the output, each of its work-items up to 8 by 8 elements of it (`Spread`). Slices of
both factors come to local memory ahead of their use (`Slices`): by asynchronous copies of 16 bytes where the device
has them and the factor lies in memory so that they fit, else through registers. What follows the sum (the epilogue)
is evaluated on the sums in registers and stored.

What limits such a product is how often local memory is read: for one step of the depth an item reads 8 + 8 elements
for 64 multiplications. So it reads runs of 4 neighbouring rows at once, 16 bytes, and slices keep the rows of one step
together. Where a factor has neighbours along the depth instead, it is turned around on its way, by copies of single
elements: 4 times as many of them, but a reading item needs few registers, and so two groups share a multiprocessor.
(Keeping such factors as they are and reading runs of the depth takes as many reads, but 8 runs at a time.) The lines
of a slice that is turned around are padded, so that its elements do not all arrive in the same bank.

The hierarchy of tiles, and slices that arrive while others are multiplied, are those of NVIDIA's CUTLASS ("Efficient
GEMM in CUDA", in its documentation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lazygrad.index.expr import Expr, Var
from lazygrad.ir.op import Op
from lazygrad.runtime.base import DeviceInfo
from lazygrad.tiling.array import Array, Axis, Kind, Scope, compute_dtype
from lazygrad.tiling.blocks import Grid
from lazygrad.tiling.computed import Computed, runs_along_rows
from lazygrad.tiling.contract import Contraction, contraction
from lazygrad.tiling.layout import CHUNK, Spread, Strided
from lazygrad.tiling.lower_tiles import REGISTER_FILE
from lazygrad.tiling.operand import Operand, clear, epilogue, known, strided
from lazygrad.tiling.program import If, Load, Program, Stage, Stmt, Store, Value, alu, load
from lazygrad.tiling.slices import Factor, Slices
from lazygrad.tiling.target import AMPERE, architecture
from lazygrad.tiling.values import substitute
from lazygrad.tiling.walk import around
from lazygrad.tiling.workgroups import WARP, power_of_two

BLOCK = 64  # rows and columns of the largest block of a work-group
WIDE_BLOCK = 128  # where accesses are wide
SMALL_BLOCK = 16
ITEMS = 16  # work-items along the rows of a block, and along its columns, at most
REGISTERS = 128  # of a work-item, with which 16 warps share a multiprocessor
SUMS = 64  # 32-bit registers of a work-item for sums, at most
STEP = 64  # bytes of the depth, brought to local memory at a time
MOST_STEP = 16  # elements
STAGES = 4  # slots for slices that are copied, where two groups have room for them
LEAST_COPY = 4  # bytes
MOST_RUN = 4  # neighbouring rows that an item reads at once
LONG = 256  # products in the code of the loop over a slice
MIN_DEPTH = 8  # below, the caches do as well
# Products of a very deep contraction are added up over stretches, whose sums need as many registers again: some of them
# are kept in memory. A sum of n products in one register loses up to n/2 units in its last place.
DEEP, STRETCH = 1 << 16, 512


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a work-group's block: rows, columns, the depth of a slice, and slots for slices."""

    rows: int
    columns: int
    depth: int
    stages: int = 2

    @property
    def spread(self) -> Spread:
        """Who computes which of its elements."""
        return Spread(self.rows, self.columns, min(ITEMS, self.rows), min(ITEMS, self.columns))

    def halved(self) -> Shape:
        """The longer side halved."""
        if self.rows > self.columns:
            return replace(self, rows=self.rows // 2)
        return replace(self, columns=self.columns // 2)


def local_contract(program: Program, info: DeviceInfo) -> Program | None:
    """`program` in blocks, or None when it is no contraction or too small for them."""
    c = contraction(program)
    if c is None or any(known(axes) is None for axes in (c.batch, c.rows, c.columns, c.depth)):
        return None
    depth = known(c.depth)
    assert depth is not None
    if depth < MIN_DEPTH or any(d.is_bool for d in (c.acc.dtype, c.a.dtype, c.b.dtype)):
        return None
    factors = _factor(c, c.a, c.rows, info), _factor(c, c.b, c.columns, info)
    shape = _shape(c, factors, depth, info)
    if shape is None:
        return None
    groups = REGISTER_FILE // (REGISTERS * shape.spread.items)
    return replace(program, body=_Blocks(c, factors, shape).body(), resident=groups)


def _factor(c: Contraction, source: Value, axes: Sequence[Axis], info: DeviceInfo) -> Factor:
    """A factor as a matrix that asynchronous copies can bring, or else by its value."""
    if isinstance(source, Load) and source.valid is None and not source.binds and architecture(info) >= AMPERE:
        view = strided(c, source.index, axes, c.depth)
        if view is not None and _can_copy(view, source.dtype.itemsize):
            return Operand(source.array, view)
    return Computed(source, source.dtype, tuple(axes), c.depth, runs_along_rows(source, axes, c.depth))


def _can_copy(view: Strided, itemsize: int) -> bool:
    """Whether asynchronous copies can take its rows, or turn it around element by element."""
    return view.chunk(itemsize) > 0 and (view.column_step != 1 or itemsize >= LEAST_COPY)


def _shape(c: Contraction, factors: Sequence[Factor], depth: int, info: DeviceInfo) -> Shape | None:
    """Large blocks, but enough of them to keep the device busy, and small enough for its memory; None if none are."""
    rows, columns, batch = (known(axes) or 1 for axes in (c.rows, c.columns, c.batch))
    itemsizes = c.a.dtype.itemsize, c.b.dtype.itemsize
    least = [CHUNK // each for each in itemsizes]
    most = WIDE_BLOCK if info.warp > 1 else BLOCK
    step = max(*least, min(MOST_STEP, STEP // max(itemsizes), power_of_two(depth)))
    sides = [min(most, max(low, power_of_two(n))) for low, n in zip(least, (rows, columns))]
    shape = Shape(sides[0], sides[1], step)
    words = -(-compute_dtype(c.acc.dtype).itemsize // 4)

    def is_large(s: Shape) -> bool:
        blocks = batch * -(-rows // s.rows) * -(-columns // s.columns)
        return max(s.rows, s.columns) > SMALL_BLOCK and blocks < info.units

    def fits(s: Shape) -> bool:
        local_bytes = sum(_slice_bytes(factors, s)) * s.stages
        return s.spread.items <= info.max_group and s.spread.size * words <= SUMS and local_bytes <= info.local_bytes

    def is_thin(s: Shape) -> bool:
        return s.spread.items < WARP or s.rows < least[0] or s.columns < least[1]

    while not is_thin(shape) and (is_large(shape) or not fits(shape)):
        shape = shape.halved()
    if is_thin(shape):
        return None
    is_async = any(isinstance(f, Operand) for f in factors)
    roomy = 2 * STAGES * sum(_slice_bytes(factors, shape)) <= info.local_bytes
    return replace(shape, stages=STAGES) if is_async and roomy else shape


def _layouts(factors: Sequence[Factor], shape: Shape) -> list[Strided]:
    """Of a slice of each factor: neighbouring rows together, padded where they are not so in memory."""
    sides = zip(factors, (shape.rows, shape.columns))
    return [Strided(n, shape.depth, 1, n if f.transposed else n + CHUNK // f.dtype.itemsize) for f, n in sides]


def _slice_bytes(factors: Sequence[Factor], shape: Shape) -> list[int]:
    return [layout.size * f.dtype.itemsize for f, layout in zip(factors, _layouts(factors, shape))]


class _Blocks:
    """Builds the statements of one contraction."""

    def __init__(self, c: Contraction, factors: Sequence[Factor], shape: Shape) -> None:
        self.c, self.factors, self.shape = c, factors, shape
        self.grid = Grid(c, shape.rows, shape.columns)
        self.step = Var("step", 0, -(-(known(c.depth) or 1) // shape.depth) - 1)
        layouts = _layouts(factors, shape)
        self.slices = Slices(factors, layouts, self.grid.block.at, self.step, shape.stages, shape.spread.items)
        height, run = (self._run(f, each) for f, each in zip(factors, shape.spread.each))
        layout = replace(shape.spread, height=height, run=run)
        self.acc = Array("acc", compute_dtype(c.acc.dtype), layout.size, Scope.PRIVATE, layout=layout)
        self.sums = replace(self.acc, name="sums") if (known(c.depth) or 1) > DEEP else None

    def _run(self, f: Factor, each: int) -> int:
        """Neighbouring rows of a factor that an item reads at once."""
        return min(each, CHUNK // f.dtype.itemsize, MOST_RUN)

    def body(self) -> tuple[Stmt, ...]:
        return self.grid.run(
            (
                *self.slices.declared(),
                Stage(self.acc, clear(self.acc)),
                *((Stage(self.sums, clear(self.sums)),) if self.sums else ()),
                *self.slices.run((*self._products(), *self._stretched())),
                *self._added(self.acc, self.sums),
                *epilogue(self.c, self.acc, self.grid.block),
            )
        )

    def _products(self) -> tuple[Stmt, ...]:
        """What every item does with a slice."""
        layout = self.acc.layout
        assert isinstance(layout, Spread)
        item, k = Var("thread", 0, layout.items - 1), Var("k", 0, self.shape.depth - 1)
        i, j = (Var(name, 0, n - 1) for name, n in zip("ij", layout.each))
        each = [Axis(var, var.hi + 1, Kind.UNROLL) for var in (i, j)]
        deep = Axis(k, k.hi + 1, copies=min(self.shape.depth, LONG // layout.registers))
        return around((Axis(item, layout.items, Kind.LOCAL), deep, *each), (self._product(item, i, j, k),))

    def _stretched(self) -> tuple[Stmt, ...]:
        """After a stretch of slices, what they gave is added to the sums."""
        if self.sums is None:
            return ()
        steps = STRETCH // self.shape.depth
        is_last = (self.step % steps).eq(steps - 1)
        return (If(is_last, (*self._added(self.sums, self.acc), *clear(self.acc))),)

    def _added(self, to: Array, other: Array | None) -> tuple[Stmt, ...]:
        """Every register of `other` is added to that of `to`."""
        if other is None:
            return ()
        assert isinstance(to.size, int)
        register = Var("register", 0, to.size - 1)
        both = alu(Op.ADD, to.dtype, load(to, register), load(other, register))
        return around([Axis(register, to.size, Kind.UNROLL)], (Store(to, register, both),))

    def _product(self, item: Expr, i: Expr, j: Expr, k: Expr) -> Stmt:
        """Adds the product of element `k` of a row and of a column to their sum."""
        layout = self.acc.layout
        assert isinstance(layout, Spread)
        register = i * layout.each[1] + j
        places = layout.element(item, register)
        a, b = (self._element(array, place, k) for array, place in zip(self.slices.arrays, places))
        (product,) = substitute([self.c.acc.value], {}, {self.c.a: a, self.c.b: b})
        return Store(self.acc, register, alu(Op.ADD, self.acc.dtype, product, load(self.acc, register)))

    def _element(self, array: Array, row: Expr, k: Expr) -> Value:
        layout = array.layout
        assert isinstance(layout, Strided)
        return load(array, layout.at(row, k) + self.slices.slot(self.step) * layout.size)
