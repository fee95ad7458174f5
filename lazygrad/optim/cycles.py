"""Learning rates and momenta that go up and down together.

Smith, "Cyclical learning rates for training neural networks" (WACV 2017); Smith and Topin, "Super-convergence: very
fast training of neural networks using large learning rates" (2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from lazygrad.errors import ArgumentError, fail
from lazygrad.optim.cosine import along_cosine
from lazygrad.optim.limits import check_finite, check_steps
from lazygrad.optim.optimizer import Optimizer
from lazygrad.optim.schedule import LRScheduler, for_groups

Rates = float | Sequence[float]


class _Cycling(LRScheduler):
    """Schedules that change the momentum, too: `momentum`, or the first of `betas`."""

    cycle_momentum: bool
    use_beta1: bool

    def _cycle_momentum(self, optimizer: Optimizer, cycle: bool, base: Rates, most: Rates, last_epoch: int) -> None:
        """Take these arguments; ArgumentError where the optimizer has no momentum. A first step starts with `most`."""
        what = type(self).__name__
        self.cycle_momentum = cycle
        if not cycle:
            return
        self.use_beta1 = "betas" in optimizer.defaults
        if not self.use_beta1 and "momentum" not in optimizer.defaults:
            fail(ArgumentError, f"{what}: {type(optimizer).__name__} has no momentum; give cycle_momentum=False")
        groups = optimizer.param_groups
        self.base_momentums = for_groups(what, "base_momentum", base, groups)
        self.max_momentums = for_groups(what, "max_momentum", most, groups)
        if last_epoch == -1:
            for group, low, high in zip(groups, self.base_momentums, self.max_momentums):
                group.update(base_momentum=low, max_momentum=high)
            self._take_momenta(optimizer, self.max_momentums)

    def _take_momenta(self, optimizer: Optimizer, momenta: Sequence[float]) -> None:
        for group, momentum in zip(optimizer.param_groups, momenta):
            if self.use_beta1:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum

    def _take(self, rates: Sequence[float]) -> None:
        super()._take(rates)
        if self.cycle_momentum:
            self._take_momenta(self.optimizer, self._momenta())

    def _momenta(self) -> list[float]:
        """The momentum of each group at step `last_epoch`."""
        raise NotImplementedError


class CyclicLR(_Cycling):
    """From `base_lr` up to `max_lr` in `step_size_up` steps, down again in `step_size_down`, and so on.

    Args:
        base_lr, max_lr: one for all groups, or a list of one for each.
        step_size_down: as `step_size_up` unless given.
        mode: "triangular"; "triangular2", each cycle half as high as the last; "exp_range", times gamma ** step.
        scale_fn: what the height is multiplied by instead: a function of the number of the cycle (from 1 on), or, with
            the `scale_mode` "iterations", of the step.
        cycle_momentum: whether momenta go from `max_momentum` down to `base_momentum` while rates rise, and back.

    ArgumentError for another mode, and for momenta of an optimizer that has none.

    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0, momentum=0.9)
    >>> schedule = optim.lr_scheduler.CyclicLR(optimizer, base_lr=0.1, max_lr=0.5, step_size_up=2)
    >>> rates = []
    >>> for _ in range(5):
    ...     rates.append((round(schedule.get_last_lr()[0], 2), round(optimizer.param_groups[0]["momentum"], 2)))
    ...     schedule.step()
    >>> rates
    [(0.1, 0.9), (0.3, 0.85), (0.5, 0.8), (0.3, 0.85), (0.1, 0.9)]
    """

    _not_state = frozenset({"optimizer", "_scale_fn_custom"})

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: Rates,
        max_lr: Rates,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: Rates = 0.8,
        max_momentum: Rates = 0.9,
        last_epoch: int = -1,
    ) -> None:
        groups = self._checked(optimizer).param_groups
        bases = for_groups("CyclicLR", "base_lr", base_lr, groups)
        self.max_lrs = for_groups("CyclicLR", "max_lr", max_lr, groups)
        up = float(step_size_up)
        down = up if step_size_down is None else float(step_size_down)
        if not (up > 0 and down >= 0):
            fail(ArgumentError, f"CyclicLR: {step_size_up} steps up and {step_size_down} down are no cycle")
        if scale_fn is None and mode not in ("triangular", "triangular2", "exp_range"):
            fail(ArgumentError, f"CyclicLR: mode {mode!r} is none of triangular, triangular2, exp_range")
        check_finite("CyclicLR", gamma=gamma)
        self.total_size, self.step_ratio = up + down, up / (up + down)
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn else "iterations" if mode == "exp_range" else "cycle"
        if last_epoch == -1:
            for group, rate in zip(groups, bases):
                group["lr"] = rate
        self._cycle_momentum(optimizer, cycle_momentum, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = bases

    def scale_fn(self, x: float) -> float:
        """What the height of a cycle is multiplied by."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else float(self.gamma**x)

    def _height(self) -> float:
        """The share of the way from the base to the most, now."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        return height * self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)

    def get_lr(self) -> list[float]:
        """The rates at step `last_epoch`."""
        height = self._height()
        return [low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs)]

    def _momenta(self) -> list[float]:
        height = self._height()
        return [high - (high - low) * height for low, high in zip(self.base_momentums, self.max_momentums)]


class _Phase(NamedTuple):
    """A part of a cycle: the step that it ends with, and the names of what a group's rate and momentum are there."""

    end: float
    rates: tuple[str, str]
    momenta: tuple[str, str]


class OneCycleLR(_Cycling):
    """Up from max_lr / div_factor to `max_lr`, and down to the first rate / final_div_factor, once.

    Args:
        max_lr: one for all groups, or a list of one for each.
        total_steps: of the whole cycle; or `epochs` and `steps_per_epoch`, whose product it is.
        pct_start: the share of the steps in which the rate rises.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether momenta go from `max_momentum` down to `base_momentum` while rates rise, and back.
        three_phase: go down to the first rate in as many steps as up, and to the last one in the rest.

    ArgumentError for arguments that make no cycle, and for a step beyond the last.

    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0, momentum=0.9)
    >>> schedule = optim.lr_scheduler.OneCycleLR(optimizer, 1.0, 5, pct_start=0.6, anneal_strategy="linear")
    >>> rates = [round(schedule.get_last_lr()[0], 2)]
    >>> for _ in range(4):
    ...     schedule.step()
    ...     rates.append(round(schedule.get_last_lr()[0], 2))
    >>> rates
    [0.04, 0.52, 1.0, 0.5, 0.0]
    """

    _not_state = frozenset({"optimizer", "_phases", "base_momentums", "max_momentums"})  # the groups have the momenta

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Rates,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: Rates = 0.85,
        max_momentum: Rates = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 10000.0,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        groups = self._checked(optimizer).param_groups
        self.total_steps = _total(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, (int, float)) or not 0 <= pct_start <= 1:
            fail(ArgumentError, f"OneCycleLR: pct_start={pct_start!r} must be a number in [0, 1]")
        if anneal_strategy not in ("cos", "linear"):
            fail(ArgumentError, f"OneCycleLR: anneal_strategy {anneal_strategy!r} is none of cos, linear")
        check_finite("OneCycleLR", div_factor=div_factor, final_div_factor=final_div_factor)
        self._anneal_func_type = anneal_strategy
        self._phases = _phases(float(pct_start * self.total_steps), self.total_steps - 1, three_phase)
        if last_epoch == -1:
            for group, most in zip(groups, for_groups("OneCycleLR", "max_lr", max_lr, groups)):
                first = most / div_factor
                group.update(initial_lr=first, max_lr=most, min_lr=first / final_div_factor)
        self._cycle_momentum(optimizer, cycle_momentum, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _now(self, names: Callable[[_Phase], tuple[str, str]]) -> list[float]:
        """What groups have under the names of the phase of now, the first becoming the second."""
        step, start = self.last_epoch, 0.0
        if step > self.total_steps:
            fail(ArgumentError, f"OneCycleLR: step {step} lies beyond the {self.total_steps} steps of its cycle")
        for phase in self._phases:
            if step <= phase.end or phase is self._phases[-1]:
                break
            start = phase.end
        done = (step - start) / (phase.end - start) if phase.end != start else 1.0
        first, last = names(phase)
        go = along_cosine if self._anneal_func_type == "cos" else _along_line
        return [go(group[first], group[last], done) for group in self.optimizer.param_groups]

    def get_lr(self) -> list[float]:
        """The rates at step `last_epoch`."""
        return self._now(lambda phase: phase.rates)

    def _momenta(self) -> list[float]:
        return self._now(lambda phase: phase.momenta)


def _along_line(start: float, end: float, done: float) -> float:
    return (end - start) * done + start


def _total(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total_steps is not None:
        check_steps("OneCycleLR", "total_steps", total_steps, 1)
        return total_steps
    if epochs is None or steps_per_epoch is None:
        fail(ArgumentError, "OneCycleLR: give total_steps, or epochs and steps_per_epoch")
    check_steps("OneCycleLR", "epochs", epochs, 1)
    check_steps("OneCycleLR", "steps_per_epoch", steps_per_epoch, 1)
    return epochs * steps_per_epoch


def _phases(rising: float, last: int, three: bool) -> list[_Phase]:
    up = _Phase(rising - 1, ("initial_lr", "max_lr"), ("max_momentum", "base_momentum"))
    if not three:
        return [up, _Phase(last, ("max_lr", "min_lr"), ("base_momentum", "max_momentum"))]
    down = _Phase(2 * rising - 2, ("max_lr", "initial_lr"), ("base_momentum", "max_momentum"))
    return [up, down, _Phase(last, ("initial_lr", "min_lr"), ("max_momentum", "max_momentum"))]
