"""Learning rate schedules against PyTorch's, and in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from lazygrad import Tensor, optim
from lazygrad.errors import ArgumentError

SCHEDULES: dict[str, dict[str, Any]] = {
    "ConstantLR": {"factor": 0.5, "total_iters": 3},
    "StepLR": {"step_size": 3, "gamma": 0.5},
    "ExponentialLR": {"gamma": 0.9},
    "LinearLR": {"start_factor": 0.25, "end_factor": 1.0, "total_iters": 4},
    "CosineAnnealingLR": {"T_max": 8, "eta_min": 0.1},
    "LambdaLR": {"lr_lambda": lambda step: 1 / (1 + step)},
}


def optimizer() -> optim.SGD:
    w, b = Tensor([1.0], requires_grad=True), Tensor([1.0], requires_grad=True)
    return optim.SGD([{"params": [w], "lr": 2.0}, {"params": [b]}], lr=1.0)


def rates(schedule: optim.LRScheduler, steps: int) -> list[list[float]]:
    result = [schedule.get_last_lr()]
    for _ in range(steps):
        schedule.step()
        result.append(schedule.get_last_lr())
    return result


@pytest.mark.parametrize("name", SCHEDULES)
def test_as_torch(name: str) -> None:
    schedule = getattr(optim, name)(optimizer(), **SCHEDULES[name])
    w, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    theirs = torch.optim.SGD([{"params": [w], "lr": 2.0}, {"params": [b]}], lr=1.0)
    torch_schedule = getattr(torch.optim.lr_scheduler, name)(theirs, **SCHEDULES[name])
    for ours in rates(schedule, 12):
        assert ours == pytest.approx(torch_schedule.get_last_lr())
        theirs.step()
        torch_schedule.step()


CLOSED: dict[str, tuple[Callable[[optim.Optimizer], optim.LRScheduler], Callable[[int], float]]] = {
    "inverse time": (lambda o: optim.InverseTimeLR(o, 0.1), lambda k: 1 / (1 + 0.1 * k)),
    "floor": (lambda o: optim.ExponentialLR(o, 0.5, floor=0.2), lambda k: max(0.2, 0.5**k)),
    "warm-up and cosine": (
        lambda o: optim.WarmupCosineLR(o, 3, 9, 0.1),
        lambda k: (k + 1) / 4 if k < 3 else 0.1 + 0.45 * (1 + math.cos(math.pi * (min(k, 9) - 3) / 6)),
    ),
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms(name: str) -> None:
    make, formula = CLOSED[name]
    assert [r[1] for r in rates(make(optimizer()), 12)] == pytest.approx([formula(k) for k in range(13)])


def test_the_rate_reaches_the_steps() -> None:
    o = optimizer()
    schedule = optim.LambdaLR(o, lambda step: 10.0**-step)
    (w,) = o.param_groups[1]["params"]
    for _ in range(3):
        o.zero_grad()
        w.sum().backward()
        o.step()
        schedule.step()
    assert w.item() == pytest.approx(1 - 1.11)


def test_state_makes_the_round_trip() -> None:
    a, b = optim.StepLR(optimizer(), 2), optim.StepLR(optimizer(), 2)
    rates(a, 5)
    b.load_state_dict(a.state_dict())
    assert b.get_last_lr() == a.get_last_lr()
    with pytest.raises(ArgumentError, match="last_epoch"):
        b.load_state_dict({"last_epoch": 1})
    with pytest.raises(ArgumentError, match="warm-up"):
        optim.WarmupCosineLR(optimizer(), 5, 3)
