"""Proofs about expressions with symbolic sizes, where the integer bounds alone do not decide."""

from __future__ import annotations

from .kinds import FloorDiv, Mod, Product
from .linear import Coefficients, accumulate, build, factors_of, linear_form, monomial_of
from .node import Const, Expr, Var

_STEPS = 16  # replacements tried before giving up: sizes multiply a handful of variables


def positive(e: Expr) -> bool:
    """Whether e >= 1 is provable: by its bounds, or by replacing variables by their symbolic limits.

    >>> T = Var("T", 1, 1024)
    >>> j = Var("j", 0, 1023, below=T)
    >>> positive(T - j), positive(T - j - 1)
    (True, False)
    """
    for _ in range(_STEPS):
        if e.lo >= 1:
            return True
        if e.hi < 1:
            return False
        smaller = _at_limit(e)
        if smaller is None:
            return _positive_at_least(e)
        e = smaller
    return False


def negative(e: Expr) -> bool:
    """Whether e < 0 is provable."""
    return e.hi < 0 or (e.lo < 0 and is_symbolic(e) and positive(-e))


def nonnegative(e: Expr) -> bool:
    """Whether e >= 0 is provable."""
    return e.lo >= 0 or (e.hi >= 0 and is_symbolic(e) and positive(e + 1))


def is_symbolic(e: Expr) -> bool:
    """Whether more than the integer bounds is known of a term, so that a proof is worth trying."""
    return any(isinstance(monomial, Product) or limit(monomial) is not None for monomial, _ in linear_form(e)[0])


def less(a: Expr, b: Expr) -> bool:
    """Whether a < b is provable."""
    return a.hi < b.lo or positive(b - a)


def constant_quotient(x: Expr, k: Expr) -> int | None:
    """m when x // k == m is provable for every value of the variables (k is positive), else None."""
    if isinstance(k, Const):
        m = x.lo // k.value
        return m if x.hi // k.value == m else None
    if x.lo >= 0:
        return 0 if less(x, k) else None
    return -1 if x.hi < 0 and nonnegative(x + k) else None


def limit(atom: Expr) -> Expr | None:
    """The symbolic exclusive upper bound of an atom, if it has one."""
    divisors: list[Expr] = []
    while isinstance(atom, FloorDiv):
        divisors.append(atom.denominator)
        atom = atom.numerator
    bound: Expr | None = None
    if isinstance(atom, Var):
        bound = atom.below
    elif isinstance(atom, Mod) and not isinstance(atom.denominator, Const):
        bound = atom.denominator
    while bound is not None and divisors:
        bound = (bound - 1) // divisors.pop() + 1
    return bound


def _at_limit(e: Expr) -> Expr | None:
    """e with one negative term's bounded atom at its limit, so nowhere larger; None for no such term."""
    terms, offset = linear_form(e)
    for monomial, c in terms:
        if c > 0:
            continue
        factors = factors_of(monomial)
        for i, atom in enumerate(factors):
            most = limit(atom)
            others = factors[:i] + factors[i + 1 :]
            if most is None or any(other.lo < 0 for other in others):
                continue
            rest: Coefficients = dict(terms)
            del rest[monomial]
            offset += accumulate(rest, monomial_of(others) * (most - 1), c)
            return build(rest, offset)
    return None


def _positive_at_least(e: Expr) -> bool:
    """Whether e >= 1 once a variable of its positive products is put at its lower bound."""
    terms, offset = linear_form(e)
    candidates = {
        v: None for monomial, c in terms if c > 0 for f in [factors_of(monomial)] if len(f) > 1 for v in f if v.lo >= 0
    }
    for variable in candidates:
        lowered: Coefficients = {}
        total = offset
        for monomial, c in terms:
            factors = factors_of(monomial)
            if c > 0 and variable in factors and all(f.lo >= 0 for f in factors):
                others = list(factors)
                others.remove(variable)
                total += accumulate(lowered, monomial_of(others) * variable.lo, c)
            else:
                total += accumulate(lowered, monomial, c)
        if build(lowered, total).lo >= 1:
            return True
    return False
