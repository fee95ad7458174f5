"""Random expressions as plain trees, whose meaning does not go through the simplifier, and their meaning in z3."""

from __future__ import annotations

import itertools
import operator
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import z3

from lazygrad.index.expr import (
    And,
    Const,
    Equal,
    Expr,
    FloorDiv,
    Less,
    Maximum,
    Minimum,
    Mod,
    Product,
    Select,
    Sum,
    Var,
    lift,
    maximum,
    minimum,
    select,
)


class Tree(NamedTuple):
    """An operation on trees; a leaf is an integer or a variable."""

    op: str
    parts: tuple[Tree | Expr | int, ...]


SIMPLIFIED: dict[str, Callable[..., Expr]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "<": lambda a, b: a.lt(b),
    "==": lambda a, b: a.eq(b),
    "min": minimum,
    "max": maximum,
    "?": lambda a, b, c, d: select(a.lt(b), c, d),
    "&": lambda a, b, c, d: a.lt(b).and_(c.ge(d)),
}
PLAIN: dict[str, Callable[..., int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
    "<": lambda a, b: int(a < b),
    "==": lambda a, b: int(a == b),
    "min": min,
    "max": max,
    "?": lambda a, b, c, d: c if a < b else d,
    "&": lambda a, b, c, d: int(a < b and c >= d),
}


def as_z3(condition: Any) -> Any:
    return z3.If(condition, 1, 0)


# z3's integer `/` and `%` are Euclidean: they round down for the positive divisors that occur here.
IN_Z3: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.truediv,
    "%": operator.mod,
    "<": lambda a, b: as_z3(a < b),
    "==": lambda a, b: as_z3(a == b),
    "min": lambda a, b: z3.If(a < b, a, b),
    "max": lambda a, b: z3.If(a > b, a, b),
    "?": lambda a, b, c, d: z3.If(a < b, c, d),
    "&": lambda a, b, c, d: as_z3(z3.And(a < b, c >= d)),
}


def meaning(tree: Tree | Expr | int, table: Mapping[str, Callable[..., Any]], leaf: Callable[[Any], Any]) -> Any:
    """The value of a tree in one of the three algebras above."""
    if isinstance(tree, Tree):
        return table[tree.op](*(meaning(part, table, leaf) for part in tree.parts))
    return leaf(tree)


def simplified(tree: Tree | Expr | int) -> Expr:
    return lift(meaning(tree, SIMPLIFIED, lift))


def plain(tree: Tree | Expr | int, values: Mapping[Var, int]) -> int:
    return int(meaning(tree, PLAIN, lambda leaf: leaf.evaluate(values) if isinstance(leaf, Expr) else leaf))


def z3_variable(leaf: Expr | int) -> Any:
    return z3.Int(leaf.name) if isinstance(leaf, Var) else z3.IntVal(leaf.constant if isinstance(leaf, Expr) else leaf)


def tree_in_z3(tree: Tree | Expr | int) -> Any:
    return meaning(tree, IN_Z3, z3_variable)


def expr_in_z3(e: Expr) -> Any:
    """The meaning of an expression by its kinds."""
    parts = [expr_in_z3(child) for child in e.children]
    if isinstance(e, (Var, Const)):
        return z3_variable(e)
    if isinstance(e, Sum):
        return sum((part * c for part, (_, c) in zip(parts, e.terms)), z3.IntVal(e.offset))
    if isinstance(e, Product):
        return reduce(operator.mul, parts)
    if isinstance(e, And):
        return as_z3(z3.And(*(part == 1 for part in parts)))
    if isinstance(e, Select):
        return z3.If(parts[0] == 1, parts[1], parts[2])
    names: dict[type[Expr], str] = {FloorDiv: "//", Mod: "%", Less: "<", Equal: "==", Minimum: "min", Maximum: "max"}
    return reduce(IN_Z3[names[type(e)]], parts)


def proved(claim: Any, variables: Sequence[Var] = ()) -> bool:
    """Whether z3 proves the claim for every value of the variables within their bounds."""
    solver = z3.Solver()
    solver.set("timeout", 20_000)
    for var in variables:
        solver.add(z3.Int(var.name) >= var.lo, z3.Int(var.name) <= var.hi)
    solver.add(z3.Not(claim))
    return bool(solver.check() == z3.unsat)


def random_tree(
    rng: random.Random, leaves: Sequence[Var], divisors: Sequence[Expr | int], depth: int
) -> Tree | Expr | int:
    """A tree of sums, multiples, quotients and remainders."""
    if depth == 0 or rng.random() < 0.15:
        return rng.choice([*leaves, rng.randint(-6, 20)])
    op = rng.choice(("+", "+", "-", "*", "*", "//", "//", "%", "%"))
    left = random_tree(rng, leaves, divisors, depth - 1)
    if op in "+-":
        return Tree(op, (left, random_tree(rng, leaves, divisors, depth - 1)))
    return Tree(op, (left, rng.choice(divisors)))


def random_choice(rng: random.Random, leaves: Sequence[Var], divisors: Sequence[Expr | int], depth: int) -> Tree:
    """A comparison, conjunction, extreme or choice between trees."""
    op = rng.choice(("<", "==", "min", "max", "?", "&"))
    count = 4 if op in "?&" else 2
    return Tree(op, tuple(random_tree(rng, leaves, divisors, depth) for _ in range(count)))


def random_variables(rng: random.Random) -> list[Var]:
    lows = (0, 0, rng.choice((0, -5, 1)))
    return [Var(name, lo, lo + rng.choice((1, 3, 7, 11, 23))) for name, lo in zip("abc", lows)]


def samples(rng: random.Random, variables: Sequence[Var], count: int) -> Iterator[dict[Var, int]]:
    """Random values within bounds, a symbolic limit included (sizes come first among the variables)."""
    for _ in range(count):
        values: dict[Var, int] = {}
        for var in variables:
            hi = var.hi if var.below is None else var.below.evaluate(values) - 1
            values[var] = rng.randint(var.lo, hi)
        yield values


def every_value(variables: Sequence[Var]) -> Iterator[dict[Var, int]]:
    """All values of a few small variables without symbolic limits."""
    for point in itertools.product(*(range(var.lo, var.hi + 1) for var in variables)):
        yield dict(zip(variables, point))
