"""Pools beyond the table: fractional ones with given random numbers, and largest elements that are -inf."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lazygrad import Tensor
from lazygrad.nn import functional


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("batched", [True, False])
def test_fractional_pools_are_pytorchs_of_the_same_random_numbers(n: int, batched: bool, device: str) -> None:
    rng = np.random.default_rng(n)
    shape = (2, 3, *(9, 8, 7)[:n]) if batched else (3, *(9, 8, 7)[:n])
    x, draws = rng.standard_normal(shape).astype("float32"), rng.random((shape[0] if batched else 1, 3, n))
    name = f"fractional_max_pool{n}d"
    a, t = Tensor(x, device=device, requires_grad=True), torch.tensor(x, requires_grad=True)
    values, places = getattr(functional, name)(
        a, 2, (4, 3, 5)[:n], return_indices=True, _random_samples=Tensor(draws, device=device)
    )
    want, where = getattr(torch.nn.functional, name)(
        t, 2, (4, 3, 5)[:n], return_indices=True, _random_samples=torch.tensor(draws, dtype=torch.float32)
    )
    values.square().sum().backward()
    want.square().sum().backward()
    np.testing.assert_array_equal(places.numpy(), where.numpy())
    np.testing.assert_array_equal(values.numpy(), want.detach().numpy())
    assert a.grad is not None
    assert t.grad is not None
    np.testing.assert_allclose(a.grad.numpy(), t.grad.numpy(), rtol=1e-6)


def test_places_are_never_those_of_padding(device: str) -> None:
    x = np.full((1, 4, 5), -np.inf, "float32")
    x[0, 2, 2] = 1
    got = Tensor(x, device=device).max_pool2d(3, 2, 1, ceil_mode=True, return_indices=True)
    want = torch.nn.functional.max_pool2d(torch.tensor(x), 3, 2, 1, ceil_mode=True, return_indices=True)
    for a, b in zip(got, want):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_shapes_that_a_pool_draws_are_those_asked_for() -> None:
    x = Tensor.ones(2, 3, 9, 9)
    assert x.fractional_max_pool2d(2, output_ratio=0.5).shape == (2, 3, 4, 4)
