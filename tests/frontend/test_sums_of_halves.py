"""Long sums of 16-bit floats are kept in float32: in bfloat16 they would end at 256 times a number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lazygrad import Tensor, dtypes
from lazygrad.dtype import DType

ROWS = 1500
INDEX = np.random.default_rng(0).integers(0, 3, ROWS)
Sum = Callable[[Tensor], Tensor]
Exact = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def at(x: Tensor) -> Tensor:
    return Tensor(np.repeat(INDEX[:, None], x.shape[1], 1), device=x.device)


def by_gradient(x: Tensor) -> Tensor:
    """What a table gets that was read so often, each time with another weight."""
    table = Tensor(np.zeros((3, x.shape[1]), np.float32), device=x.device).cast(x.dtype).realize().requires_grad_(True)
    (table[Tensor(INDEX, device=x.device)] * x).float().sum().backward()
    assert table.grad is not None
    return table.grad


def added(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([x[k == INDEX].sum(0) for k in range(3)])


SUMS: dict[str, tuple[Sum, Exact]] = {
    "sum": (lambda x: x.sum(0), lambda x: x.sum(0)),
    "sum of rows": (lambda x: x.T.sum(-1), lambda x: x.sum(0)),
    "mean": (lambda x: x.mean(0), lambda x: x.mean(0)),
    "running sum": (lambda x: x.cumsum(0), lambda x: x.cumsum(0)),
    "product with ones": (lambda x: x.T @ (x * 0 + 1), lambda x: np.repeat(x.sum(0)[:, None], x.shape[1], 1)),
    "scatter_add": (lambda x: (x[:3] * 0).scatter_add(0, at(x), x), added),
    "gradient of what was read": (by_gradient, added),
}


@pytest.mark.parametrize("device", ["NUMPY", "OPENCL", "CUDA_EMULATED"])
@pytest.mark.parametrize("dtype", [dtypes.float16, dtypes.bfloat16], ids=str)
def test_long_sums(dtype: DType, device: str) -> None:
    numbers = np.random.default_rng(1).integers(1, 9, (ROWS, 4)) / 8  # every type has them
    x = Tensor(numbers.astype(np.float32), device=device).cast(dtype).realize()
    for name, (ours, exact) in SUMS.items():
        step = 2.0**-8 if dtype is dtypes.bfloat16 else 2.0**-11
        np.testing.assert_allclose(ours(x).float().numpy(), exact(numbers), step * 1.01, 0, err_msg=name)


@pytest.mark.parametrize("dtype", [dtypes.bfloat16, dtypes.float16], ids=str)
def test_products_and_biases_are_rounded_once(device: str, dtype: DType) -> None:
    """Of what is added up, and a bias to it, as in PyTorch: a third of these numbers shows another rounding."""
    rng = np.random.default_rng(0)

    def given(*shape: int) -> tuple[Tensor, torch.Tensor]:
        x = Tensor(rng.standard_normal(shape) * 4, dtype=dtype)
        return x, torch.tensor(x.double().numpy())

    x, weight, bias = given(40, 24), given(48, 24), given(48)
    images, kernels = given(2, 4, 6, 6), given(48, 4, 3, 3)
    results = [
        (x[0].linear(weight[0], bias[0]), torch.nn.functional.linear(x[1], weight[1], bias[1])),
        (x[0][0].linear(weight[0], bias[0]), torch.nn.functional.linear(x[1][0], weight[1], bias[1])),
        (x[0].einsum("ij,kj->ik", weight[0]), torch.einsum("ij,kj->ik", x[1], weight[1])),
        (images[0].conv2d(kernels[0], bias[0]), torch.nn.functional.conv2d(images[1], kernels[1], bias[1])),
    ]
    Tensor.realize(*(ours for ours, _ in results))
    for ours, exact in results:
        rounded = exact.to(getattr(torch, str(dtype))).double().numpy()
        assert (ours.double().numpy() != rounded).mean() < 0.02  # what the order of a float32 sum may turn
