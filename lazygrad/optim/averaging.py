"""Averages of a model's parameters over the steps of a training.

Izmailov, Podoprikhin, Garipov, Vetrov and Wilson, "Averaging weights leads to wider optima and better generalization"
(UAI 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any

from lazygrad.dtype import dtypes
from lazygrad.errors import ArgumentError, fail
from lazygrad.nn.module import Module
from lazygrad.nn.normalization import _BatchNorm
from lazygrad.ops.mode import no_grad
from lazygrad.optim.cosine import along_cosine
from lazygrad.optim.limits import check_steps, is_number
from lazygrad.optim.optimizer import Optimizer
from lazygrad.optim.schedule import LRScheduler, for_groups
from lazygrad.tensor import Tensor

Average = Callable[[Tensor, Tensor, Any], Tensor]
Averages = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]


def get_swa_avg_fn() -> Average:
    """The mean of all parameters that were seen: (average, parameter, how many were averaged) -> average.

    >>> optim.swa_utils.get_swa_avg_fn()(Tensor([1.0]), Tensor([4.0]), 2).tolist()
    [2.0]
    """
    return lambda averaged, current, count: averaged + (current - averaged) / (count + 1)


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """An exponential moving average: decay * average + (1 - decay) * parameter. ArgumentError outside [0, 1].

    >>> optim.swa_utils.get_ema_avg_fn(0.75)(Tensor([1.0]), Tensor([5.0]), 2).tolist()
    [2.0]
    """
    if not is_number(decay) or not 0 <= decay <= 1:
        fail(ArgumentError, f"get_ema_avg_fn: decay={decay!r} must be a number in [0, 1]")
    return lambda averaged, current, count: averaged * decay + current * (1 - decay)


def _of_many(average: Average) -> Averages:
    """`average` of each tensor in a sequence, in place."""

    def change(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Any) -> None:
        with no_grad():
            for mine, new in zip(averaged, current):
                mine.copy_(average(mine, new, count))

    return change


def get_swa_multi_avg_fn() -> Averages:
    """`get_swa_avg_fn` for sequences of tensors, which it changes.

    >>> mine = [Tensor([1.0])]
    >>> optim.swa_utils.get_swa_multi_avg_fn()(mine, [Tensor([4.0])], 2)
    >>> mine
    [tensor([2.])]
    """
    return _of_many(get_swa_avg_fn())


def get_ema_multi_avg_fn(decay: float = 0.999) -> Averages:
    """`get_ema_avg_fn` for sequences of tensors, which it changes.

    >>> mine = [Tensor([1.0])]
    >>> optim.swa_utils.get_ema_multi_avg_fn(0.75)(mine, [Tensor([5.0])], 2)
    >>> mine
    [tensor([2.])]
    """
    return _of_many(get_ema_avg_fn(decay))


class AveragedModel(Module):
    """A copy of a model, whose parameters are averages of those that `update_parameters` is shown.

    Args:
        model: what is copied, and averaged from then on.
        device: where the copy is.
        avg_fn: (average, parameter, number averaged) -> the new average; the mean of all unless given.
        multi_avg_fn: instead, changes a sequence of averages.
        use_buffers: average buffers, too; else they are copied.

    >>> net = nn.Linear(1, 1, bias=False)
    >>> averaged = optim.swa_utils.AveragedModel(net)
    >>> for value in (1.0, 4.0, 4.0):
    ...     with no_grad(): _ = net.weight.fill_(value)
    ...     averaged.update_parameters(net)
    >>> averaged(Tensor([[2.0]])).item(), averaged.n_averaged.item()
    (6.0, 3)
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: str | None = None,
        avg_fn: Average | None = None,
        multi_avg_fn: Averages | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            fail(ArgumentError, "AveragedModel: avg_fn and multi_avg_fn are two ways to say one thing; give one")
        self.module = deepcopy(model)
        if device is not None:
            self.module.to(device)
        home = next((t.device for t in self.module.parameters()), device)
        self.register_buffer("n_averaged", Tensor(0, dtype=dtypes.int64, device=home))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model computes."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Average the parameters of `model`, too; the first time they are taken as they are."""
        mine, new = list(self.module.parameters()), list(model.parameters())
        own_buffers, buffers = list(self.module.buffers()), list(model.buffers())
        if self.use_buffers:
            mine, new, own_buffers, buffers = mine + own_buffers, new + buffers, [], []
        moved = [b.detach().to(a.device) for a, b in zip(mine, new)]
        with no_grad():
            if self.n_averaged.item() == 0:
                for a, b in zip(mine, moved):
                    a.copy_(b)
            else:
                average = self.multi_avg_fn or _of_many(self.avg_fn or get_swa_avg_fn())
                average(mine, moved, self.n_averaged)
            for a, b in zip(own_buffers, buffers):
                a.copy_(b.detach().to(a.device))
            self.n_averaged += 1
            Tensor.realize(self.n_averaged, *mine, *own_buffers)


def update_bn(loader: Iterable[Any], model: Module, device: str | None = None) -> None:
    """Compute the statistics of all batch normalizations anew, as means over what a `loader` gives.

    Args:
        loader: gives inputs of the model, or lists and tuples that begin with one.
        device: where inputs are moved first.
    """
    layers = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    if not layers:
        return
    momenta, was_training = [layer.momentum for layer in layers], model.training
    model.train()
    with no_grad():
        for layer in layers:
            layer.reset_running_stats()
        for count, batch in enumerate(loader):
            for layer in layers:
                layer.momentum = 1 / (count + 1)  # which makes a mean of all
            first = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(first if device is None else first.to(device))
    for layer, momentum in zip(layers, momenta):
        layer.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the rates of now to `swa_lr`, one for all groups or a list of one for each, in `anneal_epochs` steps.

    Args:
        anneal_strategy: "cos" or "linear".

    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.swa_utils.SWALR(optimizer, 0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> for _ in range(3): schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | Sequence[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        groups = self._checked(optimizer).param_groups
        for group, rate in zip(groups, for_groups("SWALR", "swa_lr", swa_lr, groups)):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            fail(ArgumentError, f"SWALR: anneal_strategy {anneal_strategy!r} is none of cos, linear")
        check_steps("SWALR", "anneal_epochs", anneal_epochs, 0)
        self._anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        """The share of `swa_lr` at a step."""
        done = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return along_cosine(0.0, 1.0, done) if self._anneal_strategy == "cos" else done

    def get_lr(self) -> list[float]:
        """The rates of now, with a larger share of `swa_lr` in them."""
        step = self._step_count if self.anneal_epochs else max(1, self._step_count)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            lr, last = group["lr"], group["swa_lr"]
            first = last if before == 1 else (lr - before * last) / (1 - before)
            rates.append(last * now + first * (1 - now))
        return rates
