"""Axes taken apart into the two that expressions use them as."""

from __future__ import annotations

import numpy as np

from lazygrad.dtype import dtypes
from lazygrad.index.expr import Var
from lazygrad.tiling.program import Array, Axis, Kind, Loop, Program, Store, load
from lazygrad.tiling.separate import separate
from lazygrad.tiling.show import text
from lazygrad.tiling.values import statement_exprs


def program(extent: int, width: int, offset: int) -> Program:
    v = Var("v", 0, extent - 1)
    x, y = Array("x", dtypes.float32, 10**4), Array("y", dtypes.float32, extent, written=True)
    at = (v + offset) // width * 100 + (v + offset) % width
    return Program("p", (x, y), (), (Loop(Axis(v, extent, Kind.GRID), (Store(y, v, load(x, at)),)),))


def test_quotient_and_remainder_become_axes() -> None:
    made = separate(program(42, 7, 0))
    assert text(made).splitlines()[1:] == [
        "  grid v_row < 6:",
        "    grid v_column < 7:",
        "      y[v_row*7 + v_column] = x[v_row*100 + v_column]",
    ]


def test_the_same_elements_are_read() -> None:
    before, after = program(42, 7, 0), separate(program(42, 7, 0))
    v = np.arange(42)
    (at, _), *_ = statement_exprs(before.body)
    (moved, _), *_ = statement_exprs(after.body)
    np.testing.assert_array_equal(at.evaluate({"v": v}), moved.evaluate({"v_row": v // 7, "v_column": v % 7}))


def test_what_does_not_divide_evenly_or_is_shifted_stays() -> None:
    for p in (program(43, 7, 0), program(42, 7, 3), program(7, 7, 0)):
        assert text(separate(p)) == text(p)
