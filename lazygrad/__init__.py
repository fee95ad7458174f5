"""lazygrad: a deep-learning framework that compiles naive Python into fused kernels."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lazygrad.dtype import dtypes
from lazygrad.engine.generator import manual_seed
from lazygrad.ops.functional import grad, value_and_grad
from lazygrad.ops.joining import cat, stack, where
from lazygrad.ops.mode import enable_grad, is_grad_enabled, no_grad
from lazygrad.tensor import Tensor

if TYPE_CHECKING:
    from lazygrad import nn, optim

__version__ = "0.1.0"
__all__ = [
    "Tensor",
    "cat",
    "dtypes",
    "enable_grad",
    "grad",
    "is_grad_enabled",
    "manual_seed",
    "nn",
    "no_grad",
    "optim",
    "stack",
    "value_and_grad",
    "where",
]

_LATER = {"nn": ("lazygrad.nn", None), "optim": ("lazygrad.optim", None)}  # imported when first used


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'lazygrad' has no attribute {name!r}")
    module, member = _LATER[name]
    value = import_module(module) if member is None else getattr(import_module(module), member)
    globals()[name] = value
    return value
