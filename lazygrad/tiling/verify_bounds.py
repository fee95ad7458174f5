"""Checks that plain loads and stores stay inside of their arrays, under all that is known where they stand.

What the index calculus cannot prove is decided by looking: at every value that the variables can have where these are
few, and at those on the edges of what loops and conditions allow where they are many. Only a place that is really
reached is reported, so a program that is refused is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from lazygrad.errors import GraphError
from lazygrad.index.expr import And, Expr, Less, Var, all_of, given, lift

from .array import Array, Axis
from .collective import Let
from .program import If, Load, Loop, Program, Reduction, Search, Stmt, Store, Value
from .values import topological
from .walk import bodies

Numbers = NDArray[np.int64]
Points = dict[Var, Numbers]
MOST_POINTS = 1 << 14  # that are all looked at
SAMPLES = 1 << 10  # looked at where there are more
CORNERS = 9  # variables of which all combinations of least and greatest values are among the samples


def verify_bounds(program: Program) -> None:
    """Raises GraphError, naming array, index and the variables' values, for an access outside of its array."""
    _Bounds(program).body(program.body, _Known())


@dataclass(frozen=True, slots=True)
class _Known:
    """What holds where a statement stands: the loops around it, outermost first, conditions, and names (`Let`)."""

    axes: tuple[Axis, ...] = ()
    conditions: tuple[Expr, ...] = ()
    names: Mapping[Var, Expr] = field(default_factory=dict)

    def where(self, *conditions: Expr) -> _Known:
        new = tuple(c for c in conditions if c.constant != 1)
        return replace(self, conditions=(*self.conditions, *new))


class _Bounds:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.sound: set[tuple[object, ...]] = set()  # accesses that have been looked at, with what was known of them

    def body(self, body: Sequence[Stmt], known: _Known) -> None:
        for s in body:
            if isinstance(s, Let):
                known = replace(known, names={**known.names, s.var: s.expr.substitute(known.names)})
            self._statement(s, known)

    def _statement(self, s: Stmt, known: _Known) -> None:
        if isinstance(s, Store):
            self._values([s.value, *(v for _, v in s.bindings)], known)
            self._access(s.array, s.index, s.valid, known)
        elif isinstance(s, If):
            condition = s.condition.substitute(known.names)
            self.body(s.body, known.where(condition))
            self.body(s.orelse, known.where(condition.eq(0)))
        elif isinstance(s, (Loop, Search, Reduction)):
            for axis in s.axes if isinstance(s, Reduction) else (s.axis,):
                known = self._along(axis, known)
            self._inside(s, known)
        else:
            for body in bodies(s):
                self.body(body, known)

    def _inside(self, s: Loop | Search | Reduction, known: _Known) -> None:
        if isinstance(s, Search):
            self._values([v for _, v in s.bindings], known)
            known = known.where(s.where.substitute(known.names))
        self.body(s.body, known)
        if isinstance(s, Reduction):
            self._values([a.value for a in s.accumulators], known)

    def _along(self, axis: Axis, known: _Known) -> _Known:
        """Inside a loop, whose variable must have bounds that hold: everything else is derived from them."""
        extent = lift(axis.extent).substitute(known.names)
        where = self._refuted(extent.le(axis.var.hi + 1), known, extent.vars)
        if where is not None or axis.var.lo > 0:
            raise GraphError(
                f"{self.program.name}: the loop over {axis.var.name} in {axis.var.lo}..{axis.var.hi} has {extent} turns"
                + _values_text(where or {})
            )
        return replace(known.where(extent.ge(1)), axes=(*known.axes, replace(axis, extent=extent)))

    # ---- accesses ------------------------------------------------------------------------------

    def _values(self, roots: Iterable[Value], known: _Known) -> None:
        for v in topological(roots):
            if isinstance(v, Load):
                self._access(v.array, v.index, v.valid, known)

    def _access(self, array: Array, index: Expr, valid: Expr | None, known: _Known) -> None:
        key = (array, index, valid, known.axes, known.conditions, *known.names.values())
        if key in self.sound:
            return
        self.sound.add(key)
        index, size = index.substitute(known.names), lift(array.size)
        if valid is not None:
            known = known.where(valid.substitute(known.names))
        for claim in (index.ge(0), index.lt(size)):
            if (where := self._refuted(claim, known, index.vars | size.vars)) is not None:
                place, most = (lift(e).evaluate(where) for e in (index, size))
                raise GraphError(
                    f"{self.program.name}: {array.name}[{index}] may be element {place} of {most}{_values_text(where)}"
                )

    def _refuted(self, claim: Expr, known: _Known, variables: frozenset[Var]) -> dict[Var, int] | None:
        """Values of `variables`, those of `claim` among them, for which `claim` does not hold, and all that is known
        does; None if none is found."""
        if claim.constant == 1 or any(c.constant == 0 for c in known.conditions):
            return None
        if known.conditions and given(claim, all_of(known.conditions)).constant == 1:
            return None
        where = _Where(variables, known)
        points = where.points()
        outside = np.flatnonzero(where.holds(points) & (where.numbers(claim, points) == 0))
        if not len(outside) or not self._is_reached(known, where):
            return None
        return {var: int(numbers[outside[0]]) for var, numbers in points.items()}

    def _is_reached(self, known: _Known, where: _Where) -> bool:
        """Whether the conditions that have nothing to do with a claim can hold, too."""
        others = [c for c in known.conditions if where.used.isdisjoint(c.vars)]
        everywhere = _Where(frozenset().union(*(c.vars for c in others)), known)
        return bool(everywhere.holds(everywhere.points()).any())


class _Where:
    """What is known of some variables: the loops that they belong to, outer ones first, and conditions on them.

    Attributes:
        used: the variables, and all those that these depend on.
        count: the number of points that are looked at.
    """

    def __init__(self, variables: frozenset[Var], known: _Known) -> None:
        extents = {axis.var: lift(axis.extent) for axis in known.axes}
        self.used = set(variables)
        before = -1
        while before != len(self.used):
            before = len(self.used)
            for condition in known.conditions:
                if not self.used.isdisjoint(condition.vars):
                    self.used |= condition.vars
            for var in list(self.used):
                if (limit := extents.get(var, var.below)) is not None:
                    self.used |= limit.vars
        free = sorted(self.used.difference(extents), key=lambda v: (v.below is not None, v.name))
        self.order = [*free, *(axis.var for axis in known.axes if axis.var in self.used)]
        self.limits = {var: limit for var in self.order if (limit := extents.get(var, var.below)) is not None}
        parts = [p for c in known.conditions for p in (c.conditions if isinstance(c, And) else (c,))]
        self.conditions = [p for p in parts if not self.used.isdisjoint(p.vars)]
        self.count = SAMPLES

    def points(self) -> Points:
        """Values of the variables: all, or some on the edges of what is possible."""
        if math.prod(var.hi - var.lo + 1 for var in self.order) > MOST_POINTS:
            return self._edges()
        grids = np.meshgrid(*(np.arange(var.lo, var.hi + 1) for var in self.order), indexing="ij")
        self.count = grids[0].size if grids else 1
        return {var: grid.reshape(-1) for var, grid in zip(self.order, grids)}

    def numbers(self, e: Expr, points: Points) -> Numbers:
        """The values of an expression at points."""
        with np.errstate(divide="ignore", invalid="ignore"):  # sizes may be 0 where nothing is reached
            return np.broadcast_to(np.asarray(e.evaluate(points)), self.count)

    def holds(self, points: Points) -> NDArray[np.bool_]:
        """Which points are reached."""
        reached = np.ones(self.count, bool)
        for var, limit in self.limits.items():
            reached &= points[var] < self.numbers(limit, points)
        for condition in self.conditions:
            reached &= self.numbers(condition, points) != 0
        return reached

    def _edges(self) -> Points:
        """One variable after the other at an end of the range that those before it leave, next to it, or anywhere."""
        rng = np.random.default_rng(0)
        number = np.arange(SAMPLES)
        points: Points = {}
        for k, var in enumerate(self.order):
            low, high = self._range(var, points)
            anywhere = low + rng.integers(0, 1 << 40, SAMPLES) % (high - low + 1)
            choices = np.stack((low, high, low + 1, high - 1, anywhere))
            corner = number >> k & 1 if k < CORNERS else rng.integers(0, 2, SAMPLES)
            choice = np.where(number < 1 << CORNERS, corner, rng.integers(0, len(choices), SAMPLES))
            points[var] = np.clip(choices[choice, number], low, high)
        return points

    def _range(self, var: Var, points: Points) -> tuple[Numbers, Numbers]:
        """The least and the greatest value of a variable that those before it allow."""
        low, high = np.full(SAMPLES, var.lo), np.full(SAMPLES, var.hi)
        if var in self.limits and self.limits[var].vars <= points.keys():
            high = np.minimum(high, self.numbers(self.limits[var], points) - 1)
        for condition in self.conditions:
            if not isinstance(condition, Less) or not condition.vars - {var} <= points.keys():
                continue
            difference = condition.left - condition.right
            c = difference.coefficient(var)
            if c:
                rest = self.numbers(difference - var * c, points)
                if c > 0:
                    high = np.minimum(high, (-rest - 1) // c)
                else:
                    low = np.maximum(low, rest // -c + 1)
        return low, np.maximum(low, high)


def _values_text(where: Mapping[Var, int]) -> str:
    return " where " + ", ".join(f"{var.name} = {value}" for var, value in where.items()) if where else ""
