"""Rates for every element by the gradients that it had: Adagrad, Adadelta, RMSprop, Rprop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazygrad.optim.optimizer import Group, Params
from lazygrad.optim.per_parameter import PerParameter, State
from lazygrad.tensor import Tensor


class Adagrad(PerParameter):
    """Steps by the gradient over the root of the sum of all its squares.

    Duchi, Hazan and Singer, "Adaptive subgradient methods" (2011). The rate of step t is lr / (1 + (t - 1) * lr_decay).

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = optim.Adagrad([w], lr=0.1)
    >>> (w * 3).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        settings = {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps, "maximize": maximize}
        more = {"initial_accumulator_value": initial_accumulator_value}
        super().__init__(params, settings | more, **implementation)

    def slots(self, group: Group) -> Mapping[str, float]:
        """The sum of squares."""
        return {"sum": group["initial_accumulator_value"]}

    def scalars(self, group: Group) -> Mapping[str, float]:
        """Steps done."""
        return {"step": 0.0}

    def begin(self, group: Group, state: State) -> Tensor:
        """This step's rate."""
        rate = group.rate / (1 + state["step"] * group.number("lr_decay"))
        state.keep("step", state["step"] + 1)
        return rate

    def move(self, group: Group, common: Tensor, p: Tensor, g: Tensor, state: State) -> Tensor:
        """Down the gradient, in units of the root."""
        total = state.keep("sum", state["sum"] + g * g)
        return p - g / (total.sqrt() + group.number("eps")) * common


class Adadelta(PerParameter):
    """Steps by the gradient times the root mean square of steps over that of gradients, which needs no rate.

    Zeiler, "ADADELTA: an adaptive learning rate method" (2012).

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = optim.Adadelta([w])
    >>> (w * 3).sum().backward()
    >>> optimizer.step()
    >>> bool((w < 1).item())
    True
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        settings = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, settings, **implementation)

    def slots(self, group: Group) -> Mapping[str, float]:
        """The mean squares of gradients and of steps."""
        return {"square_avg": 0.0, "acc_delta": 0.0}

    def move(self, group: Group, common: None, p: Tensor, g: Tensor, state: State) -> Tensor:
        """By a step as long as earlier ones."""
        before = (state["acc_delta"] + group.number("eps")).sqrt()
        step = before / (state.mean("square_avg", g * g, group.number("rho")) + group.number("eps")).sqrt() * g
        state.mean("acc_delta", step * step, group.number("rho"))
        return p - step * group.rate


class RMSprop(PerParameter):
    """Steps by the gradient over the root of its mean square; `centered`: of its variance. With a momentum.

    Hinton, "Neural networks for machine learning", lecture 6 (2012); centered: Graves, "Generating sequences with
    recurrent neural networks" (2013).

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = optim.RMSprop([w], lr=0.1, alpha=0.75)
    >>> (w * 3).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        settings = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        more = {"momentum": momentum, "centered": centered}
        super().__init__(params, settings | more, capturable=capturable, foreach=foreach, **implementation)

    def slots(self, group: Group) -> Mapping[str, float]:
        """The mean square, the mean where it is centered, and the velocity where there is a momentum."""
        wanted = {"square_avg": True, "grad_avg": group["centered"], "momentum_buffer": group.number("momentum") > 0}
        return {name: 0.0 for name, is_wanted in wanted.items() if is_wanted}

    def move(self, group: Group, common: None, p: Tensor, g: Tensor, state: State) -> Tensor:
        """Down the gradient, in units of the root."""
        square = state.mean("square_avg", g * g, group.number("alpha"))
        if group["centered"]:
            mean = state.mean("grad_avg", g, group.number("alpha"))
            square = square - mean * mean
        step = g / (square.sqrt() + group.number("eps"))
        if group.number("momentum"):
            step = state.keep("momentum_buffer", state["momentum_buffer"] * group.number("momentum") + step)
        return p - step * group.rate


class Rprop(PerParameter):
    """Steps by the sign of the gradient, longer as long as it stays, shorter where it changes.

    Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning" (1993).

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = optim.Rprop([w], lr=0.1)
    >>> (w * 3).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        settings = {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize}
        super().__init__(params, settings, **implementation)

    def slots(self, group: Group) -> Mapping[str, float]:
        """The last gradient, and the length of the next step."""
        return {"prev": 0.0, "step_size": group["lr"]}

    def move(self, group: Group, common: None, p: Tensor, g: Tensor, state: State) -> Tensor:
        """By the sign; where it changed, not at all."""
        shorter, longer = group["etas"]
        agree = g * state["prev"]
        scale = (agree * 0 + longer).where(agree > 0, (agree * 0 + shorter).where(agree < 0, 1.0))
        size = state.keep("step_size", (state["step_size"] * scale).clamp(*group["step_sizes"]))
        g = g.where(agree >= 0, 0.0)
        state.keep("prev", g)
        return p - g.sign() * size
