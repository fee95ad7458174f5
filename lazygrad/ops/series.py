"""Polynomials of tensors, for functions that have no primitive. Coefficients are of rising degree.

The coefficients themselves are in `fits.py` and `bessel_fits.py`: interpolations in Chebyshev's points, which are
within a small factor of the best polynomials (Trefethen, Approximation Theory and Approximation Practice, chapter 16).
`extra/tools/fit.py` makes them from mpmath's values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from lazygrad.ir.build import add, filled_like, mul, scaled, sub
from lazygrad.ops.core import Core

T = TypeVar("T", bound=Core)


def polynomial(x: T, coefficients: Sequence[float]) -> T:
    """c[0] + c[1] * x + c[2] * x**2 + ... (Horner's rule).

    >>> polynomial(Tensor([2.0]), (1.0, 0.0, 3.0)).tolist()
    [13.0]
    """
    z = x._in()
    total = filled_like(z, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = add(mul(total, z), filled_like(z, c))
    return x._out(total)


def chebyshev(x: T, coefficients: Sequence[float]) -> T:
    """c[0] * T0(x) + c[1] * T1(x) + ... with Chebyshev's polynomials, for x in [-1, 1] (Clenshaw's recurrence, DLMF
    3.11(ii)). Two coefficients at least.

    >>> chebyshev(Tensor([0.5]), (1.0, 0.0, 2.0)).tolist()
    [0.0]
    """
    z = x._in()
    twice = scaled(z, 2)
    last, total = filled_like(z, 0), filled_like(z, coefficients[-1])
    for c in reversed(coefficients[1:-1]):
        last, total = total, add(sub(mul(twice, total), last), filled_like(z, c))
    return x._out(add(sub(mul(z, total), last), filled_like(z, coefficients[0])))
