"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.errors import ArgumentError, fail
from lazygrad.optim.optimizer import Group, Optimizer, Params
from lazygrad.tensor import Tensor


class SGD(Optimizer):
    """p -= lr * v, where v = momentum * v + (gradient + weight_decay * p).

    With `nesterov`, p moves by gradient + momentum * v instead; ArgumentError without a momentum.

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = optim.SGD([w], lr=0.1)
    >>> (w * 3).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.7000], requires_grad=True)
    """

    def __init__(
        self, params: Params, lr: float = 0.01, momentum: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False
    ) -> None:
        if nesterov and not momentum:
            fail(ArgumentError, "SGD: nesterov needs a momentum")
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "nesterov": nesterov})

    def make_state(self, number: int, group: Group) -> None:
        """The velocity of each parameter, where there is a momentum."""
        if group["momentum"]:
            self.zeros_for(number, group, "momentum_buffer")

    def update(self, number: int, group: Group, params: Sequence[tuple[int, Tensor, Tensor]]) -> list[Tensor]:
        """One step of every parameter."""
        changed = []
        for i, p, gradient in params:
            step = gradient + p * group["weight_decay"] if group["weight_decay"] else gradient
            if momentum := group["momentum"]:
                velocity = self.state[f"momentum_buffer.{number}.{i}"]
                changed.append(velocity.assign(velocity * momentum + step))
                step = step + velocity * momentum if group["nesterov"] else velocity
            changed.append(p.assign(p - step * group.rate))
        return changed
