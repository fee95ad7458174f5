"""Training on the emulated GPU, where the optimizer's update is part of the kernel that makes the gradient."""

from __future__ import annotations

import numpy as np
import pytest

from lazygrad import Tensor, jit, optim
from lazygrad.settings import settings


def weights(device: str, arch: str) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """A matrix after each of four steps of AdamW, whose moments and parameter change in place."""
    rng = np.random.default_rng(0)
    draws = [[rng.standard_normal(s).astype(np.float32) for s in ((96, 64), (96, 64))] for _ in range(4)]
    with settings.override(device=device, emulated_arch=arch):
        w = Tensor(rng.standard_normal((64, 64)).astype(np.float32), requires_grad=True)
        optimizer = optim.AdamW([w], lr=1e-3)

        def step(x: Tensor, y: Tensor) -> Tensor:
            loss = ((x @ w.T) * y).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        run, found = jit(step), []
        for x, y in draws:
            run(Tensor(x), Tensor(y)).realize()
            found.append(w.numpy())
    return found


@pytest.mark.parametrize("arch", ["sm_80", "sm_90a"])
def test_moments_change_once_in_a_step(arch: str) -> None:
    """The first step shows nothing: after it every moment is a multiple of the gradient."""
    for got, want in zip(weights("CUDA_EMULATED", arch), weights("NUMPY", arch)):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-6)
