"""Random convolutions and their gradients are PyTorch's, on every device and with code for every kind of device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from lazygrad import Tensor
from lazygrad.settings import settings
from tests.convolutions import random_convolution
from tests.tile.checked_accesses import accesses_checked

Seeds = Callable[[int], range]
TOGETHER = 20  # convolutions whose kernels are compiled together


def compare(seeds: range) -> None:
    """Realize the convolutions of some seeds together, and compare every element."""
    for first in range(seeds.start, seeds.stop, TOGETHER):
        some = [random_convolution(seed) for seed in range(first, min(first + TOGETHER, seeds.stop))]
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
        compare(seeds(40))


def test_on_cpus(seeds: Seeds) -> None:
    with code_for("cpu"):
        compare(seeds(6))


def test_on_gpus(seeds: Seeds) -> None:
    with code_for("gpu"):
        compare(seeds(4))


def test_on_the_emulator(seeds: Seeds) -> None:
    with settings.override(device="CUDA_EMULATED"):
        compare(seeds(1))


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_nothing_outside_is_read_or_written(target: str, seeds: Seeds, monkeypatch: pytest.MonkeyPatch) -> None:
    with code_for(target), accesses_checked(monkeypatch):
        compare(seeds(2))
