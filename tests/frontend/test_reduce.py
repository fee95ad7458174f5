"""`reduce` with a function of the user's own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Function, Tensor, dtypes, jit, where

RNG = np.random.default_rng(0)


def larger(a: Tensor, b: Tensor) -> Tensor:
    return where(a < b, b, a)


def last_number(a: Tensor, b: Tensor) -> Tensor:
    """Associative, but not commutative."""
    return where(b.isnan(), a, b)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 31, 64, 100, 1000])
def test_a_maximum_of_the_users_own(device: str, size: int) -> None:
    x = RNG.normal(size=(3, size))
    np.testing.assert_array_equal(Tensor(x).reduce(larger, -math.inf, 1).numpy(), x.max(1))


@pytest.mark.parametrize("dim", [0, 1, -1, (0, 2), (2, 0), (0, 1, 2), None])
@pytest.mark.parametrize("keepdim", [False, True])
def test_any_dimensions(dim: Any, keepdim: bool) -> None:
    x = RNG.integers(-9, 9, (3, 5, 6))
    expected = x.max(dim, keepdims=keepdim)
    found = Tensor(x).reduce(larger, -(2**63), dim, keepdim)
    assert found.dtype is dtypes.int64
    np.testing.assert_array_equal(found.numpy(), expected)


def test_elements_keep_their_order(device: str) -> None:
    x = RNG.normal(size=(4, 3, 37))
    x[RNG.random(x.shape) < 0.7] = np.nan
    x[:, :, 0] = 1
    expected = [[row[~np.isnan(row)][-1] for row in rows] for rows in x]
    np.testing.assert_array_equal(Tensor(x).reduce(last_number, math.nan, 2).numpy(), expected)
    both = [rows[~np.isnan(rows)][-1] for rows in x]
    np.testing.assert_array_equal(Tensor(x).reduce(last_number, math.nan, (1, 2)).numpy(), both)


@pytest.mark.parametrize(("shape", "dim"), [((0,), None), ((3, 0), 1), ((0, 3), 0), ((2, 0, 3), (1, 2))])
def test_no_elements_give_the_identity(device: str, shape: tuple[int, ...], dim: Any) -> None:
    found = Tensor(np.zeros(shape)).reduce(larger, -math.inf, dim)
    expected = np.zeros(shape).sum(dim)
    assert found.shape == expected.shape
    assert np.all(found.numpy() == -np.inf)
    assert (
        Tensor(np.zeros(shape)).reduce(larger, 0, dim, keepdim=True).shape
        == np.zeros(shape).sum(dim, keepdims=True).shape
    )


def test_a_scalar_is_its_own_result() -> None:
    assert Tensor(3.0).reduce(larger, -math.inf).item() == 3


@pytest.mark.parametrize("size", [5, 16, 100])
def test_its_gradient_is_that_of_the_tree(device: str, size: int) -> None:
    x = RNG.uniform(0.5, 1.5, (size, 3))
    ours, theirs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    (ours.reduce(lambda a, b: a * b, 1, 0) * Tensor([1.0, 2.0, 3.0])).sum().backward()
    (theirs.prod(0) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), 1e-10)


def test_the_gradient_may_be_the_users_own_too(device: str) -> None:
    class Largest(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            y = x.reduce(larger, -math.inf, 1, keepdim=True)
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, y = ctx.saved_tensors
            return where(x == y, g, 0)  # all of it, to each of several equal ones

    x = Tensor([[1.0, 3.0, 3.0], [2.0, 1.0, 0.0]], requires_grad=True)
    Largest.apply(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[0, 1, 1], [1, 0, 0]]


def test_it_is_compiled() -> None:
    largest = jit(lambda x: x.reduce(larger, -math.inf))
    for _ in range(4):
        x = RNG.normal(size=(5, 7)).astype(np.float32)
        assert largest(Tensor(x, device="OPENCL")).item() == x.max()


def test_its_source_does_not_grow_with_the_length() -> None:
    """Every level read by the next one in the same kernel would double the kernel."""
    x = Tensor(np.zeros((4, 4096), np.float32), device="OPENCL")
    kernels = x.reduce(larger, -math.inf, 1).schedule()
    assert len(kernels) == 4
    assert max(len(k.source) for k in kernels) < 4000
    assert sum(k.bytes for k in kernels) < 1.5 * x.nbytes
