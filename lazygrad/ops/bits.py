"""The bits of integers and of elements in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lazygrad.dtype import DTypeLike, as_dtype
from lazygrad.ir.node import bitcast
from lazygrad.ir.op import Op
from lazygrad.ops.core import Core, Operand
from lazygrad.ops.layout import same

if TYPE_CHECKING:
    from typing_extensions import Self


class Bits(Core):
    """Operators on bits (of bools: logic). Each takes a tensor, an array or a Python scalar."""

    __slots__ = ()

    def bitwise_not(self) -> Self:
        """The opposite bits (of bools: not).

        >>> Tensor([0, 5]).bitwise_not().tolist()
        [-1, -6]
        """
        return self._binary(Op.XOR, True if self.dtype.is_bool else -1)

    def bitcast(self, dtype: DTypeLike) -> Self:
        """The same bytes read as another dtype of the same size. DTypeError for another size.

        >>> Tensor([1.0]).bitcast(dtypes.int32).tolist()
        [1065353216]
        """
        return self._view(bitcast(self._in(), as_dtype(dtype)), same)

    def __and__(self, other: Operand) -> Self:
        return self._binary(Op.AND, other)

    def __or__(self, other: Operand) -> Self:
        return self._binary(Op.OR, other)

    def __xor__(self, other: Operand) -> Self:
        return self._binary(Op.XOR, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Self:
        return self.bitwise_not()

    def __lshift__(self, other: Operand) -> Self:
        return self._binary(Op.SHL, self._count_of_bits(other))

    def __rshift__(self, other: Operand) -> Self:
        return self._binary(Op.SHR, self._count_of_bits(other))

    def _count_of_bits(self, count: Operand) -> Operand:
        """A count as a number of the dtype: all those outside 0 <= count < bits shift as `bits` does."""
        number = isinstance(count, (int, np.integer))
        return self.dtype.bits if number and not 0 <= count < self.dtype.bits else count  # type: ignore[operator]

    def __rlshift__(self, other: Operand) -> Self:
        return self._binary(Op.SHL, other, reverse=True)

    def __rrshift__(self, other: Operand) -> Self:
        return self._binary(Op.SHR, other, reverse=True)
