"""Operations whose result their first tensor takes, a line each: `x.exp_()` is `x.exp()`, and then `x` is that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from lazygrad.ops.activation import Activation
from lazygrad.ops.elementwise import Elementwise
from lazygrad.ops.inplace import InPlace
from lazygrad.ops.rearranging import Rearranging
from lazygrad.ops.wrapping import standing_for

P = ParamSpec("P")
T = TypeVar("T", bound=InPlace)


def in_place(method: Callable[Concatenate[Any, P], Any]) -> Callable[Concatenate[T, P], T]:
    """The in-place form of `method`: it refuses what `InPlace` refuses, and returns the tensor.

    >>> from lazygrad.ops.inplace_forms import in_place
    >>> in_place(Tensor.exp2)(Tensor([0.0, 3.0]))
    tensor([1., 8.])
    """
    name = method.__name__

    @standing_for(method, f"{name}_")
    def changed(self: T, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._become(method(self, *args, **kwargs))

    changed.__doc__ = f"`{name}` in place: this tensor takes the result, in its own dtype and storage."
    return changed  # type: ignore[return-value]


class InPlaceForms(InPlace):
    """`x.exp_()` and its like."""

    __slots__ = ()
    abs_ = in_place(Elementwise.abs)
    acos_ = in_place(Elementwise.acos)
    acosh_ = in_place(Elementwise.acosh)
    addcdiv_ = in_place(Elementwise.addcdiv)
    addcmul_ = in_place(Elementwise.addcmul)
    asin_ = in_place(Elementwise.asin)
    asinh_ = in_place(Elementwise.asinh)
    atan2_ = in_place(Elementwise.atan2)
    atan_ = in_place(Elementwise.atan)
    atanh_ = in_place(Elementwise.atanh)
    bitwise_and_ = in_place(Elementwise.bitwise_and)
    bitwise_left_shift_ = in_place(Elementwise.bitwise_left_shift)
    bitwise_not_ = in_place(Elementwise.bitwise_not)
    bitwise_or_ = in_place(Elementwise.bitwise_or)
    bitwise_right_shift_ = in_place(Elementwise.bitwise_right_shift)
    bitwise_xor_ = in_place(Elementwise.bitwise_xor)
    ceil_ = in_place(Elementwise.ceil)
    clamp_max_ = in_place(Elementwise.clamp_max)
    clamp_min_ = in_place(Elementwise.clamp_min)
    clip_ = in_place(Elementwise.clip)
    copysign_ = in_place(Elementwise.copysign)
    cos_ = in_place(Elementwise.cos)
    cosh_ = in_place(Elementwise.cosh)
    deg2rad_ = in_place(Elementwise.deg2rad)
    digamma_ = in_place(Elementwise.digamma)
    eq_ = in_place(Elementwise.eq)
    erf_ = in_place(Elementwise.erf)
    erfc_ = in_place(Elementwise.erfc)
    erfinv_ = in_place(Elementwise.erfinv)
    exp2_ = in_place(Elementwise.exp2)
    exp_ = in_place(Elementwise.exp)
    expm1_ = in_place(Elementwise.expm1)
    float_power_ = in_place(Elementwise.float_power)
    floor_ = in_place(Elementwise.floor)
    floor_divide_ = in_place(Elementwise.floor_divide)
    fmod_ = in_place(Elementwise.fmod)
    frac_ = in_place(Elementwise.frac)
    gcd_ = in_place(Elementwise.gcd)
    ge_ = in_place(Elementwise.ge)
    gt_ = in_place(Elementwise.gt)
    heaviside_ = in_place(Elementwise.heaviside)
    hypot_ = in_place(Elementwise.hypot)
    i0_ = in_place(Elementwise.i0)
    igamma_ = in_place(Elementwise.igamma)
    igammac_ = in_place(Elementwise.igammac)
    index_add_ = in_place(Rearranging.index_add)
    index_copy_ = in_place(Rearranging.index_copy)
    index_fill_ = in_place(Rearranging.index_fill)
    index_put_ = in_place(Rearranging.index_put)
    index_reduce_ = in_place(Rearranging.index_reduce)
    lcm_ = in_place(Elementwise.lcm)
    ldexp_ = in_place(Elementwise.ldexp)
    le_ = in_place(Elementwise.le)
    lerp_ = in_place(Elementwise.lerp)
    lgamma_ = in_place(Elementwise.lgamma)
    log10_ = in_place(Elementwise.log10)
    log1p_ = in_place(Elementwise.log1p)
    log2_ = in_place(Elementwise.log2)
    log_ = in_place(Elementwise.log)
    logical_and_ = in_place(Elementwise.logical_and)
    logical_not_ = in_place(Elementwise.logical_not)
    logical_or_ = in_place(Elementwise.logical_or)
    logical_xor_ = in_place(Elementwise.logical_xor)
    logit_ = in_place(Elementwise.logit)
    lt_ = in_place(Elementwise.lt)
    masked_fill_ = in_place(Rearranging.masked_fill)
    masked_scatter_ = in_place(Rearranging.masked_scatter)
    mvlgamma_ = in_place(Elementwise.mvlgamma)
    nan_to_num_ = in_place(Elementwise.nan_to_num)
    ne_ = in_place(Elementwise.ne)
    neg_ = in_place(Elementwise.neg)
    nextafter_ = in_place(Elementwise.nextafter)
    polygamma_ = in_place(Elementwise.polygamma)
    pow_ = in_place(Elementwise.pow)
    put_ = in_place(Rearranging.put)
    rad2deg_ = in_place(Elementwise.rad2deg)
    reciprocal_ = in_place(Elementwise.reciprocal)
    relu_ = in_place(Activation.relu)
    remainder_ = in_place(Elementwise.remainder)
    round_ = in_place(Elementwise.round)
    rsqrt_ = in_place(Elementwise.rsqrt)
    scatter_ = in_place(Rearranging.scatter)
    scatter_add_ = in_place(Rearranging.scatter_add)
    scatter_reduce_ = in_place(Rearranging.scatter_reduce)
    sgn_ = in_place(Elementwise.sgn)
    sigmoid_ = in_place(Elementwise.sigmoid)
    sign_ = in_place(Elementwise.sign)
    sin_ = in_place(Elementwise.sin)
    sinc_ = in_place(Elementwise.sinc)
    sinh_ = in_place(Elementwise.sinh)
    sqrt_ = in_place(Elementwise.sqrt)
    square_ = in_place(Elementwise.square)
    tan_ = in_place(Elementwise.tan)
    tanh_ = in_place(Elementwise.tanh)
    tril_ = in_place(Rearranging.tril)
    triu_ = in_place(Rearranging.triu)
    true_divide_ = in_place(Elementwise.true_divide)
    trunc_ = in_place(Elementwise.trunc)
    xlogy_ = in_place(Elementwise.xlogy)
