"""Whether elements are near to each other, of a kind, or among others."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

from lazygrad.dtype import dtypes
from lazygrad.errors import ArgumentError, DTypeError
from lazygrad.ir.node import const
from lazygrad.ops.core import Core, Operand, fail
from lazygrad.ops.promotion import together
from lazygrad.ops.reduce import Reduce

if TYPE_CHECKING:
    from typing_extensions import Self


class Closeness(Reduce):
    """Comparisons that are not of one operator."""

    __slots__ = ()

    def isclose(self, other: Operand, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Self:
        """Whether |self - other| <= atol + rtol * |other|, or both are the same infinity (or nan, with `equal_nan`).

        DTypeError for tensors of different dtypes, ArgumentError for negative tolerances.

        >>> Tensor([1.0, 2.0]).isclose(Tensor([1.000001, 2.1])).tolist()
        [True, False]
        """
        other = self._beside(other)
        if other.dtype is not self.dtype:
            fail(DTypeError, f"isclose: {self.dtype} and {other.dtype}; cast one of them")
        if rtol < 0 or atol < 0:
            fail(ArgumentError, f"isclose: rtol is {rtol} and atol {atol}; they must not be negative")
        a, b = (x.detach() for x in together("isclose", self, other))
        close = a.eq(b)
        if equal_nan and a.dtype.is_float:
            close = close | (a.isnan() & b.isnan())
        if not rtol and not atol:
            return close
        x, y = (a, b) if a.dtype.is_float else (a.cast(dtypes.float64), b.cast(dtypes.float64))
        distance = (x - y).abs()
        return close | ((distance <= y.abs() * rtol + atol) & distance.isfinite())

    def allclose(self, other: Core, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> builtins.bool:
        """Whether all elements are close, as `isclose` has it. The answer is computed now.

        >>> Tensor([1.0, 2.0]).allclose(Tensor([1.0, 2.1]))
        False
        """
        return self._holds(self.isclose(other, rtol, atol, equal_nan))

    def equal(self, other: Core) -> builtins.bool:
        """Whether both have one shape and the same elements (nan equals nothing). The answer is computed now.

        >>> Tensor([1, 2]).equal(Tensor([1, 2])), Tensor([1, 2]).equal(Tensor([1]))
        (True, False)
        """
        self._same_device("equal", other)
        return self.shape == other.shape and self._holds(self.eq(other))

    def _holds(self, condition: Self) -> builtins.bool:
        return builtins.bool(condition.all().item())  # type: ignore[attr-defined]

    def isposinf(self) -> Self:
        """Whether each element is +inf.

        >>> Tensor([float("inf"), float("-inf")]).isposinf().tolist()
        [True, False]
        """
        return self._is_number(float("inf"))

    def isneginf(self) -> Self:
        """Whether each element is -inf.

        >>> Tensor([float("inf"), float("-inf")]).isneginf().tolist()
        [False, True]
        """
        return self._is_number(float("-inf"))

    def _is_number(self, value: float) -> Self:
        return self.eq(value) if self.dtype.is_float else self._new(const(False, dtypes.bool, self.shape))

    def isreal(self) -> Self:
        """True everywhere: there are no complex numbers.

        >>> Tensor([1.0]).isreal().tolist()
        [True]
        """
        return self._new(const(True, dtypes.bool, self.shape))

    def _is_among(self, others: Self) -> Self:
        """Whether each element is one of `others`, each of which is compared with each."""
        a, b = self.unsqueeze(-1), others.reshape(-1)
        return a.eq(b).any(-1)


def isin(elements: Operand, test_elements: Operand, *, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether each of `elements` is one of `test_elements`: bools in the shape of the former. One of both may be
    a number.

    Each is compared with each, in one kernel that stores no more than the result. With `invert`: whether it is none.
    `assume_unique` is taken for PyTorch's sake and changes nothing. OperandError where neither is a tensor.

    >>> isin(Tensor([1, 2, 3]), Tensor([3, 1])).tolist()
    [True, False, True]
    """
    known = elements if isinstance(elements, Core) else test_elements
    if not isinstance(known, Closeness):
        fail(DTypeError, "isin: neither the elements nor those they are looked for among are a tensor")
    found = known._beside(elements)._is_among(known._beside(test_elements))
    return found.logical_not() if invert else found
