"""Random products of matrices, on the CPU and on the emulated GPU, equal what NumPy computes, bit for bit."""

from __future__ import annotations

import random
from contextlib import ExitStack

import numpy as np
import pytest

from lazygrad import Tensor
from lazygrad.settings import settings
from tests.tiling.matrix_programs import warp_groups, warps
from tests.tiling.random_products import RandomProduct


def compare(seed: int, aligned: bool, device: str) -> None:
    expected = [x.float().numpy() for x in RandomProduct(seed, aligned, "NUMPY").outputs()]
    program = RandomProduct(seed, aligned, device)
    outputs = program.outputs()
    Tensor.realize(*outputs)
    for got, wanted in zip(outputs, expected, strict=True):
        steps = "\n".join(program.steps)
        np.testing.assert_array_equal(got.float().numpy(), wanted, err_msg=f"compare({seed}, {aligned})\n{steps}")


@pytest.mark.parametrize("seed", range(8))
def test_on_a_cpu(seed: int) -> None:
    compare(seed, False, "OPENCL")


@pytest.mark.parametrize("seed", range(8))
def test_on_an_emulated_gpu(seed: int) -> None:
    rng = random.Random(seed)
    arch, precision = rng.choice(("sm_80", "sm_90a")), rng.choice(("highest", "high"))
    with settings.override(device="CUDA_EMULATED", emulated_arch=arch, verify=True, float32_matmul_precision=precision):
        compare(seed, False, "CUDA_EMULATED")


@pytest.mark.parametrize("seed", range(12))
def test_on_warp_groups(seed: int) -> None:
    """Half of them as the cost model would have it, half in a way chosen at random."""
    rng = random.Random(seed)
    alternate, splits = rng.random() < 0.5, rng.choice((1, 2, 3))
    with ExitStack() as stack:
        stack.enter_context(settings.override(device="CUDA_EMULATED", emulated_arch="sm_90a", verify=True))
        if seed % 2:
            stack.enter_context(warp_groups(alternate, splits))
            stack.enter_context(warps(splits))
        compare(seed, True, "CUDA_EMULATED")
