"""Modules made without initial values."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from lazygrad.errors import ArgumentError, fail
from lazygrad.nn.module import Module

Made = TypeVar("Made", bound=Module)


def skip_init(module_cls: type[Made], *args: Any, **kwargs: Any) -> Made:
    """A module of this class, whose parameters and buffers hold anything: nothing is computed for them.

    The other arguments are the class's own; one of those that it takes must be `device`.

    >>> skip_init(nn.Linear, 5, 1).weight.shape
    (1, 5)
    """
    if not (inspect.isclass(module_cls) and issubclass(module_cls, Module)):
        fail(ArgumentError, f"skip_init makes a Module, not {module_cls!r}")
    if "device" not in inspect.signature(module_cls).parameters:
        fail(ArgumentError, f"skip_init: {module_cls.__name__} takes no device")
    return module_cls(*args, **kwargs).to_empty(device=kwargs.get("device"))


def convert_conv2d_weight_memory_format(module: Made, memory_format: Any) -> Made:
    """The module: orders of elements in memory are the compiler's, and `memory_format` is accepted.

    >>> convert_conv2d_weight_memory_format(nn.Conv2d(1, 1, 1), "channels_last").kernel_size
    (1, 1)
    """
    return module


convert_conv3d_weight_memory_format = convert_conv2d_weight_memory_format
