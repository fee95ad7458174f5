"""Learning rate schedules in stairs, on ramps, and with powers."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable

from lazygrad.errors import ArgumentError, fail
from lazygrad.optim.limits import check_finite, check_steps
from lazygrad.optim.optimizer import Optimizer
from lazygrad.optim.schedule import ChainedLR, LRScheduler


class StepLR(ChainedLR):
    """The rate times `gamma` after every `step_size` steps.

    >>> schedule = optim.StepLR(optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0), 2, 0.5)
    >>> [round(schedule.rate(step, 1.0), 3) for step in range(4)]
    [1.0, 1.0, 0.5, 0.5]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        check_steps("StepLR", "step_size", step_size, 1)
        check_finite("StepLR", gamma=gamma)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float) -> float:
        """The base rate in stairs."""
        return float(base * self.gamma ** (step // self.step_size))

    def next_rate(self, lr: float, base: float) -> float:
        """One stair down, where there is one."""
        return lr * self.gamma if self.last_epoch and self.last_epoch % self.step_size == 0 else lr


class MultiStepLR(ChainedLR):
    """The rate times `gamma` at each of the `milestones`, numbers of steps (twice where one is named twice).

    >>> schedule = optim.lr_scheduler.MultiStepLR(optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0), [1, 3], 0.5)
    >>> [round(schedule.rate(step, 1.0), 3) for step in range(5)]
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        check_finite("MultiStepLR", gamma=gamma)
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float) -> float:
        """The base rate in stairs."""
        return float(base * self.gamma ** bisect_right(sorted(self.milestones.elements()), step))

    def next_rate(self, lr: float, base: float) -> float:
        """One stair down, where there is one."""
        return float(lr * self.gamma ** self.milestones[self.last_epoch])


class ConstantLR(ChainedLR):
    """The rate times `factor` for `total_iters` steps, then without it.

    >>> schedule = optim.ConstantLR(optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0), 0.5, 2)
    >>> [round(schedule.rate(step, 1.0), 3) for step in range(4)]
    [0.5, 0.5, 1.0, 1.0]
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        check_finite("ConstantLR", factor=factor)
        check_steps("ConstantLR", "total_iters", total_iters, 0)
        if not 0 <= factor <= 1:
            fail(ArgumentError, f"ConstantLR: factor={factor} must be a number in [0, 1]")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float) -> float:
        """The base rate, scaled at first."""
        return base * self.factor if step < self.total_iters else base

    def next_rate(self, lr: float, base: float) -> float:
        """The factor at the start, and at its end its reciprocal (after a factor of 0, the base rate)."""
        if self.last_epoch == 0:
            return lr * self.factor
        if self.last_epoch != self.total_iters:
            return lr
        return lr * (1 / self.factor) if self.factor else base


class LinearLR(ChainedLR):
    """The rate times a factor that goes from `start_factor` to `end_factor` in `total_iters` steps: a warm-up.

    >>> schedule = optim.LinearLR(optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0), 0.5, 1.0, 2)
    >>> [round(schedule.rate(step, 1.0), 3) for step in range(4)]
    [0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        check_finite("LinearLR", start_factor=start_factor, end_factor=end_factor)
        check_steps("LinearLR", "total_iters", total_iters, 0)
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            what = f"start_factor={start_factor}, end_factor={end_factor}"
            fail(ArgumentError, f"LinearLR: {what} must be numbers in [0, 1], and the rate may not start with 0")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self, step: int) -> float:
        done = min(1.0, step / self.total_iters) if self.total_iters else 1.0
        return self.start_factor + (self.end_factor - self.start_factor) * done

    def rate(self, step: int, base: float) -> float:
        """The base rate on a ramp."""
        return base * self._factor(step)

    def next_rate(self, lr: float, base: float) -> float:
        """The rate of now, times the quotient of two neighbours on the ramp."""
        if self.last_epoch == 0:
            return lr * self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return lr
        return lr * (self._factor(self.last_epoch) / self._factor(self.last_epoch - 1))


class ExponentialLR(ChainedLR):
    """The rate times `gamma` at every step, but not less than `floor`.

    >>> schedule = optim.ExponentialLR(optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0), 0.5, floor=0.2)
    >>> [round(schedule.rate(step, 1.0), 3) for step in range(4)]
    [1.0, 0.5, 0.25, 0.2]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1, *, floor: float = 0.0) -> None:
        check_finite("ExponentialLR", gamma=gamma, floor=floor)
        self.gamma, self._floor = gamma, floor
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float) -> float:
        """The decaying rate."""
        return float(max(self._floor, base * self.gamma**step))

    def next_rate(self, lr: float, base: float) -> float:
        """One factor more, but at the start."""
        return lr if self._is_initial else max(self._floor, lr * self.gamma)


class PolynomialLR(ChainedLR):
    """The rate times (1 - step / total_iters) ** power, down to 0 at `total_iters`.

    >>> schedule = optim.lr_scheduler.PolynomialLR(optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0), 4, 2.0)
    >>> [round(schedule.rate(step, 1.0), 4) for step in range(5)]
    [1.0, 0.5625, 0.25, 0.0625, 0.0]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        check_steps("PolynomialLR", "total_iters", total_iters, 1)
        check_finite("PolynomialLR", power=power)
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float) -> float:
        """The decaying rate."""
        return float(base * (1 - min(step, self.total_iters) / self.total_iters) ** self.power)

    def next_rate(self, lr: float, base: float) -> float:
        """The rate of now, times the quotient of two neighbours on the curve."""
        if self._is_initial or self.last_epoch > self.total_iters:
            return lr
        left = self.total_iters - self.last_epoch
        return float(lr * (left / (left + 1)) ** self.power)


class InverseTimeLR(LRScheduler):
    """The base rate divided by 1 + decay * step.

    >>> schedule = optim.InverseTimeLR(optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0), 1.0)
    >>> [round(schedule.rate(step, 1.0), 3) for step in range(4)]
    [1.0, 0.5, 0.333, 0.25]
    """

    def __init__(self, optimizer: Optimizer, decay: float = 0.1, last_epoch: int = -1) -> None:
        check_finite("InverseTimeLR", decay=decay)
        self.decay = decay
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float) -> float:
        """The decaying rate."""
        return base / (1 + self.decay * step)
