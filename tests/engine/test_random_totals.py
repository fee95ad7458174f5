"""Random programs of totals and of what reads them, with gradients, equal PyTorch's (see `tests.total_programs`)."""

from __future__ import annotations

import numpy as np
import pytest

from lazygrad import Tensor
from lazygrad.schedule.kernel import schedule
from lazygrad.settings import settings
from tests.many import Seeds, every
from tests.total_programs import compare, total_program

TOGETHER = 12


def test_the_same_seed_gives_the_same_program() -> None:
    assert str(total_program(5)) == str(total_program(5))


def test_meaning(seeds: Seeds) -> None:
    with settings.override(device="NUMPY"):
        every(compare, seeds(120), 40)


def test_schedules(seeds: Seeds) -> None:
    """Many more, which are only scheduled: the verifier finds what is read where it is not known."""
    with settings.override(device="NUMPY", verify=True):
        for seed in seeds(150, 3000):
            program = total_program(seed)
            inputs = [Tensor(a, requires_grad=bool(program.weights)) for a in program.arrays]
            schedule([t.node for _, found in program.run(inputs) for t in found])


@pytest.mark.parametrize(("first", "target"), [(0, "cpu"), (1000, "cpu"), (500, "gpu")])
def test_on_opencl(first: int, target: str, seeds: Seeds) -> None:
    with settings.override(device="OPENCL", target=target):
        every(compare, seeds(TOGETHER, first), TOGETHER)


def test_on_an_emulated_gpu(seeds: Seeds) -> None:
    with settings.override(device="CUDA_EMULATED"):
        every(lambda some: compare(some, 5), seeds(3, 2000), 3)


A = np.random.default_rng(0).standard_normal((32, 4))


def test_rows_that_are_divided_by_their_total_and_summed_again(device: str) -> None:
    x = Tensor(A).sum(1)
    p = x / x.abs().sum()
    t = (p * x).sum()
    Tensor.realize(p, t)
    rows = A.sum(1)
    np.testing.assert_allclose(p.numpy(), rows / np.abs(rows).sum(), 1e-12)
    np.testing.assert_allclose(t.numpy(), (rows / np.abs(rows).sum() * rows).sum(), 1e-12)


def test_a_total_and_its_gradient_in_one_schedule(device: str) -> None:
    x, c = Tensor(np.ones(257), requires_grad=True), Tensor(np.arange(257.0))
    b = x.abs()
    r = b / (b.abs().sum() + 0.5)
    ((r * c).sum() + (b * c).sum()).backward()
    assert x.grad is not None
    Tensor.realize(r, b, x.grad)
    np.testing.assert_allclose(r.numpy(), np.full(257, 1 / 257.5), 1e-12)
    wanted = np.arange(257.0) / 257.5 - np.arange(257.0).sum() / 257.5**2 + np.arange(257.0)
    np.testing.assert_allclose(x.grad.numpy(), wanted, 1e-12)


def test_what_reads_a_group_that_was_drawn_in(device: str) -> None:
    """Another reduction of the same source, after the first one's group has become part of a later one."""
    source, y = Tensor(A), Tensor(A + 1).sum(1)
    total, greatest = (source.sum(1) * y).sum(), source.amax(1)
    Tensor.realize(total, greatest)
    np.testing.assert_allclose(total.numpy(), (A.sum(1) * (A + 1).sum(1)).sum(), 1e-12)
    np.testing.assert_array_equal(greatest.numpy(), A.max(1))
