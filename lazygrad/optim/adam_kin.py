"""What others made of Adam: Adamax, NAdam, RAdam, LAMB, and Lion, which keeps the sign alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazygrad.optim.adam import CORRECTIONS, TwoMeans, corrections
from lazygrad.optim.optimizer import Group, Params
from lazygrad.optim.per_parameter import PerParameter, State
from lazygrad.tensor import Tensor

Betas = tuple[float, float]


class Adamax(PerParameter):
    """Adam with the largest gradient, decaying, for the root of the mean square (Kingma and Ba 2015, section 7.1).

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = optim.Adamax([w], lr=0.1)
    >>> (w * 3).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        settings = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, settings, **implementation)

    def slots(self, group: Group) -> Mapping[str, float]:
        """The mean, and the decaying maximum."""
        return {"exp_avg": 0.0, "exp_inf": 0.0}

    def scalars(self, group: Group) -> Mapping[str, float]:
        """What corrects the mean."""
        return CORRECTIONS

    def begin(self, group: Group, state: State) -> Tensor:
        """The size of a step."""
        return group.rate / corrections(group, state)[0]

    def move(self, group: Group, common: Tensor, p: Tensor, g: Tensor, state: State) -> Tensor:
        """Along the mean, in units of the maximum."""
        beta1, beta2 = group["betas"]
        mean = state.mean("exp_avg", g, beta1)
        largest = state.keep("exp_inf", (state["exp_inf"] * beta2).maximum(g.abs() + group.number("eps")))
        return p - mean / largest * common


class NAdam(TwoMeans):
    """Adam with Nesterov's momentum. Dozat, "Incorporating Nesterov momentum into Adam" (2016).

    The momentum of step t is beta1 * (1 - 0.96 ** (t * momentum_decay) / 2).

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = optim.NAdam([w], lr=0.1)
    >>> (w * 3).sum().backward()
    >>> optimizer.step()
    >>> bool((w < 0.95).item())
    True
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        settings = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        more = {"momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, settings | more, **implementation)

    def scalars(self, group: Group) -> Mapping[str, float]:
        """Steps done, the product of all momenta, and what corrects the mean square."""
        return {**CORRECTIONS, "step": 0.0, "mu_product": 1.0}

    def begin(self, group: Group, state: State) -> tuple[Tensor, Tensor, Tensor]:
        """What the gradient and the mean count, and the root of the second correction."""
        step = state.keep("step", state["step"] + 1)
        now, then = (self._momentum(group, step + k) for k in (0, 1))
        product = state.keep("mu_product", state["mu_product"] * now)
        root = corrections(group, state)[1].sqrt()
        return group.rate * (1 - now) / (1 - product), group.rate * then / (1 - product * then), root

    @staticmethod
    def _momentum(group: Group, step: Tensor) -> Tensor:
        beta: float = group["betas"][0]
        return beta * (1 - 0.5 * 0.96 ** (step * group.number("momentum_decay")))

    def move(self, group: Group, common: tuple[Tensor, Tensor, Tensor], p: Tensor, g: Tensor, state: State) -> Tensor:
        """Along the gradient and the mean, in units of the root."""
        (of_gradient, of_mean, root), (mean, square) = common, self.means(group, g, state)
        return p - (g * of_gradient + mean * of_mean) / (square.sqrt() / root + group.number("eps"))


class RAdam(TwoMeans):
    """Adam that leaves the mean square alone until its variance is finite.

    Liu et al., "On the variance of the adaptive learning rate and beyond" (2020).

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = optim.RAdam([w], lr=0.1)
    >>> (w * 3).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.7000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        settings = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, {**settings, "decoupled_weight_decay": decoupled_weight_decay}, **implementation)

    def scalars(self, group: Group) -> Mapping[str, float]:
        """Steps done, and what corrects the means."""
        return {**CORRECTIONS, "step": 0.0}

    def begin(self, group: Group, state: State) -> tuple[Tensor, Tensor, Tensor]:
        """The size of a step, the rectification (0 where there is none), and the root of the second correction."""
        step, (first, second) = state.keep("step", state["step"] + 1), corrections(group, state)
        limit = 2 / (1 - group["betas"][1]) - 1
        length = limit - 2 * step * (1 - second) / second
        safe = length.maximum(5.0)
        ratio = (safe - 4) * (safe - 2) * limit / ((limit - 4) * (limit - 2) * safe)
        return group.rate / first, ratio.sqrt() * (length > 5).cast(ratio.dtype), second.sqrt()

    def move(self, group: Group, common: tuple[Tensor, Tensor, Tensor], p: Tensor, g: Tensor, state: State) -> Tensor:
        """Along the mean, where it is rectified in units of the root."""
        (size, rectified, root), (mean, square) = common, self.means(group, g, state)
        scaled = mean * rectified * root / (square.sqrt() + group.number("eps"))
        return p - scaled.where(rectified > 0, mean) * size


class LAMB(TwoMeans):
    """Adam for large batches: each step is as long as the parameter, times lr; weight decay belongs to the step.

    You et al., "Large batch optimization for deep learning" (2020).

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = optim.LAMB([w], lr=0.1)
    >>> (w * 3).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        settings = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, settings)

    def decayed(self, group: Group, p: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        """Both as they are: weight decay belongs to the step, which is as long as the parameter."""
        return p, g

    def move(self, group: Group, common: tuple[Tensor, Tensor], p: Tensor, g: Tensor, state: State) -> Tensor:
        """Along Adam's step, at the length of the parameter."""
        (first, second), (mean, square) = common, self.means(group, g, state)
        step = mean / first / ((square / second).sqrt() + group.number("eps")) + p * group.number("weight_decay")
        length, goal = step.norm(), p.norm()
        usable = (length > 0) & (goal > 0)
        trust = (goal / length.maximum(1e-38)).where(usable, 1.0)
        return p - step * trust * group.rate


class Lion(PerParameter):
    """Steps by the sign of a mean of the gradient; weight decay shrinks the parameter.

    Chen et al., "Symbolic discovery of optimization algorithms" (2023).

    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer = optim.Lion([w], lr=0.1)
    >>> (w * 3).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000], requires_grad=True)
    """

    decoupled = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-4,
        betas: Betas = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize})

    def slots(self, group: Group) -> Mapping[str, float]:
        """The mean."""
        return {"exp_avg": 0.0}

    def move(self, group: Group, common: None, p: Tensor, g: Tensor, state: State) -> Tensor:
        """By the sign."""
        beta1, beta2 = map(float, group["betas"])
        step = (state["exp_avg"] * beta1 + g * (1 - beta1)).sign()
        state.mean("exp_avg", g, beta2)
        return p - step * group.rate
