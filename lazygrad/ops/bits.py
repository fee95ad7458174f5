"""The bits of integers and of elements in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lazygrad.dtype import DType, DTypeLike, as_dtype, dtypes
from lazygrad.errors import ShapeError
from lazygrad.ir.build import scaled, total
from lazygrad.ir.node import bitcast, cast, const, iota, node, reshape
from lazygrad.ir.op import Op
from lazygrad.ops.broadcast import broadcast_to
from lazygrad.ops.core import Core, Operand, fail
from lazygrad.ops.layout import same

if TYPE_CHECKING:
    from typing_extensions import Self


_BITS = {1: dtypes.uint8, 2: dtypes.uint16, 4: dtypes.uint32, 8: dtypes.uint64}


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

    def _read_as(self, dtype: DType) -> Self:
        """The same bytes as elements of `dtype`, whose size may be another one: the last dimension changes with it."""
        have, want = self.dtype, dtype
        if have.itemsize == want.itemsize:
            if want.is_bool and not have.is_bool:
                return self._out(node(Op.NE, (self._in(), const(0, have, self.shape))))
            return self.cast(want) if have.is_bool and want.kind == "uint" else self._as_unsigned(have).bitcast(want)
        before, n = self.shape[:-1], self.shape[-1] if self.shape else 0
        times = max(have.itemsize, want.itemsize) // min(have.itemsize, want.itemsize)
        if not self.ndim or (have.itemsize < want.itemsize and n % times):
            whole = f"{have.itemsize} bytes each are not read as {want} of {want.itemsize}"
            fail(ShapeError, f"view: the last elements of shape {list(self.shape)} of {whole}")
        small, large = (_BITS[min(have.itemsize, want.itemsize)], _BITS[max(have.itemsize, want.itemsize)])
        place = scaled(iota(times, dtypes.int64), small.bits)
        if have.itemsize > want.itemsize:  # the lower bits come first in memory, on every device here
            shape = (*before, n, times)
            each = broadcast_to(reshape(self._as_unsigned(have).node, (*before, n, 1)), shape)
            parts = cast(node(Op.SHR, (each, cast(broadcast_to(place, shape), large))), small)
            return self._new(reshape(parts, (*before, n * times)))._read_as(want)
        shape = (*before, n // times, times)
        parts = cast(reshape(self._as_unsigned(have).node, shape), large)
        shifted = node(Op.SHL, (parts, cast(broadcast_to(place, shape), large)))
        return self._new(total(shifted, [len(shape) - 1]))._read_as(want)

    def _as_unsigned(self, have: DType) -> Self:
        """The elements as unsigned integers of the same size."""
        same_size = _BITS[have.itemsize]
        return self._out(cast(self._in(), same_size)) if have.is_bool else self.bitcast(same_size)

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
