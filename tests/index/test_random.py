"""Random programs over integers: what the simplifier makes has the same value, within its bounds."""

from __future__ import annotations

import random

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from lazygrad.index.expr import Expr, Var, index_variable, lift
from lazygrad.index.expr import given as simplified_given
from tests.index.trees import (
    Tree,
    expr_in_z3,
    plain,
    proved,
    random_choice,
    random_tree,
    random_variables,
    samples,
    simplified,
    tree_in_z3,
)

DIVISORS = (2, 3, 4, 6, 8, 12, 24, 32)
T, S = Var("T", 1, 9), Var("S", 1, 6)
SYMBOLIC = [T, S, Var("t", 0, 8, below=T), Var("s", 0, 5, below=S), Var("h", 0, 161, below=T * S * 3), Var("m", -4, 4)]
SIZES = (T, S, T * S, T + 1, T * 4, S * 2, lift(3), lift(4), T * S * 2, T + S)


def check(tree: Tree | Expr | int, e: Expr, variables: list[Var], rng: random.Random) -> None:
    for values in samples(rng, variables, 12):
        expected = plain(tree, values)
        assert e.evaluate(values) == expected, f"{tree} became {e}: {values}"
        assert e.lo <= expected <= e.hi, f"{e} leaves its bounds: {values}"
        assert not expected if e.factor == 0 else expected % e.factor == 0, f"{e} is no multiple of {e.factor}"


@given(st.integers(0, 2**32))
@settings(max_examples=400, deadline=None)
def test_constant_sizes(seed: int) -> None:
    rng = random.Random(seed)
    variables = random_variables(rng)
    for tree in (random_tree(rng, variables, DIVISORS, 5), random_choice(rng, variables, DIVISORS, 3)):
        check(tree, simplified(tree), variables, rng)


@given(st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_symbolic_sizes(seed: int) -> None:
    rng = random.Random(seed)
    for tree in (random_tree(rng, SYMBOLIC, SIZES, 4), random_choice(rng, SYMBOLIC, SIZES, 2)):
        check(tree, simplified(tree), SYMBOLIC, rng)


@pytest.mark.parametrize("seed", range(40))
def test_z3_agrees(seed: int) -> None:
    rng = random.Random(seed)
    variables = random_variables(rng)
    tree = random_choice(rng, variables, (2, 3, 4, 6), 2) if seed % 2 else random_tree(rng, variables, (2, 3, 4, 6), 3)
    e = simplified(tree)
    value = tree_in_z3(tree)
    assert proved(z3.And(value == expr_in_z3(e), value >= e.lo, value <= e.hi), variables), f"{tree} became {e}"


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_substitution_commutes_with_evaluation(seed: int) -> None:
    rng = random.Random(seed)
    variables = random_variables(rng)
    e = simplified(random_tree(rng, variables, DIVISORS, 4))
    k = Var("k", 0, 1)
    replaced = e.substitute({variables[0]: variables[0].lo + k, variables[1]: variables[1].hi})
    for values in samples(rng, [variables[2], k], 6):
        values.update({variables[0]: variables[0].lo + values[k], variables[1]: variables[1].hi})
        assert replaced.evaluate(values) == e.evaluate(values)


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_simplified_under_a_condition(seed: int) -> None:
    rng = random.Random(seed)
    variables = random_variables(rng)
    e = simplified(random_tree(rng, variables, DIVISORS, 4))
    condition = lift(1)
    for var in rng.sample(variables, 2):
        condition = condition.and_(var.lt(rng.randint(var.lo, var.hi + 1))).and_(var.ge(rng.randint(var.lo, var.hi)))
    narrowed = simplified_given(e, condition)
    for values in samples(rng, variables, 20):
        if condition.evaluate(values):
            value = narrowed.evaluate({var.name: k for var, k in values.items()})
            assert value == e.evaluate(values)
            assert narrowed.lo <= value <= narrowed.hi


def test_a_condition_that_never_holds_changes_nothing() -> None:
    i, j = index_variable("i", 10), index_variable("j", 10)
    assert simplified_given(i * 3 + j, (i + j).lt(0)) is i * 3 + j
