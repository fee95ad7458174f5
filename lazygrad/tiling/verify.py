"""Checks what a tile program must keep to: for tests, and after the passes when LAZYGRAD_VERIFY is set.

Here: who acts (axes, roles, barriers) and on what (scopes, layouts, sizes). `verify_bounds` looks where plain accesses
go, `verify_async` follows asynchronous work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lazygrad.errors import GraphError
from lazygrad.index.expr import Expr, Var, dim_max, lift

from .array import Array, Kind, Scope
from .collective import Copy, Done, Mma, Open, Release, Ring, Tile, Token, Turn, Wait
from .layout import WARP, Fragment, Swizzled, is_bijective
from .program import Barrier, If, Last, Loop, Program, Reduction, Role, Roles, Search, Stage, Start, Stmt
from .resources import items
from .verify_async import follow
from .verify_bounds import verify_bounds
from .verify_last import verify_last
from .verify_values import verify_values
from .walk import bodies, flattened

WARP_GROUP = 128
REGISTER_FILE = 1 << 16
_IN_LOCAL = (Scope.LOCAL, Scope.CLUSTER)


def verify(program: Program) -> None:
    """Raises GraphError, saying what is wrong, for a program that cannot run as it says."""
    for array in _scratch(program):
        if array.layout is not None and not is_bijective(array.layout):
            raise GraphError(f"{array.name!r}: layout {array.layout} puts two elements at one place")
    verify_values(program)
    _Structure(program).check()
    verify_bounds(program)
    verify_last(program)
    follow(program)


def _scratch(program: Program) -> list[Array]:
    found: dict[Array, None] = {}
    for s in flattened(program.body):
        arrays = [s.array] if isinstance(s, Stage) else list(s.ring.arrays) if isinstance(s, Open) else []
        found.update(dict.fromkeys(arrays))
    return list(found)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a statement stands.

    `sharing`: work-items with the same LOCAL variables; `local`: these variables; `alone`: in a role of one work-item.
    """

    sharing: int
    local: frozenset[Var] = frozenset()
    conditional: str = ""
    role: str = ""
    alone: bool = False
    start: Done | None = None
    cluster: int = 1


class _Structure:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.declared: set[Array] = set(program.params) | set(program.workspace)
        self.rings: set[Ring] = set()
        self.group = items(program.body)

    def check(self) -> None:
        self._body(self.program.body, _Place(self.group))

    def _body(self, body: Sequence[Stmt], place: _Place) -> None:
        for s in body:
            self._statement(s, place)

    def _statement(self, s: Stmt, place: _Place) -> None:
        if isinstance(s, Stage):
            self.declared.add(s.array)
        elif isinstance(s, Open):
            self._open(s.ring, place)
        elif isinstance(s, Copy):
            self._copy(s, place)
        elif isinstance(s, Mma):
            self._mma(s, place)
        elif isinstance(s, (Wait, Release)):
            self._turn(s.turn if isinstance(s, Release) else s.done)
        elif isinstance(s, Barrier):
            self._barrier(s, place)
        elif isinstance(s, Search):
            self._search(s, place)
        elif isinstance(s, Last):
            self._last(s, place)
        elif isinstance(s, Roles):
            self._roles(s, place)
            return
        inner = self._inside(s, place)
        for body in bodies(s):
            self._body(body, inner)

    def _inside(self, s: Stmt, place: _Place) -> _Place:
        """Where the bodies of a statement stand."""
        if isinstance(s, Start):
            self._turn(s.done)
            return replace(place, start=s.done)
        if isinstance(s, If):
            depends = s.condition.vars & place.local
            return replace(place, conditional=f"if {s.condition}") if depends else place
        for axis in (s.axis,) if isinstance(s, Loop) else s.axes if isinstance(s, Reduction) else ():
            extent = lift(axis.extent)
            if axis.kind is Kind.LOCAL:
                if place.sharing % dim_max(extent):
                    raise GraphError(
                        f"LOCAL axis {axis.var.name} of {extent} does not divide {place.sharing} work-items"
                        f"{f' of role {place.role}' if place.role else ''}"
                    )
                local = place.local | {axis.var}
                place = replace(place, sharing=place.sharing // dim_max(extent), local=local)
            elif axis.kind is Kind.CLUSTER:
                place = replace(place, cluster=place.cluster * dim_max(extent))
            elif extent.vars & place.local:
                place = replace(place, conditional=f"a loop over {axis.var.name} < {extent}")
        return place

    # ---- who acts ------------------------------------------------------------------------------

    def _barrier(self, s: Barrier, place: _Place) -> None:
        if place.conditional:
            raise GraphError(f"a Barrier inside {place.conditional}, which differs between work-items that meet there")
        if place.alone:
            raise GraphError(f"a Barrier in role {place.role}, which one work-item runs alone")
        if s.together and place.sharing not in (WARP, WARP_GROUP):
            raise GraphError(f"a Barrier of {place.sharing} work-items together; use {WARP} or {WARP_GROUP}")

    def _last(self, s: Last, place: _Place) -> None:
        if place.conditional or place.alone:
            raise GraphError(
                f"a Last inside {place.conditional or f'role {place.role}, which one work-item runs alone'}"
            )
        if s.together and place.sharing not in (WARP, WARP_GROUP):
            raise GraphError(f"a Last of {place.sharing} work-items together; use {WARP} or {WARP_GROUP}")
        if not s.together and (place.local or place.role):
            raise GraphError("a Last of work-groups inside a LOCAL axis or a role; it may be of work-items together")

    def _search(self, s: Search, place: _Place) -> None:
        if place.sharing not in (1, WARP):
            raise GraphError(f"a Search over {s.axis.var.name} by {place.sharing} work-items together; use 1 or {WARP}")
        if place.sharing > 1 and place.conditional:
            raise GraphError(f"a Search over {s.axis.var.name} inside {place.conditional}, which differs between items")

    def _roles(self, s: Roles, place: _Place) -> None:
        if place.local or place.role:
            raise GraphError("Roles inside a LOCAL axis or another role: they divide the whole group")
        total = sum(role.items for role in s.roles)
        if total != place.sharing:
            raise GraphError(f"roles of {total} work-items in a group of {place.sharing}")
        if sum(role.items * role.registers for role in s.roles) > REGISTER_FILE:
            raise GraphError(f"roles ask for more registers than the {REGISTER_FILE} of a multiprocessor")
        for role in s.roles:
            self._role(role)
            own = _Place(1 if role.alone else role.items, role=role.name, alone=role.alone, cluster=place.cluster)
            self._body(role.body, own)

    def _role(self, role: Role) -> None:
        each = WARP_GROUP if role.registers else WARP
        if role.items % each:
            raise GraphError(f"role {role.name} has {role.items} work-items, not a multiple of {each}")
        if role.registers and (role.registers % 8 or not 24 <= role.registers <= 240):
            raise GraphError(f"role {role.name} asks for {role.registers} registers; use a multiple of 8 in 24..240")

    # ---- on what -------------------------------------------------------------------------------

    def _open(self, ring: Ring, place: _Place) -> None:
        if place.local or place.role or place.conditional:
            raise GraphError(f"ring {ring.name!r} is opened inside a role or a LOCAL axis; the whole group opens it")
        for array in ring.arrays:
            if array.layout is None or array.scope not in _IN_LOCAL or array.slots != ring.slots:
                raise GraphError(f"ring {ring.name!r} needs local arrays of {ring.slots} slots; {array.name!r} is none")
        self.rings.add(ring)
        self.declared.update(ring.arrays)

    def _turn(self, done: Done) -> None:
        if isinstance(done, Turn) and done.ring not in self.rings:
            raise GraphError(f"ring {done.ring.name!r} is used before it is opened")

    def _tile(self, tile: Tile) -> None:
        name, layout = tile.array.name, tile.view or tile.array.layout
        if tile.array not in self.declared:
            raise GraphError(f"{name!r} is used before it is declared")
        if layout is None:
            raise GraphError(f"{name!r} is used as a tile, but has no layout")
        if tile.view is not None and tile.array.scope is not Scope.GLOBAL:
            raise GraphError(f"scratch array {name!r} is seen through another layout than its own: {tile.view}")
        if tile.view is None:
            self._within(tile, lift(layout.rows), lift(layout.columns))

    def _within(self, tile: Tile, rows: Expr, columns: Expr) -> None:
        ends = tile.at[0] + tile.rows, tile.at[1] + tile.columns
        fits = ends[0].hi <= rows.hi and ends[1].hi <= columns.hi and min(e.lo for e in tile.at) >= 0
        if not fits or tile.slot.lo < 0 or tile.slot.hi >= tile.array.slots:
            raise GraphError(
                f"{tile.rows} x {tile.columns} from ({tile.at[0]}, {tile.at[1]}) on in slot {tile.slot} may lie "
                f"outside of {tile.array.name!r}: {tile.array.slots} slots of {tile.layout}"
            )

    def _copy(self, s: Copy, place: _Place) -> None:
        for tile in (s.dest, s.source):
            self._tile(tile)
        what = f"the copy of {s.source.array.name!r} to {s.dest.array.name!r}"
        if (s.dest.rows, s.dest.columns) != (s.source.rows, s.source.columns):
            raise GraphError(f"{what} changes its shape")
        if s.dest.array.dtype is not s.source.array.dtype:
            raise GraphError(f"{what} changes its dtype from {s.source.array.dtype} to {s.dest.array.dtype}")
        scopes = s.source.array.scope, s.dest.array.scope
        if scopes[0] in _IN_LOCAL and scopes[1] is Scope.PRIVATE:
            self._holders(s.dest, place, what)
            if place.start is not None:
                raise GraphError(f"{what} is not asynchronous; take it out of the Start")
        elif Scope.GLOBAL not in scopes or Scope.PRIVATE in scopes:
            raise GraphError(f"{what} goes from {scopes[0].name} to {scopes[1].name}: no machine does that in one step")
        elif place.start is None:
            raise GraphError(f"{what} is asynchronous: put it into a Start")
        elif isinstance(place.start, Turn) and s.dest.array not in place.start.ring.arrays:
            raise GraphError(f"{what} fills no array of ring {place.start.ring.name!r}")
        elif scopes[1] is Scope.CLUSTER and not isinstance(place.start, Turn):
            raise GraphError(f"{what} fills every group of the cluster: only a turn of a ring tells them all")

    def _holders(self, tile: Tile, place: _Place, what: str) -> None:
        layout = tile.layout
        if not isinstance(layout, Fragment):
            raise GraphError(f"{what}: {tile.array.name!r} is no fragment, but {layout}")
        if layout.items != place.sharing:
            raise GraphError(f"{what}: {layout.items} work-items hold the fragment, but {place.sharing} act together")
        if (tile.rows, tile.columns) != (layout.rows, layout.columns):
            raise GraphError(f"{what}: a part of fragment {tile.array.name!r}; fragments are used as a whole")

    def _mma(self, s: Mma, place: _Place) -> None:
        for tile in (s.acc, s.a, s.b):
            self._tile(tile)
        what = f"the product into {s.acc.array.name!r}"
        self._holders(s.acc, place, what)
        if (s.a.rows, s.b.rows, s.a.columns) != (s.acc.rows, s.acc.columns, s.b.columns):
            shapes = [f"{t.rows} x {t.columns}" for t in (s.acc, s.a, s.b)]
            raise GraphError(f"{what}: {shapes[0]} is not {shapes[1]} times the transpose of {shapes[2]}")
        scopes = {s.a.array.scope, s.b.array.scope}
        if scopes == {Scope.PRIVATE}:
            for tile in (s.a, s.b):
                self._holders(tile, place, what)
            if place.start is not None:
                raise GraphError(f"{what} by a warp is not asynchronous; take it out of the Start")
        elif not scopes <= set(_IN_LOCAL) or any(not isinstance(t.layout, Swizzled) for t in (s.a, s.b)):
            raise GraphError(f"{what}: both factors in registers, or both in swizzled local memory")
        elif not isinstance(place.start, Token):
            raise GraphError(f"{what} by a warp group is asynchronous: put it into a Start with a token")
