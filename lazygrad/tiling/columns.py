"""Pass for GPUs: reductions that memory runs across, such as the sums of a matrix' columns.

Neighbouring work-items read neighbouring columns, several of them each in one access. The other work-items of a group
go through other rows, and so do other work-groups where there are not enough columns to keep the device busy. What the
work-items of a group have found is combined in local memory, and what groups have found, by the last of them: always
in the same order, so that the result is the same in every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lazygrad.dtype import dtypes
from lazygrad.index.expr import Expr, Var, dim_max, dim_product, index_variable, minimum
from lazygrad.runtime.base import DeviceInfo

from .program import (
    Accumulator,
    Array,
    Axis,
    Barrier,
    Kind,
    Last,
    Loop,
    Program,
    Reduction,
    Scope,
    Stage,
    Stmt,
    Store,
    Value,
    compute_dtype,
    load,
    ref,
)
from .split import stretch_length
from .together import contiguous, together
from .values import substitute_body, topological, with_values
from .walk import grid, nest
from .workgroups import GROUP, Turns, contiguity, group_limit, guarded, in_order, positions

BUSY = 512  # work-items of a unit that keep it busy without dividing the rows
GROUPS = 3  # of a unit, where rows are divided: all of them run at once
ACROSS = 16  # work-items side by side, each with an access of its own: lines of memory are read as a whole
AHEAD = 4  # accesses of one work-item in flight
RUNNING = 128  # bytes of running values of one work-item: 32 registers
SIDE_BY_SIDE = 64  # bytes of them for one row


def columns(program: Program, info: DeviceInfo) -> Program | None:
    """`program`, if it is one reduction that memory runs across and what is stored of it; None for other ones."""
    axes, body = grid(program.body)
    stores = [s for s in body if isinstance(s, Store)]
    first = _one_pass([s for s in body if not isinstance(s, Store)])
    if not axes or first is None or in_order(body):
        return None
    if not all(isinstance(a.extent, int) for a in (*axes, *first.axes)):
        return None
    across = max(axes, key=lambda a: contiguity(a, [first]))
    if contiguity(across, [first]) <= max(0, *(contiguity(a, [first]) for a in first.axes)):
        return None
    return _Columns([*(a for a in axes if a is not across), across], first, stores, info).program(program)


def _one_pass(statements: Sequence[Stmt]) -> Reduction | None:
    """A reduction and loops over the same rows as one reduction, which stores in each turn what the loops store."""
    first = statements[0] if statements else None
    if not isinstance(first, Reduction) or first.body:
        return None
    read = {getattr(v, "array", None) for v in topological(a.value for a in first.accumulators)}
    stores: list[Stmt] = []
    for s in statements[1:]:
        axes, inside = nest(s) if isinstance(s, Loop) else ((), ())
        if [a.extent for a in axes] != [a.extent for a in first.axes]:
            return None
        if not all(
            isinstance(t, Store) and not t.bindings and not t.value.accs and t.array not in read for t in inside
        ):
            return None
        stores += substitute_body(inside, {a.var: b.var for a, b in zip(axes, first.axes)})
    return replace(first, body=tuple(stores))


def _size(axes: Sequence[Axis]) -> int:
    return dim_max(dim_product(a.extent for a in axes))


class _Columns:
    """How columns are divided.

    Attributes:
        each: neighbouring columns of a work-item, a chunk.
        across, down: work-items of a group, of its `size`, that are side by side and that have other rows.
        blocks: how many groups there are for all columns; `width` columns each.
        parts: how many groups there are for the rows; `length` rows each.
        ahead: rows that a work-item reads before it adds them up.
    """

    def __init__(self, axes: list[Axis], first: Reduction, stores: list[Store], info: DeviceInfo) -> None:
        self.axes, self.first, self.stores = axes, first, stores
        self.count, self.rows = _size(axes), _size(first.axes)
        running = sum(max(4, compute_dtype(a.dtype).itemsize) for a in first.accumulators)
        self.each = together(axes, [first], info)
        while self.each > 1 and (self.count % self.each or self.each * running > SIDE_BY_SIDE):
            self.each //= 2
        self.chunks = self.count // self.each
        self.size = min(GROUP, group_limit(info))
        while self.size > 1 and self.size * self.each * running > info.local_bytes:
            self.size //= 2
        is_busy = self.chunks >= info.units * BUSY
        self.across = self.size if is_busy else min(self.size, ACROSS, 1 << (self.chunks.bit_length() - 1))
        self.down, self.width = self.size // self.across, self.across * self.each
        self.blocks = -(-self.chunks // self.across)
        accesses = max(1, len(contiguous([first], axes[-1].var)))
        self.ahead = max(1, min(AHEAD // accesses, RUNNING // (self.each * running)))
        most = 1 if is_busy else -(-self.rows // (self.down * AHEAD))
        parts = min(most, max(1, info.units * GROUPS // self.blocks))
        turn = self.down * self.ahead
        self.length = -(-self.rows // (parts * turn)) * turn
        self.parts = -(-self.rows // self.length)
        self.block, self.part = index_variable("block", self.blocks), index_variable("part", self.parts)
        self.partial = [self._partial(k, a) for k, a in enumerate(first.accumulators)] if self.parts > 1 else []

    def _partial(self, k: int, acc: Accumulator) -> Array:
        return Array(f"partial{k}", acc.dtype, self.parts * self.count, written=True)

    def program(self, program: Program) -> Program:
        """`program`, divided so."""
        body = self._group()
        workspace: tuple[Array, ...] = ()
        if self.partial:
            tickets = Array("tickets", dtypes.int32, self.blocks, written=True)
            workspace = (*self.partial, tickets)
            last = self._combined(self.partial, self.parts, self.count, is_last=True)
            body = (*body, Last(tickets, last, self.block, self.parts))
        for var, count in ((self.block, self.blocks), (self.part, self.parts)):
            body = (Loop(Axis(var, count, Kind.GRID), body),) if isinstance(var, Var) else body
        return replace(program, body=body, workspace=workspace, resident=GROUPS if self.partial else 1)

    def _group(self) -> tuple[Stmt, ...]:
        """What a group does with its rows: it ends with the stores of what it has found for each of its columns."""
        k = index_variable("k", self.each)
        turns = self._turns()
        chunk = Var("chunk", 0, self.across - 1)
        own = self.block * self.across + chunk
        column = minimum(own, self.chunks - 1) * self.each + k
        at = positions(self.first.axes, self.part * self.length + turns.position) | positions(self.axes, column)
        reduction = Reduction((replace(turns.turn, unroll=self.ahead),), self.first.accumulators)
        each_row = guarded(own.lt(self.chunks), self.first.body)
        (found,) = substitute_body([replace(reduction, body=each_row)], at)
        assert isinstance(found, Reduction)
        if self.down == 1:
            body: tuple[Stmt, ...] = (found, *guarded(own.lt(self.chunks), self._stored(found.accumulators, column)))
            return (_local(chunk, self.across, _side_by_side(k, body)),)
        arrays = [Array(f"{a.name}_rows", a.dtype, self.down * self.width, Scope.LOCAL) for a in found.accumulators]
        place = turns.item * self.width + chunk * self.each + k
        kept: tuple[Stmt, ...] = (found, *(Store(array, place, ref(a)) for array, a in zip(arrays, found.accumulators)))
        rows = _local(turns.item, self.down, (_local(chunk, self.across, _side_by_side(k, kept)),))
        return (*(Stage(a, ()) for a in arrays), rows, Barrier(), *self._combined(arrays, self.down, self.width))

    def _turns(self) -> Turns:
        """Who takes which of a group's rows; the same number of them each where the rows can be divided so."""
        turns = Turns.of(stretch_length(self.rows, self.part, self.length), self.down)
        if self.rows % self.down:
            return turns
        count = stretch_length(self.rows // self.down, self.part, self.length // self.down)
        return replace(turns, turn=replace(turns.turn, extent=count))

    def _combined(self, arrays: Sequence[Array], count: int, step: int, is_last: bool = False) -> tuple[Stmt, ...]:
        """For each column of the group, the combination of `count` elements of each array, `step` apart."""
        here = min(self.width, self.size)
        own = Var("column", 0, here - 1)
        column = self.block * self.width + own
        turns = Turns.of(count, self.size // here)
        inside = minimum(column, self.count - 1) if is_last else own
        accs = [
            replace(a, name=f"{a.name}_total", value=load(array, turns.position * step + inside), vars=inside.vars)
            for a, array in zip(self.first.accumulators, arrays)
        ]
        total = Reduction((Axis(turns.item, self.size // here, Kind.LOCAL), turns.turn), tuple(accs))
        stored = self._results(accs, column) if is_last else self._stored(accs, column)
        return (_local(own, here, (total, *guarded(column.lt(self.count), stored))),)

    def _stored(self, accs: Sequence[Accumulator], column: Expr) -> tuple[Stmt, ...]:
        """The stores of what a group has found for a column."""
        if not self.partial:
            return self._results(accs, column)
        return tuple(Store(p, self.part * self.count + column, ref(a)) for p, a in zip(self.partial, accs))

    def _results(self, accs: Sequence[Accumulator], column: Expr) -> tuple[Stmt, ...]:
        """The program's own stores for a column."""
        found: dict[Value, Value] = {ref(old): ref(new) for old, new in zip(self.first.accumulators, accs)}
        return substitute_body(with_values(self.stores, found), positions(self.axes, column))


def _local(var: Var, count: int, body: tuple[Stmt, ...]) -> Stmt:
    return Loop(Axis(var, count, Kind.LOCAL), body)


def _side_by_side(k: Expr, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    return (Loop(Axis(k, k.hi + 1, Kind.UNROLL), body),) if isinstance(k, Var) else body
