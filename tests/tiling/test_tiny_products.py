"""Products of a few rows and columns have a plan on every kind of GPU, and the right values."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import numpy as np
import pytest

from lazygrad import Tensor, dtypes
from lazygrad.dtype import DType
from lazygrad.engine.compile import compile_kernel
from lazygrad.runtime.base import DeviceInfo
from lazygrad.runtime.registry import open_device
from lazygrad.schedule.kernel import schedule
from lazygrad.settings import settings

SIDES = (1, 2, 3, 4, 5, 8, 9, 17)
DEPTHS = (1, 2, 5, 8, 16, 64, 100)
DTYPES = (dtypes.float32, dtypes.float64, dtypes.float16, dtypes.int32)
Shape = tuple[int, int, int, DType]
SHAPES: list[Shape] = list(itertools.product(SIDES, DEPTHS, SIDES, DTYPES))
SMALLEST = [s for s in SHAPES if max(s[0], s[2]) < 5 and s[1] in (5, 16)]  # less than a warp has work-items for


def product(shape: Shape) -> tuple[Tensor, np.ndarray]:
    """The product of whole numbers on the default device, and what it must be."""
    m, k, n, dtype = shape
    rng = np.random.default_rng(m * k * n)
    a, b = rng.integers(-3, 4, (m, k)), rng.integers(-3, 4, (k, n))
    return Tensor(a.astype(dtype.storage)) @ Tensor(b.astype(dtype.storage)), a @ b


def gpus() -> dict[str, DeviceInfo]:
    with settings.override(device="OPENCL", target="gpu"):
        return {"OPENCL": open_device("OPENCL").info, "CUDA_EMULATED": open_device("CUDA_EMULATED").info}


@pytest.mark.parametrize("name", ["OPENCL", "CUDA_EMULATED"])
def test_every_one_has_a_plan(name: str) -> None:
    info = gpus()[name]
    with settings.override(device="NUMPY"):
        for shape in [*SMALLEST, *random.Random(0).sample(SHAPES, 60)]:
            for kernel in schedule([product(shape)[0].node]).kernels:
                compile_kernel(kernel, {}, info)


def compare(shapes: Sequence[Shape]) -> None:
    made = [product(shape) for shape in shapes]
    Tensor.realize(*(ours for ours, _ in made))
    for shape, (ours, expected) in zip(shapes, made):
        np.testing.assert_array_equal(ours.numpy().astype(np.int64), expected, str(shape))


def test_values_of_code_for_gpus() -> None:
    with settings.override(device="OPENCL", target="gpu"):
        compare(random.Random(1).sample(SMALLEST, 16) + random.Random(2).sample(SHAPES, 8))


def test_values_on_the_emulator() -> None:
    with settings.override(device="CUDA_EMULATED"):
        compare(random.Random(3).sample(SMALLEST, 6) + random.Random(4).sample(SHAPES, 2))
