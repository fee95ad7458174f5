"""Every rule of the simplifier's tables, each on its own: by evaluation, by z3, and as a lemma over all integers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
import z3

from lazygrad.index.divide import FLOORDIV_RULES, MODULO_RULES
from lazygrad.index.expr import Const, Expr, FloorDiv, Mod, Var, index_variable, lift, linear_form
from lazygrad.index.linear import SUM_RULES
from lazygrad.index.logic import NEGATIVE_RULES, ZERO_RULES
from lazygrad.index.node import Sum
from tests.index.trees import as_z3, expr_in_z3, proved, samples

T, S = Var("T", 1, 6), Var("S", 1, 4)
SYMBOLIC = [T, S, Var("t", 0, 5, below=T), Var("s", 0, 3, below=S), Var("h", 0, 71, below=T * S * 3), Var("i", 0, 4)]
SIZES: list[Expr] = [T, S, T * S, T * 2, S * 4, T + 1, T + S]
DIVISORS: list[Expr] = [lift(n) for n in (2, 3, 4, 6, 8, 12, 24)]


def operands(rng: random.Random, symbolic: bool) -> tuple[list[Var], Callable[[], Expr], Callable[[], Expr]]:
    """Variables, a maker of expressions that look like offsets taken apart, and a maker of divisors."""
    sizes = [*SIZES, lift(2), lift(3)] if symbolic else DIVISORS
    variables = (
        SYMBOLIC
        if symbolic
        else [Var(name, lo, lo + rng.choice((1, 3, 7, 23))) for name, lo in zip("abcd", (0, 0, 0, -3))]
    )

    def linear() -> Expr:
        picked = rng.sample(variables, rng.randint(1, 3))
        return sum(
            (var * rng.choice((1, 1, rng.choice(sizes))) for var in picked), lift(rng.choice((0, 0, 0, 1, -2, 7)))
        )

    def atom() -> Expr:
        e, k = linear(), rng.choice(sizes)
        return rng.choice((e, e // k, e % k, e // k % rng.choice(sizes)))

    def expression() -> Expr:
        total, scale = atom(), lift(1)
        for _ in range(rng.randint(0, 2)):
            scale = scale * rng.choice(sizes)
            total = total + atom() * scale * rng.choice((1, 1, 1, -1))
        return total + rng.choice((0, 0, 0, 1, -4, 12))

    return variables, expression, lambda: rng.choice(sizes)


def applications(rule: Any, kind: str, wanted: int) -> Iterator[tuple[list[Var], Any, Any, Expr]]:
    """Places where a rule says something: (variables, meaning before, the same in z3 or None, result)."""
    found = 0
    for seed in range(20_000):
        rng = random.Random(seed)
        symbolic = seed % 4 == 0
        variables, expression, divisor = operands(rng, symbolic)
        if kind in ("//", "%"):
            x, k = expression(), divisor()
            before = FloorDiv(x, k) if kind == "//" else Mod(x, k)
            after = rule(x, k)
        elif kind == "+":
            before, after = joinable(rng, expression(), divisor(), rule)
        else:
            d = expression() - rng.choice((expression(), lift(rng.randint(-9, 30))))
            if rng.random() < 0.1:
                u = rng.choice((1, 2, -3))
                d = d.lt(0) * u - rng.choice((0, u))
            before, after = d, rule(d)
        if after is not None:
            found += 1
            yield variables, before, None if symbolic else expr_in_z3(before), after
        if found == wanted:
            return
    raise AssertionError(f"{rule.__name__} applied to {found} of 20000 random operands only")


def joinable(rng: random.Random, x: Expr, k: Expr, rule: Any) -> tuple[Expr, Expr | None]:
    """A sum with quotient and remainder of the same numerator in it, not simplified, and what the rule makes of it."""
    u, b = rng.choice((1, 2, -3)), rng.choice(DIVISORS)
    choices = [(x // k, k * u), (x % k, lift(u)), (x, lift(-u)), (x // k % b, k * u), (Var("i", 0, 4), lift(1))]
    coefficients: dict[Expr, int] = {}
    offset = 0
    for part, scale in rng.sample(choices, 3):
        terms, constant = linear_form(part * scale)
        offset += constant
        for atom, c in terms:
            coefficients[atom] = coefficients.get(atom, 0) + c
    coefficients = {atom: c for atom, c in coefficients.items() if c}
    changed = rule(coefficients, offset) if len(coefficients) > 1 else None
    if changed is None:
        return Const(0), None
    before = Sum(tuple(coefficients.items()), offset)
    return before, Sum(tuple(changed[0].items()), changed[1])


def agree(kind: str, before: int, after: int) -> bool:
    """Whether the result has the value of what the rule was applied to."""
    if kind == "<":
        return after == int(before < 0)
    return after == (int(before == 0) if kind == "==" else before)


TABLES = [
    *(("//", rule) for rule in FLOORDIV_RULES),
    *(("%", rule) for rule in MODULO_RULES),
    *(("+", rule) for rule in SUM_RULES),
    *(("<", rule) for rule in NEGATIVE_RULES),
    *(("==", rule) for rule in ZERO_RULES),
]


@pytest.mark.parametrize(("kind", "rule"), TABLES, ids=lambda value: getattr(value, "__name__", None))
def test_rule_keeps_the_value(kind: str, rule: Any) -> None:
    rng = random.Random(0)
    for variables, before, _, after in applications(rule, kind, wanted=120):
        for values in samples(rng, [*variables, Var("i", 0, 4)], 12):
            assert agree(kind, before.evaluate(values), after.evaluate(values)), f"{before} became {after}: {values}"


@pytest.mark.parametrize(("kind", "rule"), TABLES, ids=lambda value: getattr(value, "__name__", None))
def test_rule_is_proved_by_z3(kind: str, rule: Any) -> None:
    for variables, before, claim, after in applications(rule, kind, wanted=24):
        if claim is not None:
            meant = {"<": lambda c: as_z3(c < 0), "==": lambda c: as_z3(c == 0)}.get(kind, lambda c: c)(claim)
            assert proved(meant == expr_in_z3(after), [*variables, Var("i", 0, 4)]), f"{before} became {after}"


def lemmas() -> dict[str, Callable[..., Any]]:
    """Each rule's formula for positive constants (a, b, c) over unbounded integers: what its docstring says."""
    x, y, r, u = z3.Ints("x y r u")
    within = lambda value, n: z3.And(value >= 0, value < n)  # noqa: E731
    return {
        "quotient_is_constant": lambda a, b, c: z3.Implies(within(x - b * a, a), x / a == b),
        "take_out_quotient": lambda a, b, c: (x * a + r) / a == x + r / a,
        "cancel_factor": lambda a, b, c: z3.Implies(within(r, a), (x * a + r) / (a * b) == x / b),
        "nested_division": lambda a, b, c: (x / a + r) / b == (x + a * r) / (a * b),
        "division_of_modulo": lambda a, b, c: z3.Implies(
            within(r, a * c), (a * c * (x % b) + r) / a == ((a * c * x + r) / a) % (b * c)
        ),
        "remainder_without_division": lambda a, b, c: z3.Implies(within(x - b * a, a), x % a == x - b * a),
        "drop_multiples": lambda a, b, c: (x * a + r) % a == r % a,
        "take_out_factor": lambda a, b, c: z3.Implies(within(r, a), (x * a + r) % (a * b) == a * (x % b) + r),
        "modulo_of_modulo": lambda a, b, c: (c * (x % (a * b)) + r) % a == (c * x + r) % a,
        "join_modulo": lambda a, b, c: u * a * c + u * b == u * (a * c + b),
        "join_division": lambda a, b, c: (x / a) * a + x % a == x,
        "merge_modulos": lambda a, b, c: a * (y % b) + r % a == (a * (y - r / a) + r) % (a * b),
        "decide_negative": lambda a, b, c: (x < 0) != (x >= 0),
        "drop_small_part": lambda a, b, c: z3.Implies(within(r, a), (a * x + r < 0) == (x < 0)),
        "clear_division": lambda a, b, c: z3.And(
            (x / a + r < 0) == (x + a * r < 0), (r - x / a < 0) == (a * (r + 1) - x - 1 < 0)
        ),
        "decide_zero": lambda a, b, c: z3.Implies(z3.Or(x > 0, x < 0), x != 0),
        "zero_of_multiple": lambda a, b, c: z3.And(
            (a * x == 0) == (x == 0), z3.Implies(z3.And(r > 0, r < a), a * x + r != 0)
        ),
        "zero_of_condition": lambda a, b, c: z3.Implies(
            within(x, 2), z3.And(as_z3(a * x == 0) == 1 - x, as_z3(a * x - a == 0) == x)
        ),
        "positive_first": lambda a, b, c: (x == 0) == (-x == 0),
    }


@pytest.mark.parametrize("name", sorted(lemmas()))
def test_lemma_holds_for_all_integers(name: str) -> None:
    for a, b, c in product((1, 2, 3, 8), (1, 2, 5), (1, 3)):
        assert proved(lemmas()[name](a, b, c)), (name, a, b, c)


def test_every_rule_has_a_lemma() -> None:
    assert {rule.__name__ for _, rule in TABLES} == set(lemmas())


def test_symbolic_lemma() -> None:
    """What reshape needs of sizes that are known only at launch, for every size at once."""
    i, j, size = z3.Ints("i j size")
    whole = z3.Implies(
        z3.And(size > 0, j >= 0, j < size), z3.And((i * size + j) / size == i, (i * size + j) % size == j)
    )
    assert proved(whole)
    t = index_variable("t", T)
    k = Var("k", 0, 9)
    assert (k * T + t) // T is k
    assert (k * T + t) % T is t
