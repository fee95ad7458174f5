"""Inverse trigonometric functions, and hyperbolic functions with their inverses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lazygrad.ops.core import Operand
from lazygrad.ops.fits import ASIN, ATAN
from lazygrad.ops.floats import Floats
from lazygrad.ops.precision import in_float
from lazygrad.ops.promotion import in_floats
from lazygrad.ops.series import polynomial
from lazygrad.ops.slopes import slopes

if TYPE_CHECKING:
    from typing_extensions import Self

_LN_2 = math.log(2)
# In multiples of pi * x: sin(t) / t and its slope, where the formula of the latter cancels
_SINC_SLOPE = (-1 / 3, 1 / 30, -1 / 840, 1 / 45360, -1 / 3991680, 1 / 518918400)


class Angles(Floats):
    """Angles are in radians."""

    __slots__ = ()

    def _arc(self) -> tuple[Self, Self]:
        """Whether |self| is above 1/2, and the arc sine of |self|, there of sqrt((1 - |self|) / 2)."""
        size = self.abs()
        far = size > 0.5
        square = far._choose((1 - size) * 0.5, size * size)
        root = far._choose(square.sqrt(), size)
        return far, root + root * square * polynomial(square, ASIN[self.dtype])

    @in_float
    @slopes(lambda x: ((1 - x) * (1 + x)).rsqrt())
    def asin(self) -> Self:
        """The angle in [-pi/2, pi/2] with this sine; nan outside [-1, 1].

        >>> Tensor([0.0, 1.0]).asin()
        tensor([0.0000, 1.5708])
        """
        far, arc = self._arc()
        return far._choose(math.pi / 2 - arc * 2, arc).copysign(self)

    @in_float
    @slopes(lambda x: -((1 - x) * (1 + x)).rsqrt())
    def acos(self) -> Self:
        """The angle in [0, pi] with this cosine; nan outside [-1, 1].

        >>> Tensor([1.0, 0.0, -1.0]).acos()
        tensor([0.0000, 1.5708, 3.1416])
        """
        far, arc = self._arc()
        turned = (self < 0)._choose(math.pi - arc * 2, arc * 2)
        return far._choose(turned, math.pi / 2 - arc.copysign(self))

    @in_float
    @slopes(lambda x: 1 / (x * x + 1))
    def atan(self) -> Self:
        """The angle in [-pi/2, pi/2] with this tangent.

        >>> Tensor([0.0, 1.0]).atan()
        tensor([0.0000, 0.7854])
        """
        size = self.abs()
        return size._angle(size * 0 + 1, size.isinf()).copysign(self)

    def _angle(self, other: Self, steep: Self) -> Self:
        """The arc tangent of self / other, both not negative and not both 0 or infinite; pi/2 where `steep`.

        The tangent is taken from 0, 1 or infinity, whichever is near, so that one division does for all.
        """
        low, high = self <= other * (math.sqrt(2) - 1), self >= other * (math.sqrt(2) + 1)
        over = low._choose(self, high._choose(-other, self - other))
        under = low._choose(other, high._choose(self, self + other))
        t = steep._choose(0.0, over / under)
        square = t * t
        base = low._choose(0.0, (high | steep)._choose(math.pi / 2, t * 0 + math.pi / 4))
        return base + (t + t * square * polynomial(square, ATAN[self.dtype]))

    @in_floats
    @slopes(lambda y, x: _slope_of_angle(x, y, x), lambda y, x: _slope_of_angle(-y, y, x))
    def atan2(self, other: Operand) -> Self:
        """The angle in [-pi, pi] of the point whose height is self and whose distance to the right is `other`.

        Zeros count with their signs. The gradient at the origin is 0.

        >>> Tensor([1.0, 1.0, -1.0]).atan2(Tensor([1.0, -1.0, 0.0]))
        tensor([ 0.7854,  2.3562, -1.5708])
        """
        right: Self = other  # type: ignore[assignment]  # a tensor like self, by `in_floats`
        y, x = self.abs(), right.abs()
        largest = y.maximum(x)
        scale = ((largest > 1e30) | largest.isinf())._choose(0.25, 1.0).cast(y.dtype)  # a sum of two may be infinite
        infinite, empty = y.isinf() & x.isinf(), y.eq(0) & x.eq(0)
        y = infinite._choose(1.0, y * scale)
        x = infinite._choose(1.0, empty._choose(1.0, x * scale))
        angle = y._angle(x, y.isinf())
        angle = (self.isnan() | right.isnan())._choose(math.nan, angle)
        return right.signbit()._choose(math.pi - angle, angle).copysign(self)

    @in_float
    @slopes(lambda x: x.cosh())
    def sinh(self) -> Self:
        """(exp(self) - exp(-self)) / 2.

        >>> Tensor([0.0, 1.0]).sinh()
        tensor([0.0000, 1.1752])
        """
        size = self.abs()
        small = size < 1
        grown = small._choose(size, 0.0).expm1()
        root = (size * 0.5).exp()  # finite wherever its square is
        return small._choose((grown + grown / (grown + 1)) * 0.5, root * 0.5 * root - 0.5 / root / root).copysign(self)

    @in_float
    @slopes(lambda x: x.sinh())
    def cosh(self) -> Self:
        """(exp(self) + exp(-self)) / 2.

        >>> Tensor([0.0, 1.0]).cosh()
        tensor([1.0000, 1.5431])
        """
        root = (self.abs() * 0.5).exp()
        return root * 0.5 * root + 0.5 / root / root

    @in_float
    @slopes(lambda x: (x * x + 1).rsqrt())
    def asinh(self) -> Self:
        """The number with this `sinh`.

        >>> Tensor([0.0, 1.0]).asinh()
        tensor([0.0000, 0.8814])
        """
        size = self.abs()
        large = size > 1e9
        x = large._choose(1.0, size)
        near = (x + x * x / ((x * x + 1).sqrt() + 1)).log1p()
        return large._choose(size.log() + _LN_2, near).copysign(self)

    @in_float
    @slopes(lambda x: ((x - 1) * (x + 1) + 0.0).rsqrt())  # of a zero without a sign
    def acosh(self) -> Self:
        """The number, not negative, with this `cosh`; nan below 1.

        >>> Tensor([1.0, 2.0]).acosh()
        tensor([0.0000, 1.3170])
        """
        large = self > 1e9
        beyond = large._choose(1.0, self) - 1
        near = (beyond + (beyond * (beyond + 2)).sqrt()).log1p()
        return (self < 1)._choose(math.nan, large._choose(self.log() + _LN_2, near))

    @in_float
    @slopes(lambda x: 1 / ((1 - x) * (1 + x)))
    def atanh(self) -> Self:
        """The number with this `tanh`: infinite at -1 and 1, nan outside.

        >>> Tensor([0.0, 0.5]).atanh()
        tensor([0.0000, 0.5493])
        """
        size = self.abs()
        return ((size * 2 / (1 - size)).log1p() * 0.5).copysign(self)

    @in_float
    @slopes(lambda x: x._sinc_slope())
    def sinc(self) -> Self:
        """sin(pi * self) / (pi * self), and 1 at 0.

        >>> Tensor([0.0, 0.5]).sinc()
        tensor([1.0000, 0.6366])
        """
        at_zero = self.eq(0)
        x = at_zero._choose(1.0, self)
        return at_zero._choose(1.0, x._sin_cos_pi()[0] / (x * math.pi))

    def _sin_cos_pi(self) -> tuple[Self, Self]:
        """The sine and the cosine of pi * self, from its distance to the nearest integer."""
        whole = self.round()
        turned = (self - whole) * math.pi
        odd = whole.ne((whole * 0.5).floor() * 2)
        return odd._choose(-turned.sin(), turned.sin()), odd._choose(-turned.cos(), turned.cos())

    def _sinc_slope(self) -> Self:
        t = self * math.pi
        near = t.abs() < 0.3
        far = near._choose(1.0, t)
        sine, cosine = self._sin_cos_pi()
        return near._choose(t * polynomial(t * t, _SINC_SLOPE), (cosine - sine / far) / far) * math.pi

    @in_floats
    @slopes(lambda x, y: x / x.hypot(y), lambda x, y: y / x.hypot(y))
    def hypot(self, other: Operand) -> Self:
        """The square root of self**2 + other**2, which may be finite also where the squares are not.

        >>> Tensor([3.0]).hypot(Tensor([4.0])).tolist()
        [5.0]
        """
        side: Self = other  # type: ignore[assignment]  # a tensor like self, by `in_floats`
        a, b = self.abs(), side.abs()
        long, short = a.fmax(b), a.fmin(b)
        ratio = (long.eq(0) | long.isinf())._choose(0.0, short / long)
        length = long * (ratio * ratio + 1).sqrt()
        lost = (self.isnan() | side.isnan()) & long.isinf().logical_not()
        return lost._choose(math.nan, length)

    def angle(self) -> Self:
        """pi for negative numbers, 0 for others, nan for nan: the angle of a real number. The gradient is zero.

        >>> Tensor([1.0, -2.0]).angle()
        tensor([0.0000, 3.1416])
        """
        return (self if self.dtype.is_float else self.cast("float32"))._angle_of_real()

    @slopes(None)
    def _angle_of_real(self) -> Self:
        return (self < 0)._choose(math.pi, self.isnan()._choose(self, 0.0)).cast(self.dtype)


def _slope_of_angle(part: Angles, y: Angles, x: Angles) -> Angles:
    square = x * x + y * y
    return part * square.eq(0)._choose(0.0, 1 / square)
