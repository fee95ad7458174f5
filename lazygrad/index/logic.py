"""Conditions, minimum, maximum and choice in simplest form.

A comparison a < b is decided and normalized on the single expression a - b, so that equal conditions are one object.
The tables hold the rules: a rule returns a condition worth the same, or None where it says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from .kinds import And, Equal, FloorDiv, Less, Maximum, Minimum, Select
from .linear import build, linear_form, scaled_sum
from .memo import Memo
from .node import Const, Expr, Terms, lift
from .prove import constant_quotient, negative, nonnegative, positive

Rule = Callable[[Expr], "Expr | None"]
_conditions: Memo[tuple[str, Expr]] = Memo()


def less(a: Expr, b: Expr) -> Expr:
    """1 where a < b, else 0."""
    return _negative(a - b)


def equal(a: Expr, b: Expr) -> Expr:
    """1 where a == b, else 0."""
    return _zero(a - b)


def _negative(d: Expr) -> Expr:
    found = _conditions.get(("<", d))
    return found if found is not None else _conditions.put(("<", d), _first(NEGATIVE_RULES, d) or _spelled(Less, d))


def _zero(d: Expr) -> Expr:
    found = _conditions.get(("=", d))
    return found if found is not None else _conditions.put(("=", d), _first(ZERO_RULES, d) or _spelled(Equal, d))


def _first(rules: tuple[Rule, ...], d: Expr) -> Expr | None:
    for rule in rules:
        simpler = rule(d)
        if simpler is not None:
            return simpler
    return None


def _spelled(kind: type[Less] | type[Equal], d: Expr) -> Expr:
    """d compared with 0, with every term on the side where its coefficient is positive."""
    terms, offset = linear_form(d)
    left = [term for term in terms if term[1] > 0]
    right = [term for term in terms if term[1] < 0]
    constant_left = bool(right) and (offset > 0 or not left)
    return kind(
        scaled_sum(left, offset if constant_left else 0),
        scaled_sum([(m, -c) for m, c in right], 0 if constant_left else -offset),
    )


def _coarser(d: Expr) -> tuple[Expr, Expr] | None:
    """(y, s) with d == g*y + s and 0 <= s < g, for the largest such g > 1 among the coefficients' divisors."""
    terms, offset = linear_form(d)
    candidates = {abs(c) for _, c in terms} | {math.gcd(*(c for _, c in terms))}
    for g in sorted(candidates - {0, 1}, reverse=True):
        inside = [(monomial, c // g) for monomial, c in terms if c % g == 0]
        rest = build({monomial: c for monomial, c in terms if c % g}, offset)
        shift = constant_quotient(rest, Const(g))
        if shift is not None:
            return scaled_sum(inside, shift), rest - g * shift
    return None


def decide_negative(d: Expr) -> Expr | None:
    """d < 0 -> 1 or 0, where bounds decide it."""
    if negative(d):
        return Const(1)
    return Const(0) if nonnegative(d) else None


def drop_small_part(d: Expr) -> Expr | None:
    """g*y + s < 0 -> y < 0, when 0 <= s < g"""
    coarser = _coarser(d)
    return None if coarser is None else _negative(coarser[0])


def clear_division(d: Expr) -> Expr | None:
    """x//k + r < 0 -> x + k*r < 0, and r - x//k < 0 -> k*(r + 1) - x - 1 < 0"""
    inner = [(atom, c) for atom, c in linear_form(d)[0] if isinstance(atom, FloorDiv)]
    if len(inner) != 1 or abs(inner[0][1]) != 1:
        return None
    atom, c = inner[0]
    x, k, r = atom.numerator, atom.denominator, d - atom * c
    return _negative(x + k * r) if c > 0 else _negative(k * (r + 1) - x - 1)


def decide_zero(d: Expr) -> Expr | None:
    """d == 0 -> 1 or 0, where bounds decide it."""
    if d.is_constant:
        return Const(int(d.lo == 0))
    return Const(0) if positive(d) or negative(d) else None


def zero_of_multiple(d: Expr) -> Expr | None:
    """g*y + s == 0 -> y == 0 when s is 0, never when 0 < s < g"""
    coarser = _coarser(d)
    if coarser is None or not (coarser[1].is_constant or coarser[1].lo > 0):
        return None
    return Const(0) if coarser[1].lo > 0 else _zero(coarser[0])


def zero_of_condition(d: Expr) -> Expr | None:
    """u*c == 0 -> 1 - c and u*c - u == 0 -> c, for a condition c"""
    terms, offset = linear_form(d)
    if len(terms) != 1 or not is_condition(terms[0][0]) or offset not in (0, -terms[0][1]):
        return None
    return terms[0][0] if offset else 1 - terms[0][0]


def positive_first(d: Expr) -> Expr | None:
    """d == 0 -> -d == 0, so that the first term is positive"""
    terms, _ = linear_form(d)
    return _zero(-d) if terms and terms[0][1] < 0 else None


def is_condition(e: Expr) -> bool:
    """Whether the bounds of an expression are within 0..1."""
    return e.lo >= 0 and e.hi <= 1


def conjunction(a: Expr, b: Expr) -> Expr:
    """1 where both conditions hold, else 0. Raises ValueError when an operand is not a condition."""
    return all_of((a, b))


def all_of(conditions: Iterable[Expr]) -> Expr:
    """1 where every condition holds (1 for none): flat, without duplicates, implied or impossible ones.

    >>> from lazygrad.index.expr import Var
    >>> i = Var("i", 0, 9)
    >>> print(all_of((i.lt(5), i.lt(3), i.ge(1))))
    0 < i && i < 3
    """
    bounds: dict[Terms, int] = {}
    others: dict[Expr, None] = {}
    for condition in conditions:
        if not is_condition(condition):
            raise ValueError(f"{condition} is not a condition: its bounds are {condition.lo}..{condition.hi}, not 0..1")
        for part in condition.conditions if isinstance(condition, And) else (condition,):
            if isinstance(part, Less):
                terms, offset = linear_form(part.left - part.right)
                bounds[terms] = max(offset, bounds.get(terms, offset))
            elif part.lo == part.hi == 0:
                return Const(0)
            elif part.lo != part.hi:
                others[part] = None
    for terms, offset in bounds.items():
        opposite = bounds.get(tuple((monomial, -c) for monomial, c in terms))
        if opposite is not None and offset + opposite > -2:
            return Const(0)
        others[_negative(build(dict(terms), offset))] = None
    ordered = tuple(sorted(others, key=lambda part: part.key))
    if len(ordered) < 2:
        return ordered[0] if ordered else Const(1)
    return And(ordered)


def _extreme(values: Iterable[Expr | int], kind: type[Minimum] | type[Maximum]) -> Expr:
    """The values flattened, without those that never decide."""
    sign = 1 if kind is Minimum else -1
    flat: dict[Expr, None] = {}
    for value in map(lift, values):
        flat.update(dict.fromkeys(value.values if isinstance(value, kind) else (value,)))
    kept: list[Expr] = []
    for value in flat:
        if any(nonnegative((value - other) * sign) for other in kept):
            continue
        kept = [other for other in kept if not nonnegative((other - value) * sign)] + [value]
    return kind(tuple(sorted(kept, key=lambda value: value.key))) if len(kept) > 1 else kept[0]


def minimum(*values: Expr | int) -> Expr:
    """The least of one or more values."""
    return _extreme(values, Minimum)


def maximum(*values: Expr | int) -> Expr:
    """The greatest of one or more values."""
    return _extreme(values, Maximum)


def select(condition: Expr | int, yes: Expr | int, no: Expr | int) -> Expr:
    """`yes` where the condition holds, else `no`. Raises ValueError when the condition's bounds are not within 0..1."""
    condition, yes, no = lift(condition), lift(yes), lift(no)
    if not is_condition(condition):
        raise ValueError(f"{condition} is not a condition: its bounds are {condition.lo}..{condition.hi}, not 0..1")
    if yes is no or condition.is_constant:
        return yes if condition.lo or yes is no else no
    if yes.is_constant and no.is_constant:
        return no + condition * (yes.lo - no.lo)
    return Select(condition, yes, no)


NEGATIVE_RULES: tuple[Rule, ...] = (decide_negative, drop_small_part, clear_division)
ZERO_RULES: tuple[Rule, ...] = (decide_zero, zero_of_multiple, zero_of_condition, positive_first)
