"""Factors of a contraction that are computed, or lie as copies of 16 bytes cannot take them: filled in by plain stores.

The work-items compute the elements of the next slice before they multiply the present one, keep them in registers, and
store them to local memory afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lazygrad.dtype import DType
from lazygrad.index.expr import Expr, Var, all_of
from lazygrad.tiling.array import Array, Axis, Kind, Scope
from lazygrad.tiling.contract import Contraction
from lazygrad.tiling.layout import CHUNK, Strided, Swizzled
from lazygrad.tiling.operand import Operand, factor_dtype, known, swizzled, zero
from lazygrad.tiling.program import If, Stmt, Store, Value, load
from lazygrad.tiling.values import exprs, substitute
from lazygrad.tiling.walk import around
from lazygrad.tiling.workgroups import guarded, positions


@dataclass(frozen=True, slots=True)
class Computed:
    """A factor given by its value at (row, depth), for rows of `axes`, and rounded to `dtype`.

    `transposed`: its elements are computed in the order of the rows, rather than of the depth.
    """

    value: Value
    dtype: DType
    axes: tuple[Axis, ...]
    depth: tuple[Axis, ...]
    transposed: bool

    def tile(self, rows: int, depth: int) -> Swizzled:
        """The layout of a part of it in local memory."""
        return swizzled(rows, depth, self.dtype, self.transposed)


def factor(c: Contraction, source: Value, axes: Sequence[Axis], found: Operand | None) -> Operand | Computed | None:
    """`source` as a matrix unit can take it; None where matrix units have no type for it."""
    dtype = factor_dtype(c)
    if found is not None or dtype is None or known(axes) is None or known(c.depth) is None:
        return found
    return Computed(source, dtype, tuple(axes), c.depth, runs_along_rows(source, axes, c.depth))


def runs_along_rows(source: Value, rows: Sequence[Axis], depth: Sequence[Axis]) -> bool:
    """Whether what `source` reads are neighbours in memory along the rows, rather than along the depth."""
    addresses = [e for e, is_address in exprs([source]) if is_address]

    def runs(axis: Axis) -> int:
        return sum(e.coefficient(axis.var) == 1 for e in addresses)

    return runs(rows[-1]) > runs(depth[-1])


class Filler:
    """Brings slices of a computed factor to local memory: `rows` of it from `first` on, by `items` work-items."""

    def __init__(self, name: str, source: Computed, slices: Array, first: Expr, items: int) -> None:
        assert isinstance(slices.layout, (Strided, Swizzled))
        assert isinstance(slices.layout.rows, int) and isinstance(slices.layout.columns, int)
        self.source, self.slices, self.first, self.items = source, slices, first, items
        self.layout = slices.layout
        self.each = CHUNK // source.dtype.itemsize
        self.chunks = slices.layout.rows * slices.layout.columns // self.each
        self.turns = -(-self.chunks // items)
        self.kept = Array(name, source.dtype, self.turns * self.each, Scope.PRIVATE)
        self.item = Var("filler", 0, items - 1)
        self.turn, self.e = Var("turn", 0, self.turns - 1), Var("e", 0, self.each - 1)
        chunk = self.turn * items + self.item if self.chunks > items else self.item % self.chunks
        per_line = (self.layout.rows if source.transposed else self.layout.columns) // self.each
        line, along = chunk // per_line, chunk % per_line * self.each + self.e
        self.place = (along, line) if source.transposed else (line, along)
        self.exists = (self.turn * items + self.item).lt(self.chunks)

    def fetch(self, step: Expr) -> tuple[Stmt, ...]:
        """Computes this work-item's elements of slice number `step`; 0 outside of the factor."""
        rows, depth = known(self.source.axes), known(self.source.depth)
        assert rows is not None and depth is not None
        row, k = self.first + self.place[0], step * self.layout.columns + self.place[1]
        inside = all_of((row.lt(rows), k.lt(depth), self.exists))
        variables = positions(self.source.axes, row) | positions(self.source.depth, k)
        (value,) = substitute([self.source.value], variables, {})
        at = self.turn * self.each + self.e
        body: tuple[Stmt, ...] = (Store(self.kept, at, value),)
        if inside.constant != 1:
            body = (If(inside, body, (Store(self.kept, at, zero(self.source.value.dtype)),)),)
        return self._by_items(body)

    def put(self, slot: Expr) -> tuple[Stmt, ...]:
        """Stores what was computed last into a slot of the slices."""
        at = self.layout.at(*self.place) + slot * self.layout.size
        store = Store(self.slices, at, load(self.kept, self.turn * self.each + self.e))
        return self._by_items(guarded(self.exists, (store,)))

    def _by_items(self, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        each = [Axis(var, var.hi + 1, Kind.UNROLL) for var in (self.turn, self.e)]
        return around((Axis(self.item, self.items, Kind.LOCAL), *each), body)
