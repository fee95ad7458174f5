"""Tensors from formulas that are rarer than those in `creation`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lazygrad.dtype import DType, DTypeLike, Scalar, as_dtype, dtypes, get_default_dtype
from lazygrad.engine.run import upload
from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.ir.elements import cast_array, to_storage
from lazygrad.ops.arguments import new_size, number
from lazygrad.ops.core import fail
from lazygrad.ops.creation import device_name, leaf
from lazygrad.ops.fitting import fitted
from lazygrad.ops.likes import Likes, strided_shape
from lazygrad.ops.prefixes import Prefixes

if TYPE_CHECKING:
    from typing_extensions import Self


class Patterns(Prefixes, Likes):
    """More new tensors. Every function takes `dtype`, `device` (None: the default) and `requires_grad`."""

    __slots__ = ()

    @classmethod
    def logspace(
        cls,
        start: float,
        end: float,
        steps: int,
        base: float = 10.0,
        *,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """`base` to the powers that are `steps` numbers at equal distances from `start` to `end`.

        >>> Tensor.logspace(0, 2, 3).tolist()
        [1.0, 10.0, 100.0]
        """
        kind, name = as_dtype(dtype, get_default_dtype()), device_name(device)
        first, last, power = (number("logspace", v) for v in (start, end, base))
        if steps < 0:
            fail(ArgumentError, f"logspace: the number of steps is {steps}, less than 0")
        steps = new_size(steps, "logspace")
        if kind.is_int:  # as PyTorch: the ends are integers, and so is every power, rounded towards zero
            first, last = int(first), int(last)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # on the host: in float64, rounded once
            values = np.power(float(power), np.linspace(float(first), float(last), steps))
        return leaf(cls, upload(_stored(values, kind), kind, name), name, requires_grad)

    @classmethod
    def empty_strided(
        cls,
        size: Sequence[int],
        stride: Sequence[int],
        *,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """`empty`; the strides are accepted: elements are always in row-major order.

        >>> Tensor.empty_strided((2, 3), (1, 2)).shape
        (2, 3)
        """
        shape = strided_shape("empty_strided", size, stride)
        return cls.empty(shape, dtype=dtype, device=device, requires_grad=requires_grad)

    @classmethod
    def empty_permuted(
        cls,
        size: Sequence[int],
        physical_layout: Sequence[int],
        *,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """`empty`; the order of dimensions in memory is accepted: elements are always in row-major order.

        >>> Tensor.empty_permuted((2, 3), (1, 0)).shape
        (2, 3)
        """
        if sorted(physical_layout) != list(range(len(size))):
            fail(ShapeError, f"empty_permuted: {list(physical_layout)} is not an order of {len(size)} dimensions")
        return cls.empty(*size, dtype=dtype, device=device, requires_grad=requires_grad)

    @classmethod
    def scalar_tensor(
        cls, s: Scalar, *, dtype: DTypeLike | None = None, device: str | None = None, requires_grad: bool = False
    ) -> Self:
        """One number, without dimensions, in float32 unless `dtype` is given.

        >>> Tensor.scalar_tensor(3)
        tensor(3.)
        """
        kind, value = as_dtype(dtype, get_default_dtype()), number("scalar_tensor", s)
        return leaf(cls, fitted("scalar_tensor", value, kind), device_name(device), requires_grad)

    @classmethod
    def tril_indices(
        cls, row: int, col: int, offset: int = 0, *, dtype: DTypeLike | None = None, device: str | None = None
    ) -> Self:
        """Rows and columns, (2, how many), of what `tril(offset)` keeps of a (row, col) matrix, in row-major order.

        >>> Tensor.tril_indices(2, 2).tolist()
        [[0, 1, 1], [0, 0, 1]]
        """
        n, m = new_size(row, "tril_indices"), new_size(col, "tril_indices")
        return cls._places_of(np.tri(n, m, max(-n, min(offset, m))), dtype, device)

    @classmethod
    def triu_indices(
        cls, row: int, col: int, offset: int = 0, *, dtype: DTypeLike | None = None, device: str | None = None
    ) -> Self:
        """Rows and columns, (2, how many), of what `triu(offset)` keeps of a (row, col) matrix, in row-major order.

        >>> Tensor.triu_indices(2, 2).tolist()
        [[0, 0, 1], [0, 1, 1]]
        """
        n, m = new_size(row, "triu_indices"), new_size(col, "triu_indices")
        return cls._places_of(1 - np.tri(n, m, max(-n, min(offset, m)) - 1), dtype, device)

    @classmethod
    def _places_of(cls, mask: np.ndarray[Any, Any], dtype: DTypeLike | None, device: str | None) -> Self:
        kind, name = as_dtype(dtype, dtypes.int64), device_name(device)
        return leaf(cls, upload(_stored(np.stack(np.nonzero(mask)), kind), kind, name), name, False)

    def vander(self, N: int | None = None, increasing: bool = False) -> Self:
        """The powers N - 1 to 0 (`increasing`: 0 to N - 1) of a vector's elements, in columns; N is its length.

        >>> Tensor([2, 3]).vander(3).tolist()
        [[4, 2, 1], [9, 3, 1]]
        """
        if self.ndim != 1:
            fail(ShapeError, f"vander: needs a vector, not shape {list(self.shape)}")
        n = self._known("vander", 0) if N is None else N
        if n < 0:
            fail(ArgumentError, f"vander: {n} columns; there are at least 0")
        x = self if self.dtype.is_float else self.cast(dtypes.int64)
        ones = x.reshape(-1, 1).expand(x.shape[0], n)
        first = type(self).arange(n, device=self.device).eq(0)
        powers = first._choose(1, ones).cast(x.dtype).cumprod(1)  # 1, x, x * x, ...
        return powers if increasing else powers.flip(1)


def _stored(values: np.ndarray[Any, Any], kind: DType) -> np.ndarray[Any, Any]:
    return to_storage(cast_array(values, kind), kind)
