"""The rows of the table of operations that are functions of elements without a primitive."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import torch
from torch import special
from torch.nn import functional

import lazygrad
from lazygrad import Tensor
from lazygrad.errors import ArgumentError, DTypeError, GradientError, ShapeError
from tests.op_row import ALL, FLOATS, INTS, NUMBERS, In, Row, binary, unary

_UNIT, _POSITIVE, _WIDE = In(low=-0.95, high=0.95), In(low=0.2, high=4.0), In(low=-6.0, high=6.0)
_INTEGERS = (*INTS,)


def _special(name: str, *inputs: In, **options: Any) -> Row:
    """A function of `torch.special`, which has no method there."""
    return unary(name, None, *inputs, torch=getattr(special, name), **options)  # type: ignore[arg-type]


def _polynomial(name: str, degree: int) -> Row:
    theirs = getattr(special, name)
    return Row(
        f"{name}_{degree}",
        lambda x: getattr(x, name)(degree),
        None,
        dtypes=FLOATS[:2],
        grad=False,
        elementwise=True,
        torch=lambda x: theirs(x, degree),
    )


def _activation(name: str, reference: Any, *arguments: float, **options: Any) -> Row:
    theirs = getattr(functional, name)
    return Row(
        name,
        lambda x: getattr(x, name)(*arguments),
        reference,
        elementwise=True,
        torch=lambda x: theirs(x, *arguments),
        **options,
    )


def _exact(value: Any) -> Any:
    """A function of mpmath's in the place of PyTorch's, which has fewer places than this table asks for."""

    def of(x: torch.Tensor) -> torch.Tensor:
        values = [float(value(float(v))) for v in x.flatten()]
        return torch.tensor(values, dtype=torch.float64).reshape(x.shape).to(x.dtype)

    return of


def _digamma(x: torch.Tensor) -> torch.Tensor:
    """PyTorch's where its derivative has all places: far from 0."""
    return torch.digamma(x + 16) - sum(1 / (x + k) for k in range(16))


def _softplus(x: Any) -> Any:
    return np.log1p(np.exp(x))


ANGLES = [
    unary("acos", np.arccos, _UNIT),
    unary("asin", np.arcsin, _UNIT),
    unary("atan", np.arctan, _WIDE),
    unary("acosh", np.arccosh, In(low=1.1, high=9.0)),
    unary("asinh", np.arcsinh, _WIDE),
    unary("atanh", np.arctanh, _UNIT),
    unary("sinh", np.sinh, _WIDE),
    unary("cosh", np.cosh, _WIDE),
    unary("sinc", np.sinc, _WIDE),
    unary("deg2rad", np.deg2rad),
    unary("rad2deg", np.rad2deg),
    unary("angle", np.angle, dtypes=ALL),
    binary("atan2", lambda a, b: a.atan2(b), np.arctan2),
    binary("hypot", lambda a, b: a.hypot(b), np.hypot, dtypes=FLOATS),
]
PARTS = [
    unary("signbit", np.signbit, dtypes=NUMBERS, grad=False),
    unary("sgn", np.sign, dtypes=NUMBERS, torch=torch.sign),
    unary("nan_to_num", np.nan_to_num, dtypes=ALL),
    Row("frexp_mantissa", lambda x: x.frexp()[0], lambda x: np.frexp(x)[0], elementwise=True),
    Row("frexp_exponent", lambda x: x.frexp()[1], lambda x: np.frexp(x)[1], elementwise=True, grad=False),
    binary("copysign", lambda a, b: a.copysign(b), np.copysign),
    binary("ldexp", lambda a, b: a.ldexp(b), lambda a, b: a * 2.0**b, dtypes=FLOATS),
    binary("fmax", lambda a, b: a.fmax(b), np.fmax),
    binary("fmin", lambda a, b: a.fmin(b), np.fmin),
    binary("heaviside", lambda a, b: a.heaviside(b), np.heaviside, grad=False),
    Row(
        "nextafter",
        lambda a, b: a.nextafter(b),
        np.nextafter,
        (In(), In()),
        ("float64", "float32"),
        grad=False,
        elementwise=True,
        errors=((lambda: Tensor([1]).nextafter(Tensor([2])), DTypeError, "int64"),),
    ),
]
NORMAL = [
    unary("erfc", None, _WIDE),  # type: ignore[arg-type]
    unary("erfinv", None, _UNIT),  # type: ignore[arg-type]
    _special("erfcx", In(low=-2.0, high=9.0)),
    _special("ndtr", _WIDE),
    _special("ndtri", In(low=0.01, high=0.99)),
    _special("log_ndtr", In(low=-9.0, high=6.0)),
]
GAMMA = [
    unary("lgamma", None, In(low=-3.0, high=14.0, away=0.1)),  # type: ignore[arg-type]
    unary("digamma", None, In(low=-3.0, high=14.0, away=0.2), torch=_digamma),  # type: ignore[arg-type]
    Row(  # PyTorch's trigamma has nine places
        "polygamma_1",
        lambda x: x.polygamma(1),
        None,
        (_POSITIVE,),
        elementwise=True,
        torch=lambda x: special.zeta(torch.tensor(2.0, dtype=x.dtype), x),
    ),
    Row(
        "polygamma_3",
        lambda x: x.polygamma(3),
        None,
        (_POSITIVE,),
        elementwise=True,
        errors=((lambda: Tensor([1.0]).polygamma(-1), ArgumentError, "negative"),),
    ),
    Row(
        "mvlgamma",
        lambda x: x.mvlgamma(3),
        None,
        (In(low=1.2, high=5.0),),
        elementwise=True,
        errors=((lambda: Tensor([1.0]).mvlgamma(0), ArgumentError, "at least 1"),),
    ),
]
INCOMPLETE = [
    Row(
        name,
        lambda a, x, name=name: getattr(a.to(x.dtype), name)(x),
        None,
        (In(low=1, high=9, integer=True), In(low=0.2, high=12.0)),
        FLOATS[:2],
        elementwise=True,
        torch=lambda a, x, theirs=theirs: theirs(a.to(x.dtype), x),
        errors=((lambda name=name: getattr(Tensor([1.0], requires_grad=True), name)(1.0), GradientError, "detach"),),
    )
    for name, theirs in (("igamma", torch.igamma), ("igammac", torch.igammac))
] + [
    Row(
        "zeta",
        lambda s, q: (s.to(q.dtype) + 1).zeta(q),
        None,
        (In(low=1, high=9, integer=True), In(low=0.2, high=12.0)),
        FLOATS[:2],
        elementwise=True,
        torch=lambda s, q: special.zeta(s.to(q.dtype) + 1, q),
    )
]
BESSEL = [
    unary("i0", np.i0, _WIDE),
    *(_special(name, In(low=-12.0, high=12.0)) for name in ("i0e", "i1", "i1e")),
    *(
        unary(name, None, _WIDE, dtypes=FLOATS[:2], torch=_exact(how), grad=False)  # type: ignore[arg-type]
        for name, how in (
            ("bessel_j0", lambda x: mpmath.besselj(0, x)),
            ("bessel_j1", lambda x: mpmath.besselj(1, x)),
            ("airy_ai", mpmath.airyai),
        )
    ),
    *(
        unary(name, None, In(low=0.1, high=14.0), dtypes=FLOATS[:2], torch=_exact(how), grad=False)  # type: ignore[arg-type]
        for name, how in (
            ("bessel_y0", lambda x: mpmath.bessely(0, x)),
            ("bessel_y1", lambda x: mpmath.bessely(1, x)),
        )
    ),
    *(
        _special(name, In(low=0.1, high=14.0), grad=False, dtypes=FLOATS[:2])
        for name in ("modified_bessel_k0", "modified_bessel_k1", "scaled_modified_bessel_k0")
    ),
    _special("spherical_bessel_j0", _WIDE, grad=False, dtypes=FLOATS[:2]),
]
ORTHOGONAL = [
    _polynomial(name, 4)
    for name in (
        "chebyshev_polynomial_t",
        "chebyshev_polynomial_w",
        "shifted_chebyshev_polynomial_u",
        "hermite_polynomial_h",
        "hermite_polynomial_he",
        "laguerre_polynomial_l",
        "legendre_polynomial_p",
    )
]
LOGARITHMS = [
    binary("logaddexp", lambda a, b: a.logaddexp(b), np.logaddexp, dtypes=FLOATS),
    binary("logaddexp2", lambda a, b: a.logaddexp2(b), np.logaddexp2, dtypes=FLOATS),
    binary("xlogy", lambda a, b: a.xlogy(b), lambda a, b: a * np.log(b), inputs=(In(), _POSITIVE)),
    binary(
        "xlog1py",
        lambda a, b: a.xlog1py(b),
        lambda a, b: a * np.log1p(b),
        inputs=(In(), _POSITIVE),
        torch=special.xlog1py,
    ),
    _special("entr", _POSITIVE),
    unary("logit", lambda x: np.log(x / (1 - x)), In(low=0.05, high=0.95)),
    Row("logit_eps", lambda x: x.logit(0.2), None, (In(low=0.05, high=0.95),), elementwise=True),
    binary("float_power", lambda a, b: a.float_power(b), np.power, inputs=(_POSITIVE, In())),
]
CLOSENESS = [
    binary("isclose", lambda a, b: a.isclose(b, 0.3), lambda a, b: np.isclose(a, b, 0.3), dtypes=ALL, grad=False),
    unary("isposinf", np.isposinf, grad=False, dtypes=ALL),
    unary("isneginf", np.isneginf, grad=False, dtypes=ALL),
    unary("isreal", np.isreal, grad=False, dtypes=ALL),
    Row(
        "isin",
        lambda a, b: lazygrad.isin(a.round(), b.round()),
        lambda a, b: np.isin(np.round(a), np.round(b)),
        (In(), In((2, 2))),
        NUMBERS,
        grad=False,
        torch=lambda a, b: torch.isin(a.round(), b.round()),
        errors=((lambda: lazygrad.isin(1, 2), DTypeError, "neither"),),
    ),
]
FUSED = [
    Row("addcmul", lambda x, a, b: x.addcmul(a, b, value=2), lambda x, a, b: x + 2 * a * b, (In(),) * 3, NUMBERS,
        elementwise=True),
    Row(
        "addcdiv",
        lambda x, a, b: x.addcdiv(a, b, value=2),
        lambda x, a, b: x + 2 * a / b,
        (In(), In(), _POSITIVE),
        elementwise=True,
        errors=((lambda: Tensor([1]).addcdiv(Tensor([1]), Tensor([1])), DTypeError, "cast"),),
    ),
    Row("clamp_min", lambda x: x.clamp_min(0.5), lambda x: np.maximum(x, 0.5), elementwise=True),
    Row("clamp_max", lambda x: x.clamp_max(0.5), lambda x: np.minimum(x, 0.5), elementwise=True),
    Row("rsub_alpha", lambda x: x.rsub(3, alpha=2), lambda x: 3 - 2 * x, dtypes=NUMBERS[:8], elementwise=True,
        torch=lambda x: torch.rsub(x, 3, alpha=2)),
    Row("fill", lambda x: x.fill(3), lambda x: np.full_like(x, 3), dtypes=ALL, elementwise=True, grad=False,
        torch=lambda x: torch.fill(x, 3)),
    *(
        Row(
            name,
            lambda a, b, name=name: getattr(a.long(), name)(b.long()),
            lambda a, b, how=how: how(np.trunc(a).astype(int), np.trunc(b).astype(int)),
            (In(low=-40.0, high=40.0), In(low=-40.0, high=40.0)),
            _INTEGERS[:1],
            grad=False,
            elementwise=True,
            errors=((lambda name=name: getattr(Tensor([1.0]), name)(Tensor([1.0])), DTypeError, "integers"),),
        )
        for name, how in (("gcd", np.gcd), ("lcm", np.lcm))
    ),
    *(
        Row(name, lambda a, b, name=name: getattr(a.int(), name)(b.int()),
            lambda a, b, how=how: how(np.trunc(a).astype(int), np.trunc(b).astype(int)),
            (In(low=0.0, high=9.0), In(low=0.0, high=9.0)), grad=False, elementwise=True, dtypes=FLOATS[:1])
        for name, how in (("bitwise_and", np.bitwise_and), ("bitwise_or", np.bitwise_or),
                          ("bitwise_xor", np.bitwise_xor), ("bitwise_left_shift", np.left_shift),
                          ("bitwise_right_shift", np.right_shift))
    ),
]  # fmt: skip
ACTIVATIONS = [
    _activation("celu", lambda x: np.where(x > 0, x, 1.5 * np.expm1(x / 1.5)), 1.5),
    _activation("selu", None),
    _activation("mish", lambda x: x * np.tanh(_softplus(x))),
    Row(  # PyTorch's gradient is 1/6 in float32
        "hardsigmoid",
        lambda x: x.hardsigmoid(),
        lambda x: np.clip(x / 6 + 0.5, 0, 1),
        elementwise=True,
        torch=lambda x: (x / 6 + 0.5).clamp(0, 1),
    ),
    _activation("hardswish", lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    _activation("hardshrink", lambda x: np.where(np.abs(x) > 0.5, x, 0)),
    _activation("softshrink", lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)),
    _activation("softsign", lambda x: x / (1 + np.abs(x))),
    _activation("tanhshrink", lambda x: x - np.tanh(x)),
    _activation("threshold", lambda x: np.where(x > 0.5, x, 9.0), 0.5, 9.0),
    Row(
        "quick_gelu",
        lambda x: x.quick_gelu(),
        lambda x: x / (1 + np.exp(-1.702 * x)),
        elementwise=True,
        torch=lambda x: x * torch.sigmoid(1.702 * x),
    ),
    Row(
        "softplus_threshold",
        lambda x: x.softplus(2, 1),
        lambda x: np.where(2 * x > 1, x, np.log1p(np.exp(2 * x)) / 2),
        elementwise=True,
        torch=lambda x: functional.softplus(x, 2, 1),
    ),
    Row(
        "prelu",
        lambda x, w: x.prelu(w),
        lambda x, w: np.where(x > 0, x, x * w),
        (In((3, 4)), In((4,))),
        torch=functional.prelu,
        errors=(
            (lambda: Tensor.ones(2, 3).prelu(Tensor.ones(2)), ShapeError, "3 channels"),
            (lambda: Tensor.ones(2, 3).prelu(Tensor.ones(3).double()), DTypeError, "float64"),
        ),
    ),
]
ELEMENTWISE = [
    *ANGLES, *PARTS, *NORMAL, *GAMMA, *INCOMPLETE, *BESSEL, *ORTHOGONAL, *LOGARITHMS, *CLOSENESS, *FUSED, *ACTIVATIONS
]  # fmt: skip
