"""Settings that would spoil every parameter in one step are refused, at first and whenever they are set later."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, optim
from lazygrad.errors import ArgumentError, DTypeError

BAD = (math.nan, math.inf, -math.inf, -0.1, "0.1", None)
MAKERS: dict[str, Any] = {"SGD": optim.SGD, "Adam": optim.Adam, "AdamW": optim.AdamW}
SETTINGS = {
    "SGD": ("lr", "momentum", "weight_decay"),
    "Adam": ("lr", "eps", "weight_decay"),
    "AdamW": ("lr", "eps", "weight_decay"),
}
BAD_BETAS = ((0.9,), (0.9, 1.0), (-0.1, 0.9), (math.nan, 0.9), (0.9, math.nan), 0.9, (0.9, "0.9"), (0.5, 0.9, 0.9))


def weight() -> Tensor:
    return Tensor([1.0], requires_grad=True)


@pytest.mark.parametrize("name", MAKERS)
def test_nonsense_is_refused_at_first(name: str) -> None:
    for setting in SETTINGS[name]:
        for value in BAD:
            with pytest.raises(ArgumentError, match=f"{name}: {setting}(=| is)"):
                MAKERS[name]([weight()], **{setting: value})
            with pytest.raises(ArgumentError, match=f"{name}: {setting}(=| is)"):
                MAKERS[name]([{"params": [weight()], setting: value}])
    if name != "SGD":
        for betas in BAD_BETAS:
            with pytest.raises(ArgumentError, match="betas"):
                MAKERS[name]([weight()], betas=betas)
            with pytest.raises(ArgumentError, match="betas"):
                MAKERS[name]([{"params": [weight()], "betas": betas}])


@pytest.mark.parametrize("name", MAKERS)
def test_nonsense_is_refused_later_and_changes_nothing(name: str) -> None:
    w = weight()
    optimizer = MAKERS[name]([w], lr=0.5)
    group = optimizer.param_groups[0]
    ways: list[Callable[[str, Any], Any]] = [
        lambda setting, value: group.__setitem__(setting, value),
        lambda setting, value: group.update({setting: value}),
        lambda setting, value: group.update(**{setting: value}),
        lambda setting, value: group.__ior__({setting: value}),
    ]
    for way in ways:
        for setting in SETTINGS[name]:
            before = dict(group)
            for value in BAD:
                with pytest.raises(ArgumentError, match=setting):
                    way(setting, value)
            assert dict(group) == before
    for value in BAD:
        with pytest.raises(ArgumentError, match=r"lr(=| is)"):
            optimizer.set_lr(value)
    assert group.rate.item() == 0.5
    if name != "SGD":
        with pytest.raises(ArgumentError, match="betas"):
            group["betas"] = (1.0, 0.9)
    with pytest.raises(DTypeError, match="does not fit float32"):
        optimizer.set_lr(1e300)
    group.update(lr=np.float32(0.25), weight_decay=0)
    assert (group["lr"], group.rate.item()) == (0.25, 0.25)
    (w * 3).sum().backward()
    optimizer.step()
    assert math.isfinite(w.item())


def test_a_state_with_a_nonsensical_rate_is_not_taken_over() -> None:
    optimizer = optim.SGD([weight()], lr=0.5, momentum=0.9)
    state = {**optimizer.state_dict(), "momentum_buffer.0.0": Tensor([7.0]), "lr.0": Tensor(math.nan)}
    with pytest.raises(ArgumentError, match="lr=nan"):
        optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert optimizer.state["momentum_buffer.0.0"].tolist() == [0.0]


def test_schedules_refuse_what_leads_to_nonsense() -> None:
    def optimizer() -> optim.SGD:
        return optim.SGD([weight()], lr=0.5)

    for make in (
        lambda: optim.StepLR(optimizer(), 0),
        lambda: optim.StepLR(optimizer(), 2.5),  # type: ignore[arg-type]
        lambda: optim.StepLR(optimizer(), 2, math.nan),
        lambda: optim.ExponentialLR(optimizer(), math.nan),
        lambda: optim.ExponentialLR(optimizer(), 0.5, floor=math.inf),
        lambda: optim.InverseTimeLR(optimizer(), math.nan),
        lambda: optim.ConstantLR(optimizer(), math.nan, 3),
        lambda: optim.ConstantLR(optimizer(), -1.0, 3),
        lambda: optim.LinearLR(optimizer(), math.inf),
        lambda: optim.LinearLR(optimizer(), total_iters=-1),
        lambda: optim.CosineAnnealingLR(optimizer(), 0),
        lambda: optim.CosineAnnealingLR(optimizer(), 10, eta_min=math.nan),
        lambda: optim.WarmupCosineLR(optimizer(), 1, 3, min_lr=math.nan),
        lambda: optim.LambdaLR(optimizer(), lambda step: math.nan),
    ):
        with pytest.raises(ArgumentError):
            make()


def test_a_schedule_that_reaches_nonsense_stops_before_it() -> None:
    optimizer = optim.SGD([{"params": [weight()], "lr": 0.5}, {"params": [weight()], "lr": 1.0}])
    schedule = optim.LambdaLR(optimizer, lambda step: math.nan if step == 2 else 1.0 / (step + 1))
    schedule.step()
    for _ in range(2):
        with pytest.raises(ArgumentError, match="LambdaLR at step 2: lr=nan"):
            schedule.step()
    assert schedule.get_last_lr() == [0.25, 0.5]
    assert schedule.last_epoch == 1
    negative = optim.InverseTimeLR(optim.SGD([weight()], lr=1.0), decay=-0.7)
    with pytest.raises(ArgumentError, match="is not negative"):
        negative.step(), negative.step()


def test_limits_on_gradients_refuse_nonsense() -> None:
    w = weight()
    (w * 3).sum().backward()
    for limit in (math.nan, -1.0):
        with pytest.raises(ArgumentError, match="max_norm"):
            optim.clip_grad_norm_([w], limit)
        with pytest.raises(ArgumentError, match="clip_value"):
            optim.clip_grad_value_([w], limit)
    optim.clip_grad_value_([w], math.inf)
    assert w.grad is not None
    assert w.grad.tolist() == [3.0]
