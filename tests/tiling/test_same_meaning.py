"""What the passes make of a program computes the same, and leaves no array: for every kind of device, on all programs.

Nothing is compiled here, so that it can be asked of many kernels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, Variable
from lazygrad.engine.compile import plain_program
from lazygrad.ir.node import Node
from lazygrad.runtime.base import DeviceInfo
from lazygrad.schedule.kernel import schedule
from lazygrad.settings import settings
from lazygrad.tiling.optimize import optimize
from tests.convolutions import random_convolution
from tests.golden.programs import CPU, PROGRAMS
from tests.op_row import FLOATS, Row
from tests.op_table import TABLE
from tests.programs import random_program
from tests.tiling.random_products import RandomProduct

from .meaning import UnsupportedError, same_meaning

Seeds = Callable[[int], range]
GPU = replace(CPU, kind="gpu", vector_bytes=16, units=4, max_group=256)
DEVICES: dict[str, DeviceInfo] = {
    "vectors of 4": replace(CPU, vector_bytes=16),
    "vectors of 16": replace(CPU, vector_bytes=64),
    "work-items": GPU,
}


@pytest.fixture(params=DEVICES)
def info(request: pytest.FixtureRequest) -> Iterator[DeviceInfo]:
    with settings.override(device="NUMPY", verify=True):
        yield DEVICES[request.param]


def compare(roots: Sequence[Node], info: DeviceInfo) -> Counter[str]:
    """Every kernel before and after the passes; how many were compared, and how many only the emulator can run."""
    found: Counter[str] = Counter()
    for kernel in schedule(roots).kernels:
        plain = plain_program(kernel, {})
        try:
            same_meaning(plain, optimize(plain, info))
            found["compared"] += 1
        except UnsupportedError as error:
            if info.kind != "gpu":
                raise
            found[str(error)] += 1
    return found


def with_gradients(row: Row) -> list[Node]:
    rng = np.random.default_rng(0)
    arrays = [spec.sample(rng) for spec in row.inputs]
    wanted = row.grad and row.dtypes[0] in FLOATS
    inputs = [Tensor(a, requires_grad=wanted and np.asarray(a).dtype.kind == "f") for a in arrays]
    result = row.call(*inputs)
    if wanted and result.requires_grad:
        (result * result).sum().backward()
    return [t.node for t in (result, *(x.grad for x in inputs)) if t is not None]


def test_operations(info: DeviceInfo) -> None:
    found = sum((compare(with_gradients(row), info) for row in TABLE.values()), Counter())
    assert found.pop("compared") > len(TABLE)
    assert sum(found.values()) < len(TABLE) / 20, found  # what the interpreter does not know yet


@pytest.mark.parametrize("name", PROGRAMS)
def test_golden_programs(name: str, info: DeviceInfo) -> None:
    compare([PROGRAMS[name]().node], info)


def test_random_programs(info: DeviceInfo, seeds: Seeds) -> None:
    for seed in seeds(25):
        compare(random_program(seed, size=16).roots, info)


def test_random_convolutions(info: DeviceInfo, seeds: Seeds) -> None:
    for seed in seeds(12):
        compare([t.node for t in random_convolution(seed).ours()], info)


def test_random_products(info: DeviceInfo, seeds: Seeds) -> None:
    for seed in seeds(4):
        compare([t.node for t in RandomProduct(seed).outputs()], info)


N, M = Variable("n", 1, 70), Variable("m", 1, 40)
SYMBOLIC: dict[str, Callable[[Any, Any], Any]] = {  # of x (5, n) and y (m, n)
    "map": lambda x, y: (x * 2 + 1).reshape(-1).exp(),
    "total": lambda x, y: x.sum() + y.square().sum(),
    "rows": lambda x, y: x.softmax(-1).sum(0),
    "product, rows": lambda x, y: (y @ x.T).relu() + 1,
    "product, depth": lambda x, y: x @ y.T,
    "product, both": lambda x, y: (y.T @ y).sum(1),
    "padding": lambda x, y: y.pad((1, 0, 2, 3)).sum(0)[1:],
}


@pytest.mark.parametrize("name", SYMBOLIC)
def test_symbolic_sizes(name: str, info: DeviceInfo) -> None:
    x, y = Tensor(np.ones((5, 70)))[:, :N], Tensor(np.ones((40, 70)))[:M, :N]
    compare([SYMBOLIC[name](x, y).node], info)
