"""Kernels of whole plans leave no array when they run, with code for CPUs and for GPUs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from lazygrad import Tensor
from lazygrad.dtype import DType
from lazygrad.engine import run
from lazygrad.ir.elements import Array, from_storage, to_storage
from lazygrad.ir.node import Node
from lazygrad.runtime.registry import canonical
from lazygrad.settings import settings
from tests.golden.programs import PROGRAMS
from tests.op_row import FLOATS
from tests.op_table import TABLE
from tests.programs import random_program

from .checked_accesses import Watch, accesses_checked

Seeds = Callable[[int], range]


@pytest.fixture(params=["cpu", "gpu"])
def watch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    with settings.override(device="OPENCL", target=request.param), accesses_checked(monkeypatch) as found:
        yield found
    assert found.kernels


def on_opencl(array: Array, dtype: DType) -> Node:
    return run.upload(to_storage(np.asarray(array), dtype), dtype, canonical("OPENCL"))


def test_random_programs(watch: Watch, seeds: Seeds) -> None:
    programs = [random_program(seed, size=16, make=on_opencl) for seed in seeds(8)]
    run.realize([n for p in programs for n in p.roots], canonical("OPENCL"))
    for p in programs:
        p.check([from_storage(run.download(n), n.dtype) for n in p.roots])


def test_some_operations(watch: Watch) -> None:
    """Every twelfth, with its gradients."""
    results: list[Tensor] = []
    for row in list(TABLE.values())[::12]:
        rng = np.random.default_rng(0)
        arrays = [np.asarray(spec.sample(rng)) for spec in row.inputs]
        wanted = row.grad and row.dtypes[0] in FLOATS
        inputs = [Tensor(a, requires_grad=wanted and a.dtype.kind == "f") for a in arrays]
        results.append(row.call(*inputs))
        if results[-1].requires_grad:
            (results[-1] * results[-1]).sum().backward()
        results += [x.grad for x in inputs if x.grad is not None]
    Tensor.realize(*results)


def test_golden_programs(watch: Watch) -> None:
    Tensor.realize(*(make() for make in PROGRAMS.values()))
