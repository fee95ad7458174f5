"""Functions of elements: the tensors' methods, with operands promoted and special values as the standard has them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from lazygrad.array_api.promotion import Number, alike, an_array
from lazygrad.ops.joining import where as chosen
from lazygrad.tensor import Tensor

__all__ = [
    "abs",
    "acos",
    "acosh",
    "add",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "ceil",
    "clip",
    "conj",
    "copysign",
    "cos",
    "cosh",
    "divide",
    "equal",
    "exp",
    "expm1",
    "floor",
    "floor_divide",
    "greater",
    "greater_equal",
    "hypot",
    "imag",
    "isfinite",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "nextafter",
    "not_equal",
    "positive",
    "pow",
    "real",
    "reciprocal",
    "remainder",
    "round",
    "sign",
    "signbit",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "trunc",
]

Either = Tensor | Number
_ONLY = inspect.Parameter.POSITIONAL_ONLY


def _named(call: Callable[..., Tensor], method: Callable[..., Any], name: str, *parameters: str) -> Callable[..., Any]:
    """`call` with the docstring of `method`, and a signature of its own."""
    given = [inspect.Parameter(p, _ONLY) for p in parameters]
    call.__name__ = call.__qualname__ = name
    call.__doc__, call.__module__ = method.__doc__, __name__
    call.__signature__ = inspect.Signature(given)  # type: ignore[attr-defined]
    return call


def unary(name: str, method: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The function of one array that `method` computes. OperandError for anything else.

    >>> unary("absolute", Tensor.abs)(Tensor([-1, 2])).tolist()
    [1, 2]
    """
    return _named(lambda x, /: method(an_array(name, x)), method, name, "x")


def binary(name: str, method: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Either, Either], Tensor]:
    """The function of two arrays, or of one and a number, that `method` computes of two tensors of one dtype.

    >>> binary("plus", Tensor.add)(2, Tensor([1, 2], dtype="int8"))
    tensor([3, 4], dtype=int8)
    """
    return _named(lambda x1, x2, /: method(*alike(name, x1, x2)), method, name, "x1", "x2")


def clip(x: Tensor, /, min: Tensor | float | None = None, max: Tensor | float | None = None) -> Tensor:
    """`x` between `min` and `max`, in the dtype of `x`.

    >>> clip(Tensor([1, 5, 9]), 2, 7).tolist()
    [2, 5, 7]
    """
    kind = an_array("clip", x).dtype
    low, high = (b.cast(kind) if isinstance(b, Tensor) else b for b in (min, max))
    return x.clamp(low, high) if low is not None or high is not None else x.positive()


def floor_divide(x1: Either, x2: Either, /) -> Tensor:
    """The quotient rounded down; with infinities that are the quotient itself: inf // 2 is inf, and 1 // -inf is -0.

    >>> floor_divide(Tensor([7.0, float("inf")]), 2).tolist()
    [3.0, inf]
    """
    a, b = alike("floor_divide", x1, x2)
    rounded = a.floor_divide(b)
    return chosen(a.isinf() | b.isinf(), a.div(b), rounded) if rounded.dtype.is_float else rounded


def sign(x: Tensor, /) -> Tensor:
    """-1, 0 or 1, and nan where `x` is nan.

    >>> sign(Tensor([-2.0, float("nan")])).tolist()
    [-1.0, nan]
    """
    signs = an_array("sign", x).sign()
    return chosen(x.isnan(), x, signs) if x.dtype.is_float else signs


def imag(x: Tensor, /) -> Tensor:
    """The imaginary parts of real numbers: zeros.

    >>> imag(Tensor([1.5])).tolist()
    [0.0]
    """
    return an_array("imag", x).zeros_like()


abs = unary("abs", Tensor.abs)
acos = unary("acos", Tensor.acos)
acosh = unary("acosh", Tensor.acosh)
add = binary("add", Tensor.add)
asin = unary("asin", Tensor.asin)
asinh = unary("asinh", Tensor.asinh)
atan = unary("atan", Tensor.atan)
atan2 = binary("atan2", Tensor.atan2)
atanh = unary("atanh", Tensor.atanh)
bitwise_and = binary("bitwise_and", Tensor.bitwise_and)
bitwise_invert = unary("bitwise_invert", Tensor.bitwise_not)
bitwise_left_shift = binary("bitwise_left_shift", Tensor.bitwise_left_shift)
bitwise_or = binary("bitwise_or", Tensor.bitwise_or)
bitwise_right_shift = binary("bitwise_right_shift", Tensor.bitwise_right_shift)
bitwise_xor = binary("bitwise_xor", Tensor.bitwise_xor)
ceil = unary("ceil", Tensor.ceil)
conj = unary("conj", Tensor.conj)
copysign = binary("copysign", Tensor.copysign)
cos = unary("cos", Tensor.cos)
cosh = unary("cosh", Tensor.cosh)
divide = binary("divide", Tensor.div)
equal = binary("equal", Tensor.eq)
exp = unary("exp", Tensor.exp)
expm1 = unary("expm1", Tensor.expm1)
floor = unary("floor", Tensor.floor)
greater = binary("greater", Tensor.gt)
greater_equal = binary("greater_equal", Tensor.ge)
hypot = binary("hypot", Tensor.hypot)
isfinite = unary("isfinite", Tensor.isfinite)
isinf = unary("isinf", Tensor.isinf)
isnan = unary("isnan", Tensor.isnan)
less = binary("less", Tensor.lt)
less_equal = binary("less_equal", Tensor.le)
log = unary("log", Tensor.log)
log10 = unary("log10", Tensor.log10)
log1p = unary("log1p", Tensor.log1p)
log2 = unary("log2", Tensor.log2)
logaddexp = binary("logaddexp", Tensor.logaddexp)
logical_and = binary("logical_and", Tensor.logical_and)
logical_not = unary("logical_not", Tensor.logical_not)
logical_or = binary("logical_or", Tensor.logical_or)
logical_xor = binary("logical_xor", Tensor.logical_xor)
maximum = binary("maximum", Tensor.maximum)
minimum = binary("minimum", Tensor.minimum)
multiply = binary("multiply", Tensor.mul)
negative = unary("negative", Tensor.neg)
nextafter = binary("nextafter", Tensor.nextafter)
not_equal = binary("not_equal", Tensor.ne)
positive = unary("positive", Tensor.positive)
pow = binary("pow", Tensor.pow)
real = unary("real", Tensor.positive)
reciprocal = unary("reciprocal", Tensor.reciprocal)
remainder = binary("remainder", Tensor.remainder)
round = unary("round", Tensor.round)
signbit = unary("signbit", Tensor.signbit)
sin = unary("sin", Tensor.sin)
sinh = unary("sinh", Tensor.sinh)
sqrt = unary("sqrt", Tensor.sqrt)
square = unary("square", Tensor.square)
subtract = binary("subtract", Tensor.sub)
tan = unary("tan", Tensor.tan)
tanh = unary("tanh", Tensor.tanh)
trunc = unary("trunc", Tensor.trunc)
