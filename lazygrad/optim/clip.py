"""Limits on gradients, applied between `backward` and the optimizer's step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from lazygrad.engine.whole import set_all
from lazygrad.errors import ArgumentError, fail
from lazygrad.ops.mode import no_grad
from lazygrad.ops.operands import not_a_tensor
from lazygrad.tensor import Tensor


def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0) -> Tensor:
    """Scale all gradients by one factor so that their norm, taken over all of them together, is at most `max_norm`.

    Args:
        parameters: those without a gradient are left out.
        norm_type: 2 or inf.

    Returns:
        The norm before scaling, a scalar on the device: nothing is read back.

    >>> w = Tensor([0.0, 0.0], requires_grad=True)
    >>> (w * Tensor([3.0, 4.0])).sum().backward()
    >>> clip_grad_norm_([w], 1.0).item(), w.grad
    (5.0, tensor([0.6000, 0.8000]))
    """
    _check_limit("clip_grad_norm_", "max_norm", max_norm)
    if norm_type not in (2, math.inf):
        fail(ArgumentError, f"clip_grad_norm_: norm_type is 2 or inf, not {norm_type}")
    owners = _with_gradients(parameters)
    if not owners:
        return Tensor(0.0)
    with no_grad():
        gradients = [g for _, g in owners]
        if norm_type == 2:
            total = _combined([_wide(g).square().sum() for g in gradients], Tensor.add).sqrt()
        else:
            total = _combined([_wide(g).abs().amax() for g in gradients], Tensor.maximum)
        factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
        set_all([(p, "grad", g * factor) for p, g in owners])
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit every element of every gradient to [-clip_value, clip_value].

    >>> w = Tensor([0.0, 0.0], requires_grad=True)
    >>> (w * Tensor([3.0, -0.5])).sum().backward()
    >>> clip_grad_value_([w], 1.0)
    >>> w.grad.tolist()
    [1.0, -0.5]
    """
    _check_limit("clip_grad_value_", "clip_value", clip_value)
    with no_grad():
        set_all([(p, "grad", g.clamp(-clip_value, clip_value)) for p, g in _with_gradients(parameters)])


def _check_limit(what: str, name: str, limit: float) -> None:
    if math.isnan(limit) or limit < 0:  # infinite is no limit
        fail(ArgumentError, f"{what}: {name}={limit} must be a number that is not negative")


def _with_gradients(parameters: Tensor | Iterable[Tensor]) -> list[tuple[Tensor, Tensor]]:
    tensors = [parameters] if isinstance(parameters, Tensor) else parameters
    found = []
    for p in tensors:
        if not isinstance(p, Tensor):
            not_a_tensor("a limit on gradients", p, "Tensors as parameters")
        if p.grad is not None:
            found.append((p, p.grad))
    return found


def _wide(g: Tensor) -> Tensor:
    """In float32 at least, since squares of 16-bit floats overflow."""
    return g if g.dtype.itemsize >= 4 else g.float()


def _combined(scalars: list[Tensor], combine: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """All scalars in one, pairwise, so that depth and rounding grow with the logarithm of their number."""
    while len(scalars) > 1:
        pairs = [combine(a, b) for a, b in zip(scalars[::2], scalars[1::2])]
        scalars = pairs + scalars[len(pairs) * 2 :]
    return scalars[0]
