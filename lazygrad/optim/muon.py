"""Muon: matrices move by the nearest orthogonal matrix to their momentum."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lazygrad.errors import ArgumentError, fail
from lazygrad.optim.optimizer import Group, Params
from lazygrad.optim.per_parameter import PerParameter, State
from lazygrad.tensor import Tensor


class Muon(PerParameter):
    """Steps by the orthogonalized momentum of a matrix. ArgumentError for parameters that are no matrices.

    PyTorch orthogonalizes in bfloat16; here it is done in the parameter's precision, at least 32 bits.
    Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024). `adjust_lr_fn` is "original", the
    rate times sqrt(max(1, rows / columns)), or "match_rms_adamw", times 0.2 * sqrt(max(rows, columns)).

    >>> w = Tensor([[1.0]], requires_grad=True)
    >>> optimizer = optim.Muon([w], lr=0.1, weight_decay=0.0)
    >>> (w * 3).sum().backward()
    >>> optimizer.step()
    >>> bool((w < 0.95).item())
    True
    """

    decoupled = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            fail(ArgumentError, f"Muon: adjust_lr_fn is 'original' or 'match_rms_adamw', not {adjust_lr_fn!r}")
        settings = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov, "eps": eps}
        more = {"ns_coefficients": ns_coefficients, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn}
        super().__init__(params, settings | more)

    def slots(self, group: Group) -> Mapping[str, float]:
        """The momentum."""
        if odd := [list(p.shape) for p in group["params"] if p.ndim != 2]:
            fail(ArgumentError, f"Muon: a parameter of shape {odd[0]} is no matrix; give it to another optimizer")
        return {"momentum_buffer": 0.0}

    def move(self, group: Group, common: Any, p: Tensor, g: Tensor, state: State) -> Tensor:
        """Along the orthogonal matrix."""
        momentum = group.number("momentum")
        mean = state.mean("momentum_buffer", g, momentum)
        step = g * (1 - momentum) + mean * momentum if group["nesterov"] else mean
        rows, columns = (int(n) for n in p.shape)
        if group["adjust_lr_fn"] == "match_rms_adamw":
            scale = 0.2 * math.sqrt(max(rows, columns))
        else:
            scale = math.sqrt(max(1, rows / columns))
        step = orthogonalized(step, group["ns_coefficients"], group["ns_steps"], group.number("eps"))
        return p - step * (group.rate * scale)


def orthogonalized(x: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """The matrix with the singular vectors of `x` and singular values near 1.

    Newton and Schulz's iteration with a quintic polynomial, x a + (x xT) x b + (x xT)^2 x c, from x over its norm.
    """
    a, b, c = coefficients
    wide = int(x.shape[0]) > int(x.shape[1])
    y = x.T if wide else x
    y = y / y.norm().clamp(min=eps)
    for _ in range(steps):
        gram = y @ y.T
        y = y * a + (gram * b + gram @ gram * c) @ y
    return y.T if wide else y
