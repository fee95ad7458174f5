"""Tensors that change their device, dtype or shape, and stay the objects that modules and optimizers hold."""

from __future__ import annotations

from lazygrad.dtype import DTypeLike
from lazygrad.engine.run import own
from lazygrad.ops.mode import no_grad
from lazygrad.tensor import Tensor


def move(t: Tensor, target: DTypeLike) -> None:
    """Move or cast a tensor in place: it stays the object that optimizers and modules hold."""
    with no_grad():
        moved = t.to(target)
    take(t, moved)
    if t.grad is not None:
        t.grad = t.grad.to(target)


def take(t: Tensor, value: Tensor) -> None:
    """Make `t` what `value` is, of any device, dtype and shape."""
    t.node = own(value.node) if t.requires_grad else value.node
    t.device, t._earlier, t._alias = value.device, None, None if value is not t else t._alias
