"""The gamma function's family. All are computed in float64.

DLMF: NIST Digital Library of Mathematical Functions, dlmf.nist.gov.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

from lazygrad.errors import ArgumentError
from lazygrad.ops.arguments import steps
from lazygrad.ops.core import fail
from lazygrad.ops.fits import LGAMMA
from lazygrad.ops.normal import Normal
from lazygrad.ops.precision import in_double
from lazygrad.ops.series import polynomial
from lazygrad.ops.slopes import slopes

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T", bound="Gamma")
_LARGE = 10  # where the asymptotic series begin: their terms decrease to the last place of a float64


def _bernoulli(count: int) -> list[Fraction]:
    """B2, B4, ..., by their recurrence (DLMF 24.5.3)."""
    numbers = [Fraction(1)]
    for n in range(1, 2 * count + 1):
        numbers.append(-sum((math.comb(n + 1, k) * b for k, b in enumerate(numbers)), Fraction(0)) / (n + 1))
    return numbers[2::2]


BERNOULLI = _bernoulli(12)
_STIRLING = [float(b / (2 * k * (2 * k - 1))) for k, b in enumerate(BERNOULLI[:10], 1)]  # DLMF 5.11.1
_PSI = [float(b / (2 * k)) for k, b in enumerate(BERNOULLI[:10], 1)]  # DLMF 5.11.2


class Gamma(Normal):
    """Logarithms of the gamma function, and their derivatives."""

    __slots__ = ()

    @in_double
    @slopes(lambda x: x.digamma())
    def lgamma(self) -> Self:
        """The logarithm of the gamma function's absolute value: infinite at 0, -1, -2, ...

        >>> Tensor([1.0, 5.0, -0.5]).lgamma()
        tensor([0.0000, 3.1781, 1.2655])
        """
        negative = self < 0
        size = negative._choose(-self, self)
        above = size._lgamma_of_positive()
        # DLMF 5.5.3, for 1 - size: gamma(-size) gamma(size) = -pi / (size * sin(pi size))
        mirrored = math.log(math.pi) - size.log() - size._sin_cos_pi()[0].abs().log() - above
        result = negative._choose(mirrored, above)
        pole = negative & size.eq(size.floor())
        return (pole | size.isinf())._choose(math.inf, result)

    def _lgamma_of_positive(self) -> Self:
        """By a polynomial between 1 and 3, where it is small; from 3 on by steps down; Stirling's series above 10."""
        x, product = self, self * 0 + 1
        for _ in range(_LARGE - 3):
            high = x >= 3
            product, x = high._choose(product * (x - 1), product), high._choose(x - 1, x)
        low = self < 1
        beyond = low._choose(self - 1, x - 2)  # of x + 1 where x is below 1: nothing is rounded near the zeros
        near = low._choose(self, x - 1) * beyond * polynomial(beyond, LGAMMA)
        near = near + low._choose(-low._choose(self, 1.0).log(), product.log())
        inverse = 1 / self
        series = inverse * polynomial(inverse * inverse, _STIRLING)
        far = (self - 0.5) * (self.log() - 1) + (series + (0.5 * math.log(2 * math.pi) - 0.5))
        return (self < _LARGE)._choose(near, far)

    @in_double
    @slopes(lambda x: x.polygamma(1))
    def digamma(self) -> Self:
        """The derivative of `lgamma`: infinite at 0, nan at -1, -2, ...

        >>> Tensor([1.0, 10.0]).digamma()
        tensor([-0.5772,  2.2518])
        """
        negative = self < 0
        x = negative._choose(1 - self, self)
        small = x < _LARGE
        top, bottom = x * 0, x * 0 + 1  # the sum of 1 / (x + k) as a fraction
        for k in range(_LARGE):
            factor = x + k
            top, bottom = top * factor + bottom, bottom * factor
        y = small._choose(x + _LARGE, x)
        inverse = 1 / y
        square = inverse * inverse
        value = y.log() - inverse * 0.5 - square * polynomial(square, _PSI) - small._choose(top / bottom, 0.0)
        sine, cosine = self._sin_cos_pi()
        mirrored = value - cosine / sine * math.pi  # DLMF 5.5.4
        result = negative._choose((self.eq(self.round()))._choose(math.nan, mirrored), value)
        return self.eq(0)._choose((self * 0 + math.inf).copysign(-self), result)

    def psi(self) -> Self:
        """`digamma`.

        >>> Tensor([1.0]).psi()
        tensor([-0.5772])
        """
        return self.digamma()

    def polygamma(self, n: int) -> Self:
        """The derivative of order `n` of `digamma`. ArgumentError for a negative order.

        >>> Tensor([1.0]).polygamma(1)
        tensor([1.6449])
        """
        if n < 0:
            fail(ArgumentError, f"polygamma: the order n is {n}; it must not be negative")
        n = steps("polygamma", "n", n, 169)  # n! and that of the derivative are numbers
        return self._polygamma(n) if n else self.digamma()

    @in_double
    @slopes(lambda x, n: x.polygamma(n + 1))
    def _polygamma(self, n: int) -> Self:
        """DLMF 5.15.1 and 5.15.6: (-1)^(n+1) n! zeta(n+1, x), and a derivative of the cotangent for negative x."""
        negative = self < 0.5
        x = negative._choose(1 - self, self)
        value = x._hurwitz(n + 1) * ((-1) ** (n + 1) * math.factorial(n))
        sine, cosine = self._sin_cos_pi()
        cotangent = cosine / sine
        mirrored = value * (-1) ** n - polynomial(cotangent, _cotangent(n))
        pole = self.eq(self.round()) & negative
        pole = pole & self.isfinite() if n == 1 else pole  # at -inf as PyTorch's
        return pole._choose((-1) ** (n + 1) * math.inf, negative._choose(mirrored, value))

    def _hurwitz(self, s: int) -> Self:
        """zeta(s, x) for x > 0 and an integer s > 1, by Euler and Maclaurin's sum (DLMF 25.11.5)."""
        total = self * 0
        for k in range(_LARGE):
            total = total + (self + k).pow(-s)
        y = self + _LARGE
        inverse = 1 / y
        rising = [math.prod(range(s, s + 2 * k - 1)) / math.factorial(2 * k) for k in range(1, len(BERNOULLI) + 1)]
        series = inverse * polynomial(inverse * inverse, [float(b) * r for b, r in zip(BERNOULLI, rising)])
        return self.isinf()._choose(0.0, total + y.pow(-s) * (y / (s - 1) + 0.5 + series))

    def mvlgamma(self, p: int) -> Self:
        """The logarithm of the multivariate gamma function of dimension `p`. ArgumentError for a `p` below 1.

        >>> Tensor([3.0]).mvlgamma(2)
        tensor([1.5502])
        """
        if p < 1:
            fail(ArgumentError, f"mvlgamma: the dimension p is {p}; it must be at least 1")
        p = steps("mvlgamma", "p", p)
        total = self.lgamma() + p * (p - 1) / 4 * math.log(math.pi)
        for k in range(1, p):
            total = total + (self - k / 2).lgamma()
        return total


def polygamma(n: int, input: T) -> T:
    """`Tensor.polygamma`: the derivative of order `n` of the digamma function of `input`.

    >>> polygamma(1, Tensor([1.0]))
    tensor([1.6449])
    """
    return input.polygamma(n)


def _cotangent(n: int) -> tuple[float, ...]:
    """Coefficients of the derivative of order n of pi cot(pi x), in powers of cot(pi x), the derivative of which is
    -pi (1 + cot(pi x)^2)."""
    powers: list[float] = [0, 1]
    for _ in range(n):
        slope = [k * c for k, c in enumerate(powers)][1:]
        powers = [-a - b for a, b in zip([*slope, 0, 0], [0, 0, *slope])]
    return tuple(c * math.pi ** (n + 1) for c in powers)
