"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazygrad.optim.optimizer import Group, Params
from lazygrad.optim.per_parameter import PerParameter, State
from lazygrad.tensor import Tensor

CORRECTIONS = {"correction1": 0.0, "correction2": 0.0}


def corrections(group: Group, state: State) -> tuple[Tensor, Tensor]:
    """1 - beta ** steps, for both betas, by which means that started at 0 are divided.

    They follow c = beta * c + (1 - beta): more exact in float32 than one minus a power.
    """
    beta1, beta2 = group["betas"]
    one = state["correction1"] * 0 + 1
    return state.mean("correction1", one, beta1), state.mean("correction2", one, beta2)


class TwoMeans(PerParameter):
    """Decaying means of the gradient and of its square, which start at 0 and are corrected for it."""

    def slots(self, group: Group) -> Mapping[str, float]:
        """Both means of each parameter."""
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def scalars(self, group: Group) -> Mapping[str, float]:
        """The sums of weights that correct the means."""
        return CORRECTIONS

    def begin(self, group: Group, state: State) -> Any:
        """Both corrections."""
        return corrections(group, state)

    @staticmethod
    def means(group: Group, g: Tensor, state: State) -> tuple[Tensor, Tensor]:
        """Both means, with this step's gradient in them."""
        beta1, beta2 = group["betas"]
        return state.mean("exp_avg", g, beta1), state.mean("exp_avg_sq", g * g, beta2)


class Adam(TwoMeans):
    """Steps by the mean of the gradient over the root of its mean square, both decaying and corrected for their start.

    `weight_decay` times the parameter is added to the gradient, or with `decoupled_weight_decay` it is AdamW. With
    `amsgrad` the largest mean square so far takes the place of the last one. Kingma and Ba, "Adam: a method for
    stochastic optimization" (2015); Reddi, Kale and Kumar, "On the convergence of Adam and beyond" (2018).

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = optim.Adam([w], lr=0.1)
    >>> (w * 3).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
        **implementation: Any,
    ) -> None:
        settings = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
        more = {"maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, settings | more, **implementation)

    def slots(self, group: Group) -> Mapping[str, float]:
        """Both means of each parameter, and the largest mean square where it is asked for."""
        return {**super().slots(group), **({"max_exp_avg_sq": 0.0} if group["amsgrad"] else {})}

    def begin(self, group: Group, state: State) -> tuple[Tensor, Tensor]:
        """The size of a step, and the root of the second correction."""
        first, second = corrections(group, state)
        return group.rate / first, second.sqrt()

    def move(self, group: Group, common: tuple[Tensor, Tensor], p: Tensor, g: Tensor, state: State) -> Tensor:
        """Along the mean, in units of the root."""
        (size, root), (mean, square) = common, self.means(group, g, state)
        if group["amsgrad"]:
            square = state.keep("max_exp_avg_sq", state["max_exp_avg_sq"].maximum(square))
        return p - mean / (square.sqrt() / root + group.number("eps")) * size


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

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        options = {"maximize": maximize, "decoupled_weight_decay": True, **implementation}
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, **options)
