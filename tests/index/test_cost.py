"""Costs by counted calls, not by the clock: linear in terms and in depth, and no recursion that grows with either."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from lazygrad.index import view
from lazygrad.index.expr import Expr, Var, index_variable, scaled_sum, select

_serial = iter(range(1_000_000))


def calls(action: Callable[[], Any]) -> int:
    """Python functions entered while the action runs; not what a collection of others' garbage calls."""
    count = 0
    gc.collect()
    gc.disable()

    def count_calls(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(count_calls)
    try:
        action()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


def fresh(size: int = 100) -> Expr:
    return index_variable(f"v{next(_serial)}", size)


def long_sum(n: int) -> Expr:
    return scaled_sum((fresh(), c + 1) for c in range(n))


def joined_sum(n: int) -> Expr:
    variables = [fresh() for _ in range(n)]
    return scaled_sum([(v // 8, 8) for v in variables] + [(v % 8, 1) for v in variables])


def chain(n: int) -> Expr:
    e = fresh(10**9)
    for step in range(n):
        e = (e // 3 * 5 + step % 7) % (10**9 + step)
    return e


def choices(n: int) -> Expr:
    x = fresh(10**9)
    e = x
    for step in range(n):
        e = select(x.lt(step * 7 + 1), e, step)
    return e


def movement(n: int) -> Expr:
    i, j = fresh(12), fresh(8)
    for step in range(n):
        (flat,) = view.reshape((i, j), (12, 8), (96,))
        (flat,) = view.flip((flat,), (0,), (96,))
        (flat,), inside = view.pad((flat + 1 + step % 3,), ((1 + step % 3, 0),), (96,))
        i, j = view.reshape((flat,), (96,), (12, 8))
        assert inside.constant == 1
    return i * 8 + j


@pytest.mark.parametrize("build", [long_sum, joined_sum, chain, choices, movement])
def test_cost_is_linear(build: Callable[[int], Expr]) -> None:
    kept = build(800)  # with the constants that it has: which of them another test left alive is no cost of these
    small, large = calls(lambda: build(200)), calls(lambda: build(800))
    assert large < 4.6 * small, f"{build.__name__}: {small} calls for 200, {large} for 800"
    del kept


@pytest.mark.parametrize("walk", [lambda e: e.evaluate(dict.fromkeys(e.vars, 3)), str])
def test_walks_are_linear(walk: Callable[[Expr], object]) -> None:
    small, large = chain(200), chain(800)
    few, many = calls(lambda: walk(small)), calls(lambda: walk(large))
    assert many < 4.6 * few


@pytest.mark.parametrize("build", [long_sum, joined_sum, chain, choices])
def test_size_does_not_reach_the_recursion_limit(build: Callable[[int], Expr]) -> None:
    e = build(3 * sys.getrecursionlimit())
    values = dict.fromkeys(e.vars, 5)
    assert e.lo <= e.evaluate(values) <= e.hi
    assert e.substitute(values).constant == e.evaluate(values)
    del e
    gc.collect()


def test_joined_sum_is_joined() -> None:
    assert len(joined_sum(300).children) == 300
    assert all(isinstance(atom, Var) for atom in joined_sum(300).children)


def test_cost_of_one_operation() -> None:
    """A schedule makes about 100,000 expressions: each may cost some tens of calls, not thousands."""
    assert calls(lambda: [fresh() * 64 + fresh(64) for _ in range(100)]) < 100 * 150
    pairs = [fresh() * 64 + fresh(64) for _ in range(100)]
    assert calls(lambda: [(e // 64, e % 64, e // 8 % 8) for e in pairs]) < 100 * 700
    assert calls(lambda: [(e // 64, e % 64, e // 8 % 8) for e in pairs]) < 100 * 40
