"""`extremes` of what has no primitive: computed on `NUMPY` alone, because the compositions are what is tested."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch as pytorch

from tests.extremes import F, Row, _logistic_slope

_METHODS = "acosh asinh atan cosh sinh deg2rad rad2deg erfc erfinv i0 logit nan_to_num"
_EXACT = "sgn angle positive frac"
_SPECIAL = "ndtri entr"
_FUNCTIONAL = "celu selu mish hardswish hardshrink softshrink softsign"


def _special(name: str, **options: Any) -> Row:
    return Row(lambda x: getattr(x, name)(), getattr(pytorch.special, name), **options)


_NEAR_1 = (lambda x: np.abs(np.abs(x) - 1) < 1e-4, "(1 - x) (1 + x) keeps the places that PyTorch's 1 - x * x loses")
_CANCELS = (lambda x: np.abs(x) > 50, "2 x erfcx(x) - 2 / sqrt(pi) cancels, in PyTorch too")
_DIFFERENCE = (lambda x: np.abs(x) > 1e3, "the difference of two Bessel functions cancels, in PyTorch too")
_TRIGAMMA = (lambda x: ~np.isnan(x), "PyTorch's trigamma has nine places, and its poles are finite")
_WHOLE = (lambda x: np.abs(x - np.round(x)) < 1e-4, "sin(pi x) is 0 here where x is an integer, and exact beside it")
_SINC_SLOPE = (lambda x: (np.abs(x) < 1e-2) | (x == np.round(x)), "PyTorch's cancels near 0")
_FAR_BELOW = (lambda x: x < -5, "PyTorch's is 0, inf or nan on the way; tests/op_table_elementwise.py has the tail")
_SMALL = (lambda x: np.abs(x) < 1, "x - tanh(x) cancels, in PyTorch too")
_EDGES = (
    lambda x: np.isnan(x) | (np.abs(x) == 3),
    "PyTorch's hardsigmoid has a slope of 1/6 as a float32, and 0 at its ends",
)
_SUBNORMAL = (lambda x: (x < 0) & (x > -1e-300), "sin(pi x) of a subnormal has few places")
_AT_NAN = (np.isnan, "PyTorch says 1/2")
UNARY: dict[str, Row] = {
    **{name: Row(lambda x, name=name: getattr(x, name)()) for name in _METHODS.split()},
    **{name: Row(lambda x, name=name: getattr(x, name)(), slopes_differ=_NEAR_1) for name in ("asin", "acos", "atanh")},
    **{name: Row(lambda x, name=name: getattr(x, name)(), exact=True) for name in _EXACT.split()},
    **{name: _special(name) for name in _SPECIAL.split()},
    **{name: Row(lambda x, name=name: getattr(x, name)(), getattr(F, name)) for name in _FUNCTIONAL.split()},
    "hardsigmoid": Row(lambda x: x.hardsigmoid(), lambda x: (x / 6 + 0.5).clamp(0, 1), slopes_differ=_EDGES),
    "tanhshrink": Row(lambda x: x.tanhshrink(), F.tanhshrink, values_differ=_SMALL, slopes_differ=_SMALL),
    "erfcx": _special("erfcx", slopes_differ=_CANCELS),
    "expit": _special("expit", slope=_logistic_slope),
    "ndtr": _special("ndtr", values_differ=_FAR_BELOW),
    "log_ndtr": _special("log_ndtr", slopes_differ=_FAR_BELOW),
    "sinc": Row(lambda x: x.sinc(), values_differ=_WHOLE, slopes_differ=_SINC_SLOPE),
    "lgamma": Row(lambda x: x.lgamma(), values_differ=_SUBNORMAL),
    "digamma": Row(lambda x: x.digamma(), slopes_differ=_TRIGAMMA),
    "i0e": _special("i0e", slopes_differ=_DIFFERENCE),
    "i1": _special("i1", slopes_differ=_AT_NAN),
    "i1e": _special("i1e", slopes_differ=(lambda x: np.isnan(x) | (np.abs(x) > 1e3), _DIFFERENCE[1])),
}
_OF_TWO = "atan2 hypot copysign ldexp fmax fmin logaddexp xlogy nextafter"
BINARY: dict[str, Row] = {
    **{name: Row(lambda a, b, name=name: getattr(a, name)(b)) for name in _OF_TWO.split()},
    "logaddexp2": Row(
        lambda a, b: a.logaddexp2(b), values_differ=(lambda a, b: (a == -1) & (b == -1), "log2(1) is not 0 in PyTorch")
    ),
    "xlog1py": Row(lambda a, b: a.xlog1py(b), pytorch.special.xlog1py),
}
