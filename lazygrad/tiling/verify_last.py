"""Checks what parties that share work through memory must keep to: tickets (Last), and what is read behind them.

All parties of a program are followed at once, as arrays of numbers, one element for each party.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lazygrad.dtype import dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Expr, Var, dim_max, lift
from lazygrad.index.variable import Variable

from .array import Array, Axis
from .collective import Copy, Let
from .program import If, Last, Load, Loop, Program, Reduction, Search, Stmt, Store
from .values import statement_exprs, topological
from .walk import bodies, flattened

Numbers = NDArray[np.int64]
MOST_PARTIES = 1 << 20  # more are not followed
ALL = 0


def verify_last(program: Program) -> None:
    """Raises GraphError where parties that share work would read what is not there, or wait for the wrong ones."""
    lasts = [s for s in flattened(program.body) if isinstance(s, Last)]
    for s in lasts:
        _tickets(s, program)
    scratch = set(program.workspace) - {s.tickets for s in lasts}
    _order(program.body, scratch)
    _same_for_all(program.body, {})
    if lasts:
        _Arrivals().check(program)


def _tickets(s: Last, program: Program) -> None:
    name = s.tickets.name
    if s.tickets not in program.workspace or s.tickets.dtype is not dtypes.int32:
        raise GraphError(f"tickets {name!r} have to be int32 scratch memory of the program")
    if s.number.lo < 0 or s.number.hi >= dim_max(s.tickets.size):
        raise GraphError(f"ticket {s.number} is none of the {s.tickets.size} of {name!r}")
    for t in flattened(program.body):
        used = t.array if isinstance(t, Store) else None
        if used is s.tickets:
            raise GraphError(f"tickets {name!r} are stored to; only Last counts with them")


def _order(body: Sequence[Stmt], scratch: set[Array], stored: frozenset[Array] = frozenset()) -> frozenset[Array]:
    """Scratch memory of the program is stored, then a ticket is taken, then it is read; returns what is stored."""
    for s in body:
        for array in _read([s]):
            if array in scratch:
                raise GraphError(f"{array.name!r} is read outside of a Last: others may not have stored it yet")
        if isinstance(s, Last):
            for array in _read(flattened(s.body)):
                if array in scratch and array not in stored:
                    raise GraphError(f"{array.name!r} is read in a Last, but not stored before its ticket is taken")
            for t in flattened(s.body):
                if isinstance(t, Store) and t.array in scratch:
                    raise GraphError(f"{t.array.name!r} is stored in a Last: nobody is told of that")
            continue
        if isinstance(s, Store):
            stored |= {s.array}
        for inner in bodies(s):
            stored = _order(inner, scratch, stored)
    return stored


def _read(body: Iterator[Stmt] | Sequence[Stmt]) -> Iterator[Array]:
    """The arrays that statements themselves load from."""
    for s in body:
        found = s.accumulators if isinstance(s, Reduction) else (s,) if isinstance(s, Store) else ()
        values = [x.value for x in found]
        yield from (v.array for v in topological(values) if isinstance(v, Load))


def _same_for_all(body: Sequence[Stmt], lets: dict[Var, Expr]) -> None:
    """What the last one does follows from the ticket's number alone, so that it does not matter which one that is."""
    for s in body:
        if isinstance(s, Let):
            lets = {**lets, s.var: s.expr}
        elif isinstance(s, Last):
            bound = {axis.var for t in flattened(s.body) for axis in _axes(t)}
            known = bound | s.number.vars
            while more := {v for v, e in lets.items() if v not in known and e.vars <= known}:
                known |= more
            for e in _used(s.body):
                if others := {v for v in e.vars - known if not isinstance(v, Variable)}:
                    names = ", ".join(sorted(v.name for v in others))
                    raise GraphError(f"{e} in a Last depends on {names}: the last one must do what any other one would")
        for inner in bodies(s):
            _same_for_all(inner, lets)


def _used(body: Sequence[Stmt]) -> list[Expr]:
    found = [e for e, _ in statement_exprs(body)]
    for s in flattened(body):
        if isinstance(s, Copy):
            for tile in (s.dest, s.source):
                outer = [o.index for o in tile.view.outer] if tile.view is not None else []
                found += [*tile.at, tile.slot, *outer]
    return found


def _axes(s: Stmt) -> tuple[Axis, ...]:
    return s.axes if isinstance(s, Reduction) else (s.axis,) if isinstance(s, (Loop, Search)) else ()


class _Arrivals:
    """Goes through a program for all parties, and counts who takes which ticket."""

    def __init__(self) -> None:
        self.taken: dict[Array, list[Numbers]] = defaultdict(list)  # which ticket each party takes,
        self.wanted: dict[Array, list[Numbers]] = defaultdict(list)  # and of how many it may be the last

    def check(self, program: Program) -> None:
        """Raises GraphError where another number of parties comes than is waited for; big programs are let pass."""
        try:
            self._body(program.body, {}, 1)
        except _NotFollowed:
            return
        for tickets, found in self.taken.items():
            numbers, wanted = np.concatenate(found), np.concatenate(self.wanted[tickets])
            _, own, times = np.unique(numbers, return_inverse=True, return_counts=True)
            for party in np.flatnonzero((wanted != times[own]) & (wanted != ALL))[:1]:
                came = f"ticket {numbers[party]} of {tickets.name!r} is taken {times[own[party]]} times"
                raise GraphError(f"{came}, but the last is the one of number {wanted[party]}")

    def _body(self, body: Sequence[Stmt], env: dict[Var, Numbers], count: int) -> None:
        for s in body:
            if isinstance(s, Let):
                env = {**env, s.var: _value(s.expr, env, count)}
            elif isinstance(s, Last):
                self.taken[s.tickets].append(_value(s.number, env, count))
                self.wanted[s.tickets].append(_value(lift(ALL if s.of is None else s.of), env, count))
            elif any(isinstance(t, Last) for t in flattened([s])):
                self._inside(s, env, count)

    def _inside(self, s: Stmt, env: dict[Var, Numbers], count: int) -> None:
        if isinstance(s, If):
            for body, holds in ((s.body, 1), (s.orelse, 0)):
                here = _value(s.condition, env, count) == holds
                self._body(body, {v: x[here] for v, x in env.items()}, int(here.sum()))
            return
        for axis in _axes(s):
            extents = _value(lift(axis.extent), env, count)
            count = int(extents.sum())
            if count > MOST_PARTIES:
                raise _NotFollowed
            env = {v: np.repeat(x, extents) for v, x in env.items()}
            env[axis.var] = np.arange(count) - np.repeat(np.cumsum(extents) - extents, extents)
        for body in bodies(s):
            self._body(body, env, count)


class _NotFollowed(Exception):  # noqa: N818 - ends a check, is no error
    pass


def _value(e: Expr, env: dict[Var, Numbers], count: int) -> Numbers:
    if not e.vars <= env.keys():
        raise _NotFollowed
    return np.broadcast_to(np.asarray(e.evaluate({v: env[v] for v in e.vars}), np.int64), (count,))
