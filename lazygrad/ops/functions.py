"""Elementary functions, composed of EXP2, EXPM1, LOG2, SIN, COS and SQRT. 16-bit floats are computed in float32,
integers become float32.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lazygrad.dtype import dtypes, promote_scalar
from lazygrad.errors import ArgumentError
from lazygrad.index.expr import Expr
from lazygrad.ir.call import FLAT
from lazygrad.ir.node import call
from lazygrad.ir.op import Op
from lazygrad.ops.arithmetic import Arithmetic
from lazygrad.ops.broadcast import broadcast_to
from lazygrad.ops.core import Core, Operand, fail, scalar
from lazygrad.ops.fitting import RangeError, fitting
from lazygrad.ops.limits import Limits
from lazygrad.ops.precision import in_float
from lazygrad.ops.promotion import together
from lazygrad.ops.slopes import slopes

if TYPE_CHECKING:
    from typing_extensions import Self


class Functions(Arithmetic):
    """Functions of one element."""

    __slots__ = ()

    @in_float
    def exp2(self) -> Self:
        """2 to the power of each element.

        >>> Tensor([0.0, 3.0]).exp2().tolist()
        [1.0, 8.0]
        """
        return self._unary(Op.EXP2)

    @in_float
    def exp(self) -> Self:
        """e to the power of each element.

        >>> Tensor([0.0, 1.0]).exp()
        tensor([1.0000, 2.7183])
        """
        return (self * _LOG2_E)._unary(Op.EXP2)

    @in_float
    def expm1(self) -> Self:
        """exp(self) - 1, exact also where the element is so near to 0 that exp(self) is 1.

        >>> Tensor([1e-20, 1.0]).expm1().tolist()
        [9.999999682655225e-21, 1.718281865119934]
        """
        return self._unary(Op.EXPM1)

    @in_float
    def log2(self) -> Self:
        """The logarithm to base 2: nan below 0, -inf at 0.

        >>> Tensor([1.0, 8.0]).log2().tolist()
        [0.0, 3.0]
        """
        return self._unary(Op.LOG2)

    @in_float
    def log(self) -> Self:
        """The natural logarithm: nan below 0, -inf at 0.

        >>> Tensor([1.0, 10.0]).log()
        tensor([0.0000, 2.3026])
        """
        return self._unary(Op.LOG2) * _LN_2

    @in_float
    def log1p(self) -> Self:
        """log(1 + self), exact also where the element is so near to 0 that 1 + self is 1.

        >>> Tensor([1e-20, 1.0]).log1p().tolist()
        [9.999999682655225e-21, 0.6931471824645996]
        """
        grown, x = self + 1, self.detach()
        lost = x - (grown.detach() - 1)  # what rounding the sum took away; nan for infinity
        exact = grown.log() + (lost.abs() > 0)._choose(lost / grown.detach(), 0.0)
        return grown.detach().eq(1)._choose(self, exact)  # also a zero's sign

    @in_float
    def log10(self) -> Self:
        """The logarithm to base 10.

        >>> Tensor([1.0, 2.0]).log10()
        tensor([0.0000, 0.3010])
        """
        return self._unary(Op.LOG2) * math.log10(2)

    @in_float
    def sqrt(self) -> Self:
        """The square root: nan below 0.

        >>> Tensor([4.0, 9.0]).sqrt().tolist()
        [2.0, 3.0]
        """
        return self._unary(Op.SQRT)

    @in_float
    def rsqrt(self) -> Self:
        """1 / sqrt(self).

        >>> Tensor([4.0, 16.0]).rsqrt().tolist()
        [0.5, 0.25]
        """
        return self._unary(Op.SQRT).reciprocal()

    def square(self) -> Self:
        """self * self.

        >>> Tensor([2.0, -3.0]).square().tolist()
        [4.0, 9.0]
        """
        x = self.cast(dtypes.int64) if self.dtype.is_bool else self
        return x * x

    @in_float
    def sin(self) -> Self:
        """The sine of radians.

        >>> Tensor([0.0, 1.0]).sin()
        tensor([0.0000, 0.8415])
        """
        return self._unary(Op.SIN)

    @in_float
    def cos(self) -> Self:
        """The cosine of radians.

        >>> Tensor([0.0, 1.0]).cos()
        tensor([1.0000, 0.5403])
        """
        return self._unary(Op.COS)

    @in_float
    def tan(self) -> Self:
        """The tangent of radians.

        >>> Tensor([0.0, 1.0]).tan()
        tensor([0.0000, 1.5574])
        """
        return self.sin() / self.cos()

    @in_float
    def erf(self) -> Self:
        """2/sqrt(pi) times the integral of exp(-t*t) from 0 to each element.

        >>> Tensor([0.0, 1.0, -2.0]).erf()
        tensor([ 0.0000,  0.8427, -0.9953])
        """
        return self._unary(Op.ERF)

    @in_float
    def sigmoid(self) -> Self:
        """1 / (1 + exp(-self)), finite with its gradient wherever the element is.

        >>> Tensor([0.0, -1000.0]).sigmoid().tolist()
        [0.5, 0.0]
        """
        small = self._decay(1)
        return (self < 0)._choose(small, 1.0) / (small + 1)

    @in_float
    def tanh(self) -> Self:
        """The hyperbolic tangent, finite with its gradient wherever the element is.

        >>> Tensor([0.0, 1000.0]).tanh().tolist()
        [0.0, 1.0]
        """
        negative = self < 0
        grown = negative._choose(self * 2, self * -2).expm1()  # never overflows; small where the element is
        return negative._choose(grown, -grown) / (grown + 2)

    def _decay(self, rate: float) -> Self:
        """exp(-rate * |self|), never more than 1, with the slope of `self >= 0` at 0."""
        return (self < 0)._choose(self * rate, self * -rate).exp()

    def sign(self) -> Self:
        """-1, 0 or 1 (0 for nan), in the dtype of this tensor. The gradient is zero.

        >>> Tensor([-2.0, 0.0, 3.0]).sign().tolist()
        [-1.0, 0.0, 1.0]
        """
        if self.dtype.is_bool:
            return self._apart()
        value = (self > 0).cast(self.dtype) - (self < 0).cast(self.dtype)
        return self._out(call(value.node, (self._in(),), FLAT, 0)) if self.dtype.is_float else value

    def clamp(self, min: Operand | None = None, max: Operand | None = None) -> Self:
        """Elements below `min` become `min`, those above `max` become `max`; nan stays, and limits of nan give nan.

        None is no limit; ArgumentError where both are. Numbers beyond what the dtype holds limit nothing, or are
        refused where all would exceed them.

        The gradient passes where the element is within the limits, they included; not where it is nan.

        >>> Tensor([1.0, 5.0, 9.0]).clamp(2, 6).tolist()
        [2.0, 5.0, 6.0]
        """
        if min is None and max is None:
            fail(ArgumentError, "clamp: neither min nor max is given; one of them at least is needed")
        low = None if min is None or self._always("ge", min) else self._beside(min)
        high = None if max is None or self._always("le", max) else self._beside(max)
        by_limits = any(isinstance(x, Core) and x._requires for x in (min, max))
        result = self if by_limits else self._without_slope_at_nan()
        if low is not None:
            result = (result < low)._or_nan(min, low)._choose(low, result)
        if high is not None:
            result = (high < result)._or_nan(max, high)._choose(high, result)
        return result._slopes_within(self, low, high) if by_limits and result.dtype.is_float else result

    def _slopes_within(self, x: Self, low: Self | None, high: Self | None) -> Self:
        """These elements of `x` within limits, of which some have a gradient."""
        given = [t for t in (x, low, high) if t is not None]
        inputs = tuple(broadcast_to(t.cast(self.dtype)._in(), self.shape) for t in given)
        return self._out(call(self._in(), inputs, Limits(low is not None, high is not None), 0), *given)

    def _without_slope_at_nan(self) -> Self:
        """This tensor, whose gradient stops where it is nan."""
        return self.isnan()._choose(self.detach(), self) if self._requires else self

    def _or_nan(self, given: Operand | None, limit: Self) -> Self:
        """This condition, or that `limit`, the tensor of what was `given`, is nan: numbers are looked at here."""
        known = not isinstance(given, Core) and given == given
        return self if known or not limit.dtype.is_float else self | limit.isnan()

    def _always(self, how: str, limit: Operand) -> bool:
        """Whether every number of the dtype keeps `limit`, because that lies beyond all of them."""
        if isinstance(limit, (Core, Expr)):
            return False
        limit = scalar("clamp", limit)
        try:
            fitting("clamp", limit, promote_scalar(self.dtype, limit))
        except RangeError:
            return (limit > 0) is (how == "le")
        return False

    def clip(self, min: Operand | None = None, max: Operand | None = None) -> Self:
        """`clamp`.

        >>> Tensor([1, 9]).clip(max=5).tolist()
        [1, 5]
        """
        return self.clamp(min, max)

    def lerp(self, end: Operand, weight: Operand) -> Self:
        """self + weight * (end - self), from `end` backwards where the weight is 1/2 or more: both ends are exact.

        >>> Tensor([0.0, 10.0]).lerp(Tensor([10.0, 20.0]), 0.5).tolist()
        [5.0, 15.0]
        """
        last = self._beside(end)
        if self.dtype.is_half and last.dtype is self.dtype:
            return self.cast(dtypes.float32).lerp(last.cast(dtypes.float32), weight).cast(self.dtype)
        if isinstance(weight, (int, float)):
            distance = last - self
            near = abs(weight) < 0.5
            return self + distance * weight if near else last - distance * (1 - weight)
        x, last, share = together("lerp", self, last, weight)
        return x._between(last, share)

    @slopes(lambda a, b, share: 1 - share, lambda a, b, share: share, lambda a, b, share: b - a)
    def _between(self, other: Self, share: Self) -> Self:
        distance = other - self
        return (share.abs() < 0.5)._choose(self + distance * share, other - distance * (1 - share))


_LOG2_E = math.log2(math.e)
_LN_2 = math.log(2)
