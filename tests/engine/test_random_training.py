"""Random small nets, trained with and without jit, end where PyTorch ends (see `tests.training_programs`)."""

from __future__ import annotations

import pytest

from lazygrad import optim
from lazygrad.settings import settings
from tests.training_programs import compare, training


def test_the_same_seed_gives_the_same_net() -> None:
    assert str(training(7)) == str(training(7))


@pytest.mark.parametrize("first", range(0, 16, 8))
def test_meaning(first: int) -> None:
    with settings.override(device="NUMPY"):
        compare(range(first, first + 8))


@pytest.mark.parametrize(("seed", "target"), [(100, "cpu"), (103, "cpu"), (149, "gpu")])
def test_on_opencl(seed: int, target: str) -> None:
    with settings.override(device="OPENCL", target=target):
        compare([seed], 1)


def test_a_step_that_forgets_something_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clipping that does nothing, in nets that clip."""
    seeds = [seed for seed in range(40) if training(seed).clip == 0.1][:3]
    monkeypatch.setattr(optim, "clip_grad_norm_", lambda parameters, most: None)
    with settings.override(device="NUMPY"), pytest.raises(AssertionError, match="training"):
        compare(seeds)
