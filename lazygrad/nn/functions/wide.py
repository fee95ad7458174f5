"""In which precision functions of several tensors are computed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from lazygrad.dtype import dtypes
from lazygrad.ops.promotion import result_type
from lazygrad.tensor import Tensor

F = TypeVar("F", bound=Callable[..., Tensor])


def wide(function: F) -> F:
    """Compute with 16-bit floats in float32: the result is rounded to them once.

    >>> wide(lambda x: x.exp().log())(Tensor([20.0], dtype="float16")).tolist()
    [20.0]
    """

    @wraps(function)
    def computed(*args: Any, **kwargs: Any) -> Tensor:
        given = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor) and x.dtype.is_float]
        if not any(x.dtype.is_half for x in given):
            return function(*args, **kwargs)
        result = function(*map(_widened, args), **{k: _widened(x) for k, x in kwargs.items()})
        return result.cast(result_type(function.__name__, *given))

    return computed  # type: ignore[return-value]


def _widened(x: Any) -> Any:
    return x.cast(dtypes.float32) if isinstance(x, Tensor) and x.dtype.is_half else x
