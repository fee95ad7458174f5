"""Slices whose bounds are variables: random programs (see `tests.variable_programs`), and what they found by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, Variable, jit
from lazygrad.errors import ShapeError
from lazygrad.settings import settings
from tests.many import Seeds, every
from tests.variable_programs import VALUES, compare

X = np.arange(45.0).reshape(9, 5)


@pytest.mark.parametrize("values", VALUES)
def test_meaning(values: str, seeds: Seeds) -> None:
    with settings.override(device="NUMPY"):
        every(lambda some: compare(some, values), seeds(90), 30)


@pytest.mark.parametrize("target", ["cpu", "gpu"])
@pytest.mark.parametrize("values", VALUES)
def test_on_opencl(values: str, target: str, seeds: Seeds) -> None:
    with settings.override(device="OPENCL", target=target):
        every(lambda some: compare(some, values), seeds(5, 100 if target == "cpu" else 200), 5)


def test_a_slice_of_everything_shares_its_memory(device: str) -> None:
    """x[i:] is x where i is 0, in other variables: both are realized, and what is made of them is."""
    x = Tensor(X).realize()
    i = Variable("i", 0, 6).bind(0)
    y = x[i:].realize()
    z = (y.sum(0) + x.sum(0)).realize()
    flat = y.reshape(-1).realize()
    for got, want in ((x, X), (y, X), (z, 2 * X.sum(0)), (flat, X.reshape(-1)), (y.sum(0), X.sum(0))):
        np.testing.assert_array_equal(got.numpy(), want)


FORMS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any, int], Any]]] = {
    "from": (lambda x, i: x[i:], lambda x, i: x[i:]),
    "columns from": (lambda x, i: x[:, i:].reshape(-1) + 0, lambda x, i: x[:, i:].reshape(-1)),
    "to": (lambda x, i: x[:i].sum(0), lambda x, i: x[:i].sum(0)),
    "from the end": (lambda x, i: x[-1 - i], lambda x, i: x[-1 - i]),
    "but the last": (lambda x, i: x[: -1 - i].reshape(-1), lambda x, i: x[: -1 - i].reshape(-1)),
    "the last": (lambda x, i: x[-1 - i :] * i, lambda x, i: x[-1 - i :] * i),
    "a window": (lambda x, i: x[i : i + 3].T, lambda x, i: x[i : i + 3].T),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_every_value_in_any_order(device: str, name: str) -> None:
    """Plainly and jitted: 0 first, again, and after others."""
    ours, theirs = FORMS[name]
    x, jitted = Tensor(X).realize(), jit(ours)
    for value in (0, 3, 0, 4, 1):
        i = Variable("i", 0, 4).bind(value)
        np.testing.assert_array_equal(ours(x, i).numpy(), theirs(X, value))
        np.testing.assert_array_equal(jitted(x, i).numpy(), theirs(X, value))


def test_a_bound_that_may_be_negative_or_not_is_refused() -> None:
    i = Variable("i", 0, 3).bind(2)
    with pytest.raises(ShapeError, match=r"for all values of i in 0..3"):
        Tensor(X)[-1 * i :]
