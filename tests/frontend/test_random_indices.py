"""Random indices of every form, against PyTorch (see `tests.many`)."""

from __future__ import annotations

from tests.index_programs import TOGETHER, check, check_outside
from tests.many import Seeds, every


def test_on_numpy(seeds: Seeds) -> None:
    every(lambda some: check(some, "NUMPY"), seeds(300), TOGETHER)


def test_on_opencl(seeds: Seeds) -> None:
    every(lambda some: check(some, "OPENCL"), seeds(25), TOGETHER)


def test_places_outside_on_numpy(seeds: Seeds) -> None:
    assert check_outside(seeds(150), "NUMPY") > 60


def test_places_outside_on_opencl(seeds: Seeds) -> None:
    assert check_outside(seeds(20), "OPENCL") > 3
