"""Canonical forms, the public interface and its errors."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lazygrad.index.expr import (
    Const,
    Expr,
    FloorDiv,
    Mod,
    Sum,
    Var,
    all_of,
    as_dim,
    dim_max,
    dim_product,
    index_variable,
    lift,
    maximum,
    minimum,
    provably_less,
    provably_positive,
    scaled_sum,
    select,
)

i, j, k, x, z = Var("i", 0, 9), Var("j", 0, 63), Var("k", 0, 7), Var("x", 0, 9999), Var("z", -8, 8)
T, S = Var("T", 1, 1024), Var("S", 1, 64)
t, s, h = Var("t", 0, 1023, below=T), Var("s", 0, 63, below=S), Var("h", 0, 1 << 20, below=T * S * 10)

# What it is, and the expression that it has to be (the same object).
CANONICAL: list[tuple[Expr, Expr | int]] = [
    (i + j - i, j),
    ((i + j) * 2 - j, i * 2 + j),
    (j + i * 3 + 1, 1 + i + j + i * 2),
    ((i * 64 + j) // 64, i),
    ((i * 64 + j) % 64, j),
    ((i * 8 + k) // 4 % 2, k // 4),
    ((i * 8 + j) // 4 % 2, j // 4 % 2),
    ((i * 8 + k) % 64, i % 8 * 8 + k),
    ((x * 12 + k) // 8, (x * 12 + k) // 4 // 2),
    (x // 3 // 5, x // 15),
    (x % 15 // 3, x // 3 % 5),
    (x % 15 % 5, x % 5),
    (x // 7 * 7 + x % 7, x),
    (x // 7 * 21 + x % 7 * 3 + i, x * 3 + i),
    (x // 60 * 60 + x // 6 % 10 * 6 + x % 6, x),
    (x // 6 % 10 * 6 + x % 6, x % 60),
    (x - x % 8, x // 8 * 8),
    (x - x // 8 * 8, x % 8),
    (j // 64, 0),
    (j % 64, j),
    (j % 100, j),
    ((j + 64) // 64, 1),
    ((63 - j + 64 * i) // 64, i),
    ((3 - Var("b", 0, 1) * 5) // 4, -Var("b", 0, 1)),
    (z // -4, (-z) // 4),
    (z % -4, -((-z) % 4)),
    (i.lt(10), 1),
    (i.lt(0), 0),
    (i.ge(0), 1),
    ((4 * x + i % 4).lt(4 * j), x.lt(j)),
    ((x // 8).lt(3), x.lt(24)),
    ((x // 8).ge(3), x.ge(24)),
    ((2 * x).eq(7), 0),
    ((2 * x).eq(8), x.eq(4)),
    (x.eq(j), j.eq(x)),
    (x.lt(5).eq(1), x.lt(5)),
    (x.lt(5).eq(0), 1 - x.lt(5)),
    (i.lt(5).and_(i.lt(5)), i.lt(5)),
    (i.lt(5).and_(i.lt(3)), i.lt(3)),
    (i.lt(3).and_(j.lt(3)).and_(i.lt(3)), j.lt(3).and_(i.lt(3))),
    (i.lt(3).and_(i.ge(3)), 0),
    (i.lt(3).and_(1), i.lt(3)),
    (i.lt(3).and_(0), 0),
    (minimum(i, 9, 20), i),
    (maximum(i, 0), i),
    (minimum(i, minimum(j, i)), minimum(j, i)),
    (select(1, i, j), i),
    (select(i.lt(3), 1, 0), i.lt(3)),
    (select(i.lt(3), 2, 5), 5 - i.lt(3) * 3),
    (select(i.lt(3), j, j), j),
    ((i * T + t) // T, i),
    ((i * T + t) % T, t),
    (((i * T + t) * S + s) // (T * S), i),
    (((i * T + t) * S + s) // S % T, t),
    ((i * (T + 1) + t) // (T + 1), i),
    (h // (T * S) * T * S + h // S % T * S + h % S, h),
    (h % (T * S) // S, h // S % T),
    (h // S // T, h // (S * T)),
    (h // (T * S * 10), 0),
    (t.lt(T), 1),
    ((T - t).gt(0), 1),
    (minimum(t, T), t),
    ((T * S) // T, S),
    ((T * S * 4) % (S * 2), 0),
    ((T + S) * (T - S), T * T - S * S),
]


@pytest.mark.parametrize("index", range(len(CANONICAL)))
def test_canonical_form(index: int) -> None:
    made, expected = CANONICAL[index]
    assert made is lift(expected), f"{made!r} is not {expected!r}"


@pytest.mark.parametrize(
    ("e", "text"),
    [
        (i * 64 + j, "i*64 + j"),
        (j - i * 3, "j - i*3"),
        (5 - i, "5 - i"),
        (-i, "-i"),
        (-i - 3, "-i - 3"),
        ((i + j) // 5 * 5, "(i + j)/5*5"),
        (x // 3 % 5, "x/3%5"),
        (x % 15 * 2, "x%15*2"),
        (z // 3, "floordiv(z, 3)"),
        ((z - 1) % 3, "floormod(z + 2, 3)"),
        (h // (T * S), "h/(S*T)"),
        (T * S * i, "S*T*i"),
        (i.lt(3).and_(j.ge(2)), "i < 3 && 1 < j"),
        ((i + j).eq(3), "i + j == 3"),
        (i.lt(3) * 5 + j, "(i < 3)*5 + j"),
        (select(i.lt(3).and_(j.lt(4)), i, j + 1), "i < 3 && j < 4 ? i : j + 1"),
        (minimum(i, j) + 1, "min(i, j) + 1"),
        (lift(-4), "-4"),
    ],
)
def test_text(e: Expr, text: str) -> None:
    assert str(e) == text


def test_bounds_and_facts() -> None:
    e = i * 8 + k - 3
    assert (e.lo, e.hi) == (-3, 76)
    assert e.vars == {i, k}
    assert not e.is_constant
    assert e.constant is None
    assert (lift(4).constant, lift(4).is_constant) == (4, True)
    assert (i * 8 + j * 12 + 4).divisible_by(4)
    assert not (i * 8 + j * 12 + 2).divisible_by(4)
    assert (h // (T * S)).hi == 9
    assert repr(e) == "<Sum i*8 + k - 3 in -3..76>"


def test_coefficient() -> None:
    e = i * 8 + j // 4 + 3
    assert e.coefficient(i) == 8
    assert e.coefficient(k) == 0
    assert e.coefficient(j) is None
    assert (i * T).coefficient(i) is None
    assert i.coefficient(i) == 1


def test_evaluation_with_arrays() -> None:
    e = select((i * 3).lt(j), minimum(i, j // 2), maximum(i % 4, j - 40)) + i.lt(5).and_(j.ge(9)) * 100 + j.eq(7)
    first, second = np.arange(10)[:, None], np.arange(64)[None, :]
    grid = e.evaluate({i: first, j: second})
    assert grid.shape == (10, 64)
    assert grid.dtype == np.int64
    for a in range(10):
        for b in range(64):
            assert grid[a, b] == e.evaluate({"i": a, "j": b})


def test_substitution() -> None:
    e = (i * 64 + j) // 8 + T
    assert e.substitute({i: 2, j: 9, T: 1}).constant == 18
    assert e.substitute({j: k * 8}) is i * 8 + k + T
    assert e.substitute({x: 1}) is e
    assert (i + j).lt(9).and_(select(k.lt(3), i, j).eq(4)).substitute({i: 1, j: 4, k: 5}).constant == 1


def test_helpers() -> None:
    assert dim_product(()) == 1
    assert dim_product((2, T, 3)) is T * 6
    assert dim_product((T, 0)) == 0
    assert (dim_max(T), dim_max(7)) == (1024, 7)
    assert (as_dim(lift(3)), as_dim(T)) == (3, T)
    assert index_variable("a", 1) is Const(0)
    assert index_variable("t", T) is t
    assert scaled_sum(((i, 2), (j, 3)), 4) is i * 2 + j * 3 + 4
    assert all_of(()) is Const(1)
    assert provably_less(t, T)
    assert not provably_less(T, t)
    assert provably_positive(T * S - t * S - s)


def test_identity() -> None:
    assert Var("i", 0, 9) is i
    assert Var("i", 0, 8) is not i
    assert Var("t", 0, 1023, below=T) is t
    assert copy.copy(i + j) is copy.deepcopy(i + j)
    assert copy.deepcopy(i + j) is i + j
    assert isinstance(x // 3, FloorDiv)
    assert isinstance(x % 3, Mod)
    assert isinstance(x + 3, Sum)


def test_errors() -> None:
    with pytest.raises(ValueError, match="no value"):
        Var("n", 3, 2)
    with pytest.raises(ValueError, match="no value"):
        index_variable("n", 0)
    with pytest.raises(ZeroDivisionError, match=r"include 0"):
        i // z
    with pytest.raises(ZeroDivisionError, match=r"include 0"):
        i % 0
    with pytest.raises(ValueError, match="not a condition"):
        i.and_(1)
    with pytest.raises(ValueError, match="not a condition"):
        select(j, 1, 2)
    with pytest.raises(KeyError, match="'j'"):
        (i + j).evaluate({i: 1})
    with pytest.raises(TypeError):
        i + 1.5  # type: ignore[operator]
    with pytest.raises(TypeError, match="cannot be pickled"):
        (i + j).__reduce__()


def test_threads_make_one_object() -> None:
    def make(_: int) -> list[Expr]:
        return [(x * n + j) // (n + 2) for n in range(1, 200)]

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(make, range(8)))
    assert all(a is b for other in made[1:] for a, b in zip(made[0], other))


def test_order_is_the_same_in_every_process() -> None:
    program = (
        "from lazygrad.index.expr import *\n"
        "v = [Var(f'v{n}', 0, 50 + n) for n in range(12)]\n"
        "e = scaled_sum((a // 3 % 5 + a % 7 + a * b, 1) for a, b in zip(v, reversed(v)))\n"
        "print(e, all_of(a.lt(b) for a, b in zip(v, v[1:])), minimum(*v, *(a // 2 for a in v)))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
