"""Pass for GPUs: a contraction as tiles of the output, one for each work-group, with both operands in local memory.

A work-group computes a block of rows by a block of columns; each of its work-items a small tile of registers, whose
rows and columns lie as far apart as there are items in that direction, so that neighbouring items read and write
neighbouring elements. Step by step along the depth the items together bring a slice of both operands to local memory,
meet, multiply, and meet again. The slices are filled up with zeros where an operand ends; the rest of the block is
kept from being stored. What follows the sum (the epilogue) is evaluated on the register tile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lazygrad.index.expr import Expr, Var, all_of, dim_product
from lazygrad.ir.op import Combine
from lazygrad.runtime.base import DeviceInfo
from lazygrad.tile.contract import Contraction, contraction
from lazygrad.tile.program import (
    Accumulator,
    Array,
    Axis,
    Barrier,
    If,
    Kind,
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
from lazygrad.tile.values import exprs, substitute, substitute_body
from lazygrad.tile.workgroups import WARP, guarded, positions, power_of_two

BLOCK = 64  # rows and columns of the largest tile of a work-group
WIDE_BLOCK = 128  # where accesses are wide: each work-item has twice the rows and columns, four of them neighbours
SMALL_BLOCK = 16
RUN = 4  # neighbouring rows or columns of a work-item, read and written in one access
STEP = 16  # of the depth, brought to local memory at a time
MIN_DEPTH = 8  # below, the caches do as well
SKEW = 1  # elements between the rows of a slice, so that they start in different banks; a run where accesses are wide


@dataclass(frozen=True, slots=True)
class Side:
    """The rows or the columns: `size` of them in blocks, shared by `items` work-items with `registers` each."""

    axes: tuple[Axis, ...]
    size: int
    block: int
    run: int = 1

    @property
    def registers(self) -> int:
        return max(1, self.block // SMALL_BLOCK)

    @property
    def items(self) -> int:
        return self.block // self.registers

    @property
    def blocks(self) -> int:
        return -(-self.size // self.block)

    @property
    def width(self) -> int:
        """Elements from one row of a slice to the next."""
        return self.block + (self.run if self.run > 1 else SKEW)

    def halved(self) -> Side:
        block = self.block // 2
        return replace(self, block=block, run=min(self.run, max(1, block // SMALL_BLOCK)))

    def place(self, register: Expr, item: Expr) -> Expr:
        """Which row or column of the block a register of a work-item is: runs of one item, then those of the next."""
        return register // self.run * (self.items * self.run) + item * self.run + register % self.run


def local_contract(program: Program, info: DeviceInfo) -> Program | None:
    """`program` in tiles, or None when it is no contraction or too small for them."""
    c = contraction(program)
    if c is None or not _is_known(c) or _count(c.depth) < MIN_DEPTH:
        return None
    rows, columns = _side(c.rows, info), _side(c.columns, info)
    groups = _count(c.batch)
    while max(rows.block, columns.block) > SMALL_BLOCK and groups * rows.blocks * columns.blocks < info.units:
        rows, columns = _halved(rows, columns)
    while rows.items * columns.items > info.max_group:
        rows, columns = _halved(rows, columns)
    step = min(STEP, power_of_two(_count(c.depth)))
    while step > 1 and _slice_bytes(c, rows, columns, step) > info.local_bytes:
        step //= 2
    if rows.items * columns.items < WARP or _slice_bytes(c, rows, columns, step) > info.local_bytes:
        return None
    return replace(program, body=_Blocks(c, rows, columns, step).body())


def _is_known(c: Contraction) -> bool:
    """Whether all of its sizes are numbers, as slices need them."""
    return all(isinstance(a.extent, int) for a in (*c.batch, *c.rows, *c.columns, *c.depth))


def _side(axes: tuple[Axis, ...], info: DeviceInfo) -> Side:
    count = _count(axes)
    block = min(WIDE_BLOCK if info.warp > 1 else BLOCK, power_of_two(count))
    return Side(axes, count, block, min(RUN, max(1, block // SMALL_BLOCK)) if info.warp > 1 else 1)


def _count(axes: Sequence[Axis]) -> int:
    count = dim_product(a.extent for a in axes)
    assert isinstance(count, int), count
    return count


def _halved(rows: Side, columns: Side) -> tuple[Side, Side]:
    """The longer side halved."""
    return (rows.halved(), columns) if rows.block > columns.block else (rows, columns.halved())


def _slice_bytes(c: Contraction, rows: Side, columns: Side, step: int) -> int:
    return step * (rows.width * c.a.dtype.itemsize + columns.width * c.b.dtype.itemsize)


class _Blocks:
    """Builds the statements of one contraction."""

    def __init__(self, c: Contraction, rows: Side, columns: Side, step: int) -> None:
        self.c, self.rows, self.columns, self.step = c, rows, columns, step
        self.depth = _count(c.depth)
        self.items = rows.items * columns.items
        self.block_row, self.item_row = Var("block_row", 0, rows.blocks - 1), Var("item_row", 0, rows.items - 1)
        self.block_column = Var("block_column", 0, columns.blocks - 1)
        self.item_column = Var("item_column", 0, columns.items - 1)
        self.i, self.j = Var("i", 0, rows.registers - 1), Var("j", 0, columns.registers - 1)
        self.turn = Var("step", 0, -(-self.depth // step) - 1)

    def body(self) -> tuple[Stmt, ...]:
        inner = self._tile()
        for var, extent, kind in (
            (self.j, self.columns.registers, Kind.UNROLL),
            (self.i, self.rows.registers, Kind.UNROLL),
            (self.item_column, self.columns.items, Kind.LOCAL),
            (self.item_row, self.rows.items, Kind.LOCAL),
            (self.block_column, self.columns.blocks, Kind.GRID),
            (self.block_row, self.rows.blocks, Kind.GRID),
        ):
            inner = (Loop(Axis(var, extent, kind), inner),)
        for axis in reversed(self.c.batch):
            inner = (Loop(replace(axis, kind=Kind.GRID), inner),)
        return inner

    def _tile(self) -> tuple[Stmt, ...]:
        """The sum over the depth, in steps, and the stores of one element of the register tile."""
        row, column = self.rows.place(self.i, self.item_row), self.columns.place(self.j, self.item_column)
        a, fill_a = self._slice("a_slice", self.c.a, self.rows, self.block_row, row)
        b, fill_b = self._slice("b_slice", self.c.b, self.columns, self.block_column, column)
        k = Axis(Var("k", 0, self.step - 1), self.step)
        old = self.c.acc
        part = self._accumulator("part", substitute([old.value], {}, {self.c.a: a, self.c.b: b})[0], k.var)
        total = self._accumulator(old.name, ref(part), self.turn)
        staged = (Barrier(), fill_a, fill_b, Barrier(), Reduction((k,), (part,)))
        at = self.block_row * self.rows.block + row, self.block_column * self.columns.block + column
        variables = positions(self.c.rows, at[0]) | positions(self.c.columns, at[1])
        stores = substitute_body(self._epilogue(total), variables)
        inside = all_of((at[0].lt(self.rows.size), at[1].lt(self.columns.size)))
        return (Reduction((Axis(self.turn, self.turn.hi + 1),), (total,), staged), *guarded(inside, stores))

    def _accumulator(self, name: str, value: Value, reduced: Var) -> Accumulator:
        return Accumulator(name, Combine.ADD, self.c.acc.dtype, value, value.vars - {reduced})

    def _epilogue(self, total: Accumulator) -> tuple[Stmt, ...]:
        stores: list[Stmt] = []
        for s in self.c.body[1:]:
            assert isinstance(s, Store)
            stores.append(replace(s, value=substitute([s.value], {}, {ref(self.c.acc): ref(total)})[0]))
        return tuple(stores)

    def _slice(self, name: str, source: Value, side: Side, block: Var, at: Expr) -> tuple[Value, Stage]:
        """A slice of `source` as [step][block] in local memory: its element `at` of depth k, and how it is filled."""
        width = side.width
        array = Array(name, source.dtype, self.step * width, Scope.LOCAL)
        size = self.step * side.block
        turns = -(-size // self.items)
        turn = Var("turn", 0, turns - 1)
        item = self.item_row * self.columns.items + self.item_column
        position = turn * self.items + item
        if self._runs_along_depth(source, side):
            place, k = position // self.step, position % self.step
        else:
            place, k = position % side.block, position // side.block
        row, depth = block * side.block + place, self.turn * self.step + k
        variables = positions(side.axes, row) | positions(self.c.depth, depth)
        value = substitute([source], variables, {})[0]
        fill: tuple[Stmt, ...] = (Store(array, k * width + place, value),)
        inside = all_of((row.lt(side.size), depth.lt(self.depth)))
        if inside.constant != 1:
            zero = const(0.0 if compute_dtype(source.dtype).is_float else 0, source.dtype)
            fill = (If(inside, fill, (Store(array, k * width + place, zero),)),)
        fill = (Loop(Axis(turn, turns), guarded(position.lt(size), fill)),)
        return load(array, Var("k", 0, self.step - 1) * width + at), Stage(array, fill)

    def _runs_along_depth(self, source: Value, side: Side) -> bool:
        """Whether neighbours in memory are neighbours along the depth, rather than along the rows or columns."""
        addresses = [e for e, address in exprs([source]) if address]

        def steps(axis: Axis) -> int:
            return sum(e.coefficient(axis.var) == 1 for e in addresses)

        return steps(self.c.depth[-1]) > steps(side.axes[-1])
