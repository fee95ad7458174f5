"""Sums and products in canonical form: integer polynomials over atoms.

Every expression is offset + sum of coefficient * monomial, a monomial being an atom or a Product of atoms, so that
equal polynomials are the same object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from .kinds import FloorDiv, Mod, Product
from .memo import Memo
from .node import Const, Expr, Sum, Terms, Var

Coefficients = dict[Expr, int]
Polynomial = tuple[Coefficients, int]
Changes = tuple[tuple[Expr, Expr], ...]
Q = TypeVar("Q", FloorDiv, Mod)
Join = Callable[[Coefficients, Q, Expr], Changes | None]
_products: Memo[tuple[Expr, Expr]] = Memo()
_sums: Memo[tuple[Expr, Expr]] = Memo()


def linear_form(e: Expr) -> tuple[Terms, int]:
    """The terms (monomial, coefficient) of an expression, and its constant offset."""
    if isinstance(e, Sum):
        return e.terms, e.offset
    if isinstance(e, Const):
        return (), e.value
    return ((e, 1),), 0


def factors_of(monomial: Expr) -> tuple[Expr, ...]:
    """The atoms of a monomial."""
    return monomial.factors if isinstance(monomial, Product) else (monomial,)


def monomial_of(factors: Iterable[Expr]) -> Expr:
    """The product of atoms; the constant 1 for none."""
    ordered = tuple(sorted(factors, key=lambda atom: atom.key))
    if len(ordered) > 1:
        return Product(ordered)
    return ordered[0] if ordered else Const(1)


def accumulate(into: Coefficients, e: Expr, scale: int) -> int:
    """Add scale * e to the coefficients; returns what it adds to the offset."""
    terms, offset = linear_form(e)
    for monomial, c in terms:
        into[monomial] = into.get(monomial, 0) + c * scale
    return offset * scale


def scaled_sum(parts: Iterable[tuple[Expr, int]], offset: int = 0) -> Expr:
    """offset + the sum of scale * e over the parts (e, scale), in time linear in all their terms."""
    coefficients: Coefficients = {}
    for e, scale in parts:
        offset += accumulate(coefficients, e, scale)
    return build(coefficients, offset)


def build(coefficients: Coefficients, offset: int) -> Expr:
    """The canonical expression of a polynomial given as monomial -> coefficient."""
    changed: Polynomial | None = (coefficients, offset)
    while changed is not None:
        kept, offset = _without_constants(*changed)
        if not kept:
            return Const(offset)
        if len(kept) == 1:
            ((monomial, c),) = kept.items()
            return monomial if c == 1 and not offset else Sum(((monomial, c),), offset)
        terms = tuple(sorted(kept.items(), key=_term_key))
        found = Sum.find(terms, offset)
        if found is not None:
            return found
        changed = next((result for rule in SUM_RULES if (result := rule(kept, offset)) is not None), None)
    return Sum(terms, offset)


def _term_key(term: tuple[Expr, int]) -> tuple[int, str, bytes]:
    return term[0].key


def _without_constants(coefficients: Coefficients, offset: int) -> Polynomial:
    """The polynomial without zero terms, and with monomials of known value in its offset."""
    kept: Coefficients = {}
    for monomial, c in coefficients.items():
        if monomial.lo == monomial.hi:
            offset += c * monomial.lo
        elif c:
            kept[monomial] = c
    return kept, offset


def add(a: Expr, b: Expr) -> Expr:
    """a + b"""
    if isinstance(a, Const) and not a.value:
        return b
    if isinstance(b, Const) and not b.value:
        return a
    found = _sums.get((a, b))
    return found if found is not None else _sums.put((a, b), scaled_sum(((a, 1), (b, 1))))


def multiply(a: Expr, b: Expr) -> Expr:
    """a * b, multiplied out."""
    if isinstance(a, Const):
        a, b = b, a
    if isinstance(b, Const):
        return a if b.value == 1 else scaled_sum(((a, b.value),))
    found = _products.get((a, b))
    return found if found is not None else _products.put((a, b), _multiply_out(a, b))


def _multiply_out(a: Expr, b: Expr) -> Expr:
    (a_terms, a_offset), (b_terms, b_offset) = linear_form(a), linear_form(b)
    coefficients: Coefficients = {}
    for x, c in a_terms:
        for y, d in b_terms:
            monomial = monomial_of(factors_of(x) + factors_of(y))
            coefficients[monomial] = coefficients.get(monomial, 0) + c * d
    accumulate(coefficients, a, b_offset)
    accumulate(coefficients, b, a_offset)
    return build(coefficients, a_offset * b_offset)


def coefficient(e: Expr, var: Var) -> int | None:
    """c when e is c*var + rest with rest free of var, else None."""
    found = 0
    for monomial, c in linear_form(e)[0]:
        if monomial is var:
            found = c
        elif var in monomial.vars:
            return None
    return found


def _scaled_terms(e: Expr, scale: Expr) -> tuple[Terms, int]:
    """The linear form of e * scale; made without a node for the usual constant scale."""
    if not isinstance(scale, Const):
        return linear_form(multiply(e, scale))
    terms, offset = linear_form(e)
    return tuple((monomial, c * scale.value) for monomial, c in terms), offset * scale.value


def contains(coefficients: Coefficients, e: Expr, scale: Expr) -> bool:
    """Whether every term of e * scale stands in the sum with exactly its coefficient (and there is a term)."""
    terms, _ = _scaled_terms(e, scale)
    return bool(terms) and all(coefficients.get(monomial) == c for monomial, c in terms)


def _change(coefficients: Coefficients, changes: Changes) -> int:
    """Add e * scale to the sum for each change (worth zero together); returns what they add to the offset."""
    total = 0
    for e, scale in changes:
        terms, constant = _scaled_terms(e, scale)
        total += constant
        for monomial, c in terms:
            coefficients[monomial] = coefficients.get(monomial, 0) + c
    return total


def atoms_of(coefficients: Coefficients, kind: type[Q]) -> Iterator[tuple[Q, Expr]]:
    """Each atom of a kind in a sum, with what it is multiplied by."""
    for monomial, c in coefficients.items():
        if isinstance(monomial, kind):
            yield monomial, Const(c)
        elif isinstance(monomial, Product):
            for i, atom in enumerate(monomial.factors):
                if isinstance(atom, kind):
                    yield atom, monomial_of(monomial.factors[:i] + monomial.factors[i + 1 :]) * c


def _sweep(coefficients: Coefficients, offset: int, kind: type[Q], join: Join[Q]) -> Polynomial | None:
    """The sum after every join that applies to an atom of a kind; one pass, so that long sums cost linear time."""
    current: Coefficients | None = None
    for atom, u in atoms_of(coefficients, kind):
        if current is not None and not contains(current, atom, u):
            continue
        changes = join(current or coefficients, atom, u)
        if changes is not None:
            current = dict(coefficients) if current is None else current
            offset += _change(current, changes)
    return None if current is None else (current, offset)


def join_modulo(coefficients: Coefficients, offset: int) -> Polynomial | None:
    """With D = x//k and M = x%k: u*k*D + u*M -> u*x, and u*M - u*x -> -u*k*D; found from M."""

    def join(terms: Coefficients, atom: Mod, u: Expr) -> Changes | None:
        x, k = atom.numerator, atom.denominator
        if contains(terms, x, -u):
            return (x, u), (atom, -u), (x // k, -u * k)
        if contains(terms, x // k, u * k):
            return (x // k, -u * k), (atom, -u), (x, u)
        return None

    return _sweep(coefficients, offset, Mod, join)


def join_division(coefficients: Coefficients, offset: int) -> Polynomial | None:
    """With D = x//k and M = x%k: u*k*D + u*M -> u*x, and u*k*D - u*x -> -u*M; found from D, for a constant k.

    `join_modulo` does not see it when M was simplified to something that is not a plain x%k."""

    def join(terms: Coefficients, atom: FloorDiv, scale: Expr) -> Changes | None:
        x, k = atom.numerator, atom.denominator
        if not isinstance(k, Const) or scale.factor % k.value:
            return None
        u = scale // k
        if contains(terms, x, -u):
            return (atom, -scale), (x, u), (x % k, -u)
        if contains(terms, x % k, u):
            return (atom, -scale), (x % k, -u), (x, u)
        return None

    return _sweep(coefficients, offset, FloorDiv, join)


def merge_modulos(coefficients: Coefficients, offset: int) -> Polynomial | None:
    """u*c*(p % b) + u*(r % c) -> u*((c*(p - r//c) + r) % (b*c)), when p has r//c among its terms."""
    modulos: dict[Expr, list[Mod]] = {}
    for atom, scale in atoms_of(coefficients, Mod):
        modulos.setdefault(scale, []).append(atom)
    for u, smalls in modulos.items():
        for small in smalls:
            r, c = small.numerator, small.denominator
            for large in modulos.get(u * c, ()):
                p, b = large.numerator, large.denominator
                if large is not small and contains(dict(linear_form(p)[0]), r // c, Const(1)):
                    merged = ((p - r // c) * c + r) % (b * c)
                    changed = dict(coefficients)
                    return changed, offset + _change(changed, ((large, -u * c), (small, -u), (merged, u)))
    return None


SumRule = Callable[[Coefficients, int], Polynomial | None]
SUM_RULES: tuple[SumRule, ...] = (join_modulo, join_division, merge_modulos)
