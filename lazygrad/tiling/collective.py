"""Statements on whole tiles, executed by several work-items together, and what tells when asynchronous ones have ended.

The work-items that have the same values of the LOCAL variables around a statement execute it together: 32 neighbours
are a warp, 128 a warp group.

*Tokens* count. What a `Start(token, ...)` starts is one batch; `Wait(token, pending)` waits until at most the latest
`pending` batches of these work-items are unfinished. *Rings* hand over. The slots of a ring are filled and read in
turns: turn n uses slot n % slots. `Start(Turn(ring, n), ...)` waits until that slot has been released by all readers of
its last turn and lets the copies inside it fill the slot; `Wait(Turn(ring, n))` waits until they have; then
`Release(Turn(ring, n))` says that these work-items have read it. Each role takes turns in order.
"""

from __future__ import annotations

from dataclasses import dataclass

from lazygrad.index.expr import Const, Expr, Var

from .array import Array
from .layout import Layout, Strided

ZERO = Const(0)


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """`rows` by `columns` elements of an array, from element `at` (row, column) of its layout on.

    Args:
        slot: which slot of the array.
        view: how a parameter is seen as a matrix; scratch memory has its array's layout. What lies outside of a view is
            read as 0 and not written.
    """

    array: Array
    rows: int
    columns: int
    at: tuple[Expr, Expr] = (ZERO, ZERO)
    slot: Expr = ZERO
    view: Strided | None = None

    @property
    def layout(self) -> Layout:
        layout = self.view or self.array.layout
        assert layout is not None, self.array.name
        return layout

    @property
    def elements(self) -> int:
        return self.rows * self.columns


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """Batches of asynchronous work of one kind, which end in the order of their starts."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """`arrays` of `slots` slots each, filled and read in turns.

    Args:
        readers: how often a group releases each turn: once for each warp or warp group that reads it. Where one of the
            arrays has Scope.CLUSTER, a turn is over when every group of the cluster has released it.
    """

    name: str
    arrays: tuple[Array, ...]
    slots: int
    readers: int = 1

    @property
    def turn_bytes(self) -> int:
        """Bytes that fill a slot of every array."""
        return sum(a.dtype.itemsize * a.layout.size for a in self.arrays if a.layout is not None)


@dataclass(frozen=True, slots=True)
class Turn:
    """The `number`-th filling of a ring, from 0 on."""

    ring: Ring
    number: Expr

    @property
    def slot(self) -> Expr:
        return self.number % self.ring.slots

    @property
    def phase(self) -> Expr:
        """0, 1, 0, 1, ... for the fillings of one slot."""
        return self.number // self.ring.slots % 2


Done = Token | Turn


@dataclass(frozen=True, slots=True, eq=False)
class Open:
    """Declares the arrays of a ring and makes it ready, for the rest of the program; before all roles."""

    ring: Ring


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """`dest` = `source`, tiles of one shape, between scopes.

    Inside a Start: GLOBAL to LOCAL (the work-items copy 16 bytes each in turns, or for a Turn the copy engine all at
    once), LOCAL to GLOBAL (the copy engine). Elsewhere, at once: LOCAL to a PRIVATE fragment.
    """

    dest: Tile
    source: Tile


@dataclass(frozen=True, slots=True, eq=False)
class Mma:
    """`acc` += `a` times `b` transposed: rows x columns += (rows x depth) (columns x depth)', on a matrix unit.

    `acc` is a PRIVATE fragment. With `a` and `b` in PRIVATE fragments a warp computes it at once; with both in LOCAL
    memory a warp group starts it, inside a Start.
    """

    acc: Tile
    a: Tile
    b: Tile


@dataclass(frozen=True, slots=True, eq=False)
class Wait:
    """Until `done` is over: a turn has been filled, or at most `pending` batches of a token are unfinished."""

    done: Done
    pending: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Let:
    """`var` is `expr` in the statements after this one in the same body."""

    var: Var
    expr: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Release:
    """These work-items have read what a turn was filled with."""

    turn: Turn
