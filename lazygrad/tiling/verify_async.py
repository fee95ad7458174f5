"""Follows the asynchronous work of a program, for one work-item of the first and one of the last work-group.

Copies and products end as late as their tokens and turns allow, so that what is not waited for is never there. Each
role runs until it has to wait for another; if all of them do, the program would hang. Long programs are followed for
the first `MOST_STEPS` statements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lazygrad.errors import GraphError
from lazygrad.index.expr import Expr, Var, dim_max, lift

from .array import Array, Axis, Kind, Scope
from .collective import Copy, Let, Mma, Open, Release, Ring, Tile, Token, Turn, Wait
from .program import Barrier, If, Load, Loop, Program, Reduction, Roles, Search, Start, Stmt, Store, Value
from .values import topological
from .verify_memory import Batch, Filling, Memory, Place
from .walk import bodies, flattened

MOST_STEPS = 20_000
Blocked = Iterator[str]  # yields what it waits for, until that has come


class _Enough(Exception):  # noqa: N818 - ends a run, is no error
    pass


@dataclass
class _Shared:
    """What all roles see: how many turns of each ring are filled, how often each was released, who wrote what."""

    cluster: int
    rings: dict[Array, Ring]
    filled: Counter[Ring] = field(default_factory=Counter)
    waited: Counter[Filling] = field(default_factory=Counter)
    released: Counter[Filling] = field(default_factory=Counter)
    known: dict[Filling, Counter[Ring]] = field(default_factory=dict)  # how many turns who filled it knew to be filled
    steps: int = 0


def follow(program: Program) -> None:
    """Raises GraphError where asynchronous work is not waited for as it has to be, or waits forever."""
    found = list(flattened(program.body))
    if not any(isinstance(s, Start) for s in found):
        return
    rings = {a: s.ring for s in found if isinstance(s, Open) for a in s.ring.arrays}
    cluster = [dim_max(s.axis.extent) for s in found if isinstance(s, Loop) and s.axis.kind is Kind.CLUSTER]
    for last in (False, True):
        shared = _Shared(cluster[0] if cluster else 1, rings)
        env = {v: v.hi if last else v.lo for v in program.scalars}
        group = _Agent("the group", shared, env, last)
        try:
            _together([group.run(program.body)], ["the group"])
        except _Enough:
            continue


def _together(agents: Sequence[Blocked], names: Sequence[str]) -> None:
    """Runs agents in turns until all have ended."""
    waiting = dict(zip(names, agents))
    reasons: dict[str, str] = {}
    while waiting:
        before = dict(reasons)
        progress = False
        for name, agent in list(waiting.items()):
            try:
                reasons[name] = next(agent)
                progress |= reasons[name] != before.get(name)
            except StopIteration:
                del waiting[name]
                reasons.pop(name, None)
                progress = True
        if not progress:
            raise GraphError("all wait forever: " + "; ".join(f"{name} for {why}" for name, why in reasons.items()))


class _Agent:
    """One work-item that acts as all of its role do."""

    def __init__(self, name: str, shared: _Shared, env: dict[Var, int], last: bool) -> None:
        self.name, self.shared, self.env, self.last = name, shared, env, last
        self.weight = 1  # how many parties with other LOCAL variables do the same
        self.memory = Memory(name, shared.rings)
        self.turn_bytes: int | None = None
        self.started: Counter[Ring] = Counter()
        self.waited: Counter[Ring] = Counter()  # the turn after the latest one that was waited for
        self.known: Counter[Ring] = Counter()  # how many turns have been filled, as it has learnt

    def _number(self, e: Expr) -> int:
        values = {v: self.env[v] for v in e.vars}
        return int(e.evaluate(values)) if values else e.lo

    # ---- control -------------------------------------------------------------------------------

    def run(self, body: Sequence[Stmt]) -> Blocked:
        """Everything, and what has to hold at the end."""
        yield from self._body(body)
        self.memory.end()

    def _body(self, body: Sequence[Stmt]) -> Blocked:
        for s in body:
            self.shared.steps += 1
            if self.shared.steps > MOST_STEPS:
                raise _Enough
            yield from self._statement(s)

    def _statement(self, s: Stmt) -> Blocked:
        if isinstance(s, Loop):
            yield from self._loop([s.axis], s.body)
        elif isinstance(s, Search):
            yield from self._loop([Axis(s.axis.var, 1)], s.body)
        elif isinstance(s, Reduction):
            once = [Axis(a.var, 1, Kind.UNROLL) for a in s.axes]
            yield from self._loop(once, s.body)
            self._values([a.value for a in s.accumulators])
        elif isinstance(s, If):
            is_plain = all(isinstance(t, (Store, Loop, If)) for t in flattened((*s.body, *s.orelse)))
            if is_plain:  # some work-item is on each side
                yield from self._body((*s.body, *s.orelse))
            else:
                yield from self._body(s.body if self._number(s.condition) else s.orelse)
        elif isinstance(s, Roles):
            agents = [_Agent(f"role {role.name}", self.shared, dict(self.env), self.last) for role in s.roles]
            _together([a.run(role.body) for a, role in zip(agents, s.roles)], [a.name for a in agents])
            self._all_turns_were_read()
        elif isinstance(s, Start):
            yield from self._start(s)
        elif isinstance(s, Wait):
            yield from self._wait(s)
        else:
            self._at_once(s)
            for body in bodies(s):
                yield from self._body(body)

    def _loop(self, axes: Sequence[Axis], body: Sequence[Stmt]) -> Blocked:
        axis, *inner = axes
        count = self._number(lift(axis.extent))
        values: Sequence[int] = range(count)
        weight = self.weight
        if axis.kind is not Kind.SERIAL:
            values = values[-1:] if self.last and axis.kind in (Kind.GRID, Kind.CLUSTER, Kind.LOCAL) else values[:1]
            self.weight *= count if axis.kind is Kind.LOCAL else 1
        for value in values:
            self.env[axis.var] = value
            yield from self._loop(inner, body) if inner else self._body(body)
        self.weight = weight

    def _all_turns_were_read(self) -> None:
        for ring, count in self.shared.filled.items():
            for number in range(count):
                done = self.shared.waited[ring, number]
                if done != ring.readers:
                    raise GraphError(
                        f"turn {number} of ring {ring.name!r} is waited for by {done} of its {ring.readers} readers"
                    )

    # ---- asynchronous work ---------------------------------------------------------------------

    def _start(self, s: Start) -> Blocked:
        if isinstance(s.done, Token):
            batch = Batch()
            self.memory.open = s.done, batch
            yield from self._body(s.body)
            self.memory.open = None
            self.memory.batches[s.done].append(batch)
            return
        ring, number = s.done.ring, self._number(s.done.number)
        if number != self.started[ring]:
            raise GraphError(
                f"{self.name}: turn {number} of ring {ring.name!r} is started where {self.started[ring]} is next"
            )
        before = ring, number - ring.slots
        while number >= ring.slots and self.shared.released[before] < ring.readers:
            done = self.shared.released[before]
            yield f"the release of turn {before[1]} of ring {ring.name!r} by {ring.readers - done} of its readers"
        self.started[ring] += 1
        self.turn_bytes = 0
        yield from self._body(s.body)
        if self.turn_bytes != ring.turn_bytes:
            raise GraphError(
                f"{self.name}: {self.turn_bytes} bytes are copied for a turn of ring {ring.name!r}, which is filled by "
                f"{ring.turn_bytes}"
            )
        self.turn_bytes = None
        self.shared.filled[ring] += 1
        self.shared.known[ring, number] = self.known.copy()

    def _wait(self, s: Wait) -> Blocked:
        if isinstance(s.done, Token):
            self.memory.retire(s.done, s.pending)
            return
        ring, number = s.done.ring, self._number(s.done.number)
        if number < self.waited[ring]:
            raise GraphError(
                f"{self.name}: waits for turn {number} of ring {ring.name!r} where {self.waited[ring]} is next"
            )
        if number >= self.known[ring] + ring.slots:
            raise GraphError(
                f"{self.name}: waits for turn {number} of ring {ring.name!r}, which it cannot tell from turn "
                f"{number - 2 * ring.slots}: nothing says that turn {number - ring.slots} has been filled"
            )
        while self.shared.filled[ring] <= number:
            yield f"turn {number} of ring {ring.name!r} to be filled"
        self.waited[ring] = self.known[ring] = number + 1
        self.known |= self.shared.known[ring, number]
        self.shared.waited[ring, number] += self.weight
        self.memory.held.add((ring, number))

    def _release(self, turn: Turn) -> None:
        key = turn.ring, self._number(turn.number)
        self.memory.release(key)
        self.shared.released[key] += self.weight
        if self.shared.released[key] > turn.ring.readers:
            raise GraphError(
                f"turn {key[1]} of ring {turn.ring.name!r} is released {self.shared.released[key]} times, by more than "
                f"its {turn.ring.readers} readers"
            )

    # ---- what is read and written --------------------------------------------------------------

    def _at_once(self, s: Stmt) -> None:
        if isinstance(s, Store):
            self._values([s.value, *(v for _, v in s.bindings)])
            place = self._place(s.array, s.index)
            if place is not None:
                self.memory.write(place)
        elif isinstance(s, Release):
            self._release(s.turn)
        elif isinstance(s, Let):
            self.env[s.var] = self._number(s.expr)
        elif isinstance(s, Barrier):
            self.memory.meet()
        elif isinstance(s, Mma):
            for tile in (s.a, s.b):
                self._read_tile(tile)
            self.memory.write((s.acc.array, 0), adds=True)
        elif isinstance(s, Copy):
            self._copy(s)

    def _copy(self, s: Copy) -> None:
        if s.source.array.scope is not Scope.GLOBAL:
            self._read_tile(s.source)
        if self.turn_bytes is not None:
            every = self.shared.cluster if s.dest.array.scope is Scope.CLUSTER else 1
            self.turn_bytes += s.dest.elements * s.dest.array.dtype.itemsize * every
        elif s.dest.array.scope is not Scope.GLOBAL:
            self.memory.write((s.dest.array, self._number(s.dest.slot)))

    def _read_tile(self, tile: Tile) -> None:
        self.memory.read((tile.array, self._number(tile.slot)))

    def _values(self, values: Sequence[Value]) -> None:
        for v in topological(values):
            place = self._place(v.array, v.index) if isinstance(v, Load) else None
            if place is not None:
                self.memory.read(place)

    def _place(self, array: Array, index: Expr) -> Place | None:
        """Where a plain load or store goes, if statements on tiles use that array too."""
        if array.layout is None or not index.vars <= self.env.keys():
            return None
        return array, self._number(index) // array.layout.size
