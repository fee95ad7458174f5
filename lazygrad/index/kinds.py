"""The kinds of index expression that are not linear: products, quotients, conditions and choices."""

from __future__ import annotations

import math
from functools import reduce

from .node import Expr, interned


class Product(Expr):
    """A product of at least two atoms in `key` order, repeats allowed; a symbolic size times something."""

    __slots__ = ("factors",)
    rank = 2
    factors: tuple[Expr, ...]

    def __new__(cls, factors: tuple[Expr, ...]) -> Product:
        return interned(cls, factors)

    def _set(self, factors: tuple[Expr, ...]) -> None:
        self.factors = factors
        bounds = (1, 1)
        for atom in factors:
            corners = [a * b for a in bounds for b in (atom.lo, atom.hi)]
            bounds = (min(corners), max(corners))
        self._finish(factors, bounds, math.prod(atom.factor for atom in factors))


class FloorDiv(Expr):
    """numerator // denominator, rounded down; the denominator is positive. `most` is a better upper bound, if known."""

    __slots__ = ("denominator", "numerator")
    rank = 3
    numerator: Expr
    denominator: Expr

    def __new__(cls, numerator: Expr, denominator: Expr, most: int | None = None) -> FloorDiv:
        return interned(cls, numerator, denominator, most)

    def _set(self, numerator: Expr, denominator: Expr, most: int | None) -> None:
        self.numerator = numerator
        self.denominator = denominator
        corners = [x // k for x in (numerator.lo, numerator.hi) for k in (denominator.lo, denominator.hi)]
        self._finish((numerator, denominator), (min(corners), max(corners) if most is None else most))


class Mod(Expr):
    """numerator % denominator, in 0..denominator-1; the denominator is positive."""

    __slots__ = ("denominator", "numerator")
    rank = 4
    numerator: Expr
    denominator: Expr

    def __new__(cls, numerator: Expr, denominator: Expr) -> Mod:
        return interned(cls, numerator, denominator)

    def _set(self, numerator: Expr, denominator: Expr) -> None:
        self.numerator = numerator
        self.denominator = denominator
        hi = denominator.hi - 1 if numerator.lo < 0 else min(denominator.hi - 1, numerator.hi)
        self._finish((numerator, denominator), (0, hi), math.gcd(numerator.factor, denominator.factor))


class Less(Expr):
    """1 where left < right, else 0."""

    __slots__ = ("left", "right")
    rank = 5
    left: Expr
    right: Expr

    def __new__(cls, left: Expr, right: Expr) -> Less:
        return interned(cls, left, right)

    def _set(self, left: Expr, right: Expr) -> None:
        self.left = left
        self.right = right
        self._finish((left, right), (0, 1))


class Equal(Expr):
    """1 where left == right, else 0."""

    __slots__ = ("left", "right")
    rank = 6
    left: Expr
    right: Expr

    def __new__(cls, left: Expr, right: Expr) -> Equal:
        return interned(cls, left, right)

    def _set(self, left: Expr, right: Expr) -> None:
        self.left = left
        self.right = right
        self._finish((left, right), (0, 1))


class And(Expr):
    """1 where every one of at least two conditions holds, else 0."""

    __slots__ = ("conditions",)
    rank = 7
    conditions: tuple[Expr, ...]

    def __new__(cls, conditions: tuple[Expr, ...]) -> And:
        return interned(cls, conditions)

    def _set(self, conditions: tuple[Expr, ...]) -> None:
        self.conditions = conditions
        self._finish(conditions, (0, 1))


class Minimum(Expr):
    """The least of at least two values."""

    __slots__ = ("values",)
    rank = 9
    values: tuple[Expr, ...]

    def __new__(cls, values: tuple[Expr, ...]) -> Minimum:
        return interned(cls, values)

    def _set(self, values: tuple[Expr, ...]) -> None:
        self.values = values
        bounds = (min(value.lo for value in values), min(value.hi for value in values))
        self._finish(values, bounds, reduce(math.gcd, (value.factor for value in values)))


class Maximum(Expr):
    """The greatest of at least two values."""

    __slots__ = ("values",)
    rank = 10
    values: tuple[Expr, ...]

    def __new__(cls, values: tuple[Expr, ...]) -> Maximum:
        return interned(cls, values)

    def _set(self, values: tuple[Expr, ...]) -> None:
        self.values = values
        bounds = (max(value.lo for value in values), max(value.hi for value in values))
        self._finish(values, bounds, reduce(math.gcd, (value.factor for value in values)))


class Select(Expr):
    """`yes` where the condition holds, else `no`."""

    __slots__ = ("condition", "no", "yes")
    rank = 11
    condition: Expr
    yes: Expr
    no: Expr

    def __new__(cls, condition: Expr, yes: Expr, no: Expr) -> Select:
        return interned(cls, condition, yes, no)

    def _set(self, condition: Expr, yes: Expr, no: Expr) -> None:
        self.condition = condition
        self.yes = yes
        self.no = no
        bounds = (min(yes.lo, no.lo), max(yes.hi, no.hi))
        self._finish((condition, yes, no), bounds, math.gcd(yes.factor, no.factor))
