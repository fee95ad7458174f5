"""A learning rate that falls when a measurement does not get better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lazygrad.errors import ArgumentError, fail
from lazygrad.optim.limits import check_finite
from lazygrad.optim.optimizer import Optimizer
from lazygrad.optim.schedule import LRScheduler, for_groups


class ReduceLROnPlateau(LRScheduler):
    """The rate times `factor`, when a measurement did not get better in more than `patience` steps.

    Args:
        mode: "min" where a smaller measurement is better, "max" where a larger one is.
        threshold: by how much a better one must differ: with the `threshold_mode` "rel", times the best one.
        cooldown: how many steps after a fall do not count.
        min_lr: the least rate, one for all groups or a list of one for each.
        eps: a smaller fall is none.

    ArgumentError for other modes and factors of 1 or more.

    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0): schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        check_finite("ReduceLROnPlateau", factor=factor, threshold=threshold, eps=eps)
        if factor >= 1:
            fail(ArgumentError, f"ReduceLROnPlateau: factor={factor} must be less than 1, or nothing falls")
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            modes = f"mode={mode!r}, threshold_mode={threshold_mode!r}"
            fail(ArgumentError, f"ReduceLROnPlateau: {modes} are not min or max, and rel or abs")
        self.optimizer = self._checked(optimizer)
        self.min_lrs = for_groups("ReduceLROnPlateau", "min_lr", min_lr, optimizer.param_groups)
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else min_lr
        self.factor, self.patience, self.cooldown, self.eps = factor, patience, cooldown, eps
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.best, self.last_epoch, self.cooldown_counter, self.num_bad_epochs = self.mode_worse, 0, 0, 0
        self._last_lr = [group["lr"] for group in optimizer.param_groups]

    @property
    def in_cooldown(self) -> bool:
        """Whether steps do not count now."""
        return self.cooldown_counter > 0

    def step(self, metrics: Any = None, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take a measurement, a number or a tensor of one element."""
        if metrics is None:
            fail(ArgumentError, "ReduceLROnPlateau: step(measurement) needs the measurement, a loss for example")
        now = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(now):
            self.best, self.num_bad_epochs = now, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown_counter - 1, 0
        if self.num_bad_epochs > self.patience:
            self._fall()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _is_better(self, now: float) -> bool:
        sign = 1 if self.mode == "max" else -1
        if self.threshold_mode == "rel":
            return sign * now > sign * self.best * (1 + sign * self.threshold)
        return sign * now > sign * self.best + self.threshold

    def _fall(self) -> None:
        groups = self.optimizer.param_groups
        if len(self.min_lrs) != len(groups) and self.default_min_lr is not None:
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, least in zip(groups, for_groups("ReduceLROnPlateau", "min_lrs", self.min_lrs, groups)):
            lower = max(group["lr"] * self.factor, least)
            if group["lr"] - lower > self.eps:
                group["lr"] = lower
