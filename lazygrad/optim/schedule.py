"""Learning rate schedules: what they share, and those that a function of the user's gives.

A schedule sets the rate of step 0 when it is made; call `step()` after every step of the optimizer. As in PyTorch most
of them change the rate that a group has now, so that several schedules of one optimizer act together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lazygrad.errors import ArgumentError, MissingKeyError, OperandError, fail
from lazygrad.ops.operands import describe
from lazygrad.ops.signatures import check_methods
from lazygrad.optim.limits import check_setting
from lazygrad.optim.optimizer import Group, Optimizer

Factor = Callable[[int], float]


@check_methods
class LRScheduler:
    """Base of the schedules; a subclass defines `get_lr`, or `rate` in closed form.

    Args:
        optimizer: its groups' rates now are the base rates ("initial_lr" of a group, once it has one).
        last_epoch: how many steps were taken before, less 1; from 0 on every group needs an "initial_lr".

    OperandError for what is no optimizer, MissingKeyError for a group without the initial rate that is needed.
    """

    optimizer: Optimizer
    last_epoch: int = -1
    _not_state: frozenset[str] = frozenset({"optimizer"})  # attributes that `state_dict` leaves out

    def __init_subclass__(cls) -> None:
        if cls.__module__.startswith("lazygrad."):
            check_methods(cls)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = self._checked(optimizer)
        what = type(self).__name__
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                resumed = f"group {i} has no 'initial_lr', which last_epoch={last_epoch} needs"
                fail(MissingKeyError, f"{what}: {resumed}; load the optimizer's state, or give it in the group")
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._last_lr: list[float] = []
        self._start()

    @classmethod
    def _checked(cls, optimizer: Any) -> Optimizer:
        if not isinstance(optimizer, Optimizer):
            fail(OperandError, f"{cls.__name__}: {describe(optimizer)[0]} is no optimizer")
        return optimizer

    def _start(self) -> None:
        """The first step, with which a schedule begins: to step 0, or to the one after `last_epoch`."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    # ---- for subclasses ----

    def rate(self, step: int, base: float) -> float:
        """The learning rate after `step` steps, for a group whose base rate is `base`, where a formula says it."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_lr, or rate")

    def get_lr(self) -> list[float]:
        """The rate of each group at step `last_epoch`."""
        return [self.rate(self.last_epoch, base) for base in self.base_lrs]

    def _jumped(self) -> list[float]:
        """The rate of each group at `last_epoch`, when the step before was another one than that before it."""
        return self.get_lr()

    def _take(self, rates: Sequence[float]) -> None:
        """Set the rates, all of them or, with ArgumentError for one that makes no sense, none."""
        for rate in rates:
            check_setting(f"{type(self).__name__} at step {self.last_epoch}", "lr", rate)
        for group, rate in zip(self.optimizer.param_groups, rates):
            group["lr"] = rate
        self._last_lr = list(rates)

    # ---- for users ----

    def step(self, epoch: int | None = None) -> None:
        """Count one step, or with `epoch` go to that one, and set the rate for the next step of the optimizer."""
        self._count(epoch)

    def _count(self, epoch: int | None) -> None:
        before = self.last_epoch
        self.last_epoch = before + 1 if epoch is None else epoch
        try:
            self._take(self.get_lr() if epoch is None else self._jumped())
        except BaseException:
            self.last_epoch = before
            raise
        self._step_count += 1

    def get_last_lr(self) -> list[float]:
        """The rate of each group that this schedule set last."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and functions, which must be given again."""
        return {name: value for name, value in vars(self).items() if name not in self._not_state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken, PyTorch's too: the optimizer's rates are those of that moment.

        ArgumentError for another schedule's state, or for another number of groups.
        """
        own = {name for name in self.state_dict() if not name.startswith("_")}
        given = {name for name in state if not name.startswith("_")}
        if own != given:
            fail(ArgumentError, f"{type(self).__name__}: the state has {sorted(given)} instead of {sorted(own)}")
        groups = len(self.optimizer.param_groups)
        rates = state.get("_last_lr", self._last_lr)
        if len(rates) != groups:
            fail(ArgumentError, f"{type(self).__name__}: the state has {len(rates)} groups instead of {groups}")
        self._load({name: value for name, value in state.items() if name in vars(self)})
        self._take(rates)

    def _load(self, state: Mapping[str, Any]) -> None:
        vars(self).update({name: value for name, value in state.items() if name not in self._not_state})


class ChainedLR(LRScheduler):
    """A schedule that changes the rates of now, `next_rate`; `rate` is what it makes of a base rate alone."""

    def next_rate(self, lr: float, base: float) -> float:
        """The rate at step `last_epoch`, from the rate before."""
        raise NotImplementedError(f"{type(self).__name__} does not define next_rate")

    def get_lr(self) -> list[float]:
        """The rate of each group at step `last_epoch`, from the rate that it has."""
        groups = self.optimizer.param_groups
        return [self.next_rate(group["lr"], base) for group, base in zip(groups, self.base_lrs)]

    def _jumped(self) -> list[float]:
        return LRScheduler.get_lr(self)


def for_groups(what: str, name: str, given: Any, groups: Sequence[Group]) -> list[Any]:
    """One value for each group: `given` for all, or a list or tuple of them; ArgumentError for another length."""
    if not isinstance(given, (list, tuple)):
        return [given] * len(groups)
    if len(given) != len(groups):
        fail(ArgumentError, f"{what}: {name} has {len(given)} values for {len(groups)} groups of parameters")
    return list(given)


class _ByFunction(LRScheduler):
    """Schedules that a function gives, or one for each group; what objects among them hold is part of the state."""

    _not_state = frozenset({"optimizer", "lr_lambdas"})

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1) -> None:
        what = type(self).__name__
        self.lr_lambdas: list[Factor] = for_groups(what, "lr_lambda", lr_lambda, self._checked(optimizer).param_groups)
        for each in self.lr_lambdas:
            if not callable(each):
                fail(OperandError, f"{what}: lr_lambda is {describe(each)[0]}; a function of the step is needed")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and the functions; of callable objects, their attributes."""
        held = [None if hasattr(f, "__code__") else dict(vars(f)) for f in self.lr_lambdas]
        return {**super().state_dict(), "lr_lambdas": held}

    def _load(self, state: Mapping[str, Any]) -> None:
        super()._load(state)
        for function, held in zip(self.lr_lambdas, state["lr_lambdas"]):
            if held is not None:
                vars(function).update(held)


class LambdaLR(_ByFunction):
    """The base rate times a function of the step, or times that of each group in a list.

    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.LambdaLR(optimizer, lambda step: 0.5 ** step)
    >>> schedule.step()
    >>> optimizer.param_groups[0]["lr"]
    0.5
    """

    def get_lr(self) -> list[float]:
        """The base rates times their functions."""
        return [base * factor(self.last_epoch) for factor, base in zip(self.lr_lambdas, self.base_lrs)]


class MultiplicativeLR(_ByFunction):
    """At each step, the rate of now times a function of the step, or times that of each group in a list.

    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.lr_scheduler.MultiplicativeLR(optimizer, lambda step: 1 / (step + 1))
    >>> for _ in range(2): schedule.step()
    >>> round(optimizer.param_groups[0]["lr"], 4)
    0.1667
    """

    def get_lr(self) -> list[float]:
        """The rates of now, times their functions but at the start."""
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if self._is_initial:
            return rates
        return [rate * factor(self.last_epoch) for factor, rate in zip(self.lr_lambdas, rates)]
