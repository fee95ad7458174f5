"""The kinds of index expression: interned nodes that know their bounds.

A node is made by its class exactly as written; nothing is simplified here. Users build expressions with the
operators of `Expr`, which go through the smart constructors that `lazygrad.index.expr` installs, so that equal
expressions in canonical form are one object.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Hashable, Mapping
from hashlib import blake2b
from typing import Any, ClassVar, NamedTuple, TypeVar, cast, overload

import numpy as np
from numpy.typing import NDArray

from lazygrad.interned import Interned

Terms = tuple[tuple["Expr", int], ...]
E = TypeVar("E", bound="Expr")


class Operators(NamedTuple):
    """The smart constructors behind the operators of `Expr` (they live above this module: no import cycle)."""

    add: Callable[[Expr, Expr], Expr]
    multiply: Callable[[Expr, Expr], Expr]
    floordiv: Callable[[Expr, Expr], Expr]
    modulo: Callable[[Expr, Expr], Expr]
    less: Callable[[Expr, Expr], Expr]
    equal: Callable[[Expr, Expr], Expr]
    conjunction: Callable[[Expr, Expr], Expr]
    coefficient: Callable[[Expr, Var], int | None]
    substitute: Callable[[Expr, Mapping[Var, Expr]], Expr]
    evaluate: Callable[[Expr, Mapping[Any, Any]], Any]
    text: Callable[[Expr], str]


_nodes: Interned[tuple[Hashable, ...], Expr] = Interned()


def install(operators: Operators) -> None:
    """Give `Expr` its operators; called once, by `lazygrad.index.expr`."""
    Expr.operators = operators


def interned(cls: type[E], *fields: Any) -> E:
    """The one node of this class with these fields."""
    identity = (cls, *fields)
    found = _nodes.find(identity)
    if found is None:
        made = object.__new__(cls)
        made._set(*fields)
        found = _nodes.add(identity, made)
    return cast(E, found)


def _union(children: tuple[Expr, ...]) -> frozenset[Var]:
    """The variables of the children; one set is shared by all nodes above where nothing is added."""
    widest: frozenset[Var] = max((child.vars for child in children), key=len, default=frozenset())
    if all(child.vars <= widest for child in children):
        return widest
    return widest.union(*(child.vars for child in children))


class Expr:
    """An integer expression. Immutable and interned: two expressions are equal when they are the same object.

    `lo` and `hi` are inclusive bounds of its value, `vars` the variables in it, `factor` an integer that always
    divides it (0 for the constant 0), `key` a total order that is the same in every process.
    """

    __slots__ = ("__weakref__", "children", "factor", "hi", "key", "lo", "vars")
    rank = 0
    operators: ClassVar[Operators]
    lo: int
    hi: int
    vars: frozenset[Var]
    factor: int
    key: tuple[int, str, bytes]
    children: tuple[Expr, ...]

    def _set(self, *fields: Any) -> None:
        raise NotImplementedError("an Expr is made through one of its kinds: Const, Var, Sum, ...")

    def _finish(
        self, children: tuple[Expr, ...], bounds: tuple[int, int], factor: int = 1, name: str = "", extra: object = ""
    ) -> None:
        self.children = children
        self.lo, self.hi = bounds
        self.factor = factor
        self.vars = _union(children)
        digest = blake2b(f"{self.rank} {name} {extra} ".encode(), digest_size=8)
        for child in children:
            digest.update(child.key[2])
        self.key = (self.rank, name, digest.digest())

    def __copy__(self: E) -> E:
        return self

    def __deepcopy__(self: E, memo: object) -> E:
        return self

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("an index expression has its identity in this process only; it cannot be pickled")

    def __add__(self, other: Expr | int) -> Expr:
        if not isinstance(other, OPERAND):
            return NotImplemented
        return self.operators.add(self, lift(other))

    def __mul__(self, other: Expr | int) -> Expr:
        if not isinstance(other, OPERAND):
            return NotImplemented
        return self.operators.multiply(self, lift(other))

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Expr:
        return self.operators.multiply(self, Const(-1))

    def __sub__(self, other: Expr | int) -> Expr:
        if not isinstance(other, OPERAND):
            return NotImplemented
        return self.operators.add(self, -lift(other))

    def __rsub__(self, other: Expr | int) -> Expr:
        return self.operators.add(lift(other), -self)

    def __floordiv__(self, other: Expr | int) -> Expr:
        if not isinstance(other, OPERAND):
            return NotImplemented
        return self.operators.floordiv(self, lift(other))

    def __rfloordiv__(self, other: int) -> Expr:
        return self.operators.floordiv(lift(other), self)

    def __mod__(self, other: Expr | int) -> Expr:
        if not isinstance(other, OPERAND):
            return NotImplemented
        return self.operators.modulo(self, lift(other))

    def __rmod__(self, other: int) -> Expr:
        return self.operators.modulo(lift(other), self)

    def lt(self, other: Expr | int) -> Expr:
        """1 where self < other, else 0."""
        return self.operators.less(self, lift(other))

    def le(self, other: Expr | int) -> Expr:
        """1 where self <= other, else 0."""
        return self.operators.less(self, lift(other) + 1)

    def gt(self, other: Expr | int) -> Expr:
        """1 where self > other, else 0."""
        return self.operators.less(lift(other), self)

    def ge(self, other: Expr | int) -> Expr:
        """1 where self >= other, else 0."""
        return self.operators.less(lift(other), self + 1)

    def eq(self, other: Expr | int) -> Expr:
        """1 where self == other, else 0 (`==` itself asks whether both are the same expression)."""
        return self.operators.equal(self, lift(other))

    def and_(self, other: Expr | int) -> Expr:
        """1 where both conditions hold. Raises ValueError when an operand is not a condition (bounds in 0..1)."""
        return self.operators.conjunction(self, lift(other))

    def __int__(self) -> int:
        """The value, where every variable is a `Variable` that is bound; ShapeError where one is not."""
        return int(self.operators.evaluate(self, {}))

    @property
    def constant(self) -> int | None:
        """The value when it is known, else None."""
        return self.lo if self.lo == self.hi else None

    @property
    def is_constant(self) -> bool:
        """Whether the value is known."""
        return self.lo == self.hi

    def divisible_by(self, n: int) -> bool:
        """Whether the value is provably a multiple of n (n != 0)."""
        return self.factor % n == 0

    def coefficient(self, var: Var) -> int | None:
        """c when the expression is c*var + rest with rest free of var (0 when var does not occur), else None."""
        return self.operators.coefficient(self, var)

    def substitute(self, values: Mapping[Var, Expr | int] | Mapping[Var, Expr] | Mapping[Var, int]) -> Expr:
        """The expression with variables replaced, simplified again; the bounds of a value should lie in the variable's.

        A variable's own `below` is not replaced."""
        return self.operators.substitute(self, {var: lift(value) for var, value in values.items()})

    @overload
    def evaluate(self, values: Mapping[Var, int] | Mapping[str, int]) -> int: ...
    @overload
    def evaluate(self, values: Mapping[Var, NDArray[Any]] | Mapping[str, NDArray[Any]]) -> NDArray[np.int64]: ...
    def evaluate(self, values: Mapping[Any, Any]) -> Any:
        """The value for these values of the variables (by Var or by name; integers or NumPy integer arrays)."""
        return self.operators.evaluate(self, values)

    def __str__(self) -> str:
        return self.operators.text(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self} in {self.lo}..{self.hi}>"


OPERAND = (Expr, int, np.integer)  # beside others, such as tensors, it is they who know what to do


class Const(Expr):
    """A known integer."""

    __slots__ = ("value",)
    value: int

    def __new__(cls, value: int) -> Const:
        return interned(cls, value)

    def _set(self, value: int) -> None:
        self.value = value
        self._finish((), (value, value), abs(value), extra=value)


class Var(Expr):
    """A variable in lo..hi: a loop variable, a kernel scalar or an opaque loaded index.

    `below` is an optional exclusive upper bound that is itself an expression, such as a symbolic size.

    >>> Var("i", 0, 9)
    <Var i in 0..9>
    """

    __slots__ = ("below", "name")
    rank = 1
    name: str
    below: Expr | None
    bound: int | None = None  # its value, where it has one already: see `Variable`

    def __new__(cls, name: str, lo: int, hi: int, below: Expr | int | None = None) -> Var:
        limit = None if below is None else lift(below)
        if limit is not None:
            hi = min(hi, limit.hi - 1)
        if lo > hi:
            raise ValueError(f"variable {name!r} has no value: its bounds are {lo}..{hi}; an empty loop has no index")
        return interned(cls, name, lo, hi, None if limit is None or limit.is_constant else limit)

    def _set(self, name: str, lo: int, hi: int, below: Expr | None) -> None:
        self.name = name
        self.below = below
        self._finish((), (lo, hi), name=name, extra=(lo, hi, None if below is None else below.key[2]))
        self.vars = frozenset((self,))


Operand = Expr | int


def lift(value: Operand) -> Expr:
    """The expression itself, or an integer as a constant. Raises TypeError for anything else."""
    return value if isinstance(value, Expr) else Const(operator.index(value))


class Sum(Expr):
    """offset + sum of coefficient * atom; atoms are neither Const nor Sum, distinct, in `key` order."""

    __slots__ = ("offset", "terms")
    rank = 8
    terms: Terms
    offset: int

    def __new__(cls, terms: Terms, offset: int) -> Sum:
        return interned(cls, terms, offset)

    @staticmethod
    def find(terms: Terms, offset: int) -> Expr | None:
        """The node if it exists already, and so was simplified when it was made."""
        return _nodes.find((Sum, terms, offset))

    def _set(self, terms: Terms, offset: int) -> None:
        self.terms = terms
        self.offset = offset
        lo = offset + sum(atom.lo * c if c > 0 else atom.hi * c for atom, c in terms)
        hi = offset + sum(atom.hi * c if c > 0 else atom.lo * c for atom, c in terms)
        factor = math.gcd(offset, *(atom.factor * c for atom, c in terms))
        self._finish(tuple(atom for atom, _ in terms), (lo, hi), factor, extra=(offset, [c for _, c in terms]))
