"""Gradients of tensors and of functions, by PyTorch's names (`torch.autograd`). No logic is here."""

from lazygrad.ops.function import Function
from lazygrad.ops.gradients_of import backward, grad
from lazygrad.ops.mode import enable_grad, no_grad

__all__ = ["Function", "backward", "enable_grad", "grad", "no_grad"]
