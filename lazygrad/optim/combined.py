"""Learning rate schedules made of others: one after the other, or all together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from lazygrad.errors import ArgumentError, OperandError, fail
from lazygrad.ops.operands import describe
from lazygrad.optim.optimizer import Optimizer
from lazygrad.optim.plateau import ReduceLROnPlateau
from lazygrad.optim.schedule import LRScheduler


class _OfOthers(LRScheduler):
    """Schedules that hold others; theirs is part of the state."""

    _not_state = frozenset({"optimizer", "_schedulers"})
    _schedulers: list[LRScheduler]

    def _hold(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None) -> None:
        """Take `schedulers`, which must be some, of one optimizer, and need no measurements."""
        what = type(self).__name__
        self._schedulers = list(schedulers)
        if not self._schedulers:
            fail(ArgumentError, f"{what}: no schedules")
        for i, each in enumerate(self._schedulers):
            if not isinstance(each, LRScheduler):
                fail(OperandError, f"{what}: number {i} is {describe(each)[0]}; a schedule is needed")
            if isinstance(each, ReduceLROnPlateau):
                fail(ArgumentError, f"{what}: number {i}, ReduceLROnPlateau, needs a measurement; step it on its own")
            if each.optimizer is not (optimizer or self._schedulers[0].optimizer):
                fail(ArgumentError, f"{what}: number {i}, {type(each).__name__}, has another optimizer")
        self.optimizer = self._schedulers[0].optimizer

    def state_dict(self) -> dict[str, Any]:
        """The states of the schedules, and where this one is."""
        return {**super().state_dict(), "_schedulers": [each.state_dict() for each in self._schedulers]}

    def _load(self, state: Mapping[str, Any]) -> None:
        super()._load(state)
        states = state["_schedulers"]
        if len(states) != len(self._schedulers):
            count = f"the state has {len(states)} schedules instead of {len(self._schedulers)}"
            fail(ArgumentError, f"{type(self).__name__}: {count}")
        for each, its in zip(self._schedulers, states):
            each.load_state_dict(its)


class SequentialLR(_OfOthers):
    """One schedule after the other: the next one begins, at its own step 0, when a number of `milestones` is reached.

    ArgumentError for another number of milestones than one less than there are schedules, and for schedules of
    another optimizer.

    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> rise, fall = optim.LinearLR(optimizer, 0.5, total_iters=2), optim.ExponentialLR(optimizer, 0.5)
    >>> schedule = optim.lr_scheduler.SequentialLR(optimizer, [rise, fall], milestones=[2])
    >>> rates = []
    >>> for _ in range(5):
    ...     rates.append(round(schedule.get_last_lr()[0], 3))
    ...     schedule.step()
    >>> rates
    [0.5, 0.75, 1.0, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        self._hold(schedulers, self._checked(optimizer))
        if len(milestones) != len(self._schedulers) - 1:
            count = f"{len(milestones)} milestones for {len(self._schedulers)} schedules"
            fail(ArgumentError, f"SequentialLR: {count}; one is needed between each two")
        self._milestones = list(milestones)
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        _undo(self)
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first._start()
        self._last_lr = first.get_last_lr()

    def step(self, epoch: int | None = None) -> None:
        """Count one step, for the schedule whose turn it is. ArgumentError for `epoch`, which means nothing here."""
        if epoch is not None:
            fail(ArgumentError, "SequentialLR: step() takes no epoch")
        self.last_epoch += 1
        turn = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[turn]
        if turn and self._milestones[turn - 1] == self.last_epoch:
            scheduler._count(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


def _undo(scheduler: LRScheduler) -> None:
    """Take back the first step of all schedules inside."""
    if isinstance(scheduler, _OfOthers):
        for each in scheduler._schedulers:
            _undo(each)
    else:
        scheduler.last_epoch -= 1


class ChainedScheduler(_OfOthers):
    """Several schedules, each changing at every step what the others made of the rate.

    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> both = [optim.ConstantLR(optimizer, 0.5, total_iters=1), optim.ExponentialLR(optimizer, 0.9)]
    >>> schedule = optim.lr_scheduler.ChainedScheduler(both)
    >>> rates = []
    >>> for _ in range(3):
    ...     rates.append(round(schedule.get_last_lr()[0], 3))
    ...     schedule.step()
    >>> rates
    [0.5, 0.9, 0.81]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        self._hold(schedulers, optimizer)
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def step(self, epoch: int | None = None) -> None:
        """Count one step in each schedule. ArgumentError for `epoch`, which means nothing here."""
        if epoch is not None:
            fail(ArgumentError, "ChainedScheduler: step() takes no epoch")
        for each in self._schedulers:
            each.step()
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]
