"""Orthogonal polynomials by their degree (DLMF 18.9: recurrences; 18.5: closed forms). There are no gradients but by x.

A degree that is a tensor is looked at now, for the largest one: as many steps of the recurrence are computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lazygrad.ir.build import filled_like
from lazygrad.ops.arguments import steps
from lazygrad.ops.bessel import Bessel
from lazygrad.ops.core import Core, Operand, scalar
from lazygrad.ops.promotion import result_type

if TYPE_CHECKING:
    from typing_extensions import Self

Step = Callable[[Any, Any, Any, int], Any]  # (x, the last polynomial, the one before, its degree) -> the next one


def _hermite(x: Any, last: Any, before: Any, k: int) -> Any:
    return x * 2 * last - before * (2 * k)


def _hermite_e(x: Any, last: Any, before: Any, k: int) -> Any:
    return x * last - before * k


def _laguerre(x: Any, last: Any, before: Any, k: int) -> Any:
    return ((2 * k + 1 - x) * last - before * k) / (k + 1)


def _legendre(x: Any, last: Any, before: Any, k: int) -> Any:
    return (x * (2 * k + 1) * last - before * k) / (k + 1)


def _chebyshev(x: Any, last: Any, before: Any, k: int) -> Any:
    return x * 2 * last - before


class Orthogonal(Bessel):
    """`x.legendre_polynomial_p(n)`: of degree n, a number or a tensor that broadcasts; 0 for degrees that are
    negative or not finite."""

    __slots__ = ()

    def _recurrence(self, what: str, n: Operand, first: Callable[[Any], Any], step: Step) -> Self:
        """The polynomial after 1 and `first(x)`."""
        kind = result_type(what, self, n)
        x = self.cast(kind if kind.is_float else "float32")
        highest = n._largest() if isinstance(n, Core) else scalar(what, n)  # type: ignore[attr-defined]
        known = steps(what, "n", highest) if math.isfinite(highest) else -1
        degree: Self = x._beside(n if isinstance(n, Core) else known).detach().trunc()
        if isinstance(n, Core) and degree.dtype.is_float:
            degree = degree.isfinite()._choose(degree, -1)
        before = x._new(filled_like(x.node, 1))  # also of nan
        last = first(x)
        result = (degree < 0)._choose(0.0, degree.eq(0)._choose(before, last))
        for k in range(1, known):
            last, before = step(x, last, before, k), last
            result = (degree > k)._choose(last, result)
        return result.cast(x.dtype)

    def _largest(self) -> float:
        x: Any = self.detach()
        x = x.isfinite()._choose(x, -1) if x.dtype.is_float else x
        return float(x.amax().item()) if 0 not in self.shape else 0

    def _doubled(self, what: str, n: Operand) -> Self:
        """2 * self - 1, which moves [0, 1] to [-1, 1]."""
        kind = result_type(what, self, n)
        return self.cast(kind if kind.is_float else "float32") * 2 - 1

    def chebyshev_polynomial_t(self, n: Operand) -> Self:
        """The Chebyshev polynomial of the first kind.

        >>> Tensor([0.5]).chebyshev_polynomial_t(2).tolist()
        [-0.5]
        """
        return self._recurrence("chebyshev_polynomial_t", n, lambda x: x, _chebyshev)

    def chebyshev_polynomial_u(self, n: Operand) -> Self:
        """The Chebyshev polynomial of the second kind.

        >>> Tensor([0.5]).chebyshev_polynomial_u(2).tolist()
        [0.0]
        """
        return self._recurrence("chebyshev_polynomial_u", n, lambda x: x * 2, _chebyshev)

    def chebyshev_polynomial_v(self, n: Operand) -> Self:
        """The Chebyshev polynomial of the third kind.

        >>> Tensor([0.5]).chebyshev_polynomial_v(2).tolist()
        [-1.0]
        """
        return self._recurrence("chebyshev_polynomial_v", n, lambda x: x * 2 - 1, _chebyshev)

    def chebyshev_polynomial_w(self, n: Operand) -> Self:
        """The Chebyshev polynomial of the fourth kind.

        >>> Tensor([0.5]).chebyshev_polynomial_w(2).tolist()
        [1.0]
        """
        return self._recurrence("chebyshev_polynomial_w", n, lambda x: x * 2 + 1, _chebyshev)

    def shifted_chebyshev_polynomial_t(self, n: Operand) -> Self:
        """`chebyshev_polynomial_t` of 2 * self - 1.

        >>> Tensor([0.75]).shifted_chebyshev_polynomial_t(2).tolist()
        [-0.5]
        """
        return self._doubled("shifted_chebyshev_polynomial_t", n).chebyshev_polynomial_t(n)

    def shifted_chebyshev_polynomial_u(self, n: Operand) -> Self:
        """`chebyshev_polynomial_u` of 2 * self - 1.

        >>> Tensor([0.75]).shifted_chebyshev_polynomial_u(2).tolist()
        [0.0]
        """
        return self._doubled("shifted_chebyshev_polynomial_u", n).chebyshev_polynomial_u(n)

    def shifted_chebyshev_polynomial_v(self, n: Operand) -> Self:
        """`chebyshev_polynomial_v` of 2 * self - 1.

        >>> Tensor([0.75]).shifted_chebyshev_polynomial_v(2).tolist()
        [-1.0]
        """
        return self._doubled("shifted_chebyshev_polynomial_v", n).chebyshev_polynomial_v(n)

    def shifted_chebyshev_polynomial_w(self, n: Operand) -> Self:
        """`chebyshev_polynomial_w` of 2 * self - 1.

        >>> Tensor([0.75]).shifted_chebyshev_polynomial_w(2).tolist()
        [1.0]
        """
        return self._doubled("shifted_chebyshev_polynomial_w", n).chebyshev_polynomial_w(n)

    def hermite_polynomial_h(self, n: Operand) -> Self:
        """The physicists' Hermite polynomial.

        >>> Tensor([0.5]).hermite_polynomial_h(2).tolist()
        [-1.0]
        """
        return self._recurrence("hermite_polynomial_h", n, lambda x: x * 2, _hermite)

    def hermite_polynomial_he(self, n: Operand) -> Self:
        """The probabilists' Hermite polynomial.

        >>> Tensor([0.5]).hermite_polynomial_he(2).tolist()
        [-0.75]
        """
        return self._recurrence("hermite_polynomial_he", n, lambda x: x, _hermite_e)

    def laguerre_polynomial_l(self, n: Operand) -> Self:
        """The Laguerre polynomial.

        >>> Tensor([0.5]).laguerre_polynomial_l(2).tolist()
        [0.125]
        """
        return self._recurrence("laguerre_polynomial_l", n, lambda x: 1 - x, _laguerre)

    def legendre_polynomial_p(self, n: Operand) -> Self:
        """The Legendre polynomial.

        >>> Tensor([0.5]).legendre_polynomial_p(2).tolist()
        [-0.125]
        """
        return self._recurrence("legendre_polynomial_p", n, lambda x: x, _legendre)
