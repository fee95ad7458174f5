"""Operations whose result their first tensor takes, a line each: `x.exp_()` is `x.exp()`, and then `x` is that."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from lazygrad.ops.functions import Functions
from lazygrad.ops.inplace import InPlace

P = ParamSpec("P")
T = TypeVar("T", bound=InPlace)


def in_place(method: Callable[Concatenate[T, P], T]) -> Callable[Concatenate[T, P], T]:
    """The in-place form of `method`: it refuses what `InPlace` refuses, and returns the tensor.

    >>> from lazygrad.ops.inplace_forms import in_place
    >>> in_place(Tensor.exp2)(Tensor([0.0, 3.0]))
    tensor([1., 8.])
    """
    name = method.__name__

    @wraps(method)
    def changed(self: T, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._become(method(self, *args, **kwargs))

    changed.__name__, changed.__qualname__ = f"{name}_", f"{method.__qualname__}_"
    changed.__doc__ = f"`{name}` in place: this tensor takes the result, in its own dtype and storage."
    return changed  # type: ignore[return-value]


class InPlaceForms(InPlace):
    """`x.exp_()` and its like."""

    __slots__ = ()
    abs_ = in_place(Functions.abs)
    ceil_ = in_place(Functions.ceil)
    cos_ = in_place(Functions.cos)
    erf_ = in_place(Functions.erf)
    exp2_ = in_place(Functions.exp2)
    exp_ = in_place(Functions.exp)
    expm1_ = in_place(Functions.expm1)
    floor_ = in_place(Functions.floor)
    frac_ = in_place(Functions.frac)
    log10_ = in_place(Functions.log10)
    log1p_ = in_place(Functions.log1p)
    log2_ = in_place(Functions.log2)
    log_ = in_place(Functions.log)
    neg_ = in_place(Functions.neg)
    reciprocal_ = in_place(Functions.reciprocal)
    round_ = in_place(Functions.round)
    rsqrt_ = in_place(Functions.rsqrt)
    sigmoid_ = in_place(Functions.sigmoid)
    sign_ = in_place(Functions.sign)
    sin_ = in_place(Functions.sin)
    sqrt_ = in_place(Functions.sqrt)
    square_ = in_place(Functions.square)
    tan_ = in_place(Functions.tan)
    tanh_ = in_place(Functions.tanh)
    trunc_ = in_place(Functions.trunc)
