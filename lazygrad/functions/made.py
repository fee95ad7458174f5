"""A method as a function: `exp(x)` is `x.exp()`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from lazygrad.ops.core import Core
from lazygrad.ops.operands import not_a_tensor

P = ParamSpec("P")
R = TypeVar("R")


def function(method: Callable[P, R]) -> Callable[P, R]:
    """The function that calls `method` on its first argument, which may also be named `input`, as in PyTorch.

    It has the method's signature and docstring. OperandError where the first argument is no tensor.

    >>> function(Tensor.abs)(Tensor([-1.0]))
    tensor([1.])
    """
    name = method.__name__

    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> R:
        if "input" in kwargs and not args:
            args = (kwargs.pop("input"),)
        if args and not isinstance(args[0], Core):
            not_a_tensor(name, args[0])
        return method(*args, **kwargs)

    return call
