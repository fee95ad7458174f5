"""Random small nets, trained with and without jit, end where PyTorch ends (see `tests.training_programs`)."""

from __future__ import annotations

import pytest

from lazygrad import optim
from lazygrad.settings import settings
from tests.many import Seeds, every
from tests.training_programs import compare, training


def test_the_same_seed_gives_the_same_net() -> None:
    assert str(training(7)) == str(training(7))


def test_meaning(seeds: Seeds) -> None:
    with settings.override(device="NUMPY"):
        every(compare, seeds(16))


@pytest.mark.parametrize(("first", "target"), [(100, "cpu"), (103, "cpu"), (149, "gpu")])
def test_on_opencl(first: int, target: str, seeds: Seeds) -> None:
    with settings.override(device="OPENCL", target=target):
        every(lambda some: compare(some, 1), seeds(1, first))


def test_a_step_that_forgets_something_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clipping that does nothing, in nets that clip."""
    seeds = [seed for seed in range(40) if training(seed).clip == 0.1][:3]
    monkeypatch.setattr(optim, "clip_grad_norm_", lambda parameters, most: None)
    with settings.override(device="NUMPY"), pytest.raises(AssertionError, match="training"):
        compare(seeds)
