"""Loops that a mask lets end early: the same numbers as with every element visited, and fewer visits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lazygrad import Tensor
from lazygrad.engine.compile import plain_program
from lazygrad.schedule.kernel import schedule
from lazygrad.tiling.collapse import collapse
from lazygrad.tiling.limit import STEP, limited
from lazygrad.tiling.show import text

ROWS = 70
Masked = Callable[[Tensor, Tensor], Tensor]  # (x, whether an element is under the mask) -> a result
KEPT: dict[str, Masked] = {
    "softmax": lambda x, m: x.where(m, -np.inf).softmax(-1),
    "scaled softmax": lambda x, m: (x * 0.125).where(m, -np.inf).softmax(-1),
    "log softmax": lambda x, m: x.where(m, -np.inf).log_softmax(-1),
    "sum over a fill": lambda x, m: x.where(m, 3.0).sum(-1),
    "largest over a fill": lambda x, m: x.where(m, 0.5).amax(-1),
    "largest over a fill that is larger": lambda x, m: x.where(m, 100.0).amax(-1),
    "both": lambda x, m: x.where(m, 2.0).sum(-1) - x.where(m, -7.0).amax(-1),
    "mean and spread": lambda x, m: x.where(m, 0.0).layernorm(),
}
VISITED: dict[str, Masked] = {
    "a product": lambda x, m: x.where(m, 1.5).prod(-1),
    "what differs beyond": lambda x, m: x.where(m, x.cos()).sum(-1),
    "every element by itself": lambda x, m: x.where(m, 0.0) * 2,
    "the other side": lambda x, m: x.where(m.logical_not(), 0.0).sum(-1),
}


def inputs(columns: int, first: int, device: str) -> tuple[Tensor, Tensor]:
    """Random numbers, and a mask that lets `first` of the first row through and one more of each row after it."""
    x = np.random.default_rng(columns + first).standard_normal((ROWS, columns))
    x[3, columns - 1] = np.inf  # under no mask
    x[5, 0] = np.nan
    rows, places = (Tensor.arange(n, device=device) for n in (ROWS, columns))
    return Tensor(x.astype(np.float32), device=device), places.lt(rows.reshape(-1, 1) + first)


@pytest.mark.parametrize("columns", [256, 320, 300, 64])
@pytest.mark.parametrize("first", [0, 1, 60, 150])
def test_numbers_are_those_of_whole_rows(columns: int, first: int) -> None:
    """With a first of 0 the first row is all masked: a softmax of it is nan everywhere."""
    results = []
    for device in ("OPENCL", "NUMPY"):
        x, mask = inputs(columns, first, device)
        made = [function(x, mask) for function in (KEPT | VISITED).values()]
        Tensor.realize(*made)
        results.append([t.numpy() for t in made])
    for name, ours, wanted in zip(KEPT | VISITED, *results):
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(wanted), err_msg=name)
        np.testing.assert_allclose(ours, wanted, 2e-5, 2e-5, err_msg=name)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool"])
def test_integers_are_exact(dtype: str) -> None:
    numbers = np.random.default_rng(0).integers(0, 100, (ROWS, 256)).astype(dtype)
    results = []
    for device in ("OPENCL", "NUMPY"):
        x, mask = Tensor(numbers, device=device), inputs(256, 1, device)[1]
        made = [x.where(mask, 1).sum(-1), x.where(mask, 1).amax(-1), x.where(mask, 0) + 1]
        Tensor.realize(*made)
        results.append([t.numpy() for t in made])
    for ours, wanted in zip(*results):
        np.testing.assert_array_equal(ours, wanted)


def loops(function: Masked, columns: int, first: int = 1) -> tuple[str, str]:
    """The plain program of a masked result, and what becomes of it."""
    x, mask = inputs(columns, first, "NUMPY")
    (kernel,) = schedule([function(x.realize(), mask).node]).kernels
    plain = collapse(plain_program(kernel, {}))
    return text(plain), text(limited(plain))


@pytest.mark.parametrize("name", KEPT)
def test_loops_end_where_the_mask_begins(name: str) -> None:
    before, after = loops(KEPT[name], 256)
    assert f"/{STEP}*{STEP}" in after
    assert f"/{STEP}*{STEP}" not in before


@pytest.mark.parametrize("name", VISITED)
def test_loops_in_which_every_element_matters_stay(name: str) -> None:
    before, after = loops(VISITED[name], 256)
    assert after == before


@pytest.mark.parametrize(("columns", "first"), [(300, 1), (128, 1), (256, -1), (256, 200)])
def test_loops_of_odd_sizes_and_limits_outside_of_them_stay(columns: int, first: int) -> None:
    before, after = loops(KEPT["softmax"], columns, first)
    assert after == before
