"""tinygrad's names for what is here, for its own operator tests: `modules()` stands in for the package `tinygrad`.

Where tinygrad means something else than PyTorch by a name, this file says it; everything else is lazygrad's own.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

import lazygrad
from lazygrad import nn
from lazygrad.dtype import ALL, DType
from lazygrad.settings import settings

INT = lazygrad.dtypes.int32  # what integers are in tinygrad, where none are given


class dtypes(lazygrad.dtypes):  # noqa: N801 - tinygrad's name
    """tinygrad's dtypes."""

    default_float, default_int = lazygrad.dtypes.float32, INT


class Tensor(lazygrad.Tensor):
    """A tensor by which there are gradients without asking for them, and whose integers are of 32 bits."""

    __slots__ = ()

    def __new__(cls, data: Any, dtype: Any = None, device: str | None = None, **kwargs: Any) -> Tensor:
        made = super().__new__(cls, data, dtype, device)
        if dtype is None and made.dtype is lazygrad.dtypes.int64 and not isinstance(data, (np.ndarray, np.generic)):
            made = made.cast(INT)
        return _leaf(made)

    # ---- other meanings than PyTorch's ----

    def max(self, axis: Any = None, keepdim: bool = False) -> Any:
        return super().amax(axis, keepdim) if axis != () else self

    def min(self, axis: Any = None, keepdim: bool = False) -> Any:
        return super().amin(axis, keepdim) if axis != () else self

    def where(self, x: Any, y: Any) -> Any:
        given = {v.dtype for v in (x, y) if isinstance(v, lazygrad.Tensor)}
        return _narrow(self.bool()._choose(x, y), given)

    @staticmethod
    def einsum(formula: str, *operands: Any) -> Any:
        return lazygrad.einsum(formula, *operands)

    def stack(self, *others: Any, dim: int = 0) -> Any:
        if others and isinstance(self, (list, tuple)):
            raise ValueError("stack: tensors in a list and tensors beside it")
        return lazygrad.stack(self if isinstance(self, (list, tuple)) else [self, *others], dim)

    def cat(self, *others: Any, dim: int = 0) -> Any:
        if not self.ndim:
            raise IndexError("cat: a 0-d tensor has no dimension to be joined along")
        return super().cat(*others, dim=dim)

    def logcumsumexp(self, axis: int = 0) -> Any:
        return super().logcumsumexp(axis)

    def gradient(self, *targets: Any, gradient: Any = None, materialize_grads: bool = True) -> Any:
        return super().gradient(*targets, gradient=gradient, materialize_grads=materialize_grads)

    def pad(self, padding: Any, mode: str = "constant", value: float = 0.0) -> Any:
        return super().pad(padding, mode, value or None)

    def interpolate(self, size: Any, mode: str = "linear", align_corners: bool = False) -> Any:
        kind = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(size)] if mode == "linear" else mode
        return nn.functional.interpolate(self, size, mode=kind, align_corners=align_corners or None)

    def one_hot(self, num_classes: int) -> Any:
        if num_classes < 0:
            raise ValueError(f"one_hot: {num_classes} classes; unlike PyTorch's it finds no number by itself")
        return _narrow(super().one_hot(num_classes), ())

    def conv2d(self, weight: Any, bias: Any = None, groups: int = 1, stride: Any = 1, dilation: Any = 1,
               padding: Any = 0, dtype: Any = None) -> Any:  # fmt: skip
        n = weight.ndim - 2
        x, conv = lazygrad.Tensor.pad, [None, super().conv1d, super().conv2d, super().conv3d][n]
        sides = [padding] * 2 * n if isinstance(padding, int) else list(padding)
        if min(sides) < 0:  # elements are cut off
            return x(self, sides).conv2d(weight, bias, groups, stride, dilation, 0)
        return conv(weight, bias, stride, padding, dilation, groups)

    def conv_transpose2d(self, weight: Any, bias: Any = None, groups: int = 1, stride: Any = 1, dilation: Any = 1,
                         padding: Any = 0, output_padding: Any = 0) -> Any:  # fmt: skip
        conv = [None, super().conv_transpose1d, super().conv_transpose2d, super().conv_transpose3d][weight.ndim - 2]
        return conv(weight, bias, stride, padding, output_padding, groups, dilation)

    def avg_pool2d(self, kernel_size: Any = (2, 2), *args: Any, **kwargs: Any) -> Any:
        n = len(kernel_size) if isinstance(kernel_size, tuple) else 2
        return getattr(super(), f"avg_pool{n}d")(kernel_size, *args, **kwargs)


def _leaf(made: Any) -> Any:
    return made.requires_grad_() if made.dtype.is_float else made


def _narrow(result: Any, given: Any) -> Any:
    """`result` with integers of 32 bits, where PyTorch makes some of 64 of operands that are not."""
    if isinstance(result, tuple):
        return tuple(_narrow(r, given) for r in result)
    wide = isinstance(result, lazygrad.Tensor) and result.dtype is lazygrad.dtypes.int64
    return result.cast(INT) if wide and lazygrad.dtypes.int64 not in given else result


def _narrowing(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = {v.dtype for v in (self, *args) if isinstance(v, lazygrad.Tensor)}
        if isinstance(kwargs.get("dtype"), str):
            kwargs["dtype"] = getattr(dtypes, kwargs["dtype"])  # an AttributeError for a name of none
        return _narrow(method(self, *args, **kwargs), {*given, kwargs.get("dtype")})

    return call


def _making(method: Callable[..., Any]) -> Any:
    """A class method whose tensors there are gradients by, and whose integers are of 32 bits unless told."""

    @wraps(method)
    def call(cls: Any, *args: Any, **kwargs: Any) -> Any:
        made = getattr(super(Tensor, cls), method.__name__)(*args, **kwargs)
        large = any(isinstance(a, int) and not INT.min <= a <= INT.max for a in args)
        return _leaf(made if large or kwargs.get("dtype") else _narrow(made, ()))

    return classmethod(call)


for _name in ("sum", "prod", "cumsum", "cumprod", "argmax", "argmin", "argsort", "sort", "topk", "cummax", "cummin",
              "nonzero", "masked_select", "max_pool2d", "add", "__add__"):  # fmt: skip
    setattr(Tensor, _name, _narrowing(getattr(Tensor, _name)))
for _name in ("arange", "full", "zeros", "ones", "empty", "eye", "linspace", "rand", "randn", "randint", "normal",
              "uniform", "scaled_uniform", "glorot_uniform", "kaiming_uniform", "kaiming_normal"):  # fmt: skip
    setattr(Tensor, _name, _making(getattr(lazygrad.Tensor, _name)))


class _Devices(dict[str, Any]):
    """`Device`: every one of them computes all dtypes."""

    @property
    def DEFAULT(self) -> str:
        return settings.device or "NUMPY"

    def __missing__(self, name: str) -> Any:
        return SimpleNamespace(renderer=SimpleNamespace(supported_dtypes=lambda: ALL))


def _module(name: str, **members: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(members)
    return made


def _getenv(name: str, default: Any = 0) -> Any:
    return type(default)(os.environ.get(name, default))


@contextmanager
def _context(**switches: Any) -> Iterator[None]:
    """tinygrad's switches of its compiler: there are none of them here."""
    yield


def _storage(dtype: DType) -> np.dtype[Any]:
    return dtype.storage


def modules() -> dict[str, ModuleType]:
    """What `import tinygrad` and its parts are to find, by name."""
    switch = SimpleNamespace(interface="", renderer="", device="")
    helpers = {"getenv": _getenv, "CI": 0, "DEBUG": 0, "IMAGE": 0, "DEV": switch, "Context": _context}
    return {
        "tinygrad": _module("tinygrad", Tensor=Tensor, Device=_Devices(), dtypes=dtypes),
        "tinygrad.tensor": _module("tinygrad.tensor", _to_np_dtype=_storage),
        "tinygrad.helpers": _module("tinygrad.helpers", **helpers),
        "tinygrad.renderer": _module("tinygrad.renderer"),
        "tinygrad.renderer.nir": _module("tinygrad.renderer.nir", NIRRenderer=type("NIRRenderer", (), {})),
    }


def tests(path: str) -> Iterator[unittest.TestCase]:
    """The tests of the file at `path`, which is tinygrad's."""
    sys.modules.update(modules())
    spec = importlib.util.spec_from_file_location("tinygrad_suite", path)
    assert spec is not None and spec.loader is not None, path
    suite = sys.modules["tinygrad_suite"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(suite)
    yield from _flat(unittest.defaultTestLoader.loadTestsFromModule(suite))


def _flat(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _flat(test)
        else:
            yield test
