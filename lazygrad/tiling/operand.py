"""What the passes for matrix units share: operands as matrices in memory, and the epilogue on a fragment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lazygrad.dtype import DType, dtypes
from lazygrad.index.expr import Const, Expr, Var, all_of, dim_product, linear_form
from lazygrad.ir.op import Combine
from lazygrad.tiling.array import Array, Axis, Kind, Scope, compute_dtype
from lazygrad.tiling.collective import Tile
from lazygrad.tiling.contract import Contraction
from lazygrad.tiling.layout import CHUNK, Fragment, Outer, Spread, Strided, Swizzled
from lazygrad.tiling.program import Load, Loop, Stmt, Store, Value, const, load, ref
from lazygrad.tiling.values import substitute, substitute_body, topological, with_values
from lazygrad.tiling.walk import around
from lazygrad.tiling.workgroups import guarded, positions

LINE = 128  # bytes of a swizzled line, at most
MOST_OUTER = 3  # axes beside rows and columns that a copy engine can follow


@dataclass(frozen=True, slots=True)
class Operand:
    """A factor of a contraction that lies in memory: a matrix of rows (or columns) by the depth."""

    array: Array
    view: Strided

    @property
    def dtype(self) -> DType:
        return self.array.dtype

    @property
    def transposed(self) -> bool:
        """Whether neighbours in memory are neighbours along the rows, rather than along the depth."""
        return self.view.column_step != 1

    def tile(self, rows: int, columns: int) -> Swizzled:
        """The layout of a part of it in local memory, in the widest lines that it fills."""
        return swizzled(rows, columns, self.dtype, self.transposed)

    def moved(self, variables: Mapping[Var, Expr]) -> Strided:
        """The view with the batch's variables replaced."""
        outer = tuple(replace(o, index=o.index.substitute(variables)) for o in self.view.outer)
        return replace(self.view, outer=outer)


def swizzled(rows: int, columns: int, dtype: DType, transposed: bool) -> Swizzled:
    """The layout of a tile in local memory in the widest lines that it fills."""
    line = min(LINE, (rows if transposed else columns) * dtype.itemsize)
    return Swizzled(rows, columns, dtype.itemsize, line, transposed)


def known(axes: Sequence[Axis]) -> int | None:
    """The number of elements along axes, if it is known."""
    count = dim_product(a.extent for a in axes)
    return count if isinstance(count, int) else None


def factor_dtype(c: Contraction) -> DType | None:
    """The type in which matrix units multiply the factors of `c`, if it is theirs or they may be rounded to it."""
    found = c.a.dtype if c.a.dtype is c.b.dtype and c.a.dtype.is_half else c.acc.factors
    return found if c.acc.dtype is dtypes.float32 else None


def operands(c: Contraction) -> tuple[Operand, Operand] | None:
    """The factors of `c` as matrices that matrix units and copies of 16 bytes can take; None where one is not."""
    a, b = operand(c, c.a, c.rows), operand(c, c.b, c.columns)
    return None if a is None or b is None else (a, b)


def operand(c: Contraction, source: Value, axes: Sequence[Axis]) -> Operand | None:
    """A factor of `c`, as a matrix of `axes` by the depth; None where it is none that matrix units can take."""
    if not isinstance(source, Load) or source.valid is not None or source.binds or source.dtype is not factor_dtype(c):
        return None
    return matrix(c, source.array, source.index, axes, c.depth)


def matrix(c: Contraction, array: Array, at: Expr, rows: Sequence[Axis], columns: Sequence[Axis]) -> Operand | None:
    """The elements of `array` at index `at` as a matrix of rows by columns in chunks of 16 bytes, or None."""
    view = strided(c, at, rows, columns)
    is_aligned = view is not None and view.chunk(array.dtype.itemsize) * array.dtype.itemsize == CHUNK
    return Operand(array, view) if view is not None and is_aligned else None


def strided(c: Contraction, at: Expr, rows: Sequence[Axis], columns: Sequence[Axis]) -> Strided | None:
    """The elements at index `at` of an array as a matrix of rows by columns, if that is what they are."""
    high, wide = known(rows), known(columns)
    if high is None or wide is None or high < 2 or wide < 2:
        return None
    row, column = Var("row", 0, high - 1), Var("column", 0, wide - 1)
    at = at.substitute(positions(rows, row) | positions(columns, column))
    steps = at.coefficient(row), at.coefficient(column)
    if steps[0] is None or steps[1] is None:
        return None
    terms, offset = linear_form(at - row * steps[0] - column * steps[1])
    outer = tuple(Outer(index, index.hi + 1, step) for index, step in terms)
    outer += (Outer(Const(1), 2, offset),) if offset else ()  # a part of a larger array, that begins later
    if known(c.batch) is None or len(outer) > MOST_OUTER or any(o.index.lo < 0 or o.step < 0 for o in outer):
        return None
    return Strided(high, wide, steps[0], steps[1], outer)


def clear(acc: Array) -> tuple[Stmt, ...]:
    """Zeros in the registers of a fragment."""
    assert isinstance(acc.size, int)
    register = Var("register", 0, acc.size - 1)
    return (Loop(Axis(register, acc.size, Kind.UNROLL), (Store(acc, register, zero(acc.dtype)),)),)


def zero(dtype: DType) -> Value:
    """0 of a type."""
    return const(0.0 if compute_dtype(dtype).is_float else 0, dtype)


@dataclass(frozen=True, slots=True)
class Block:
    """Where a block of a contraction's output is: its element (0, 0), and what else is known of it.

    Args:
        whole: whether blocks fill the rows and the columns, so that nothing has to be kept from being stored.
        outer: the variables of the batch.
    """

    at: tuple[Expr, Expr]
    whole: tuple[bool, bool]
    outer: Mapping[Var, Expr]


def epilogue(c: Contraction, acc: Array, block: Block, staged: Sequence[Tile] = ()) -> tuple[Stmt, ...]:
    """The stores of a contraction, of the sums in the fragment `acc`; each goes to one of `staged`, where given.

    It belongs inside LOCAL axes that leave one work-item per fragment holder.
    """
    fragment = acc.layout
    assert isinstance(fragment, (Fragment, Spread))
    item = Var("thread", 0, fragment.items - 1)
    piece, inside = Var("piece", 0, fragment.registers // fragment.run - 1), Var("e", 0, fragment.run - 1)
    place = fragment.element(item, piece * fragment.run + inside)
    row, column = block.at[0] + place[0], block.at[1] + place[1]
    value = load(acc, piece * fragment.run + inside)
    variables = positions(c.rows, row) | positions(c.columns, column) | dict(block.outer)
    body = substitute_body(with_values(c.body[1:], {ref(c.acc): value}), variables)
    is_inside = _inside(c, block, row, column, inside)
    if staged:  # the copy engine keeps what is outside from being stored
        body = tuple(_to_tile(s, tile, place, is_inside) for s, tile in zip(body, staged))
    else:
        body = guarded(is_inside, body)
    each = [Axis(var, var.hi + 1, Kind.UNROLL) for var in (piece, inside)]
    return around((Axis(item, fragment.items, Kind.LOCAL), *each), body)


def _to_tile(s: Stmt, tile: Tile, place: tuple[Expr, Expr], is_inside: Expr) -> Store:
    """The store `s` to (row, column) of a tile in local memory instead."""
    assert isinstance(s, Store) and isinstance(tile.layout, Swizzled)
    index = tile.layout.at(*place) + tile.slot * tile.layout.size
    return replace(s, array=tile.array, index=index, value=_masked(s.value, is_inside))


def _masked(value: Value, condition: Expr) -> Value:
    """`value`, with nothing read from device memory where `condition` does not hold."""
    new: dict[Value, Value] = {}
    for v in topological([value]) if condition.constant != 1 else ():
        (changed,) = substitute([v], {}, new)
        if isinstance(changed, Load) and changed.array.scope is Scope.GLOBAL:
            valid = condition if changed.valid is None else condition.and_(changed.valid)
            changed = load(changed.array, changed.index, valid, changed.fill, dict(zip(changed.binds, changed.src)))
        new[v] = changed
    return new.get(value, value)


def _inside(c: Contraction, block: Block, row: Expr, column: Expr, e: Var) -> Expr:
    """Whether an element is one of the output's; `e` numbers neighbouring columns."""
    rows, columns = known(c.rows), known(c.columns)
    assert rows is not None and columns is not None
    run = column - e if columns % (e.hi + 1) == 0 else column  # then every run is inside as a whole, or outside
    limits = [*(() if block.whole[0] else (row.lt(rows),)), *(() if block.whole[1] else (run.lt(columns),))]
    return all_of(limits) if limits else Const(1)


def stored(c: Contraction) -> tuple[Operand, ...]:
    """The outputs as matrices that the copy engine can write: of 16-bit elements, rows together; () if one is not."""
    found: list[Operand] = []
    for s in c.body[1:]:
        assert isinstance(s, Store)
        if s.combine is not Combine.SET or s.valid is not None or not s.array.dtype.is_half:
            return ()
        out = matrix(c, s.array, s.index, c.rows, c.columns)
        if out is None or out.transposed:
            return ()
        found.append(out)
    return tuple(found)
