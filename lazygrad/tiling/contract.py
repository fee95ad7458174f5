"""Pass for CPUs: a contraction as register tiles over packed or contiguous operands.

A plain contraction is `GRID i.. j.. > Reduction k: sum of a(i, k) * b(k, j) > stores`. One task computes a block of
rows by one panel of columns: for each register tile of MR rows by NV vectors, the k loop multiplies MR broadcast
scalars of `a` with NV vectors of `b`. When `b` does not lie contiguously along the columns, the panel is first packed
into scratch memory, where it does. What follows the sum (the epilogue) is evaluated on the register tile.

The blocking follows K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lazygrad.index.expr import Const, Expr, Var, as_dim, ceil_div, dim_max, dim_product, index_variable, lift
from lazygrad.ir.op import Combine, Op
from lazygrad.runtime.base import DeviceInfo
from lazygrad.tiling.program import (
    Accumulator,
    Alu,
    Array,
    Axis,
    If,
    Kind,
    Load,
    Loop,
    Program,
    Reduction,
    Scope,
    Stage,
    Stmt,
    Store,
    Value,
    compute_dtype,
    const,
    load,
    ref,
)
from lazygrad.tiling.values import exprs, substitute, substitute_body, with_values
from lazygrad.tiling.vectorize import lanes_for
from lazygrad.tiling.walk import grid, on_grid

ACCUMULATORS = 24  # of 32 vector registers
PANEL_VECTORS = (4, 2, 3, 5, 1)  # widths of a panel, the better ones first
BLOCK_ROWS = 192
TASKS = 16  # fewer leave cores waiting for the last one
PACKED_BYTES = 192 << 10  # of scratch on a worker's stack
MIN_ROWS = 4


@dataclass(frozen=True)
class Contraction:
    """The parts of a plain contraction: `a` varies along `rows`, `b` along `columns`, both along `depth`, `batch`."""

    batch: tuple[Axis, ...]
    rows: tuple[Axis, ...]
    columns: tuple[Axis, ...]
    depth: tuple[Axis, ...]
    acc: Accumulator
    a: Value
    b: Value
    body: tuple[Stmt, ...]


def contraction(program: Program) -> Contraction | None:
    """The contraction that `program` is, with the columns where its output is contiguous; None when it is not one."""
    axes, body = grid(program.body)
    first = body[0] if body else None
    if (
        not isinstance(first, Reduction)
        or len(first.accumulators) != 1
        or not all(isinstance(s, Store) for s in body[1:])
    ):
        return None
    acc = first.accumulators[0]
    if acc.combine is not Combine.ADD or not isinstance(acc.value, Alu) or acc.value.op is not Op.MUL or acc.value.accs:
        return None
    a, b = acc.value.src
    last = _contiguous(axes, body[1:])
    if last is not None and last.var in a.vars and last.var not in b.vars:
        a, b = b, a
    if last is None or last.var in a.vars or last.var not in b.vars:
        return None
    rows = tuple(x for x in axes if x.var in a.vars and x.var not in b.vars)
    columns = (*(x for x in axes if x.var in b.vars and x.var not in a.vars and x is not last), last)
    batch = tuple(x for x in axes if x not in rows and x not in columns)
    if not rows:
        return None
    return Contraction(batch, rows, columns, first.axes, acc, a, b, body)


def _contiguous(axes: Sequence[Axis], stores: Sequence[Stmt]) -> Axis | None:
    """The axis along which every store is contiguous."""
    for axis in axes:
        if all(isinstance(s, Store) and s.index.coefficient(axis.var) == 1 for s in stores):
            return axis
    return None


def contract(program: Program, info: DeviceInfo) -> Program | None:
    """`program` as register tiles, or None when it is no contraction or too thin for them."""
    c = contraction(program)
    if c is None or dim_max(c.rows[-1].extent) < MIN_ROWS or info.vector_bytes < 16:
        return None
    lanes = lanes_for([c.acc.value], info)
    if dim_max(c.columns[-1].extent) < lanes // 2:
        return None
    return replace(program, body=_Tiler(c, lanes).body())


def _size(axis: Axis) -> int:
    assert isinstance(axis.extent, int)
    return axis.extent


class _Tiler:
    """Builds the blocked statements of one contraction."""

    def __init__(self, c: Contraction, lanes: int) -> None:
        self.c, self.lanes = c, lanes
        self.row, self.column = c.rows[-1], c.columns[-1]
        self.rows, self.columns = self.row.extent, self.column.extent
        self.depth = dim_max(dim_product(a.extent for a in c.depth))
        self.vectors = self._panel_vectors()
        self.width = self.vectors * lanes
        self.tile_rows = max(1, ACCUMULATORS // self.vectors)
        self.panels = ceil_div(self.columns, self.width)
        self.beyond = Var("column", 0, dim_max(self.panels) * self.width - 1)  # a column that may not exist
        self.block = self._block_rows()
        self.blocks = ceil_div(self.rows, self.block)

    def _panel_vectors(self) -> int:
        """The panel width that wastes the fewest lanes, and fits the scratch memory if it has to be packed."""
        size = dim_max(self.columns)
        packed = self._packed() or not isinstance(self.columns, int)
        fits = [v for v in PANEL_VECTORS if not packed or v * self.lanes * self.depth * 4 <= PACKED_BYTES] or [1]
        return min(fits, key=lambda v: (-(-size // (v * self.lanes)) * v * self.lanes, fits.index(v)))

    def _block_rows(self) -> int:
        """Rows of one task: many, so that a packed panel is used often, but leaving enough tasks."""
        others = dim_max(self.panels)
        for axis in (*self.c.batch, *self.c.rows[:-1], *self.c.columns[:-1]):
            others *= dim_max(axis.extent)
        tile, rows = self.tile_rows, dim_max(self.rows)
        block = -(-BLOCK_ROWS // tile) * tile
        while block > 2 * tile and -(-rows // block) * others < TASKS:
            block = -(-(block // 2) // tile) * tile
        return min(block, -(-rows // tile) * tile)

    def _packed(self) -> bool:
        """Whether `b` has to be copied, to lie contiguously along the columns or to be masked only once."""
        var = self.column.var
        return any(e.coefficient(var) not in (0, 1) if address else var in e.vars for e, address in exprs([self.c.b]))

    def body(self) -> tuple[Stmt, ...]:
        panel = index_variable("panel", self.panels)
        block = index_variable("block", self.blocks)
        full, rest = as_dim(self.columns // self.width), as_dim(self.columns % self.width)
        body = tuple(self._panel(panel, block, self.width)) if full != 0 else ()
        if rest != 0:
            width = rest if isinstance(rest, int) else self.width
            tail = tuple(self._panel(lift(full), block, width, partial=width != rest))
            body = (If(panel.lt(full), body, tail),) if body else tail
        for var, extent in ((block, self.blocks), (panel, self.panels)):
            if isinstance(var, Var):
                body = (Loop(Axis(var, extent, Kind.GRID), body),)
        return on_grid((*self.c.batch, *self.c.rows[:-1], *self.c.columns[:-1]), body)

    def _panel(self, panel: Expr, block: Expr, width: int, partial: bool = False) -> list[Stmt]:
        """One block of rows by the `width` columns of `panel`; of a `partial` one, those that exist."""
        statements: list[Stmt] = []
        body = self.c.body
        if self._packed() or partial:
            stage, body = self._pack(panel, width, partial)
            statements.append(stage)
        if partial:
            body = (body[0], If(self.beyond.lt(self.columns), body[1:]))
        whole = as_dim(self.rows // self.tile_rows)  # register tiles that are full
        per_block = self.block // self.tile_rows
        if whole != 0:
            tile = _variable("tile", per_block)
            number = block * per_block + tile
            tiled: tuple[Stmt, ...] = tuple(self._columns(body, panel, number * self.tile_rows, self.tile_rows, width))
            inside = number.lt(whole)  # the last block may have fewer tiles; tiles beyond are skipped
            tiled = tiled if inside.constant == 1 else (If(inside, tiled),)
            statements += (Loop(Axis(tile, per_block), tiled),) if isinstance(tile, Var) else tiled
        if tail := self._tail(body, panel, lift(whole * self.tile_rows), width):
            statements.append(If(block.eq(self.blocks - 1), tail))
        return statements

    def _tail(self, body: tuple[Stmt, ...], panel: Expr, first: Expr, width: int) -> tuple[Stmt, ...]:
        """The rows from `first` on that fill no register tile: one smaller tile, or where their number is not known,
        one row after the other."""
        rest = as_dim(self.rows % self.tile_rows)
        if isinstance(rest, int):
            return tuple(self._columns(body, panel, first, rest, width)) if rest else ()
        row = Var("rest", 0, self.tile_rows - 2, below=rest)
        return (Loop(Axis(row, rest), tuple(self._columns(body, panel, first + row, 1, width))),)

    def _columns(self, body: tuple[Stmt, ...], panel: Expr, first: Expr, rows: int, width: int) -> Iterator[Stmt]:
        """Register tiles of `rows` rows over `width` columns: whole vectors, then ever shorter ones for the rest."""
        start, lanes = 0, self.lanes
        while start < width:
            while lanes > width - start:
                lanes //= 2
            count = (width - start) // lanes
            yield self._tile(body, panel * self.width + start, first, rows, count, lanes)
            start += count * lanes

    def _tile(self, body: tuple[Stmt, ...], column: Expr, first: Expr, rows: int, vectors: int, lanes: int) -> Stmt:
        i, j, lane = _variable("i", rows), _variable("j", vectors), _variable("lane", lanes)
        at = column + j * lanes + lane
        variables = {self.row.var: first + i, self.column.var: at, self.beyond: at}
        inner = substitute_body(body, variables)
        for var, extent, kind in ((lane, lanes, Kind.VECTOR), (j, vectors, Kind.UNROLL), (i, rows, Kind.UNROLL)):
            if isinstance(var, Var):
                inner = (Loop(Axis(var, extent, kind), inner),)
        return inner[0] if len(inner) == 1 else Loop(Axis(Var("once", 0, 0), 1, Kind.UNROLL), inner)

    def _pack(self, panel: Expr, width: int, partial: bool) -> tuple[Stage, tuple[Stmt, ...]]:
        """Scratch memory with the panel of `b` as [depth][width], and the statements that read it there.

        The columns that a `partial` panel lacks are zeros.
        """
        b = self.c.b
        dtype = b.dtype if isinstance(b, Load) else compute_dtype(b.dtype)  # converted once rather than at each use
        array = Array("packed", dtype, self.depth * self.width, Scope.PRIVATE)
        ours = tuple(replace(a, var=Var(f"k{n}", 0, a.var.hi, below=a.extent)) for n, a in enumerate(self.c.depth))
        column = _variable("c", width)
        variables: dict[Var, Expr] = {a.var: b.var for a, b in zip(self.c.depth, ours)}
        source = substitute([self.c.b], variables | {self.column.var: panel * self.width + column}, {})[0]
        offset = _row_major(ours)
        store = Store(array, offset * self.width + column, source)
        fill: tuple[Stmt, ...] = (store,)
        if partial:
            zero = replace(store, value=const(0.0, source.dtype))
            fill = (If((panel * self.width + column).lt(self.columns), fill, (zero,)),)
        if isinstance(column, Var):
            fill = (Loop(Axis(column, width, lanes=self.lanes), fill),)
        for axis in reversed(ours):
            # Where `b` lies along this axis, as many steps as lanes at once: squares are read whole and transposed.
            along = any(e.coefficient(axis.var) == 1 for e, address in exprs([source]) if address)
            fill = (Loop(replace(axis, unroll=self.lanes) if along else axis, fill),)
        packed = load(array, _row_major(self.c.depth) * self.width + (self.column.var - panel * self.width))
        value = substitute([self.c.acc.value], {}, {self.c.b: packed})[0]
        new = replace(self.c.acc, value=value, vars=value.vars - {a.var for a in self.c.depth})
        return Stage(array, fill), _with_accumulator(self.c, new)


def _with_accumulator(c: Contraction, new: Accumulator) -> tuple[Stmt, ...]:
    return (Reduction(c.depth, (new,)), *with_values(c.body[1:], {ref(c.acc): ref(new)}))


def _row_major(axes: Sequence[Axis]) -> Expr:
    offset: Expr = Const(0)
    for a in axes:
        offset = offset * a.extent + a.var
    return offset


def _variable(name: str, extent: int) -> Expr:
    return Var(name, 0, extent - 1) if extent > 1 else Const(0)
