"""`ctc_loss` against PyTorch: random lengths and targets, those that a sequence is too short for among them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor
from lazygrad.ir.op import Op
from lazygrad.nn import functional
from lazygrad.schedule.kernel import schedule

T, N, C, S = 12, 4, 5, 4


class Sample:
    """Sequences, and targets in either layout: of any symbols, or of two, which repeat each other."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.x = rng.normal(size=(T, N, C))
        self.targets = rng.integers(1, C if seed % 2 else 3, (N, S))
        self.counts, self.times = rng.integers(0, S + 1, N), rng.integers(1, T + 1, N)
        if seed % 3 == 0:
            self.counts[0] = 0
        if seed % 3 == 1:
            self.times[0], self.counts[0] = 1, S
        if seed % 4 < 2:
            self.targets = np.concatenate([row[:n] for row, n in zip(self.targets, self.counts)])


def losses(sample: Sample, device: str, dtype: str, **options: Any) -> tuple[Tensor, Tensor]:
    """The loss, and the gradient by what `log_softmax` is taken of."""
    x = Tensor(sample.x.astype(dtype), device=device, requires_grad=True)
    given = [Tensor(n, device=device) for n in (sample.targets, sample.times, sample.counts)]
    loss = functional.ctc_loss(x.log_softmax(-1), *given, **options)
    (loss * Tensor(np.arange(1.0, N + 1).astype(dtype), device=device)).sum().backward()
    assert x.grad is not None
    return loss, x.grad


def compare(seed: int, device: str, dtype: str, tolerance: float, **options: Any) -> None:
    sample = Sample(seed)
    x = torch.tensor(sample.x, requires_grad=True)
    given = [torch.tensor(n) for n in (sample.targets, sample.times, sample.counts)]
    expected = torch.nn.functional.ctc_loss(x.log_softmax(-1), *given, **options)
    (expected * torch.arange(1.0, N + 1)).sum().backward()
    for ours, theirs in zip(losses(sample, device, dtype, **options), (expected.detach(), x.grad), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_is_pytorchs(reduction: str, zero_infinity: bool) -> None:
    for seed in range(12 if reduction == "none" else 3):
        compare(seed, "NUMPY", "float64", 1e-10, reduction=reduction, zero_infinity=zero_infinity)


def test_in_kernels() -> None:
    compare(3, "OPENCL", "float32", 1e-4, reduction="none")
    compare(4, "OPENCL", "float32", 1e-4, reduction="none", zero_infinity=True)


def test_kernels_do_not_grow_with_the_length() -> None:
    def count(length: int) -> int:
        x = Tensor.zeros(length, N, C, device="NUMPY").requires_grad_()
        targets = Tensor(np.ones((N, S), np.int64), device="NUMPY")
        functional.ctc_loss(x.log_softmax(-1), targets, [length] * N, [S] * N).backward()
        kernels = schedule([x.grad.node]).kernels
        assert sum(k.outputs[0].op is Op.REPEAT for k in kernels) == 2
        return len(kernels)

    assert count(20) == count(300) <= 16
