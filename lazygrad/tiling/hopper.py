"""Pass for GPUs with a copy engine and warp groups (sm_90a): a contraction of 16-bit floats.

One work-group for each multiprocessor computes block after block of the output (persistent, in an order that finds
operands in the L2 cache), two of them as a cluster that shares the slice of the second operand. One role fills a ring
of slices with the copy engine; two warp groups multiply them out of local memory, evaluate what follows the sum (the
epilogue) on their registers, and hand their part to the copy engine, which stores it while the next block is computed.
`hopper_shape` says how they divide the work; where there are too few blocks, several clusters share the depth of each
(`partial`).

The division of labour follows NVIDIA's CUTLASS, "Efficient GEMM in CUDA", section "Warp specialization".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lazygrad.dtype import dtypes
from lazygrad.index.expr import Expr, Var, as_dim
from lazygrad.runtime.base import DeviceInfo
from lazygrad.tiling.array import Array, Axis, Kind, Scope
from lazygrad.tiling.collective import ZERO, Copy, Let, Mma, Open, Release, Ring, Tile, Token, Turn, Wait
from lazygrad.tiling.contract import Contraction, contraction
from lazygrad.tiling.hopper_shape import CLUSTER, DEPTH, GROUP_ROWS, READERS, ROWS, Shape, best_shape
from lazygrad.tiling.layout import Fragment
from lazygrad.tiling.operand import Block, Operand, clear, epilogue, known, operands
from lazygrad.tiling.order import grouped
from lazygrad.tiling.partial import Partial
from lazygrad.tiling.program import Barrier, If, Loop, Program, Role, Roles, Stage, Start, Stmt
from lazygrad.tiling.workgroups import positions

WARP_GROUP = 128
FILL_REGISTERS, MULTIPLY_REGISTERS = 40, 232  # of 65536, with one role of 128 and one of 256 work-items
BAND = 8  # pairs of blocks that are computed column by column
ARCHITECTURE = "sm_90a"


def hopper(program: Program, info: DeviceInfo) -> Program | None:
    """`program` on warp groups' matrix units, or None when they cannot compute it or would mostly wait."""
    c = contraction(program) if info.arch == ARCHITECTURE and info.units >= CLUSTER else None
    found = operands(c) if c is not None else None
    if c is None or found is None or not found[0].dtype.is_half or known(c.batch) is None:
        return None
    shape = best_shape(c, info)
    if shape is None:
        return None
    made = _Persistent(c, found, shape, info.units)
    return replace(program, body=made.body(), workspace=made.partial.workspace if made.partial else ())


@dataclass(frozen=True, slots=True)
class _Part:
    """What a warp group computes of a block: `rows` from `row` on, in `acc`; stored through slot `slot` of `staged`."""

    rows: int
    row: Expr
    slot: Expr
    acc: Array
    staged: tuple[Array, ...]


class _Persistent:
    """Builds the statements of one contraction."""

    def __init__(self, c: Contraction, found: tuple[Operand, Operand], shape: Shape, units: int) -> None:
        self.c, self.operands, self.shape = c, found, shape
        rows, columns, depth, batch = (known(axes) for axes in (c.rows, c.columns, c.depth, c.batch))
        assert rows is not None and columns is not None and depth is not None and batch is not None
        self.whole = rows % (ROWS * CLUSTER) == 0, columns % shape.columns == 0  # the pair of a cluster together
        self.steps = -(-depth // (DEPTH * shape.splits))
        pairs, across = -(-rows // (ROWS * CLUSTER)), -(-columns // shape.columns)
        blocks = batch * pairs * across
        self.tiles = blocks * shape.splits
        self.clusters = min(units // CLUSTER, self.tiles)
        self.cluster, self.rank = Var("cluster", 0, self.clusters - 1), Var("rank", 0, CLUSTER - 1)
        self.turn = Var("turn", 0, -(-self.tiles // self.clusters) - 1)
        self.turns = (self.tiles - 1 - self.cluster) // self.clusters + 1  # of this cluster
        self.step = Var("step", 0, self.steps - 1)
        number = self.turn * self.clusters + self.cluster
        self.block: Expr = number
        self.split: Expr = ZERO
        self.partial: Partial | None = None
        self.lets: tuple[Let, ...] = ()
        if shape.splits > 1:
            self._divide(number, blocks)
        pair, column = grouped(self.block % (pairs * across), pairs, across, BAND)
        tile = [Let(Var(name, e.lo, e.hi), e) for name, e in (("pair", pair), ("column", column))]
        if batch > 1:
            tile.append(Let(Var("batch", 0, batch - 1), self.block // (pairs * across)))
        self.lets += tuple(tile)
        self.at = (tile[0].var * CLUSTER + self.rank) * ROWS, tile[1].var * shape.columns
        self.outer = positions(c.batch, tile[2].var) if batch > 1 else {a.var: ZERO for a in c.batch}
        own, shared = (0, ROWS, Scope.LOCAL), (1, shape.columns, Scope.CLUSTER)
        self.slices = self._slice("a_slice", *own), self._slice("b_slice", *shared)
        self.ring = Ring("slices", self.slices, shape.slots, 1 if shape.alternates else READERS)
        self.products, self.stores = Token("products"), Token("stores")

    def _divide(self, number: Expr, blocks: int) -> None:
        """The depth of every block, a stretch for each of its numbers: first all first ones, which read the same."""
        shape = self.shape
        block, split = Var("block", 0, blocks - 1), Var("split", 0, shape.splits - 1)
        self.lets = Let(block, number % blocks), Let(split, number // blocks)
        self.block, self.split = block, split
        fragment = Fragment(shape.part_rows, shape.columns, WARP_GROUP)
        self.partial = Partial(fragment, blocks * CLUSTER * shape.parts, shape.splits)

    def _slice(self, name: str, which: int, rows: int, scope: Scope) -> Array:
        layout = self.operands[which].tile(rows, DEPTH)
        dtype = self.operands[which].array.dtype
        return Array(name, dtype, layout.size * self.shape.slots, scope, layout=layout)

    def body(self) -> tuple[Stmt, ...]:
        rings, roles = self._alternating() if self.shape.alternates else self._together()
        fill = Role("fill", WARP_GROUP, self._turns(self._fill()), FILL_REGISTERS, alone=True)
        inner: tuple[Stmt, ...] = (*(Open(ring) for ring in (self.ring, *rings)), Roles((fill, *roles)))
        inner = (Loop(Axis(self.rank, CLUSTER, Kind.CLUSTER), inner),)
        return (Loop(Axis(self.cluster, self.clusters, Kind.GRID), inner),)

    def _turns(self, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        return (Loop(Axis(self.turn, as_dim(self.turns)), (*self.lets, *body)),)

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
        at = self.at[which] + first[0], (self.split * self.steps + self.step) * DEPTH + first[1]
        source = Tile(o.array, rows, depth, at, view=o.moved(self.outer))
        return Copy(Tile(self.slices[which], rows, depth, first, self._slot().slot), source)

    # ---- the roles that multiply ---------------------------------------------------------------

    def _together(self) -> tuple[list[Ring], list[Role]]:
        """One role: each warp group has half of the rows of every block."""
        reader = Var("reader", 0, READERS - 1)
        part = self._part("", reader * GROUP_ROWS, reader, READERS)
        turns = self._turns((*self._sum(part), Wait(self.products), self._release(), *self._store(part)))
        readers = Loop(Axis(reader, READERS, Kind.LOCAL), self._staging(part, turns))
        return [], [Role("multiply", READERS * WARP_GROUP, (readers,), MULTIPLY_REGISTERS)]

    def _alternating(self) -> tuple[list[Ring], list[Role]]:
        """A role for each warp group, which has every second block, and hands the matrix units over to the other one:
        by a ring without memory, which it fills when its last products have been started."""
        over = [Ring(f"after_{name}", (), 1) for name in ("even", "odd")]
        roles = []
        for k, name in enumerate(("even", "odd")):
            part, own = self._part(f"_{name}", ZERO, ZERO, 1), Var("own", 0, self.turn.hi // 2)
            before = Turn(over[1 - k], own - (1 - k))
            block: tuple[Stmt, ...] = (
                Let(self.turn, own * 2 + k),
                *self.lets,
                If(self.turn.ge(1), (Wait(before), Release(before))),
                *self._sum(part),
                If((self.turn + 1).lt(self.turns), (Start(Turn(over[k], own), ()),)),
                Wait(self.products),
                self._release(),
                *self._store(part),
            )
            turns = (Loop(Axis(own, as_dim((self.turns + (1 - k)) // 2)), block),)
            roles.append(Role(name, WARP_GROUP, self._staging(part, turns), MULTIPLY_REGISTERS))
        return over, roles

    def _part(self, name: str, row: Expr, slot: Expr, slots: int) -> _Part:
        rows, columns = self.shape.part_rows, self.shape.columns
        fragment = Fragment(rows, columns, WARP_GROUP)
        acc = Array(f"acc{name}", dtypes.float32, fragment.registers, Scope.PRIVATE, layout=fragment)
        staged = []
        for out in self.shape.staged:
            layout, own = out.tile(rows, columns), f"{out.array.name}_part{name}"
            staged.append(Array(own, out.array.dtype, slots * layout.size, Scope.LOCAL, layout=layout))
        return _Part(rows, row, slot, acc, tuple(staged))

    def _staging(self, part: _Part, turns: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        end = (Wait(self.stores),) if part.staged else ()
        return (*(Stage(array, ()) for array in part.staged), *turns, *end)

    def _sum(self, part: _Part) -> tuple[Stmt, ...]:
        """The products of all slices are started, and all slices but the last one are released."""
        slot = self._slot().slot
        a = Tile(self.slices[0], part.rows, DEPTH, (part.row, ZERO), slot)
        b = Tile(self.slices[1], self.shape.columns, DEPTH, slot=slot)
        acc = Tile(part.acc, part.rows, self.shape.columns)
        step: tuple[Stmt, ...] = (
            Wait(self._slot()),
            Start(self.products, (Mma(acc, a, b),)),
            Wait(self.products, 1),
            If(self.step.ge(1), (Release(self._slot(1)),)),
        )
        return Stage(part.acc, clear(part.acc)), Loop(Axis(self.step, self.steps), step)

    def _release(self) -> Release:
        return Release(Turn(self.ring, self.turn * self.steps + (self.steps - 1)))

    def _store(self, part: _Part) -> tuple[Stmt, ...]:
        stored = self._epilogue(part)
        if self.partial is None:
            return stored
        number = (self.block * CLUSTER + self.rank) * self.shape.parts + part.slot
        return self.partial.combined(part.acc, number, self.split, stored)

    def _epilogue(self, part: _Part) -> tuple[Stmt, ...]:
        at = self.at[0] + part.row, self.at[1]
        block = Block(at, self.whole, self.outer)
        if not part.staged:
            return epilogue(self.c, part.acc, block)
        own = [Tile(array, part.rows, self.shape.columns, slot=part.slot) for array in part.staged]
        copies = [
            Copy(Tile(out.array, tile.rows, tile.columns, at, view=out.moved(self.outer)), tile)
            for out, tile in zip(self.shape.staged, own)
        ]
        return (
            Wait(self.stores),
            Barrier(together=True),
            *epilogue(self.c, part.acc, block, own),
            Barrier(together=True),
            Start(self.stores, tuple(copies)),
        )
