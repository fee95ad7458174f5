"""Stochastic gradient descent, plain and averaged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazygrad.errors import ArgumentError, fail
from lazygrad.optim.optimizer import Group, Params
from lazygrad.optim.per_parameter import PerParameter, State
from lazygrad.tensor import Tensor


class SGD(PerParameter):
    """p -= lr * v, where v = momentum * v + (1 - dampening) * (gradient + weight_decay * p); at first v is the latter.

    With `nesterov`, p moves by gradient + momentum * v instead; ArgumentError without a momentum, or with a dampening.
    `maximize` goes up instead of down.

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = optim.SGD([w], lr=0.1)
    >>> (w * 3).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.7000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        if nesterov and (not momentum or dampening):
            fail(ArgumentError, "SGD: nesterov needs a momentum, and no dampening")
        settings = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(params, {**settings, "nesterov": nesterov, "maximize": maximize}, **implementation)

    def slots(self, group: Group) -> Mapping[str, float]:
        """The velocity of each parameter, where there is a momentum."""
        return {"momentum_buffer": 0.0} if group.number("momentum") else {}

    def scalars(self, group: Group) -> Mapping[str, float]:
        """Whether a step was made: the first one is not dampened."""
        return {"started": 0.0} if group.number("momentum") and group.number("dampening") else {}

    def begin(self, group: Group, state: State) -> Tensor | float:
        """What a gradient counts in the velocity."""
        if not (group.number("momentum") and group.number("dampening")):
            return 1.0
        share = 1 - state["started"] * group.number("dampening")
        state.keep("started", state["started"] * 0 + 1)
        return share

    def move(self, group: Group, common: Tensor | float, p: Tensor, g: Tensor, state: State) -> Tensor:
        """Along the velocity, or the gradient."""
        if momentum := group.number("momentum"):
            velocity = state.keep("momentum_buffer", state["momentum_buffer"] * momentum + g * common)
            g = g + velocity * momentum if group["nesterov"] else velocity
        return p - g * group.rate


class ASGD(PerParameter):
    """Gradient descent with a falling rate, and the mean of the parameters from step `t0` on, in state "ax".

    Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992).

    Args:
        lambd: how much the parameter decays, times the rate.
        alpha: the power of the rate's fall, lr / (1 + lambd * lr * step) ** alpha.

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = optim.ASGD([w], lr=0.1, lambd=0.0)
    >>> (w * 3).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.7000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0.0,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        settings = {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0}
        super().__init__(params, {**settings, "weight_decay": weight_decay, "maximize": maximize}, **implementation)

    def slots(self, group: Group) -> Mapping[str, float]:
        """The mean."""
        return {"ax": 0.0}

    def scalars(self, group: Group) -> Mapping[str, float]:
        """Steps done, this step's rate, and what the parameter counts in the mean."""
        return {"step": 0.0, "eta": group["lr"], "mu": 1.0}

    def begin(self, group: Group, state: State) -> tuple[Tensor, Tensor]:
        """The rate and the weight of this step; the next ones are made ready."""
        eta, mu = state["eta"] * 1, state["mu"] * 1
        step = state.keep("step", state["step"] + 1)
        fall = 1 + group.rate * step * group.number("lambd")
        state.keep("eta", group.rate / fall ** group.number("alpha"))
        state.keep("mu", 1 / (step - group.number("t0")).clamp(min=1.0))
        return eta, mu

    def move(self, group: Group, common: tuple[Tensor, Tensor], p: Tensor, g: Tensor, state: State) -> Tensor:
        """Down the gradient, and the mean after it."""
        eta, mu = common
        new = p * (1 - eta * group.number("lambd")) - g * eta
        state.keep("ax", state["ax"] + (new - state["ax"]) * mu)
        return new
