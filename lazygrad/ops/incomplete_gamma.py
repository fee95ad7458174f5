"""The incomplete gamma functions and Hurwitz's zeta function, computed in float64.

How many terms are needed is known for all arguments, so nothing is iterated until it converges. DLMF: dlmf.nist.gov.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from lazygrad.errors import GradientError
from lazygrad.ops.core import Operand, fail
from lazygrad.ops.gamma import BERNOULLI, Gamma
from lazygrad.ops.mode import mode
from lazygrad.ops.promotion import in_doubles
from lazygrad.ops.series import polynomial
from lazygrad.ops.slopes import slopes

if TYPE_CHECKING:
    from typing_extensions import Self

_LARGE = 20.0  # from here on the expansion for large `a` is used, for x / a between these two
_LEAST_RATIO, _LARGEST_RATIO = 0.3, 2.35
_TERMS = 60  # of the series up to a + 1, and of the continued fraction from there on
_SUMMED = 10  # terms of zeta's sum before Euler and Maclaurin's series


def _density(a: Any, x: Any) -> Any:
    return ((a - 1) * x.log() - x - a.lgamma()).exp()


class IncompleteGamma(Gamma):
    """Functions of two arguments, with a gradient by the second one."""

    __slots__ = ()

    def igamma(self, other: Operand) -> Self:
        """The regularized lower incomplete gamma function P(self, other); nan for negative arguments.

        GradientError where a gradient by self would be recorded: only that by `other` is known.

        >>> Tensor([1.0]).igamma(Tensor([2.0]))
        tensor([0.8647])
        """
        self._has_no_slope("igamma")
        return self._lower(other)

    def igammac(self, other: Operand) -> Self:
        """The regularized upper incomplete gamma function Q(self, other), 1 - `igamma`, exact also where that is 1.

        GradientError where a gradient by self would be recorded: only that by `other` is known.

        >>> Tensor([1.0]).igammac(Tensor([2.0]))
        tensor([0.1353])
        """
        self._has_no_slope("igammac")
        return self._upper(other)

    def _has_no_slope(self, what: str) -> None:
        if self._requires and mode.enabled:
            fail(GradientError, f"{what}: its derivative by the first argument is not known; .detach() that")

    @in_doubles
    @slopes(None, _density)
    def _lower(self, other: Any) -> Self:
        return self._incomplete(other, upper=False)

    @in_doubles
    @slopes(None, lambda a, x: -_density(a, x))
    def _upper(self, other: Any) -> Self:
        return self._incomplete(other, upper=True)

    def _incomplete(self, x: Self, upper: bool) -> Self:
        uniform = (self > _LARGE) & (x > self * _LEAST_RATIO) & (x < self * _LARGEST_RATIO)
        low = x < (self + 1).clamp(min=4.0)
        series, fraction = self._series(x), self._fraction(x)
        middle = self._uniform(x, -1 if upper else 1)
        if upper:
            result = uniform._choose(middle, low._choose(1 - series, fraction))
        else:
            result = uniform._choose(middle, low._choose(series, 1 - fraction))
        none, all_ = (1.0, 0.0) if upper else (0.0, 1.0)
        result = (x.eq(0) | self.isinf())._choose(none, (self.eq(0) | x.isinf())._choose(all_, result))
        unknown = (self.eq(0) & x.eq(0)) | (self.isinf() & x.isinf()) | self.isnan() | x.isnan()
        return (unknown | (self < 0) | (x < 0))._choose(math.nan, result)

    def _series(self, x: Self) -> Self:
        """P for x below about self + 1 (DLMF 8.11.4)."""
        term = total = self * 0 + 1
        for n in range(1, _TERMS):
            term = term * x / (self + n)
            total = total + term
        return total * (self * x.log() - x - (self + 1).lgamma()).exp()

    def _fraction(self, x: Self) -> Self:
        """Q for x above that (DLMF 8.9.2, the even part of the continued fraction, from its end)."""
        apart = x - self
        value = apart + (2 * _TERMS + 1)
        for k in range(_TERMS, 0, -1):
            value = apart + (2 * k - 1) + (self - k) * k / value
        return (self * x.log() - x - self.lgamma()).exp() / value

    def _uniform(self, x: Self, sign: int) -> Self:
        """P (`sign` 1) or Q (-1) for large self and x near it (N. Temme; DLMF 8.12.3 to 8.12.12)."""
        ratio = x / self
        beyond = (x - self) / self
        size = ((beyond - ratio.log()).clamp(min=0.0) * 2).sqrt()
        eta = (beyond < 0)._choose(-size, size)
        inverse = 1 / self
        total = self * 0
        for coefficients in reversed(_temme()):
            total = total * inverse + polynomial(eta, coefficients)
        rest = total * (eta * eta * self * -0.5).exp() / (self * (2 * math.pi)).sqrt()
        return (eta * (self * 0.5).sqrt() * -sign).erfc() * 0.5 - rest * sign

    def zeta(self, other: Operand) -> Self:
        """Hurwitz's zeta function: the sum of 1 / (k + other)**self over k = 0, 1, 2, ...

        Infinite where self is 1 and at the poles 0, -1, -2, ... of `other`; nan where self is below 1, and where
        `other` is negative and self no integer. GradientError where a gradient by self would be recorded.

        >>> Tensor([2.0]).zeta(Tensor([1.0]))
        tensor([1.6449])
        """
        self._has_no_slope("zeta")
        return self._zeta(other)

    @in_doubles
    @slopes(None, lambda s, q: (s + 1)._zeta(q) * -s)
    def _zeta(self, other: Any) -> Self:
        q = other
        negative = q < 0
        rest = q - q.floor()
        # the terms of a negative q are those of zeta(s, 1 - rest), but for those of zeta(s, 1 - q), with signs
        odd = self.ne((self * 0.5).floor() * 2)
        mirrored = (1 - rest)._sum_of_powers(self) - (1 - q)._sum_of_powers(self)
        above = negative._choose(rest, q)._sum_of_powers(self)
        result = negative._choose(above + odd._choose(-mirrored, mirrored), above)
        result = (negative & self.ne(self.floor()))._choose(math.nan, result)
        result = ((q <= 0) & (rest.eq(0) | q.isinf() | self.isinf()))._choose(math.inf, result)
        return self.eq(1)._choose(math.inf, (self < 1)._choose(math.nan, result))

    def _sum_of_powers(self, s: Self) -> Self:
        """zeta(s, self) for self > 0, by Euler and Maclaurin (DLMF 25.11.5)."""
        total = self * 0
        for k in range(_SUMMED):
            total = total + (self + k).pow(-s)
        y = self + _SUMMED
        last = y.pow(-s)
        square, factor = 1 / (y * y), s / y
        total = total + last * (y / (s - 1) + 0.5)
        for k, b in enumerate(BERNOULLI, 1):
            total = total + last * factor * float(b / math.factorial(2 * k))
            factor = factor * (s + (2 * k - 1)) * (s + 2 * k) * square
        return (s.isinf() & (self <= 1))._choose(self.pow(-s), total)


@functools.cache
def _temme() -> tuple[tuple[float, ...], ...]:
    """The coefficients of c0, c1, ... in powers of eta (DLMF 8.12.9 to 8.12.12), as far as they count from 20 on."""
    depth, width = 12, 26
    count = width + 2 * depth
    alpha = [Fraction(0), Fraction(1)]  # of x / a - 1 in powers of eta
    for n in range(2, count + 3):
        products = (alpha[i] * alpha[n + 1 - i] for i in range(2, n))
        alpha.append(alpha[n - 1] / (n + 1) - sum(products, Fraction(0)) / 2)
    inverse = [Fraction(1)]
    for m in range(1, count + 2):
        inverse.append(-sum((alpha[i + 1] * inverse[m - i] for i in range(1, m + 1)), Fraction(0)))
    first = row = inverse[1:]
    rows = []
    for k in range(depth):
        kept = [float(c) for c in row[:width]]
        while len(kept) > 1 and abs(kept[-1]) < 1e-17 * _LARGE**k:
            kept.pop()
        rows.append(tuple(kept))
        row = [(n + 2) * row[n + 2] - row[1] * first[n] for n in range(len(row) - 2)]
    return tuple(rows)
