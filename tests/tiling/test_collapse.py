"""Axes that become one, where reductions stand in reductions."""

from __future__ import annotations

import numpy as np
import pytest

from lazygrad import Tensor


@pytest.mark.parametrize("shape", [(3, 5, 16), (12, 64, 512), (2, 3, 1)])
def test_a_reduction_of_a_stored_sum_follows_the_sums_merged_axes(shape: tuple[int, ...]) -> None:
    """A bias's gradient and its squared norm: the inner sum's two axes become one, and the outer sum reads it."""
    values = np.random.default_rng(0).standard_normal(shape)
    x = Tensor(values).realize()
    total = x.sum((0, 1))
    squares = (total * total).sum()
    Tensor.realize(total, squares)
    expected = values.sum((0, 1))
    np.testing.assert_allclose(total.numpy(), expected, atol=1e-11)
    np.testing.assert_allclose(squares.item(), (expected * expected).sum(), rtol=1e-11)
