"""Pass for GPUs: a scatter in which every destination has one owner, so that updates need no atomics.

Destinations are cut into ranges along the scattered axis. A crew (the work-items that run in step) owns one range of a
few columns: it fills them, looks through all indices for those in its range, and makes these updates in their order.
So results are the same in every run, and the same as one work-item's. Looking at an index costs little: a warp looks
at many in one load, and its work-items share what it finds, each for other columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lazygrad.index.expr import And, Const, Expr, Var, all_of, as_dim, dim_max, dim_product, maximum, minimum
from lazygrad.runtime.base import DeviceInfo

from .collective import Let
from .program import Axis, Barrier, Kind, Loop, Program, Search, Stmt, Store
from .together import together
from .values import substitute_body
from .walk import around, grid
from .workgroups import GROUP, Turns, group_limit, guarded, positions

RESIDENT = 512  # work-items of a unit: they hide latency; more would only look through the indices once more
SHORT = 64  # turns of one work-item that are over before a crew has looked around


@dataclass(frozen=True, slots=True)
class Scatter:
    """`fill` for every element of the axis `at`, then `update` for every turn of another.

    Args:
        rows: the axes that the index depends on.
        columns: the others; memory runs along the last one, if along any.
    """

    rows: list[Axis]
    columns: list[Axis]
    at: Axis
    fill: Store
    turn: Axis
    update: Store

    @staticmethod
    def of(axes: Sequence[Axis], body: Sequence[Stmt]) -> Scatter | None:
        """The scatter that `body` is for each element of `axes`, if it is one and its size is known."""
        stores = [_store(s) for s in body]
        if len(stores) != 2 or not all(isinstance(a.extent, int) for a in axes):
            return None
        (at, fill), (turn, update) = stores
        if fill is None or update is None or not update.bindings or not isinstance(at.extent, int):
            return None
        needed = frozenset[Var]().union(*(v.vars for _, v in update.bindings))
        columns = sorted((a for a in axes if a.var not in needed), key=lambda a: fill.index.coefficient(a.var) == 1)
        return Scatter([a for a in axes if a.var in needed], columns, at, fill, turn, update)

    def where(self, first: Expr, stop: Expr) -> Expr:
        """Whether an update is to an element from `first` on, before `stop`."""
        (target, _), *_ = self.update.bindings
        return all_of((target.ge(first), target.lt(stop)))

    def known_inside(self) -> Store:
        """The update of an element that there is."""
        (target, _), *_ = self.update.bindings
        valid = self.update.valid
        assert valid is not None
        rest = all_of(c for c in (valid.conditions if isinstance(valid, And) else (valid,)) if c.vars != {target})
        return replace(self.update, valid=None if rest.constant == 1 else rest)


def _store(s: Stmt) -> tuple[Axis, Store | None]:
    """The store that a loop, or a statement alone, consists of."""
    if not isinstance(s, Loop):
        return Axis(Var("once", 0, 0), 1), s if isinstance(s, Store) else None
    return s.axis, s.body[0] if len(s.body) == 1 and isinstance(s.body[0], Store) else None


def _size(axes: Sequence[Axis]) -> int:
    return dim_max(dim_product(a.extent for a in axes))


def scatter(program: Program, info: DeviceInfo) -> Program | None:
    """`program` by crews, if it is a scatter; None for other ones, and for a scatter of very many short rows."""
    axes, body = grid(program.body)
    found = Scatter.of(axes, body)
    if found is None:
        return None
    turns = dim_max(found.at.extent) + dim_max(found.turn.extent)
    if turns <= SHORT and _size(axes) >= info.units * RESIDENT:
        return None
    return replace(program, body=_Crews(found, info).statements())


class _Crews:
    """How a scatter is divided.

    Attributes:
        size: work-items of a crew; each has a chunk of `each` neighbouring columns.
        chunks, blocks: how many of them there are, and how many crews they take.
        length, ranges: destinations of a crew, and how many such ranges there are.
        side: neighbouring destinations that are filled together, where there are no columns.
        crews: of a work-group.
    """

    def __init__(self, s: Scatter, info: DeviceInfo) -> None:
        self.scatter, self.size = s, info.warp
        self.each = together(s.columns, [s.fill, s.update], info)
        columns = _size(s.columns)
        while columns % self.each or 1 < self.each > columns // self.size:
            self.each //= 2
        self.chunks = columns // self.each
        self.blocks = -(-self.chunks // self.size)
        self.fixed = _size(s.rows) * self.blocks  # crews for one range
        count = dim_max(s.at.extent)
        side = together([s.at], [s.fill], info)
        self.side = side if not s.columns and count % side == 0 else 1
        wanted = -(-info.units * RESIDENT // (self.fixed * self.size))
        self.length = -(-count // (self.side * min(wanted, count // self.side))) * self.side
        self.ranges = -(-count // self.length)
        total = self.ranges * self.fixed
        most = max(1, min(GROUP, group_limit(info)) // self.size)
        self.crews = min(most, 1 << (max(total // info.units, 1).bit_length() - 1))
        self.groups = -(-total // self.crews)

    def statements(self) -> tuple[Stmt, ...]:
        """Crews beyond the last range find nothing in theirs."""
        s = self.scatter
        task, crew = Var("task", 0, self.groups - 1), Var("crew", 0, self.crews - 1)
        number = task * self.crews + crew
        parts = number // self.fixed, number // self.blocks % _size(s.rows), number % self.blocks
        lets = [Let(Var(name, 0, e.hi), e) for name, e in zip(("part", "row", "block"), parts) if e.hi]
        part, row, block = (next((let.var for let in lets if let.expr is e), Const(0)) for e in parts)
        first = part * self.length
        stop = minimum(first + self.length, s.at.extent)
        body = (*self._fill(first, maximum(stop - first, 0), block), self._search(first, stop, block))
        body = (*lets, *substitute_body(body, positions(s.rows, row)))
        return around((Axis(task, self.groups, Kind.GRID), Axis(crew, self.crews, Kind.LOCAL)), body)

    def _fill(self, first: Expr, count: Expr, block: Expr) -> tuple[Stmt, ...]:
        """The crew's destinations: each item those of its columns; if there are fewer of these, in turns."""
        s = self.scatter
        if self.blocks > 1:
            turn = Var("turn", 0, self.length - 1)
            one = self._chunk(substitute_body([s.fill], {s.at.var: first + turn}), block * self.size)
            return (self._by_items((Loop(Axis(turn, as_dim(count)), one),), block),)
        turns = Turns.of(as_dim(count * self.chunks // self.side), self.size)
        k = Var("k", 0, self.each * self.side - 1)
        at = first + turns.position // self.chunks * self.side + (k if self.side > 1 else 0)
        column = turns.position % self.chunks * self.each + (k if self.each > 1 else 0)
        one = substitute_body([s.fill], {s.at.var: at, **positions(s.columns, column)})
        wide = (Loop(Axis(k, k.hi + 1, Kind.UNROLL), one),) if k.hi else one
        filled = Loop(Axis(turns.item, self.size, Kind.LOCAL), (Loop(turns.turn, wide),))
        return (filled, Barrier(together=True)) if self.size > 1 else (filled,)

    def _search(self, first: Expr, stop: Expr, block: Expr) -> Stmt:
        s = self.scatter
        update = self._by_items(self._chunk((s.known_inside(),), block * self.size), block)
        return Search(s.turn, s.where(first, stop), s.update.bindings, (update,))

    def _by_items(self, body: tuple[Stmt, ...], block: Expr) -> Stmt:
        """`body` by those items of the crew that have a chunk."""
        item = self._item
        return Loop(Axis(item, self.size, Kind.LOCAL), guarded((block * self.size + item).lt(self.chunks), body))

    def _chunk(self, body: tuple[Stmt, ...], first: Expr) -> tuple[Stmt, ...]:
        """`body` for each column of an item's chunk, of those from number `first` on."""
        k = Var("k", 0, self.each - 1)
        column = (first + self._item) * self.each + (k if self.each > 1 else 0)
        body = substitute_body(body, positions(self.scatter.columns, column))
        return (Loop(Axis(k, self.each, Kind.UNROLL), body),) if self.each > 1 else body

    @property
    def _item(self) -> Var:
        return Var("item", 0, self.size - 1)
