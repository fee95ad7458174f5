"""Gradients of tensors and of functions, by PyTorch's names (`torch.autograd`). No logic is here."""

from lazygrad.autograd import functional
from lazygrad.autograd.variable import Variable
from lazygrad.ops.function import Function
from lazygrad.ops.gradients_of import backward, grad
from lazygrad.ops.mode import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = [
    "Function",
    "Variable",
    "backward",
    "enable_grad",
    "functional",
    "grad",
    "inference_mode",
    "no_grad",
    "set_grad_enabled",
]
