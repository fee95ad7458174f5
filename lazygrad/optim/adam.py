"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.optim.optimizer import Group, Optimizer, Params
from lazygrad.tensor import Tensor


class Adam(Optimizer):
    """Steps by the mean of the gradient over the root of its mean square, both decaying and corrected for their start.

    `weight_decay` times the parameter is added to the gradient. Kingma and Ba, "Adam: a method for stochastic
    optimization" (2015).

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = optim.Adam([w], lr=0.1)
    >>> (w * 3).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000], requires_grad=True)
    """

    decoupled = False  # whether weight decay acts on the parameter itself

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def make_state(self, number: int, group: Group) -> None:
        """Both means of each parameter, and for the group the sums of weights 1 - beta ** steps that correct them.

        Those sums follow c = beta * c + (1 - beta): more exact in float32 than one minus a power.
        """
        for name in ("correction1", "correction2"):
            self.state[f"{name}.{number}"] = group.scalar(0.0)
        self.zeros_for(number, group, "exp_avg")
        self.zeros_for(number, group, "exp_avg_sq")

    def update(self, number: int, group: Group, params: Sequence[tuple[int, Tensor, Tensor]]) -> list[Tensor]:
        """One step of every parameter."""
        beta1, beta2 = group["betas"]
        first, second = self.state[f"correction1.{number}"], self.state[f"correction2.{number}"]
        changed = [
            first.assign(first * beta1 + (1 - beta1)),
            second.assign(second * beta2 + (1 - beta2)),
        ]
        size, root = group.rate / first, second.sqrt()
        decay = group["weight_decay"]
        for i, p, gradient in params:
            mean, square = self.state[f"exp_avg.{number}.{i}"], self.state[f"exp_avg_sq.{number}.{i}"]
            start, g = p.cast(mean.dtype), gradient.cast(mean.dtype)
            if decay and self.decoupled:
                start = start * (1 - group.rate * decay)
            elif decay:
                g = g + start * decay
            changed.append(mean.assign(mean * beta1 + g * (1 - beta1)))
            changed.append(square.assign(square * beta2 + g * g * (1 - beta2)))
            changed.append(p.assign(start - mean / (square.sqrt() / root + group["eps"]) * size))
        return changed


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameter by lr * weight_decay instead of changing the gradient.

    Loshchilov and Hutter, "Decoupled weight decay regularization" (2019).

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = optim.AdamW([w], lr=0.1, weight_decay=0.5)
    >>> (w * 3).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8500], requires_grad=True)
    """

    decoupled = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)
