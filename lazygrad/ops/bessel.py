"""Bessel functions and Airy's, computed in float64 (DLMF 10.2 and 9.2): polynomials near 0, and modulus and phase."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lazygrad.ops import bessel_fits as fits
from lazygrad.ops.modified_bessel import ModifiedBessel
from lazygrad.ops.precision import in_double
from lazygrad.ops.series import chebyshev
from lazygrad.ops.slopes import slopes

if TYPE_CHECKING:
    from typing_extensions import Self

_BOUND = 8.0
_AIRY_LEFT, _AIRY_RIGHT = -4.0, 2.0


class Bessel(ModifiedBessel):
    """The orders 0 and 1 of J and Y, and what is made of such."""

    __slots__ = ()

    def _waves(self, order: int) -> tuple[Self, Self]:
        """J and Y of an order for self >= 8."""
        modulus, lag = ((fits.P0_FAR, fits.Q0_FAR), (fits.P1_FAR, fits.Q1_FAR))[order]
        near = self < _BOUND
        x = (near | self.isinf())._choose(_BOUND, self)
        place = 128 / (x * x) - 1
        p, q = chebyshev(place, modulus), chebyshev(place, lag) * (_BOUND / x)
        sine, cosine = x.sin(), x.cos()
        if order == 0:  # of x - pi/4 and x - 3 pi/4, times the square root of 2
            sine, cosine = sine - cosine, cosine + sine
        else:
            sine, cosine = -sine - cosine, sine - cosine
        scale = self.isinf()._choose(0.0, (math.pi * x).rsqrt())
        return (p * cosine - q * sine) * scale, (p * sine + q * cosine) * scale

    def _near(self, coefficients: tuple[float, ...]) -> Self:
        x = (self > _BOUND)._choose(0.0, self)
        return chebyshev(x * x * (2 / _BOUND**2) - 1, coefficients)

    @in_double
    @slopes(lambda x: -x.bessel_j1())
    def bessel_j0(self) -> Self:
        """The Bessel function J of order 0.

        >>> Tensor([0.0, 1.0]).bessel_j0()
        tensor([1.0000, 0.7652])
        """
        x = self.abs()
        return (x > _BOUND)._choose(x._waves(0)[0], x._near(fits.J0_NEAR))

    @in_double
    @slopes(lambda x: x.bessel_j0() - x.eq(0)._choose(0.5, x.bessel_j1() / x.eq(0)._choose(1.0, x)))
    def bessel_j1(self) -> Self:
        """The Bessel function J of order 1.

        >>> Tensor([0.0, 1.0]).bessel_j1()
        tensor([0.0000, 0.4401])
        """
        x = self.abs()
        value = (x > _BOUND)._choose(x._waves(1)[0], x._near(fits.J1_NEAR) * x)
        return (self < 0)._choose(-value, value)

    @in_double
    @slopes(lambda x: -x.bessel_y1())
    def bessel_y0(self) -> Self:
        """The Bessel function Y of order 0: -inf at 0, nan below.

        >>> Tensor([1.0]).bessel_y0()
        tensor([0.0883])
        """
        near = self._near(fits.Y0_NEAR) + self.log() * self._near(fits.J0_NEAR) * (2 / math.pi)
        return (self > _BOUND)._choose(self._waves(0)[1], near)

    @in_double
    @slopes(lambda x: x.bessel_y0() - x.bessel_y1() / x)
    def bessel_y1(self) -> Self:
        """The Bessel function Y of order 1: -inf at 0, nan below.

        >>> Tensor([1.0]).bessel_y1()
        tensor([-0.7812])
        """
        x = (self > 0)._choose(self, 1.0)
        singular = x.log() * x._near(fits.J1_NEAR) * x - 1 / x
        near = x._near(fits.Y1_NEAR) * x + singular * (2 / math.pi)
        value = (self > _BOUND)._choose(self._waves(1)[1], near)
        return (self > 0)._choose(value, self.eq(0)._choose(-math.inf, math.nan))

    @in_double
    @slopes(lambda x: x._spherical_slope())
    def spherical_bessel_j0(self) -> Self:
        """sin(self) / self, and 1 at 0.

        >>> Tensor([0.0, 1.0]).spherical_bessel_j0()
        tensor([1.0000, 0.8415])
        """
        at_zero = self.eq(0)
        value = at_zero._choose(1.0, self.sin() / at_zero._choose(1.0, self))
        return self.isinf()._choose(0.0, value)

    def _spherical_slope(self) -> Self:
        return (self / math.pi)._sinc_slope() / math.pi

    @in_double
    def airy_ai(self) -> Self:
        """Airy's function Ai.

        >>> Tensor([0.0, 1.0]).airy_ai()
        tensor([0.3550, 0.1353])
        """
        left, right = self < _AIRY_LEFT, self > _AIRY_RIGHT
        x = (left | right)._choose(0.0, self)
        middle = chebyshev((x + 1) / 3, fits.AIRY_MIDDLE)
        infinite = self.isinf()
        waves = (left & ~infinite)._choose(-self, -_AIRY_LEFT)._airy_waves()
        decay = (right & ~infinite)._choose(self, _AIRY_RIGHT)._airy_decay()
        return infinite._choose(0.0, left._choose(waves, right._choose(decay, middle)))

    def _airy_decay(self) -> Self:
        root = self.sqrt()
        z, least = self * root * (2 / 3), 2 / 3 * _AIRY_RIGHT * math.sqrt(_AIRY_RIGHT)
        return chebyshev(2 * least / z - 1, fits.AIRY_RIGHT) * (-z).exp() * root.rsqrt() * (0.5 / math.sqrt(math.pi))

    def _airy_waves(self) -> Self:
        """Ai of -self."""
        root = self.sqrt()
        z, least = self * root * (2 / 3), 2 / 3 * -_AIRY_LEFT * math.sqrt(-_AIRY_LEFT)
        ratio = least / z
        place = ratio * ratio * 2 - 1
        p, q = chebyshev(place, fits.AIRY_P), chebyshev(place, fits.AIRY_Q) * ratio
        sine, cosine = z.sin(), z.cos()
        turned = p * (cosine + sine) + q * (sine - cosine)  # of z - pi/4, times the square root of 2
        return turned * root.rsqrt() * math.sqrt(0.5 / math.pi)
