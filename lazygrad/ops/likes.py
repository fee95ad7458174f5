"""Tensors beside another one: of its shape, or of its dtype, on its device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lazygrad.dtype import DTypeLike, Scalar, as_dtype
from lazygrad.errors import ShapeError
from lazygrad.ir.signature import Shape
from lazygrad.ops.arguments import new_shape, number
from lazygrad.ops.core import fail
from lazygrad.ops.creation import Creation, device_name, leaf
from lazygrad.ops.fitting import fitted

if TYPE_CHECKING:
    from typing_extensions import Self


class Likes(Creation):
    """New tensors like this one; `dtype` and `device` are its own unless given."""

    __slots__ = ()

    def _filled(
        self,
        what: str,
        shape: Any,
        value: Any,
        dtype: DTypeLike | None,
        device: str | None,
        requires_grad: bool,
    ) -> Self:
        kind, name = as_dtype(dtype, self.dtype), self.device if device is None else device_name(device)
        return leaf(type(self), fitted(what, number(what, value), kind, shape), name, requires_grad)

    def zeros_like(
        self, dtype: DTypeLike | None = None, device: str | None = None, requires_grad: bool = False
    ) -> Self:
        """Zeros in this tensor's shape.

        >>> Tensor([1, 2]).zeros_like().tolist()
        [0, 0]
        """
        return self._filled("zeros_like", self.shape, 0, dtype, device, requires_grad)

    def ones_like(self, dtype: DTypeLike | None = None, device: str | None = None, requires_grad: bool = False) -> Self:
        """Ones in this tensor's shape.

        >>> Tensor([5, 6]).ones_like().tolist()
        [1, 1]
        """
        return self._filled("ones_like", self.shape, 1, dtype, device, requires_grad)

    def empty_like(
        self, dtype: DTypeLike | None = None, device: str | None = None, requires_grad: bool = False
    ) -> Self:
        """A tensor of this shape whose values do not matter.

        >>> Tensor([5, 6]).empty_like().shape
        (2,)
        """
        return self._filled("empty_like", self.shape, 0, dtype, device, requires_grad)

    def full_like(
        self,
        fill_value: Scalar,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """One value in this tensor's shape.

        >>> Tensor([5, 6]).full_like(9).tolist()
        [9, 9]
        """
        return self._filled("full_like", self.shape, fill_value, dtype, device, requires_grad)

    def new_zeros(
        self, *size: Any, dtype: DTypeLike | None = None, device: str | None = None, requires_grad: bool = False
    ) -> Self:
        """Zeros.

        >>> Tensor([5, 6]).new_zeros(3).tolist()
        [0, 0, 0]
        """
        return self._filled("new_zeros", new_shape(size, "new_zeros"), 0, dtype, device, requires_grad)

    def new_ones(
        self, *size: Any, dtype: DTypeLike | None = None, device: str | None = None, requires_grad: bool = False
    ) -> Self:
        """Ones.

        >>> Tensor([5, 6]).new_ones(3).tolist()
        [1, 1, 1]
        """
        return self._filled("new_ones", new_shape(size, "new_ones"), 1, dtype, device, requires_grad)

    def new_empty(
        self, *size: Any, dtype: DTypeLike | None = None, device: str | None = None, requires_grad: bool = False
    ) -> Self:
        """A tensor whose values do not matter.

        >>> Tensor([5, 6]).new_empty(3).shape
        (3,)
        """
        return self._filled("new_empty", new_shape(size, "new_empty"), 0, dtype, device, requires_grad)

    def new_empty_strided(
        self,
        size: Sequence[int],
        stride: Sequence[int],
        dtype: DTypeLike | None = None,
        *,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """`new_empty`; the strides are accepted: elements are always in row-major order.

        >>> Tensor([5, 6]).new_empty_strided((2, 3), (1, 2)).shape
        (2, 3)
        """
        shape = strided_shape("new_empty_strided", size, stride)
        return self._filled("new_empty_strided", shape, 0, dtype, device, requires_grad)

    def new_full(
        self,
        size: Any,
        fill_value: Scalar,
        *,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """One value.

        >>> Tensor([5, 6]).new_full((2, 2), 7).tolist()
        [[7, 7], [7, 7]]
        """
        return self._filled("new_full", new_shape((size,), "new_full"), fill_value, dtype, device, requires_grad)

    def new_tensor(
        self, data: Any, *, dtype: DTypeLike | None = None, device: str | None = None, requires_grad: bool = False
    ) -> Self:
        """A tensor of `data`: as `Tensor(data)`, with this tensor's dtype and device unless others are given.

        >>> Tensor([5.0]).new_tensor([1, 2]).tolist()
        [1.0, 2.0]
        """
        kind, name = as_dtype(dtype, self.dtype), self.device if device is None else device
        return type(self)(data, kind, name, requires_grad)  # type: ignore[call-arg]


def strided_shape(what: str, size: Sequence[int], stride: Sequence[int]) -> Shape:
    """`size` as a shape. ShapeError for strides that are not one for each size, or negative."""
    if len(size) != len(stride) or any(s < 0 for s in stride):
        fail(ShapeError, f"{what}: sizes {list(size)} and strides {list(stride)} do not fit")
    return new_shape((size,), what)
