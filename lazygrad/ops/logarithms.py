"""Logarithms of sums and products of them, with what is to be at 0."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lazygrad.errors import DTypeError
from lazygrad.ops.core import Operand, fail
from lazygrad.ops.functions import Functions
from lazygrad.ops.precision import in_float
from lazygrad.ops.promotion import in_floats
from lazygrad.ops.slopes import slopes

if TYPE_CHECKING:
    from typing_extensions import Self


def _log_share(x: Any, y: Any) -> Any:
    return (x.eq(0) & (y <= 0))._choose(0.0, y.log())


def _log1p_share(x: Any, y: Any) -> Any:
    return (x.eq(0) & (y <= -1))._choose(0.0, y.log1p())


class Logarithms(Functions):
    """Finite wherever the result is."""

    __slots__ = ()

    @in_floats
    @slopes(lambda a, b: 1 / ((b - a).exp() + 1), lambda a, b: 1 / ((a - b).exp() + 1))
    def logaddexp(self, other: Operand) -> Self:
        """log(exp(self) + exp(other)).

        >>> Tensor([0.0, 1000.0]).logaddexp(Tensor([0.0, 0.0]))
        tensor([6.9315e-01, 1.0000e+03])
        """
        apart, larger = self._apart_from(other)
        return larger + (-apart).exp().log1p()

    @in_floats
    @slopes(lambda a, b: 1 / ((b - a).exp2() + 1), lambda a, b: 1 / ((a - b).exp2() + 1))
    def logaddexp2(self, other: Operand) -> Self:
        """log2(2**self + 2**other).

        >>> Tensor([0.0, 3.0]).logaddexp2(Tensor([0.0, 3.0])).tolist()
        [1.0, 4.0]
        """
        apart, larger = self._apart_from(other)
        return larger + (-apart).exp2().log1p() * (1 / math.log(2))

    def _apart_from(self, other: Any) -> tuple[Self, Self]:
        """How far both are apart, 0 for equal infinities, and the larger one."""
        return self.eq(other)._choose(0.0, (self - other).abs()), self.maximum(other)

    @in_floats
    @slopes(_log_share, lambda x, y: x / y)
    def xlogy(self, other: Operand) -> Self:
        """self * log(other), which is 0 where self is 0 (but nan where `other` is).

        >>> Tensor([0.0, 2.0]).xlogy(Tensor([0.0, 1.0])).tolist()
        [0.0, 0.0]
        """
        y: Any = other  # like self, by `in_floats`
        nothing: Self = self.eq(0) & y.isnan().logical_not()
        return nothing._choose(0.0, self * nothing._choose(1.0, y).log())

    @in_floats
    @slopes(_log1p_share, lambda x, y: x / (y + 1))
    def xlog1py(self, other: Operand) -> Self:
        """self * log1p(other), which is 0 where self is 0 (but nan where `other` is).

        >>> Tensor([0.0, 2.0]).xlog1py(Tensor([-1.0, 0.0])).tolist()
        [0.0, 0.0]
        """
        y: Any = other  # like self, by `in_floats`
        nothing: Self = self.eq(0) & y.isnan().logical_not()
        return nothing._choose(0.0, self * nothing._choose(1.0, y).log1p())

    @in_float
    @slopes(lambda x: -(x.log() + 1))
    def entr(self) -> Self:
        """-self * log(self): 0 at 0, -inf below.

        >>> Tensor([0.0, 1.0, -1.0]).entr().tolist()
        [0.0, -0.0, -inf]
        """
        at_zero = self.eq(0)
        inside = at_zero._choose(0.0, -self * at_zero._choose(1.0, self).log())
        return (self < 0)._choose(-math.inf, inside)

    def logit(self, eps: float | None = None) -> Self:
        """log(self / (1 - self)): infinite at 0 and 1, nan outside; with `eps`, of what `clamp` to
        [eps, 1 - eps] gives.

        >>> Tensor([0.5, 1.0]).logit(), Tensor([1.0]).logit(0.25)
        (tensor([0., inf]), tensor([1.0986]))
        """
        if eps is None:
            return self._logit()
        x = self._without_slope_at_nan() if self.dtype.is_float else self.float()  # type: ignore[attr-defined]
        high = 1 - eps
        return (x < eps)._choose(eps, (x > high)._choose(high, x)).cast(x.dtype)._logit()

    @in_float
    @slopes(lambda x: ((x < 0) | (x > 1))._choose(math.nan, 1 / (x * (1 - x))))
    def _logit(self) -> Self:
        high = self > 0.3
        near = high._choose(self, 0.5)
        return high._choose(((near * 2 - 1) / (1 - near)).log1p(), (self / (1 - self)).log())

    def expit(self) -> Self:
        """`sigmoid`.

        >>> Tensor([0.0]).expit()
        tensor([0.5000])
        """
        return self.sigmoid()

    def float_power(self, exponent: Operand) -> Self:
        """`pow` in float64.

        >>> Tensor([2, 3]).float_power(-1)
        tensor([0.5000, 0.3333], dtype=float64)
        """
        other = exponent.cast("float64") if hasattr(exponent, "cast") else exponent
        return self.cast("float64").pow(other)

    def positive(self) -> Self:
        """The tensor itself. DTypeError for bools.

        >>> Tensor([-1.0]).positive().tolist()
        [-1.0]
        """
        if self.dtype.is_bool:
            fail(DTypeError, "positive: not defined for bool")
        return self
