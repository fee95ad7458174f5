"""Random indices of every form, against PyTorch: `--seed` and `--breadth` make others and more."""

from __future__ import annotations

from collections.abc import Callable

from tests.index_programs import check, check_outside

Seeds = Callable[[int], range]


def test_on_numpy(seeds: Seeds) -> None:
    check(seeds(300), "NUMPY")


def test_on_opencl(seeds: Seeds) -> None:
    check(seeds(25), "OPENCL")


def test_places_outside_on_numpy(seeds: Seeds) -> None:
    assert check_outside(seeds(150), "NUMPY") > 60


def test_places_outside_on_opencl(seeds: Seeds) -> None:
    assert check_outside(seeds(20), "OPENCL") > 3
