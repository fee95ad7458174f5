"""lazygrad: a deep-learning framework that compiles naive Python into fused kernels."""

from lazygrad.dtype import dtypes
from lazygrad.ops.mode import enable_grad, is_grad_enabled, no_grad
from lazygrad.tensor import Tensor

__all__ = ["Tensor", "dtypes", "enable_grad", "is_grad_enabled", "no_grad"]
