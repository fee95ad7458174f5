"""Casts by PyTorch's method names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lazygrad.dtype import dtypes
from lazygrad.ops.core import Core
from lazygrad.ops.operands import not_a_tensor

if TYPE_CHECKING:
    from typing_extensions import Self


class Casting(Core):
    """`cast` to one dtype each. Floats are truncated to integers.

    nan, infinities and what lies beyond int32 become its least value, which is 0 in narrower types; for uint32 and
    types of 64 bits so does what lies beyond int64 (in uint64, 2**64 and above become 0). `memory_format` is accepted:
    elements are in row-major order.
    """

    __slots__ = ()

    def type_as(self, other: Core) -> Self:
        """In the dtype of `other`.

        >>> Tensor([1]).type_as(Tensor([0.5])).tolist()
        [1.0]
        """
        if not isinstance(other, Core):
            not_a_tensor("type_as", other)
        return self.cast(other.dtype)

    def float(self, memory_format: Any = None) -> Self:
        """As float32.

        >>> Tensor([1]).float().dtype
        float32
        """
        return self.cast(dtypes.float32)

    def double(self, memory_format: Any = None) -> Self:
        """As float64.

        >>> Tensor([1]).double().dtype
        float64
        """
        return self.cast(dtypes.float64)

    def half(self, memory_format: Any = None) -> Self:
        """As float16.

        >>> Tensor([1]).half().dtype
        float16
        """
        return self.cast(dtypes.float16)

    def bfloat16(self, memory_format: Any = None) -> Self:
        """As bfloat16.

        >>> Tensor([1]).bfloat16().dtype
        bfloat16
        """
        return self.cast(dtypes.bfloat16)

    def int(self, memory_format: Any = None) -> Self:
        """As int32.

        >>> Tensor([1.5]).int().tolist()
        [1]
        """
        return self.cast(dtypes.int32)

    def long(self, memory_format: Any = None) -> Self:
        """As int64.

        >>> Tensor([1.5]).long().tolist()
        [1]
        """
        return self.cast(dtypes.int64)

    def short(self, memory_format: Any = None) -> Self:
        """As int16.

        >>> Tensor([1.5]).short().dtype
        int16
        """
        return self.cast(dtypes.int16)

    def byte(self, memory_format: Any = None) -> Self:
        """As uint8.

        >>> Tensor([1.5]).byte().dtype
        uint8
        """
        return self.cast(dtypes.uint8)

    def char(self, memory_format: Any = None) -> Self:
        """As int8.

        >>> Tensor([1.5]).char().dtype
        int8
        """
        return self.cast(dtypes.int8)
