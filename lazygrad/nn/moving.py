"""Tensors that change their device or dtype, and stay the objects that modules and optimizers hold."""

from __future__ import annotations

from lazygrad.dtype import DTypeLike
from lazygrad.engine.run import own
from lazygrad.ops.mode import no_grad
from lazygrad.tensor import Tensor


def move(t: Tensor, target: DTypeLike) -> None:
    """Move or cast a tensor in place: it stays the object that optimizers and modules hold."""
    with no_grad():
        moved = t.to(target)
    t.node = own(moved.node) if t.requires_grad else moved.node
    t.device, t._earlier, t._alias = moved.device, None, None if moved is not t else t._alias
    if t.grad is not None:
        t.grad = t.grad.to(target)
