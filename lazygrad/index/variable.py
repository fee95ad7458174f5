"""Sizes and positions that change from call to call: what is computed with them is compiled once."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

from lazygrad.errors import ArgumentTypeError, BoundsError, fail, user_line

from .node import Expr, Var, interned


class Variable(Var):
    """A size, or a position, that gets its value when it is used: kernels take it as an argument.

    Args:
        name: what kernels and messages call it.
        lo, hi: the values that it can have, both included; 0 <= lo. Memory is planned for `hi`, and as many random
            numbers are counted as drawn.

    Shapes and slices may hold variables and what is computed from them with + - * // %. Two variables are equal when
    they are the same object; the same name, bounds and value always give the same object.

    >>> T = Variable("T", 1, 1024)
    >>> n = T.bind(3)
    >>> n * 2 + 1, int(n * 2 + 1)
    (<Sum T*2 + 1 in 3..2049>, 7)
    """

    __slots__ = ("bound",)

    def __new__(cls, name: str, lo: int, hi: int) -> Variable:
        if not isinstance(name, str) or not name.isidentifier():
            raise BoundsError(f"a variable needs a name like an identifier's, not {name!r} ({user_line()})")
        lo, hi = _integer(f"variable {name}: a bound", lo), _integer(f"variable {name}: a bound", hi)
        if not 0 <= lo <= hi < 1 << 31:
            raise BoundsError(f"variable {name}: its bounds {lo}..{hi} are not 0 <= lo <= hi < 2**31 ({user_line()})")
        return interned(cls, name, lo, hi, None)

    def _set(self, name: str, lo: int, hi: int, bound: int | None) -> None:  # type: ignore[override]
        self.name, self.below, self.bound = name, None, bound
        self._finish((), (lo, hi), name=name, extra=("variable", lo, hi, bound))
        self.vars = frozenset((self,))

    def bind(self, value: int) -> Variable:
        """This variable with a value. BoundsError where that is outside of its bounds.

        >>> Variable("T", 1, 8).bind(9)
        Traceback (most recent call last):
        ...
        lazygrad.errors.BoundsError: variable T: 9 is not in 1..8 ...
        """
        value = _integer(f"variable {self.name}: its value", value)
        if not self.lo <= value <= self.hi:
            raise BoundsError(f"variable {self.name}: {value} is not in {self.lo}..{self.hi} ({user_line()})")
        return interned(Variable, self.name, self.lo, self.hi, value)

    @property
    def unbound(self) -> Variable:
        """This variable without a value."""
        return interned(Variable, self.name, self.lo, self.hi, None)

    def __repr__(self) -> str:
        return self.name if self.bound is None else f"{self.name}={self.bound}"


def integer(value: Any) -> int | None:
    """What stands for an integer, as one; None for anything else, and for True and False."""
    try:
        return None if isinstance(value, (bool, type)) or not hasattr(value, "__index__") else operator.index(value)
    except TypeError:  # a tensor of floats, or of several elements
        return None


def _integer(what: str, value: Any) -> int:
    if (found := integer(value)) is None:
        fail(ArgumentTypeError, f"{what} is an integer, not {value!r:.50}")
    return found


def variables(e: Expr) -> frozenset[Variable]:
    """The Variables among the variables of an expression."""
    return frozenset(v for v in e.vars if isinstance(v, Variable))


def by_name(e: Expr) -> list[Variable]:
    """The Variables of an expression in alphabetical order."""
    return sorted(variables(e), key=lambda v: (v.name, v.bound or 0))


def bounds(found: Iterable[Variable]) -> tuple[tuple[str, int, int], ...]:
    """Names and bounds of variables. The text of an expression shows names only, and kernels are made for bounds.

    >>> bounds([Variable("T", 1, 8), Variable("B", 0, 4)])
    (('B', 0, 4), ('T', 1, 8))
    """
    return tuple(sorted((v.name, v.lo, v.hi) for v in found))
