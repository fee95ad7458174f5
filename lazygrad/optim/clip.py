"""Limits on gradients, applied between `backward` and the optimizer's step."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable

from lazygrad.engine.whole import set_all
from lazygrad.errors import ArgumentError, DivergenceError, fail
from lazygrad.linear_algebra.norms import vector_norm
from lazygrad.ops.joining import stack
from lazygrad.ops.mode import no_grad
from lazygrad.ops.operands import not_a_tensor
from lazygrad.ops.signatures import checked
from lazygrad.tensor import Tensor


@checked
def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float | str = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all `tensors` together, a scalar on the device of the first: nothing is read back.

    Args:
        norm_type: the order, any number; also 'inf'.
        error_if_nonfinite: DivergenceError where the norm is no finite number, for which it is read.
        foreach: accepted; there is one way to compute it.

    >>> get_total_norm([Tensor([3.0]), Tensor([4.0])]).item()
    5.0
    """
    try:
        order = float(norm_type)
    except ValueError:
        fail(ArgumentError, f"norm_type is a number, also 'inf', not {norm_type!r}")
    given = _several("get_total_norm", tensors)
    if not given:
        return Tensor(0.0)
    with no_grad():
        if order == 2:
            total = _combined([_wide(g).square().sum() for g in given], Tensor.add).sqrt()
        elif order == math.inf:
            total = _combined([_wide(g).abs().amax() for g in given], Tensor.maximum)
        else:  # the order 0 counts the tensors that are not all zeros, as PyTorch does
            each = [vector_norm(_wide(g), order).to(given[0].device) for g in given]
            total = vector_norm(stack(each), order)
    if error_if_nonfinite and not math.isfinite(value := total.item()):
        fail(DivergenceError, f"the norm of order {order} of all gradients is {value}: they cannot be limited by it")
    return total


@checked
def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale all gradients by one factor so that `total_norm`, which is the norm of all of them, becomes `max_norm`; not
    if it is less. See `clip_grad_norm_`.

    >>> w = Tensor([0.0, 0.0], requires_grad=True)
    >>> (w * Tensor([3.0, 4.0])).sum().backward()
    >>> clip_grads_with_norm_(w, 1.0, get_total_norm(w.grad))
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    _check_limit("clip_grads_with_norm_", "max_norm", max_norm)
    with no_grad():
        factor = (max_norm / (total_norm + 1e-6)).clamp(max=1.0)
        set_all([(p, "_grad", g * factor.to(g.device)) for p, g in _with_gradients(parameters)])


@checked
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float | str = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients by one factor so that their norm, taken over all of them together, is at most `max_norm`.

    Args:
        parameters: those without a gradient are left out.
        norm_type, error_if_nonfinite, foreach: see `get_total_norm`.

    Returns:
        The norm before scaling, a scalar on the device: nothing is read back.

    >>> w = Tensor([0.0, 0.0], requires_grad=True)
    >>> (w * Tensor([3.0, 4.0])).sum().backward()
    >>> clip_grad_norm_([w], 1.0).item(), w.grad
    (5.0, tensor([0.6000, 0.8000]))
    """
    _check_limit("clip_grad_norm_", "max_norm", max_norm)
    owners = _several("clip_grad_norm_", parameters)
    total = get_total_norm([g for _, g in _with_gradients(owners)], norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(owners, max_norm, total, foreach)
    return total


@checked
def clip_grad_norm(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float | str = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The name that `clip_grad_norm_` had; FutureWarning."""
    warnings.warn("clip_grad_norm is deprecated: it is clip_grad_norm_ now", FutureWarning, stacklevel=2)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@checked
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Limit every element of every gradient to [-clip_value, clip_value].

    >>> w = Tensor([0.0, 0.0], requires_grad=True)
    >>> (w * Tensor([3.0, -0.5])).sum().backward()
    >>> clip_grad_value_([w], 1.0)
    >>> w.grad.tolist()
    [1.0, -0.5]
    """
    _check_limit("clip_grad_value_", "clip_value", clip_value)
    with no_grad():
        set_all([(p, "_grad", g.clamp(-clip_value, clip_value)) for p, g in _with_gradients(parameters)])


def _check_limit(what: str, name: str, limit: float) -> None:
    if math.isnan(limit) or limit < 0:  # infinite is no limit
        fail(ArgumentError, f"{what}: {name}={limit} must be a number that is not negative")


def _several(what: str, tensors: Tensor | Iterable[Tensor]) -> list[Tensor]:
    given = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    for t in given:
        if not isinstance(t, Tensor):
            not_a_tensor(what, t, "Tensors")
    return given


def _with_gradients(parameters: Tensor | Iterable[Tensor]) -> list[tuple[Tensor, Tensor]]:
    return [(p, p.grad) for p in _several("a limit on gradients", parameters) if p.grad is not None]


def _wide(g: Tensor) -> Tensor:
    """In float32 at least, since squares of 16-bit floats overflow."""
    return g if g.dtype.itemsize >= 4 else g.float()


def _combined(scalars: list[Tensor], combine: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """All scalars in one, pairwise, so that depth and rounding grow with the logarithm of their number."""
    while len(scalars) > 1:
        pairs = [combine(a, b.to(a.device)) for a, b in zip(scalars[::2], scalars[1::2])]
        scalars = pairs + scalars[len(pairs) * 2 :]
    return scalars[0]
