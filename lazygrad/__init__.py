"""lazygrad: a deep-learning framework that compiles naive Python into fused kernels."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lazygrad import functions
from lazygrad.absent import AbsentError
from lazygrad.device import Device, stats, synchronize
from lazygrad.dtype import dtypes, get_default_dtype, set_default_dtype
from lazygrad.einops_backend import expect_einops
from lazygrad.functions import *
from lazygrad.index.variable import Variable
from lazygrad.ops.autocast import autocast, get_autocast_dtype, is_autocast_enabled
from lazygrad.ops.function import Function
from lazygrad.ops.functional import grad, value_and_grad
from lazygrad.ops.jit import jit
from lazygrad.ops.joining import cat, stack, where
from lazygrad.ops.mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from lazygrad.ops.scan import mapAccum, scan
from lazygrad.ops.signatures import check_functions
from lazygrad.ops.vmap import vmap
from lazygrad.tensor import Tensor

if TYPE_CHECKING:
    import lazygrad.amp as amp
    import lazygrad.array_api as array_api
    import lazygrad.autograd as autograd
    import lazygrad.fft as fft
    import lazygrad.func as func
    import lazygrad.linalg as linalg
    import lazygrad.masked as masked
    import lazygrad.nn as nn
    import lazygrad.optim as optim
    import lazygrad.signal as signal
    import lazygrad.special as special
    from lazygrad.io import load, save

__version__ = "0.2.0"
__all__ = [
    "Device",
    "Function",
    "Tensor",
    "Variable",
    "amp",
    "array_api",
    "autocast",
    "autograd",
    "cat",
    "dtypes",
    "enable_grad",
    "fft",
    "func",
    "get_autocast_dtype",
    "get_default_dtype",
    "grad",
    "inference_mode",
    "is_autocast_enabled",
    "is_grad_enabled",
    "jit",
    "linalg",
    "load",
    "mapAccum",
    "masked",
    "nn",
    "no_grad",
    "optim",
    "save",
    "scan",
    "set_default_dtype",
    "set_grad_enabled",
    "signal",
    "special",
    "stack",
    "stats",
    "synchronize",
    "value_and_grad",
    "vmap",
    "where",
]
__all__ += functions.__all__

# Imported when first used.
_LATER = ("amp", "array_api", "autograd", "fft", "func", "linalg", "masked", "nn", "optim", "signal", "special")


def __getattr__(name: str) -> Any:
    if name in ("load", "save"):
        return getattr(import_module("lazygrad.io"), name)
    if name in _LATER:
        return import_module(f"lazygrad.{name}")
    raise AbsentError("lazygrad", name)


check_functions(globals())
expect_einops()
