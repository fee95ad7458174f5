"""Random convolutions and their gradients are PyTorch's, on every device and with code for every kind of device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest

from lazygrad import Tensor
from lazygrad.settings import settings
from tests.convolutions import random_convolution
from tests.many import Seeds, every
from tests.tiling.checked_accesses import accesses_checked

TOGETHER = 20  # convolutions whose kernels are compiled together


def compare(seeds: Sequence[int]) -> None:
    """Realize the convolutions of some seeds together, and compare every element."""
    some = [random_convolution(seed) for seed in seeds]
    made = [c.ours() for c in some]
    Tensor.realize(*(t for ours in made for t in ours))
    for c, ours in zip(some, made):
        for what, got, want in zip(("result", "input", "weight", "bias"), ours, c.expected(), strict=False):
            np.testing.assert_array_equal(got.numpy(), want, f"{what} of {c}")
        assert len(ours) == 3 + c.has_bias


@contextmanager
def code_for(target: str) -> Iterator[None]:
    with settings.override(device="OPENCL", target=target):
        yield


def test_on_numpy(seeds: Seeds) -> None:
    with settings.override(device="NUMPY"):
        every(compare, seeds(40), TOGETHER)


def test_on_cpus(seeds: Seeds) -> None:
    with code_for("cpu"):
        every(compare, seeds(6), TOGETHER)


def test_on_gpus(seeds: Seeds) -> None:
    with code_for("gpu"):
        every(compare, seeds(4), TOGETHER)


def test_on_the_emulator(seeds: Seeds) -> None:
    with settings.override(device="CUDA_EMULATED"):
        every(compare, seeds(1), TOGETHER)


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_nothing_outside_is_read_or_written(target: str, seeds: Seeds, monkeypatch: pytest.MonkeyPatch) -> None:
    with code_for(target), accesses_checked(monkeypatch):
        every(compare, seeds(2), TOGETHER)
