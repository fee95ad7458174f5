"""The error function, by rational approximation.

In float64: W. J. Cody, "Rational Chebyshev approximations for the error function", Mathematics of Computation 23
(1969), 631-637: one quotient of polynomials below 0.46875 and one, times exp(-x*x), above; absolute error below 1e-15.
In float32: one quotient in x*x, fitted to the least largest error over |x| <= 4 (2e-8, below float32's rounding).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from lazygrad.dtype import dtypes
from lazygrad.ops.core import in_float
from lazygrad.ops.functions import Functions

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T", bound=Functions)

# Coefficients, highest power first.
_SINGLE_TOP = (1.974689488e-06, 2.880182383e-04, 4.003305354e-03, 5.346646786e-02, 1.962432349e-01, 1.128378977)
_SINGLE_BOTTOM = (3.747814892e-05, 1.216246203e-03, 1.544378662e-02, 1.164738157e-01, 5.072472049e-01, 1.0)
_SMALL_TOP = (
    1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2,
    3.20937758913846947e3,
)
_SMALL_BOTTOM = (
    1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3,
)
_LARGE_TOP = (
    2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1,
    2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
    1.23033935479799725e3,
)
_LARGE_BOTTOM = (
    1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
    3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3,
)
_BORDER = 0.46875
_SINGLE_LIMIT, _DOUBLE_LIMIT = 4.0, 6.0  # beyond them erf is 1 in the dtype


class Erf(Functions):
    """The error function."""

    __slots__ = ()

    @in_float
    def erf(self) -> Self:
        """2/sqrt(pi) times the integral of exp(-t*t) from 0 to each element; within 1e-15 in float64.

        >>> Tensor([0.0, 1.0, -2.0]).erf()
        tensor([ 0.0000,  0.8427, -0.9953])
        """
        return _double(self) if self.dtype is dtypes.float64 else _single(self)


def _polynomial(x: T, coefficients: Sequence[float]) -> T:
    """Horner's rule."""
    total = x * coefficients[0] + coefficients[1]
    for c in coefficients[2:]:
        total = total * x + c
    return total


def _single(x: T) -> T:
    x = x.clamp(-_SINGLE_LIMIT, _SINGLE_LIMIT)
    square = x * x
    return x * _polynomial(square, _SINGLE_TOP) / _polynomial(square, _SINGLE_BOTTOM)


def _double(x: T) -> T:
    """Each formula sees only elements of its own range, so that the one not chosen stays finite."""
    size = x.abs()
    small = x.clamp(-_BORDER, _BORDER)
    square = small * small
    inner = small * _polynomial(square, _SMALL_TOP) / _polynomial(square, _SMALL_BOTTOM)
    large = size.clamp(_BORDER, _DOUBLE_LIMIT)
    tail = (large * large * -1).exp() * _polynomial(large, _LARGE_TOP) / _polynomial(large, _LARGE_BOTTOM)
    outer = (x < 0)._choose(tail - 1, 1 - tail)
    return (size > _BORDER)._choose(outer, inner)
