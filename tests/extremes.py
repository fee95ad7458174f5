"""Every elementwise operation, activation and loss where functions bend, saturate and overflow; its like in PyTorch.

`call` serves lazygrad's tensors and PyTorch's alike, unless `torch` gives another one for the latter. Where lazygrad
differs on purpose, `values_differ` or `slopes_differ` says where and why; at those points nothing is compared. Slopes
that PyTorch takes from a rounded result (1 - tanh(x)**2 is 0 where tanh(x) is 1) are compared with `slope`, in NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch as pytorch

from lazygrad import Tensor

F: Any = pytorch.nn.functional
Function = Callable[..., Any]
_SIZES = (1e-30, 1e-20, 1e-8, 1e-5, 0.3, 0.5, 1.0, 2.5, 3.0, 6.0, 17.0, 30.0, 88.0, 100.0, 1e4, 8388609.0, 1e30)
POINTS = (0.0, *_SIZES, math.inf)
SUBNORMAL = {"float32": (1e-45, 1e-40), "float64": (5e-324, 1e-310)}
PAIRED = (0.0, 1e-40, 1e-8, 0.5, 1.0, 3.0, 88.0, 8388609.0, 1e30, math.inf)


@dataclass(frozen=True)
class Row:
    """`values_differ`: (a mask of the points, from the inputs, that are not compared, why). `exact`: to a bit."""

    call: Function
    torch: Function | None = None
    slope: Function | None = None
    values_differ: tuple[Function, str] | None = None
    slopes_differ: tuple[Function, str] | None = None
    domain: Function | None = None
    exact: bool = False

    @property
    def theirs(self) -> Function:
        return self.torch or self.call


def _filled(x: Any, value: float) -> Any:
    return Tensor(np.full(x.shape, value), dtype=x.dtype) if isinstance(x, Tensor) else pytorch.full_like(x, value)


def _loss(name: str, target: float) -> Function:
    def call(x: Any) -> Any:
        where = x if isinstance(x, Tensor) else F
        given = () if isinstance(x, Tensor) else (x,)
        return getattr(where, name)(*given, _filled(x, target), reduction="none")

    return call


def _between(name: str) -> Function:
    def call(x: Any, target: Any) -> Any:
        given = (target,) if isinstance(x, Tensor) else (x, target)
        return getattr(x if isinstance(x, Tensor) else F, name)(*given, reduction="none")

    return call


def _logistic_slope(x: Any) -> Any:
    small = np.exp(-np.abs(x))
    return small / (1 + small) ** 2


def _tanh_slope(x: Any) -> Any:
    small = np.exp(-2 * np.abs(x))
    return 4 * small / (1 + small) ** 2


def _gelu_tanh(x: Any) -> Any:
    return x.gelu("tanh") if isinstance(x, Tensor) else F.gelu(x, approximate="tanh")


def _floored(a: Any, b: Any) -> Any:
    return a.detach() // (b.detach() if hasattr(b, "detach") else b)


def _larger(x: Any, value: float) -> Any:
    return x.maximum(_filled(x, value))


_TAILS = (lambda x: (x < -5) & np.isfinite(x), "1 + tanh(z) has lost its low bits in PyTorch; sigmoid(2 z) has not")
_ONE_PLUS_ERF = (lambda x: (x < -5) & np.isfinite(x), "1 + erf(x) has lost its low bits, in PyTorch too")
_METHODS = "exp exp2 log log2 log10 log1p sqrt rsqrt square sin erf reciprocal"
_EXACT = "neg abs floor ceil trunc round frac"
UNARY: dict[str, Row] = {
    **{name: Row(lambda x, name=name: getattr(x, name)()) for name in _METHODS.split()},
    **{name: Row(lambda x, name=name: getattr(x, name)(), exact=True) for name in _EXACT.split()},
    "silu": Row(lambda x: x.silu(), F.silu),
    "gelu": Row(lambda x: x.gelu(), F.gelu, slopes_differ=_ONE_PLUS_ERF),
    "relu6": Row(lambda x: x.relu6(), F.relu6),
    "expm1": Row(lambda x: x.expm1(), slope=np.exp),
    "sigmoid": Row(lambda x: x.sigmoid(), slope=_logistic_slope),
    "tanh": Row(lambda x: x.tanh(), slope=_tanh_slope),
    "softplus": Row(lambda x: x.softplus(), F.softplus),
    **{f"softplus_{b:g}": Row(lambda x, b=b: x.softplus(b), lambda x, b=b: F.softplus(x, b)) for b in (2.0, 3.0, 1e9)},
    "logsigmoid": Row(lambda x: x.logsigmoid(), F.logsigmoid),
    "sign": Row(lambda x: x.sign(), exact=True),
    "relu": Row(lambda x: x.relu()),
    "elu": Row(lambda x: x.elu(), F.elu),
    "elu_2": Row(lambda x: x.elu(2.0), lambda x: F.elu(x, 2.0)),
    "leaky_relu": Row(lambda x: x.leaky_relu(), F.leaky_relu),
    "hardtanh": Row(lambda x: x.hardtanh(), F.hardtanh),
    "hardtanh_2": Row(lambda x: x.hardtanh(-0.5, 6.0), lambda x: F.hardtanh(x, -0.5, 6.0)),
    "leaky_relu_0": Row(lambda x: x.leaky_relu(0.0), lambda x: F.leaky_relu(x, 0.0)),
    "round_2": Row(lambda x: x.round(decimals=2)),
    "gelu_tanh": Row(_gelu_tanh, values_differ=_TAILS, slopes_differ=_TAILS),
    "clamp": Row(lambda x: x.clamp(-1, 1)),
    "clamp_min": Row(lambda x: x.clamp(min=0)),
    "clamp_max": Row(lambda x: x.clamp(max=0.5)),
    "clamp_nan": Row(lambda x: x.clamp(_filled(x, math.nan), _filled(x, 1.0))),
    "clamp_crossed": Row(lambda x: x.clamp(1.0, -1.0)),
    "div_trunc_3": Row(lambda x: x.div(3.0, rounding_mode="trunc"), exact=True),
    "div_floor_3": Row(lambda x: x.div(3.0, rounding_mode="floor"), exact=True),
    "lerp": Row(lambda x: x.lerp(_filled(x, 2.0), 0.25)),
    **{f"pow_{e:g}": Row(lambda x, e=e: x**e) for e in (0, 1, 2, 3, -1, -2, 0.5, 2.5, -1.5, 1 / 3)},
    "pow_-0.5": Row(
        lambda x: x**-0.5,
        values_differ=(lambda x: np.isneginf(x) | (x == 0), "-0.0 ** -0.5 is inf as in C; PyTorch takes rsqrt, -inf"),
    ),
    **{f"{b:g}_pow": Row(lambda x, b=b: b**x) for b in (0.0, 1.0, 2.0, 0.5, -2.0)},
    **{f"fmod_{s}": Row(lambda x, s=s: x.fmod(s), exact=True) for s in (3.0, -3.0, 0.0, math.inf)},
    **{f"remainder_{s}": Row(lambda x, s=s: x % s) for s in (3.0, -3.0, 0.0, math.inf)},
    **{f"floor_divide_{s}": Row(lambda x, s=s: _floored(x, s), exact=True) for s in (3.0, -1.0, 0.0, -math.inf)},
    **{f"div_{s}": Row(lambda x, s=s: x / s) for s in (3.0, 0.0, math.inf)},
    **{f"rdiv_{s}": Row(lambda x, s=s: s / x) for s in (3.0, -1.0, math.inf)},
    **{f"maximum_{s}": Row(lambda x, s=s: _larger(x, s), exact=True) for s in (0.0, math.inf, math.nan)},
    **{f"mse_loss_{t}": Row(_loss("mse_loss", t)) for t in (0.0, 0.3)},
    **{f"l1_loss_{t}": Row(_loss("l1_loss", t)) for t in (0.0, 0.3)},
    **{f"huber_loss_{t}": Row(_loss("huber_loss", t)) for t in (0.0, 0.3)},
    **{
        f"binary_cross_entropy_{t}": Row(_loss("binary_cross_entropy", t), domain=lambda x: (x >= 0) & (x <= 1))
        for t in (0.0, 0.3, 1.0)
    },
    **{
        f"binary_cross_entropy_with_logits_{t}": Row(
            _loss("binary_cross_entropy_with_logits", t),
            slope=lambda x, t=t: (
                np.where(x < 0, np.exp(-np.abs(x)), 1.0) / (1 + np.exp(-np.abs(x))) - t
                if 0 < t < 1
                else np.sign(0.5 - t) / (1 + np.exp(x * np.sign(t - 0.5)))
            ),
            values_differ=(
                lambda x: np.isinf(x) | (np.abs(x) > 5),
                "(1 - t) x - logsigmoid(x) cancels in PyTorch; tests/frontend/test_slopes.py has the tails",
            ),
        )
        for t in (0.0, 0.3, 1.0)
    },
}
_ROUNDED_QUOTIENT = (
    lambda a, b: np.isfinite(a) & (b != 0) & (np.abs(a / b) > 1e6),
    "the gradient by the divisor is (remainder - a) / b, exact; PyTorch rounds a / b before it takes the whole part",
)
_SUBNORMAL_DIVISOR = (lambda a, b: (a == 0) & (np.abs(b) < 1e-38), "1 / b overflows on the way to a / b**2")
BINARY: dict[str, Row] = {
    "add": Row(lambda a, b: a + b, exact=True),
    "sub": Row(lambda a, b: a - b, exact=True),
    "mul": Row(lambda a, b: a * b, exact=True),
    "div": Row(lambda a, b: a / b, slopes_differ=_SUBNORMAL_DIVISOR),
    "div_trunc": Row(lambda a, b: a.div(b, rounding_mode="trunc"), exact=True),
    "floor_divide": Row(_floored, exact=True),
    "remainder": Row(lambda a, b: a % b, slopes_differ=_ROUNDED_QUOTIENT),
    "fmod": Row(lambda a, b: a.fmod(b)),
    "pow": Row(lambda a, b: a**b),
    "div_floor": Row(lambda a, b: a.div(b, rounding_mode="floor"), exact=True),
    "lerp_to": Row(lambda a, b: a.lerp(b, 0.25)),
    "where": Row(lambda a, b: a.where(a < b, b)),
    "clamp_from": Row(lambda a, b: a.clamp(min=b)),
    "clamp_to": Row(lambda a, b: a.clamp(max=b)),
    "huber_loss": Row(_between("huber_loss")),
    "mse_loss": Row(_between("mse_loss")),
    "l1_loss": Row(_between("l1_loss")),
    "maximum": Row(lambda a, b: a.maximum(b)),
    "minimum": Row(lambda a, b: a.minimum(b)),
    **{name: Row(lambda a, b, name=name: getattr(a, name)(b)) for name in ("lt", "le", "eq", "ne", "ge", "gt")},
}


def points(dtype: str) -> np.ndarray[Any, Any]:
    positive = np.array((*POINTS, *SUBNORMAL[dtype]), dtype)
    return np.concatenate([positive, -positive, np.array([math.nan, 1 - 1e-5, 1 - 1e-7], dtype)])


def pairs(dtype: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    positive = np.array(PAIRED, dtype)
    line = np.concatenate([positive, -positive, np.array([math.nan], dtype)])
    a, b = np.meshgrid(line, line)
    return a.ravel().copy(), b.ravel().copy()
