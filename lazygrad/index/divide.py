"""Floor division and modulo in simplest form.

The rules stand in two tables, tried in order. A rule takes numerator and (positive) denominator and returns an
expression worth the same, or None where it says nothing; tests check every rule of the tables on its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .kinds import FloorDiv, Mod
from .linear import atoms_of, build, factors_of, linear_form, monomial_of, multiply, scaled_sum
from .memo import Memo
from .node import Const, Expr
from .prove import constant_quotient, limit

Rule = Callable[[Expr, Expr], "Expr | None"]
_quotients: Memo[tuple[Expr, Expr]] = Memo()
_remainders: Memo[tuple[Expr, Expr]] = Memo()
_ONE = Const(1)


def floordiv(x: Expr, k: Expr) -> Expr:
    """x // k, rounded down. Raises ZeroDivisionError when k can be 0."""
    found = _quotients.get((x, k))
    if found is not None:
        return found
    if k.hi < 0:
        return floordiv(-x, -k)
    _check_divisor(x, k)
    return _quotients.put((x, k), _first(FLOORDIV_RULES, x, k) or _quotient(x, k))


def _quotient(x: Expr, k: Expr) -> Expr:
    """The node of x // k; a symbolic limit of x bounds it better than the bounds of x and k apart do."""
    node = FloorDiv(x, k)
    most = None if isinstance(k, Const) else limit(node)
    return node if most is None or most.hi > node.hi else FloorDiv(x, k, most.hi - 1)


def modulo(x: Expr, k: Expr) -> Expr:
    """x % k, with the sign of k. Raises ZeroDivisionError when k can be 0."""
    found = _remainders.get((x, k))
    if found is not None:
        return found
    if k.hi < 0:
        return -modulo(-x, -k)
    _check_divisor(x, k)
    return _remainders.put((x, k), _first(MODULO_RULES, x, k) or Mod(x, k))


def _check_divisor(x: Expr, k: Expr) -> None:
    if k.lo <= 0:
        raise ZeroDivisionError(
            f"cannot divide {x} by {k}: its bounds {k.lo}..{k.hi} include 0; give the variable a lower bound of 1"
        )


def _first(rules: tuple[Rule, ...], x: Expr, k: Expr) -> Expr | None:
    for rule in rules:
        simpler = rule(x, k)
        if simpler is not None:
            return simpler
    return None


def is_zero(e: Expr) -> bool:
    """Whether an expression is the constant 0."""
    return isinstance(e, Const) and not e.value


def _toward_zero(c: int, k: int) -> int:
    """c / k rounded toward zero: a small negative coefficient stays as it is instead of turning large."""
    return c // k if (c >= 0) == (k > 0) else -(-c // k)


def _divide_monomial(monomial: Expr, by: Expr) -> Expr | None:
    """monomial / by where by's atoms all occur in it, else None; `by` is a monomial or the constant 1."""
    if by is _ONE:
        return monomial
    left = list(factors_of(monomial))
    for atom in factors_of(by):
        if atom not in left:
            return None
        left.remove(atom)
    return monomial_of(left)


def _leading(k: Expr) -> tuple[Expr, int]:
    """The term of highest degree of a divisor: (monomial or 1, coefficient)."""
    terms, offset = linear_form(k)
    if not terms:
        return _ONE, offset
    return max(terms, key=lambda term: (len(factors_of(term[0])), [atom.key for atom in factors_of(term[0])]))


def split(x: Expr, k: Expr, exact: bool = True) -> tuple[Expr, Expr]:
    """(q, r) with x == q*k + r: in q the terms that k divides, or (not exact) as much as polynomial division finds."""
    lead, c = _leading(k)
    quotients: list[tuple[Expr, int]] = []
    terms, offset = linear_form(x)
    for monomial, coefficient in terms:
        rest = _divide_monomial(monomial, lead)
        if rest is not None and not (exact and coefficient % c):
            quotients.append((rest, _toward_zero(coefficient, c)))
    q = scaled_sum((part for part in quotients if part[1]), offset // c if lead is _ONE else 0)
    if is_zero(q):
        return q, x
    return q, scaled_sum(((x, 1), (multiply(q, k), -1)))


def common_factor(x: Expr, k: Expr) -> tuple[Expr, Expr, Expr] | None:
    """(g, y, s) with x == g*y + s, where g > 1 divides the one-term k and s // g is 0; the largest such g."""
    k_terms, k_offset = linear_form(k)
    if len(k_terms) + bool(k_offset) != 1:
        return None
    lead, c = _leading(k)
    terms, offset = linear_form(x)
    found: dict[tuple[Expr, int], int] = {}
    for monomial, coefficient in terms:
        shared = _shared(monomial, lead)
        found[shared, math.gcd(coefficient, c)] = len(factors_of(shared)) if shared is not _ONE else 0
    found[_ONE, math.gcd(c, *(coefficient for _, coefficient in terms))] = 0
    for lead_g, c_g in sorted(found, key=lambda g: (found[g], g[1], g[0].key), reverse=True):
        if lead_g is _ONE and c_g == 1:
            continue
        g = lead_g * c_g
        multiples = [(_divide_monomial(monomial, lead_g), coefficient) for monomial, coefficient in terms]
        inside = [(m, coeff // c_g) for m, coeff in multiples if m is not None and coeff % c_g == 0]
        rest = build(dict(t for t, (m, coeff) in zip(terms, multiples) if m is None or coeff % c_g), offset)
        shift = constant_quotient(rest, g)
        if inside and shift is not None:
            return g, scaled_sum(inside, shift), rest - g * shift
    return None


def _shared(monomial: Expr, lead: Expr) -> Expr:
    """The atoms that two monomials share, multiplied."""
    if lead is _ONE:
        return _ONE
    left = list(factors_of(lead))
    shared = []
    for atom in factors_of(monomial):
        if atom in left:
            left.remove(atom)
            shared.append(atom)
    return monomial_of(shared)


def quotient_is_constant(x: Expr, k: Expr) -> Expr | None:
    """x // k -> m, when m*k <= x < (m+1)*k always holds."""
    m = constant_quotient(x, k)
    return None if m is None else Const(m)


def take_out_quotient(x: Expr, k: Expr) -> Expr | None:
    """(q*k + r) // k -> q + r//k"""
    q, r = split(x, k)
    if r is not x:
        return q + floordiv(r, k)
    q, r = split(x, k, exact=False)
    m = None if r is x else constant_quotient(r, k)
    return None if m is None else q + m


def cancel_factor(x: Expr, k: Expr) -> Expr | None:
    """(g*y + s) // (g*n) -> y // n, when 0 <= s < g"""
    found = common_factor(x, k)
    return None if found is None else floordiv(found[1], split(k, found[0])[0])


def nested_division(x: Expr, k: Expr) -> Expr | None:
    """(z//a + r) // k -> (z + a*r) // (a*k)"""
    terms, _ = linear_form(x)
    inner = [(atom, c) for atom, c in terms if isinstance(atom, FloorDiv)]
    if len(inner) != 1 or inner[0][1] != 1:
        return None
    atom = inner[0][0]
    numerator = atom.numerator + (x - atom) * atom.denominator
    return floordiv(numerator, atom.denominator * k) if _fits(numerator, (x, atom.numerator)) else None


def _fits(result: Expr, parts: tuple[Expr, ...]) -> bool:
    """Whether a result needs no wider machine integer than its parts do, and at most 64 bits."""
    least, most = min(e.lo for e in parts), max(e.hi for e in parts)
    limit = 1 << (31 if least >= -(1 << 31) and most < 1 << 31 else 63)
    return -limit <= result.lo and result.hi < limit


def division_of_modulo(x: Expr, k: Expr) -> Expr | None:
    """(u*(z % m) + s) // k -> ((u*z + s) // k) % (u*m // k), when 0 <= s < u and k divides u*m"""
    for atom, u in atoms_of(dict(linear_form(x)[0]), Mod):
        if u.lo < 1:
            continue
        b, left = split(atom.denominator * u, k)
        rest = x - atom * u
        if b.lo > 0 and is_zero(left) and constant_quotient(rest, u) == 0:
            return modulo(floordiv(atom.numerator * u + rest, k), b)
    return None


def remainder_without_division(x: Expr, k: Expr) -> Expr | None:
    """x % k -> x - m*k, when m*k <= x < (m+1)*k always holds."""
    m = constant_quotient(x, k)
    return None if m is None else x - k * m


def drop_multiples(x: Expr, k: Expr) -> Expr | None:
    """(q*k + r) % k -> r % k"""
    _, r = split(x, k)
    if r is not x:
        return modulo(r, k)
    _, r = split(x, k, exact=False)
    return None if r is x else remainder_without_division(r, k)


def take_out_factor(x: Expr, k: Expr) -> Expr | None:
    """(g*y + s) % (g*n) -> g*(y % n) + s, when 0 <= s < g"""
    found = common_factor(x, k)
    if found is None:
        return None
    g, y, s = found
    return g * modulo(y, split(k, g)[0]) + s


def modulo_of_modulo(x: Expr, k: Expr) -> Expr | None:
    """(c*(z % m) + r) % k -> (c*z + r) % k, when k divides c*m"""
    terms, offset = linear_form(x)
    parts = []
    for atom, c in terms:
        dropped = isinstance(atom, Mod) and is_zero(split(atom.denominator * c, k)[1])
        parts.append((atom.numerator if dropped and isinstance(atom, Mod) else atom, c))
    if all(part is atom for (part, _), (atom, _) in zip(parts, terms)):
        return None
    return modulo(scaled_sum(parts, offset), k)


FLOORDIV_RULES: tuple[Rule, ...] = (
    quotient_is_constant,
    take_out_quotient,
    cancel_factor,
    nested_division,
    division_of_modulo,
)
MODULO_RULES: tuple[Rule, ...] = (remainder_without_division, drop_multiples, take_out_factor, modulo_of_modulo)
