"""In which precision composed functions are computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from lazygrad.dtype import dtypes, get_default_dtype
from lazygrad.ops.core import Core
from lazygrad.ops.wrapping import standing_for

P = ParamSpec("P")
T = TypeVar("T", bound=Core)


def in_float(method: Callable[Concatenate[T, P], T]) -> Callable[Concatenate[T, P], T]:
    """Compute a composed function in floats of at least 32 bits: 16-bit floats go through float32, so that they are
    rounded once, and integers become the default dtype, float32.
    """

    @standing_for(method)
    def wide(self: T, *args: P.args, **kwargs: P.kwargs) -> T:
        dtype = self.node.dtype if self.node.dtype.is_float else get_default_dtype()
        if dtype.is_half:
            return method(self.cast(dtypes.float32), *args, **kwargs).cast(dtype)
        return method(self.cast(dtype), *args, **kwargs)

    return wide  # type: ignore[return-value]


def rounded_once(method: Callable[Concatenate[T, P], T]) -> Callable[Concatenate[T, P], T]:
    """Compute with tensors that are all of one 16-bit float in float32, so that the result is rounded once."""

    @standing_for(method)
    def wide(self: T, *args: Any, **kwargs: Any) -> T:
        dtype = self.node.dtype
        if not dtype.is_half or any(isinstance(x, Core) and x.dtype is not dtype for x in (*args, *kwargs.values())):
            return method(self, *args, **kwargs)
        wider = [x.cast(dtypes.float32) if isinstance(x, Core) else x for x in (self, *args)]
        named = {k: x.cast(dtypes.float32) if isinstance(x, Core) else x for k, x in kwargs.items()}
        return method(*wider, **named).cast(dtype)  # type: ignore[arg-type]

    return wide  # type: ignore[return-value]


def in_double(method: Callable[Concatenate[T, P], T]) -> Callable[Concatenate[T, P], T]:
    """Compute a function in float64, whatever the operand is: for those that lose a few places on the way, as sums of
    logarithms do. The result has the dtype that `in_float` gives.
    """

    @standing_for(method)
    def wide(self: T, *args: P.args, **kwargs: P.kwargs) -> T:
        dtype = self.node.dtype if self.node.dtype.is_float else get_default_dtype()
        return method(self.cast(dtypes.float64), *args, **kwargs).cast(dtype)

    return wide  # type: ignore[return-value]
