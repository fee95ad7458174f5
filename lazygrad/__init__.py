"""lazygrad: a deep-learning framework that compiles naive Python into fused kernels."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lazygrad import functions
from lazygrad.absent import AbsentError
from lazygrad.device import (
    Device,
    device,
    get_default_device,
    get_float32_matmul_precision,
    set_default_device,
    set_float32_matmul_precision,
    stats,
    synchronize,
)
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
from lazygrad.ops.text import set_printoptions
from lazygrad.ops.vmap import vmap
from lazygrad.tensor import Tensor

if TYPE_CHECKING:
    import lazygrad.accelerator as accelerator
    import lazygrad.amp as amp
    import lazygrad.array_api as array_api
    import lazygrad.autograd as autograd
    import lazygrad.backends as backends
    import lazygrad.cuda as cuda
    import lazygrad.distributions as distributions
    import lazygrad.fft as fft
    import lazygrad.func as func
    import lazygrad.linalg as linalg
    import lazygrad.masked as masked
    import lazygrad.nn as nn
    import lazygrad.optim as optim
    import lazygrad.signal as signal
    import lazygrad.special as special
    import lazygrad.utils as utils
    from lazygrad.amp import GradScaler
    from lazygrad.io import load, save

__version__ = "0.2.0"
__all__ = [
    "Device",
    "Function",
    "GradScaler",
    "Tensor",
    "Variable",
    "accelerator",
    "amp",
    "array_api",
    "autocast",
    "autograd",
    "backends",
    "cat",
    "cuda",
    "device",
    "distributions",
    "dtypes",
    "enable_grad",
    "fft",
    "func",
    "get_autocast_dtype",
    "get_default_device",
    "get_default_dtype",
    "get_float32_matmul_precision",
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
    "set_default_device",
    "set_default_dtype",
    "set_float32_matmul_precision",
    "set_grad_enabled",
    "set_printoptions",
    "signal",
    "special",
    "stack",
    "stats",
    "synchronize",
    "utils",
    "value_and_grad",
    "vmap",
    "where",
]
__all__ += functions.__all__

# Imported when first used.
_LATER = {"accelerator", "amp", "array_api", "autograd", "backends", "cuda", "distributions", "fft", "func", "linalg"}
_LATER |= {"masked", "nn", "optim", "signal", "special", "utils"}

_FROM = {"GradScaler": "lazygrad.amp", "load": "lazygrad.io", "save": "lazygrad.io"}
# Names of dtypes that are Python's types elsewhere: not among those that `import *` takes.
bool, float, int = dtypes.bool, dtypes.float, dtypes.int


def __getattr__(name: str) -> Any:
    if name in _FROM:
        return getattr(import_module(_FROM[name]), name)
    if name in _LATER:
        return import_module(f"lazygrad.{name}")
    raise AbsentError("lazygrad", name)


check_functions(globals())
expect_einops()
