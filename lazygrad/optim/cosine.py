"""Learning rate schedules along cosines.

Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (ICLR 2017).
"""

from __future__ import annotations

import math

from lazygrad.errors import ArgumentError, fail
from lazygrad.optim.limits import check_finite, check_steps
from lazygrad.optim.optimizer import Optimizer
from lazygrad.optim.schedule import ChainedLR, LRScheduler


def along_cosine(start: float, end: float, done: float) -> float:
    """From `start` to `end` on half a cosine, of which the share `done` lies behind.

    >>> along_cosine(1.0, 0.0, 0.5)
    0.5
    """
    return end + (start - end) / 2 * (math.cos(math.pi * done) + 1)


class CosineAnnealingLR(ChainedLR):
    """From the base rate to `eta_min` along half a cosine of `T_max` steps, and along it again as in PyTorch.

    >>> schedule = optim.CosineAnnealingLR(optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0), 2)
    >>> [round(schedule.rate(step, 1.0), 3) for step in range(4)]
    [1.0, 0.5, 0.0, 0.5]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        check_steps("CosineAnnealingLR", "T_max", T_max, 1)
        check_finite("CosineAnnealingLR", eta_min=eta_min)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float) -> float:
        """The rate on the cosine."""
        return along_cosine(base, self.eta_min, step / self.T_max)

    def next_rate(self, lr: float, base: float) -> float:
        """What is above `eta_min` now, times the quotient of two neighbours on the cosine; up from its lowest point,
        where there is no quotient, by what the cosine rises."""
        if self._is_initial:
            return lr
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            return lr + (base - self.eta_min) * (1 - math.cos(math.pi / self.T_max)) / 2
        here, before = (1 + math.cos(math.pi * n / self.T_max) for n in (self.last_epoch, self.last_epoch - 1))
        return here / before * (lr - self.eta_min) + self.eta_min


class CosineAnnealingWarmRestarts(LRScheduler):
    """From the base rate to `eta_min` along half a cosine, and again from the base rate: after `T_0` steps, and then
    after `T_mult` times as many as the last time.

    `step(epoch)` takes fractions of epochs, too, which `T_0` counts then.

    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2, T_mult=2)
    >>> rates = []
    >>> for _ in range(6):
    ...     rates.append(round(schedule.get_last_lr()[0], 3))
    ...     schedule.step()
    >>> rates
    [1.0, 0.5, 1.0, 0.854, 0.5, 0.146]
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        check_steps("CosineAnnealingWarmRestarts", "T_0", T_0, 1)
        check_steps("CosineAnnealingWarmRestarts", "T_mult", T_mult, 1)
        check_finite("CosineAnnealingWarmRestarts", eta_min=eta_min)
        self.T_0, self.T_i, self.T_mult, self.eta_min = T_0, T_0, T_mult, eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates on the cosine."""
        return [along_cosine(base, self.eta_min, self.T_cur / self.T_i) for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Count one step, or with `epoch` go to that one; ArgumentError for a negative one."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur % self.T_i, self.T_i * self.T_mult
            self._count(None)
            return
        if epoch < 0:
            fail(ArgumentError, f"CosineAnnealingWarmRestarts: epoch={epoch} must not be negative")
        restarts = self._restarts_before(epoch)
        self.T_i = self.T_0 * self.T_mult**restarts
        began = restarts if self.T_mult == 1 else (self.T_mult**restarts - 1) // (self.T_mult - 1)
        self.T_cur = epoch - self.T_0 * began
        self._count(math.floor(epoch))

    def _restarts_before(self, epoch: float) -> int:
        """How many cosines end at or before `epoch`; the sum of their lengths is a geometric series."""
        if self.T_mult == 1:
            return int(epoch // self.T_0)
        restarts, end = 0, self.T_0
        while end <= epoch:
            restarts += 1
            end += self.T_0 * self.T_mult**restarts
        return restarts


class WarmupCosineLR(LRScheduler):
    """A linear rise over `warmup` steps to the base rate, then a cosine down to `min_lr` at `total` steps.

    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.WarmupCosineLR(optimizer, warmup=1, total=3)
    >>> [round(schedule.rate(step, 1.0), 3) for step in range(4)]
    [0.5, 1.0, 0.5, 0.0]
    """

    def __init__(
        self, optimizer: Optimizer, warmup: int, total: int, min_lr: float = 0.0, last_epoch: int = -1
    ) -> None:
        if not 0 <= warmup <= total:
            fail(ArgumentError, f"WarmupCosineLR: {warmup} steps of warm-up are not among {total} steps")
        check_finite("WarmupCosineLR", min_lr=min_lr)
        self.warmup, self.total, self.min_lr = warmup, total, min_lr
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float) -> float:
        """The rate on the ramp or on the cosine."""
        if step < self.warmup:
            return base * (step + 1) / (self.warmup + 1)
        if step >= self.total:
            return self.min_lr
        return along_cosine(base, self.min_lr, (step - self.warmup) / (self.total - self.warmup))
