"""Learning rate schedules: the rate of every group as a function of how many steps were taken.

A schedule sets the rate of step 0 when it is made; call `step()` after every step of the optimizer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from lazygrad.errors import ArgumentError, fail
from lazygrad.optim.limits import check_finite, check_setting, check_steps
from lazygrad.optim.optimizer import Optimizer


class LRScheduler:
    """Base of the schedules; a subclass gives the rate in closed form.

    Args:
        optimizer: its groups' rates now are the base rates.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.base_lrs: list[float] = [group["lr"] for group in optimizer.param_groups]
        self.last_epoch = 0
        self._set(0, self.base_lrs)

    def rate(self, step: int, base: float) -> float:
        """The learning rate after `step` steps, for a group whose base rate is `base`."""
        raise NotImplementedError(f"{type(self).__name__} does not define rate")

    def step(self) -> None:
        """Count one step, and set the rate for the next."""
        self._set(self.last_epoch + 1, self.base_lrs)

    def _set(self, step: int, bases: list[float]) -> None:
        """Take the rates of a step, all of them or, with ArgumentError for one that makes no sense, none."""
        rates = [self.rate(step, base) for base in bases]
        for rate in rates:
            check_setting(f"{type(self).__name__} at step {step}", "lr", rate)
        self.last_epoch, self.base_lrs = step, bases
        for group, rate in zip(self.optimizer.param_groups, rates):
            group["lr"] = rate

    def get_last_lr(self) -> list[float]:
        """The rate of each group now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, float]:
        """The number of steps, and the base rate of each group."""
        return {"last_epoch": self.last_epoch, **{f"base_lr.{i}": lr for i, lr in enumerate(self.base_lrs)}}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Continue where `state_dict` was taken. ArgumentError for another number of groups."""
        if set(state) != set(self.state_dict()):
            names = f"{sorted(state)} instead of {sorted(self.state_dict())}"
            fail(ArgumentError, f"{type(self).__name__}: the state has {names}")
        self._set(int(state["last_epoch"]), [state[f"base_lr.{i}"] for i in range(len(self.base_lrs))])


class LambdaLR(LRScheduler):
    """The base rate times a function of the step.

    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.LambdaLR(optimizer, lambda step: 0.5 ** step)
    >>> schedule.step()
    >>> optimizer.param_groups[0]["lr"]
    0.5
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float]) -> None:
        self.lr_lambda = lr_lambda
        super().__init__(optimizer)

    def rate(self, step: int, base: float) -> float:
        """The base rate times the function."""
        return base * self.lr_lambda(step)


class ConstantLR(LRScheduler):
    """The base rate times `factor` for `total_iters` steps, then the base rate.

    >>> schedule = optim.ConstantLR(optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0), 0.5, 2)
    >>> [round(schedule.rate(step, 1.0), 3) for step in range(4)]
    [0.5, 0.5, 1.0, 1.0]
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1.0, total_iters: int = 0) -> None:
        check_finite("ConstantLR", factor=factor)
        check_steps("ConstantLR", "total_iters", total_iters, 0)
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer)

    def rate(self, step: int, base: float) -> float:
        """The base rate, scaled at first."""
        return base * self.factor if step < self.total_iters else base


class StepLR(LRScheduler):
    """The base rate times `gamma` for every `step_size` steps taken.

    >>> schedule = optim.StepLR(optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0), 2, 0.5)
    >>> [round(schedule.rate(step, 1.0), 3) for step in range(4)]
    [1.0, 1.0, 0.5, 0.5]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        check_steps("StepLR", "step_size", step_size, 1)
        check_finite("StepLR", gamma=gamma)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def rate(self, step: int, base: float) -> float:
        """The base rate in stairs."""
        return float(base * self.gamma ** (step // self.step_size))


class ExponentialLR(LRScheduler):
    """The base rate times gamma ** step, but not less than `floor`.

    >>> schedule = optim.ExponentialLR(optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0), 0.5, floor=0.2)
    >>> [round(schedule.rate(step, 1.0), 3) for step in range(4)]
    [1.0, 0.5, 0.25, 0.2]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, floor: float = 0.0) -> None:
        check_finite("ExponentialLR", gamma=gamma, floor=floor)
        self.gamma, self.floor = gamma, floor
        super().__init__(optimizer)

    def rate(self, step: int, base: float) -> float:
        """The decaying rate."""
        return float(max(self.floor, base * self.gamma**step))


class InverseTimeLR(LRScheduler):
    """The base rate divided by 1 + decay * step.

    >>> schedule = optim.InverseTimeLR(optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0), 1.0)
    >>> [round(schedule.rate(step, 1.0), 3) for step in range(4)]
    [1.0, 0.5, 0.333, 0.25]
    """

    def __init__(self, optimizer: Optimizer, decay: float = 0.1) -> None:
        check_finite("InverseTimeLR", decay=decay)
        self.decay = decay
        super().__init__(optimizer)

    def rate(self, step: int, base: float) -> float:
        """The decaying rate."""
        return base / (1 + self.decay * step)


class LinearLR(LRScheduler):
    """The base rate times a factor that goes from `start_factor` to `end_factor` in `total_iters` steps: a warm-up.

    >>> schedule = optim.LinearLR(optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0), 0.5, 1.0, 2)
    >>> [round(schedule.rate(step, 1.0), 3) for step in range(4)]
    [0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5
    ) -> None:
        check_finite("LinearLR", start_factor=start_factor, end_factor=end_factor)
        check_steps("LinearLR", "total_iters", total_iters, 0)
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer)

    def rate(self, step: int, base: float) -> float:
        """The base rate on a ramp."""
        done = min(1.0, step / self.total_iters) if self.total_iters else 1.0
        return base * (self.start_factor + (self.end_factor - self.start_factor) * done)


class CosineAnnealingLR(LRScheduler):
    """From the base rate to `eta_min` along half a cosine of `T_max` steps, and along it again as in PyTorch.

    >>> schedule = optim.CosineAnnealingLR(optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0), 2)
    >>> [round(schedule.rate(step, 1.0), 3) for step in range(4)]
    [1.0, 0.5, 0.0, 0.5]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:  # PyTorch's name
        check_steps("CosineAnnealingLR", "T_max", T_max, 1)
        check_finite("CosineAnnealingLR", eta_min=eta_min)
        self.period, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def rate(self, step: int, base: float) -> float:
        """The rate on the cosine."""
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * step / self.period)) / 2


class WarmupCosineLR(LRScheduler):
    """A linear rise over `warmup` steps to the base rate, then a cosine down to `min_lr` at `total` steps.

    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.WarmupCosineLR(optimizer, warmup=1, total=3)
    >>> [round(schedule.rate(step, 1.0), 3) for step in range(4)]
    [0.5, 1.0, 0.5, 0.0]
    """

    def __init__(self, optimizer: Optimizer, warmup: int, total: int, min_lr: float = 0.0) -> None:
        if not 0 <= warmup <= total:
            fail(ArgumentError, f"WarmupCosineLR: {warmup} steps of warm-up are not among {total} steps")
        check_finite("WarmupCosineLR", min_lr=min_lr)
        self.warmup, self.total, self.min_lr = warmup, total, min_lr
        super().__init__(optimizer)

    def rate(self, step: int, base: float) -> float:
        """The rate on the ramp or on the cosine."""
        if step < self.warmup:
            return base * (step + 1) / (self.warmup + 1)
        if step >= self.total:
            return self.min_lr
        done = (step - self.warmup) / (self.total - self.warmup)
        return self.min_lr + (base - self.min_lr) * (1 + math.cos(math.pi * done)) / 2
