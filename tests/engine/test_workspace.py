"""Scratch memory of a plan: its kernels share it, and leave tickets as zeros."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from lazygrad import Tensor, dtypes, jit
from lazygrad.engine import run
from lazygrad.engine.execute import Runner
from lazygrad.engine.slots import Workspace
from lazygrad.runtime.registry import open_device
from lazygrad.settings import settings
from tests.tiling.matrix_programs import warp_groups


@pytest.fixture(params=["sums", "products"])
def emulated(request: pytest.FixtureRequest) -> Iterator[str]:
    """Kernels with tickets: of whole groups, and of warp groups."""
    with settings.override(device="CUDA_EMULATED", emulated_arch="sm_90a", verify=True), warp_groups(False, splits=2):
        yield str(request.param)


def inputs(kind: str) -> list[Tensor]:
    rng = np.random.default_rng(0)
    sizes = [(30_000,), (20_001,)] if kind == "sums" else [(256, 192), (192, 256)]
    dtype = dtypes.float32 if kind == "sums" else dtypes.bfloat16
    return [Tensor(rng.integers(-1, 2, s).astype("float32")).cast(dtype).realize() for s in sizes]


def two_kernels(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Each with a workspace of another size."""
    if len(a.shape) == 1:
        return a.sum(), (b * 2).sum()
    return a @ b, b[:, :128].transpose(0, 1) @ a.transpose(0, 1)[:, :128]


def runner_with_scratch() -> Runner:
    found = [r for r in run._runners.values() if isinstance(r, Runner) and r.scratch]
    return max(found, key=lambda r: len(r.plan.steps))


def test_kernels_share_it_and_leave_tickets_as_zeros(emulated: str) -> None:
    given = inputs(emulated)
    expected = [y.numpy() for y in two_kernels(*(Tensor(x.float().numpy(), device="NUMPY") for x in inputs(emulated)))]
    for _ in range(3):
        results = two_kernels(*given)
        Tensor.realize(*results)
        for got, want in zip(results, expected):
            np.testing.assert_allclose(got.float().numpy(), want, rtol=2.0**-8)
    runner = runner_with_scratch()
    used = [[m for m in s.memories if isinstance(m, Workspace)] for s in runner.plan.steps]
    assert [len(own) for own in used] == [2, 2]
    for first, second in zip(*used):
        assert first.offset == second.offset
    runtime = open_device("CUDA_EMULATED")
    for step, own in zip(runner.plan.steps, used):
        assert sorted(is_tickets for _, is_tickets in step.kernel.workspace) == [False, True]
        for slot, (size, is_tickets) in zip(own, step.kernel.workspace):
            content = np.frombuffer(runtime.read(runner.scratch[slot], size), np.uint8)
            assert content.any() != is_tickets


def test_replayed_calls_find_tickets_as_zeros(emulated: str) -> None:
    given = inputs(emulated)
    step = jit(two_kernels)
    expected = [y.float().numpy() for y in two_kernels(*given)]
    for _ in range(4):
        for got, want in zip(step(*given), expected):
            np.testing.assert_array_equal(got.float().numpy(), want)
