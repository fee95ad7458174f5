"""A method as a function: `exp(x)` is `x.exp()`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from lazygrad.ops.core import Core, scalar
from lazygrad.ops.operands import not_a_tensor
from lazygrad.ops.wrapping import standing_for
from lazygrad.tensor import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def function(method: Callable[P, R]) -> Callable[P, R]:
    """The function that calls `method` on its first argument, which may also be named `input`, as in PyTorch.

    It has the method's signature and docstring. OperandError where the first argument is no tensor.

    >>> function(Tensor.abs)(Tensor([-1.0]))
    tensor([1.])
    """
    name = method.__name__

    @standing_for(method)
    def call(*args: Any, **kwargs: Any) -> R:
        if "input" in kwargs and not args:
            args = (kwargs.pop("input"),)
        if args and not isinstance(args[0], Core):
            not_a_tensor(name, args[0])
        return method(*args, **kwargs)

    return call


def either(method: Callable[P, R]) -> Callable[P, R]:
    """`function`, whose first argument may also be a number, where the second one is a tensor.

    >>> either(Tensor.pow)(2, Tensor([3.0])).tolist()
    [8.0]
    """
    plain = function(method)

    @standing_for(method)
    def call(*args: Any, **kwargs: Any) -> R:
        if len(args) > 1 and isinstance(args[1], Core) and not isinstance(args[0], Core):
            args = (args[1]._beside(scalar(method.__name__, args[0])), *args[1:])
        return plain(*args, **kwargs)

    return call


def activation(method: Callable[P, Any]) -> Callable[..., Tensor]:
    """`function`, with one argument more at its end, as PyTorch's activations have it: `inplace`, with which the tensor
    takes the result.

    >>> x = Tensor([-1.0, 2.0])
    >>> activation(Tensor.relu)(x, inplace=True) is x, x.tolist()
    (True, [0.0, 2.0])
    """
    plain = function(method)
    own = inspect.signature(method)
    last = inspect.Parameter("inplace", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False, annotation="bool")
    whole = own.replace(parameters=[*own.parameters.values(), last])

    @standing_for(method)
    def call(*args: Any, **kwargs: Any) -> Tensor:
        if len(args) == len(whole.parameters):
            args, kwargs = args[:-1], {**kwargs, "inplace": args[-1]}
        inplace = kwargs.pop("inplace", False)
        changed: Tensor = args[0] if args else kwargs["input"]
        result: Tensor = plain(*args, **kwargs)
        return changed._become(result) if inplace else result

    call.__signature__ = whole  # type: ignore[attr-defined]
    return call


def changing(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The form of an `activation` whose tensor takes the result, as PyTorch's relu_ is that of relu.

    >>> x = Tensor([-1.0, 2.0])
    >>> changing(activation(Tensor.relu))(x) is x, x.tolist()
    (True, [0.0, 2.0])
    """
    whole = inspect.signature(function)

    @standing_for(function, f"{function.__name__}_")
    def call(*args: Any, **kwargs: Any) -> Tensor:
        return function(*args, **kwargs, inplace=True)

    call.__doc__ = getattr(Tensor, call.__name__, function).__doc__
    others = [p for name, p in whole.parameters.items() if name != "inplace"]
    call.__signature__ = whole.replace(parameters=others)  # type: ignore[attr-defined]
    return call
