"""Modified Bessel functions, computed in float64 (DLMF 10.25)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lazygrad.ops import bessel_fits as fits
from lazygrad.ops.incomplete_gamma import IncompleteGamma
from lazygrad.ops.precision import in_double
from lazygrad.ops.series import chebyshev
from lazygrad.ops.slopes import slopes

if TYPE_CHECKING:
    from typing_extensions import Self


def _over(value: Any, x: Any) -> Any:
    """value / x, and 1/2 near 0, where the orders of 1 have that slope."""
    at_zero = x.abs() < 1e-9
    return at_zero._choose(0.5, value / at_zero._choose(1.0, x))


class ModifiedBessel(IncompleteGamma):
    """The orders 0 and 1 of I and K."""

    __slots__ = ()

    @in_double
    @slopes(lambda x: x.i1())
    def i0(self) -> Self:
        """The modified Bessel function I of order 0.

        >>> Tensor([0.0, 1.0]).i0()
        tensor([1.0000, 1.2661])
        """
        return self.abs().exp() * self.i0e()

    @in_double
    @slopes(lambda x: x.i1e() - x.sign() * x.i0e())
    def i0e(self) -> Self:
        """exp(-|self|) times `i0`.

        >>> Tensor([0.0, 1.0]).i0e()
        tensor([1.0000, 0.4658])
        """
        size = self.abs()
        return size._near_or_far(8, chebyshev(size * 0.25 - 1, fits.I0E_NEAR), fits.I0E_FAR)

    @in_double
    @slopes(lambda x: x.i0() - _over(x.i1(), x))
    def i1(self) -> Self:
        """The modified Bessel function I of order 1.

        >>> Tensor([0.0, 1.0]).i1()
        tensor([0.0000, 0.5652])
        """
        return self.abs().exp() * self.i1e()

    @in_double
    @slopes(lambda x: x.i0e() - _over(x.i1e(), x) - x.sign() * x.i1e())
    def i1e(self) -> Self:
        """exp(-|self|) times `i1`.

        >>> Tensor([0.0, 1.0]).i1e()
        tensor([0.0000, 0.2079])
        """
        size = self.abs()
        return size._near_or_far(8, chebyshev(size * 0.25 - 1, fits.I1E_NEAR) * size, fits.I1E_FAR).copysign(self)

    def _near_or_far(self, bound: float, near: Self, far: tuple[float, ...]) -> Self:
        """`near` up to the bound; beyond, `far` (of 2 * bound / self - 1) over the square root."""
        beyond = self > bound
        x = beyond._choose(self, bound)
        return beyond._choose(chebyshev(2 * bound / x - 1, far) / x.sqrt(), near)

    def modified_bessel_i0(self) -> Self:
        """`i0`.

        >>> Tensor([0.0]).modified_bessel_i0()
        tensor([1.])
        """
        return self.i0()

    def modified_bessel_i1(self) -> Self:
        """`i1`.

        >>> Tensor([0.0]).modified_bessel_i1()
        tensor([0.])
        """
        return self.i1()

    @in_double
    @slopes(lambda x: -x.modified_bessel_k1())
    def modified_bessel_k0(self) -> Self:
        """The modified Bessel function K of order 0: infinite at 0, nan below.

        >>> Tensor([1.0]).modified_bessel_k0()
        tensor([0.4210])
        """
        return self.scaled_modified_bessel_k0() * (-self).exp()

    @in_double
    @slopes(lambda x: -x.modified_bessel_k0() - x.modified_bessel_k1() / x)
    def modified_bessel_k1(self) -> Self:
        """The modified Bessel function K of order 1: infinite at 0, nan below.

        >>> Tensor([1.0]).modified_bessel_k1()
        tensor([0.6019])
        """
        return self.scaled_modified_bessel_k1() * (-self).exp()

    @in_double
    @slopes(lambda x: x.scaled_modified_bessel_k0() - x.scaled_modified_bessel_k1())
    def scaled_modified_bessel_k0(self) -> Self:
        """exp(self) times `modified_bessel_k0`.

        >>> Tensor([1.0]).scaled_modified_bessel_k0()
        tensor([1.1445])
        """
        x = (self > 2)._choose(2.0, self)
        place = x * x * 0.5 - 1
        near = chebyshev(place, fits.K0_NEAR) - x.log() * chebyshev(place, fits.I0_SMALL)
        return self._near_or_far(2, near * x.exp(), fits.K0_FAR)

    @in_double
    @slopes(lambda x: x.scaled_modified_bessel_k1() * (1 - 1 / x) - x.scaled_modified_bessel_k0())
    def scaled_modified_bessel_k1(self) -> Self:
        """exp(self) times `modified_bessel_k1`.

        >>> Tensor([1.0]).scaled_modified_bessel_k1()
        tensor([1.6362])
        """
        x = (self > 2)._choose(2.0, self)
        place = x * x * 0.5 - 1
        smooth = chebyshev(place, fits.K1_NEAR) + x.eq(0)._choose(0.0, x.log()) * chebyshev(place, fits.I1_SMALL)
        near = (x < 0)._choose(math.nan, smooth * x + 1 / x.abs())
        return self._near_or_far(2, near * x.exp(), fits.K1_FAR)
