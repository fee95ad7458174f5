"""Adafactor: the mean square of a matrix's gradient from those of its rows and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazygrad.dtype import dtypes
from lazygrad.optim.optimizer import Group, Params
from lazygrad.optim.per_parameter import PerParameter, State
from lazygrad.tensor import Tensor

_EPS = {dtypes.float64: 2.0**-52, dtypes.float32: 2.0**-23, dtypes.float16: 2.0**-10, dtypes.bfloat16: 2.0**-7}


class Adafactor(PerParameter):
    """Steps by the gradient over the root of its mean square, kept for rows and columns alone: little memory.

    Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost" (2018), as PyTorch has it: a step
    is relative to the size of the parameter, and `lr` an upper bound of 1 / sqrt(step).

    Args:
        beta2_decay: the mean square of step t counts the new one with weight t ** beta2_decay.
        eps: the least mean square's root (None: what the parameter's dtype resolves), and the least size.
        d: how much larger than usual a step may be.

    >>> w = Tensor([[1.0]], requires_grad=True)
    >>> optimizer = optim.Adafactor([w], lr=0.1)
    >>> (w * 3).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([[0.9000]], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        settings = {"lr": lr, "beta2_decay": beta2_decay, "floors": eps, "d": d, "weight_decay": weight_decay}
        super().__init__(params, {**settings, "maximize": maximize}, foreach=foreach)

    def scalars(self, group: Group) -> Mapping[str, float]:
        """Steps done."""
        return {"step": 0.0}

    def make_state(self, number: int, group: Group) -> None:
        """Mean squares of rows and columns; of every element where there is but one dimension."""
        super().make_state(number, group)
        for i, p in enumerate(group["params"]):
            shape = [*p.shape]
            means: dict[str, Sequence[Any]] = {"variance": shape}
            if p.ndim > 1:
                means = {"row_var": [*shape[:-1], 1], "col_var": [*shape[:-2], 1, shape[-1]]}
            for name, sizes in means.items():
                zeros = Tensor.zeros(*sizes, dtype=self.wide(p), device=p.device)
                self.state[f"{name}.{number}.{i}"] = zeros

    def begin(self, group: Group, state: State) -> tuple[Tensor, Tensor]:
        """How the means decay, and the relative size of a step."""
        step = state.keep("step", state["step"] + 1)
        return 1 - step ** group.number("beta2_decay"), group.rate.minimum(step.rsqrt())

    def decayed(self, group: Group, p: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        """Both as they are: a step's size is that of the parameter before it decays, so `move` has it decay."""
        return p, g

    def move(self, group: Group, common: tuple[Tensor, Tensor], p: Tensor, g: Tensor, state: State) -> Tensor:
        """Down the gradient, in units of the root, cut where that is long."""
        beta2, relative = common
        given, smallest = group["floors"]
        least = _EPS[p.dtype] if given is None else float(given)
        if p.ndim > 1:
            rows = state.mean("row_var", g.square().mean(-1, keepdim=True), beta2)
            columns = state.mean("col_var", g.square().mean(-2, keepdim=True), beta2)
            square = rows * columns / rows.mean(-2, keepdim=True).clamp(min=least)
        else:
            square = state.mean("variance", g * g, beta2)
        step = square.clamp(min=least * least).rsqrt() * g
        length = (_size(step) / group.number("d")).clamp(min=1.0)
        size = _size(p).clamp(min=smallest) * relative
        return p * (1 - group.rate * group.number("weight_decay")) - step * (size / length)


def _size(x: Tensor) -> Tensor:
    """The root of the mean square."""
    return x.square().mean().sqrt()
