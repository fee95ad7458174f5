"""Square tiles that lie across the vectors: read along memory, then transposed in registers.

Where a load is strided along its lanes but contiguous along an unrolled axis with as many registers, reading each
vector lane by lane would touch every element apart. Instead n vectors of n elements are read as they lie, and
log2(n) rounds of shuffles exchange ever smaller off-diagonal blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

from lazygrad.index.expr import Const, Expr, Var

from . import arithmetic
from .lower_context import Context, Element, TileAxis
from .machine import Code, LoadFrom, Operand, memory_dtype
from .program import Load

FEWEST = 4  # lanes that pay


@dataclass(frozen=True, slots=True)
class Square:
    """The load of a tile: `index` in terms of `row`, its registers along `axis`, and of the lane variable."""

    axis: TileAxis
    lane: Var
    lanes: int
    row: Var
    index: Expr


def square_of(context: Context, v: Load, element: Element) -> Square | None:
    """The square tile that `v` reads, if it is one with plain addresses."""
    lanes = context.lane_axis(v.vars)
    if v.binds or lanes is None or lanes.lane is None or lanes.lanes < FEWEST:
        return None
    for axis in context.tile_axes(v.vars):
        first = element[axis.var] // lanes.lanes * lanes.lanes
        if axis is lanes or axis.lanes > 1 or axis.var in context.only or first + lanes.lanes > axis.count:
            continue
        row = Var("row", first, first + lanes.lanes - 1)
        index = context.machine(v.index, element, {axis.var: axis.base + row})
        if index.coefficient(row) != 1 or index.coefficient(lanes.lane) in (0, 1, -1):
            continue
        # One instruction reads what all rows and lanes need: the guard must hold in every one of them.
        if v.valid is None or context.machine(v.valid, element, {axis.var: axis.base + row}).constant == 1:
            return Square(axis, lanes.lane, lanes.lanes, row, index)
    return None


def transposed(context: Context, v: Load, element: Element) -> list[tuple[Element, Operand]]:
    """The operands of `v` for `element` and its neighbours in a square tile; empty where there is none."""
    square = square_of(context, v, element)
    if square is None:
        return []
    n, axis, array = square.lanes, square.axis, context.arrays[v.array]
    first = square.row.lo
    dtype = memory_dtype(array.dtype)
    rows: list[Operand] = []
    for k in range(n):
        register = context.register(dtype, n, array.name)
        address = square.index.substitute({square.row: Const(first), square.lane: Const(k)})
        context.emit(LoadFrom(register, array, (address,)))
        rows.append(register)
    columns = _exchange(context, rows)
    return [
        ({**element, axis.var: first + k}, arithmetic.from_storage(context, column, array.dtype))
        for k, column in enumerate(columns)
    ]


def _exchange(context: Context, rows: list[Operand]) -> list[Operand]:
    """The columns of a square of registers."""
    n = len(rows)
    block = n // 2
    while block:
        low = tuple(e if e // block % 2 == 0 else n + e - block for e in range(n))
        high = tuple(e + block if e // block % 2 == 0 else n + e for e in range(n))
        changed = list(rows)
        for i in (i for i in range(n) if i // block % 2 == 0):
            pair = rows[i], rows[i + block]
            changed[i] = context.compute(Code.SHUFFLE, pair[0].dtype, *pair, detail=low)
            changed[i + block] = context.compute(Code.SHUFFLE, pair[0].dtype, *pair, detail=high)
        rows = changed
        block //= 2
    return rows
