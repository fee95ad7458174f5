"""In which precision composed functions are computed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from lazygrad.dtype import dtypes
from lazygrad.ops.core import Core

P = ParamSpec("P")
T = TypeVar("T", bound=Core)


def in_float(method: Callable[Concatenate[T, P], T]) -> Callable[Concatenate[T, P], T]:
    """Compute a composed function in floats of at least 32 bits: 16-bit floats go through float32, so that they are
    rounded once, and integers become float32.
    """

    @wraps(method)
    def wide(self: T, *args: P.args, **kwargs: P.kwargs) -> T:
        dtype = self.node.dtype
        if dtype.is_half:
            return method(self.cast(dtypes.float32), *args, **kwargs).cast(dtype)
        return method(self if dtype.is_float else self.cast(dtypes.float32), *args, **kwargs)

    return wide  # type: ignore[return-value]
