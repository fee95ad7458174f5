"""What the passes for matrix units share: operands as matrices in memory, and the epilogue on a fragment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lazygrad.index.expr import Const, Expr, Var, all_of, dim_product
from lazygrad.tile.array import Array, Axis, Kind
from lazygrad.tile.contract import Contraction
from lazygrad.tile.layout import CHUNK, Fragment, Outer, Strided, Swizzled
from lazygrad.tile.lower_matrix import KINDS
from lazygrad.tile.program import Load, Loop, Stmt, Store, Value, const, load, ref
from lazygrad.tile.values import substitute, substitute_body
from lazygrad.tile.workgroups import guarded, positions

LINE = 128  # bytes of a swizzled line, at most


@dataclass(frozen=True, slots=True)
class Operand:
    """A factor of a contraction that lies in memory: a matrix of rows (or columns) by the depth."""

    array: Array
    view: Strided

    @property
    def transposed(self) -> bool:
        """Whether neighbours in memory are neighbours along the rows, rather than along the depth."""
        return self.view.column_step != 1

    def tile(self, rows: int, depth: int) -> Swizzled:
        """The layout of a part of it in local memory, in the widest lines that it fills."""
        size = self.array.dtype.itemsize
        line = min(LINE, (rows if self.transposed else depth) * size)
        return Swizzled(rows, depth, size, line, self.transposed)


def known(axes: Sequence[Axis]) -> int | None:
    """The number of elements along axes, if it is known."""
    count = dim_product(a.extent for a in axes)
    return count if isinstance(count, int) else None


def operands(c: Contraction) -> tuple[Operand, Operand] | None:
    """The factors of `c` as matrices that matrix units and copies of 16 bytes can take; None where one is not."""
    a, b = _operand(c, c.a, c.rows), _operand(c, c.b, c.columns)
    if a is None or b is None or a.array.dtype is not b.array.dtype or a.array.dtype not in KINDS:
        return None
    return a, b


def _operand(c: Contraction, source: Value, axes: Sequence[Axis]) -> Operand | None:
    if not isinstance(source, Load) or source.valid is not None or source.binds:
        return None
    rows, deep = known(axes), known(c.depth)
    if rows is None or deep is None or rows < 2 or deep < 2:
        return None
    row, depth = Var("row", 0, rows - 1), Var("depth", 0, deep - 1)
    at = source.index.substitute(positions(axes, row) | positions(c.depth, depth))
    steps = at.coefficient(row), at.coefficient(depth)
    if steps[0] is None or steps[1] is None:
        return None
    rest = at - row * steps[0] - depth * steps[1]
    outer = []
    for axis in c.batch:
        step = rest.coefficient(axis.var)
        if step is None or not isinstance(axis.extent, int):
            return None
        rest = rest - axis.var * step
        if step:
            outer.append(Outer(axis.var, axis.extent, step))
    view = Strided(rows, deep, steps[0], steps[1], tuple(outer))
    fits = rest.constant == 0 and _is_aligned(view, CHUNK // source.dtype.itemsize)
    return Operand(source.array, view) if fits else None


def _is_aligned(view: Strided, each: int) -> bool:
    """Whether neighbours along one axis lie together, whole chunks of them, each chunk aligned."""
    along = (view.columns, view.row_step) if view.column_step == 1 else (view.rows, view.column_step)
    if 1 not in (view.row_step, view.column_step) or any(n < 1 for n in (view.row_step, view.column_step)):
        return False
    sizes = [*along, *(o.step for o in view.outer)]
    return all(isinstance(n, int) and n % each == 0 for n in sizes)


def clear(acc: Array) -> tuple[Stmt, ...]:
    """Zeros in the registers of a fragment."""
    assert isinstance(acc.size, int)
    register = Var("register", 0, acc.size - 1)
    return (Loop(Axis(register, acc.size, Kind.UNROLL), (Store(acc, register, const(0.0, acc.dtype)),)),)


def epilogue(c: Contraction, acc: Array, at: tuple[Expr, Expr], whole: tuple[bool, bool]) -> tuple[Stmt, ...]:
    """The stores of a contraction, of the sums in the fragment `acc`, whose element (0, 0) is row and column `at`.

    It belongs inside LOCAL axes that leave one work-item per fragment holder; `whole`: whether the blocks fill the rows
    and the columns, so that nothing has to be kept from being stored.
    """
    fragment = acc.layout
    assert isinstance(fragment, Fragment)
    item = Var("thread", 0, fragment.items - 1)
    piece, inside = Var("piece", 0, fragment.registers // fragment.run - 1), Var("e", 0, fragment.run - 1)
    row, column = fragment.element(item, piece * fragment.run + inside)
    row, column = at[0] + row, at[1] + column
    value = load(acc, piece * fragment.run + inside)
    variables = positions(c.rows, row) | positions(c.columns, column)
    stores: list[Stmt] = []
    for s in c.body[1:]:
        assert isinstance(s, Store)
        stores.append(replace(s, value=substitute([s.value], {}, {ref(c.acc): value})[0]))
    rows, columns = known(c.rows), known(c.columns)
    assert rows is not None and columns is not None
    limits = []
    if not whole[0]:
        limits.append(row.lt(rows))
    if not whole[1]:  # an even number of columns ends with a whole run
        limits.append((column - inside if columns % fragment.run == 0 else column).lt(columns))
    body = guarded(all_of(limits) if limits else Const(1), substitute_body(stores, variables))
    body = (Loop(Axis(inside, fragment.run, Kind.UNROLL), body),)
    body = (Loop(Axis(piece, piece.hi + 1, Kind.UNROLL), body),)
    return (Loop(Axis(item, fragment.items, Kind.LOCAL), body),)
