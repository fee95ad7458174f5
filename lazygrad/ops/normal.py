"""The error function's family, and the normal distribution. All are computed in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lazygrad.ops.angles import Angles
from lazygrad.ops.fits import ERFCX, ERFINV_BOUNDS, ERFINV_FAR, ERFINV_NEAR
from lazygrad.ops.precision import in_double
from lazygrad.ops.series import chebyshev
from lazygrad.ops.slopes import slopes

if TYPE_CHECKING:
    from typing_extensions import Self

_ROOT_PI, _ROOT_HALF = math.sqrt(math.pi), math.sqrt(0.5)
_HIGH_BITS = -(1 << 27)  # of a float64: what they are is squared without rounding


class Normal(Angles):
    """Integrals of exp(-t*t) and their inverses."""

    __slots__ = ()

    def _square_exp(self, sign: int) -> Self:
        """exp(sign * self**2), where rounding the square of a float64 must not be multiplied by the square."""
        high = self._of_bits(self._bits() & _HIGH_BITS)
        return (high * high * sign).exp() * ((self - high) * (self + high) * sign).exp()

    def _scaled_tail(self) -> Self:
        """exp(x*x) * erfc(x) for x >= 0 (M. Shepherd and J. Laframboise, Chebyshev Approximation of
        (1+2x)exp(x²)erfc x in 0 <= x < infinity, Math. Comp. 36, 1981)."""
        return chebyshev(1 - 8 / (self + 4), ERFCX) / (self * 2 + 1)

    @in_double
    @slopes(lambda x: (x * x).neg().exp() * (-2 / _ROOT_PI))
    def erfc(self) -> Self:
        """1 - erf(self), exact also where erf is 1 to the last place.

        >>> Tensor([0.0, 1.0, 6.0]).erfc()
        tensor([1.0000e+00, 1.5730e-01, 2.1520e-17])
        """
        size = self.abs().clamp(max=30.0)
        tail = size._square_exp(-1) * size._scaled_tail()
        return (size < 0.5)._choose(1 - self.erf(), (self < 0)._choose(2 - tail, tail))

    @in_double
    @slopes(lambda x: x * x.erfcx() * 2 - 2 / _ROOT_PI)
    def erfcx(self) -> Self:
        """exp(self**2) * erfc(self), which decays as 1 / self does.

        >>> Tensor([0.0, 100.0]).erfcx()
        tensor([1.0000, 0.0056])
        """
        tail = self.abs()._scaled_tail()
        return (self < 0)._choose(self.clamp(min=-30.0)._square_exp(1) * 2 - tail, tail)

    @in_double
    @slopes(lambda x: x.erfinv().square().exp() * (_ROOT_PI / 2))
    def erfinv(self) -> Self:
        """The number with this `erf`: infinite at -1 and 1, nan outside.

        >>> Tensor([0.0, 0.5, 1.0]).erfinv()
        tensor([0.0000, 0.4769,    inf])
        """
        w = -((1 - self) * (1 + self)).log()
        return self.abs().eq(1)._choose(self * math.inf, self * w._inverse_over_argument(ERFINV_FAR[:2]))

    def _inverse_over_argument(self, far: Sequence[tuple[float, ...]]) -> Self:
        """erfinv(x) / x from this w = -log(1 - x*x) (M. Giles, Approximating the erfinv function, GPU Computing Gems
        2, 2011)."""
        root = self.sqrt()
        result = chebyshev(self * (2 / ERFINV_BOUNDS[0] ** 2) - 1, ERFINV_NEAR)
        for low, high, coefficients in zip(ERFINV_BOUNDS, ERFINV_BOUNDS[1:], far):
            place = (root - (low + high) / 2) * (2 / (high - low))
            result = (root > low)._choose(chebyshev(place, coefficients), result)
        return result

    @in_double
    @slopes(lambda x: (x * x * -0.5).exp() * (_ROOT_HALF / _ROOT_PI))
    def ndtr(self) -> Self:
        """The share of a standard normal distribution that is below each element.

        >>> Tensor([0.0, 1.0]).ndtr()
        tensor([0.5000, 0.8413])
        """
        return (self * -_ROOT_HALF).erfc() * 0.5

    @in_double
    @slopes(lambda p: (p.ndtri().square() * 0.5).exp() * (_ROOT_PI / _ROOT_HALF))
    def ndtri(self) -> Self:
        """The number below which this share of a standard normal distribution is; nan outside [0, 1].

        >>> Tensor([0.5, 0.975]).ndtri()
        tensor([0.0000, 1.9600])
        """
        x, rest = self * 2 - 1, self * (1 - self)
        inside = x * (rest * 4).log().neg()._inverse_over_argument(ERFINV_FAR) * math.sqrt(2)
        return rest.eq(0)._choose(x * math.inf, inside)

    @in_double
    @slopes(lambda x: x._log_ndtr_slope())
    def log_ndtr(self) -> Self:
        """The logarithm of `ndtr`, finite also where that is 0.

        >>> Tensor([0.0, -100.0]).log_ndtr()
        tensor([-6.9315e-01, -5.0055e+03])
        """
        low = self < -1
        down = low._choose(self, -1.0)
        tail = (down * -_ROOT_HALF).erfcx().log() - math.log(2) - down * down * 0.5
        return low._choose(tail, ((self * _ROOT_HALF).erfc() * -0.5).log1p())

    def _log_ndtr_slope(self) -> Self:
        low = self < -1
        below = math.sqrt(2 / math.pi) / (low._choose(self, -1.0) * -_ROOT_HALF).erfcx()
        up = low._choose(0.0, self)
        return low._choose(below, (up * up * -0.5).exp() * (_ROOT_HALF / _ROOT_PI) / up.ndtr())
