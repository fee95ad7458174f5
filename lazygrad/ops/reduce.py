"""Reductions over one, several or all dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from lazygrad.dtype import DType, DTypeLike, as_dtype, dtypes
from lazygrad.errors import DTypeError
from lazygrad.index.expr import Dim, dim_product
from lazygrad.ir import node as graph
from lazygrad.ir.build import positions, put_back, total
from lazygrad.ir.op import Combine
from lazygrad.ops.core import Core, fail
from lazygrad.ops.functions import Functions
from lazygrad.ops.minmax import Extreme, need_elements
from lazygrad.ops.movement import Movement
from lazygrad.ops.pairs import Indexed, MinMax

if TYPE_CHECKING:
    from typing_extensions import Self

Dims = int | Sequence[int] | None


class Reduce(Functions, Movement):
    """Reductions. `dim` is one dimension, several, or None for all; `keepdim` keeps them with size 1."""

    __slots__ = ()

    def _reduce(self, combine: Combine, dim: Dims, keepdim: bool) -> Self:
        axes = self._axes(dim)
        x = self._in()
        value = total(x, axes) if combine is Combine.ADD else graph.reduce(x, combine, axes)
        if keepdim:
            value = graph.reshape(value, tuple(1 if i in axes else n for i, n in enumerate(self.shape)))
        return self._out(value)

    def _count(self, dim: Dims) -> Dim:
        """How many elements are reduced to one."""
        return dim_product(self.shape[i] for i in self._axes(dim))

    def sum(self, dim: Dims = None, keepdim: bool = False, dtype: DTypeLike | None = None) -> Self:
        """The sum; of bools and integers in int64 unless `dtype` is given.

        >>> Tensor([[1, 2], [3, 4]]).sum().item(), Tensor([[1, 2], [3, 4]]).sum(0).tolist()
        (10, [4, 6])
        """
        kind = as_dtype(dtype, self.dtype if self.dtype.is_float else dtypes.int64)
        return self.cast(kind)._reduce(Combine.ADD, dim, keepdim)

    def prod(self, dim: Dims = None, keepdim: bool = False, dtype: DTypeLike | None = None) -> Self:
        """The product; of bools and integers in int64 unless `dtype` is given.

        >>> Tensor([2.0, 3.0, 4.0]).prod().item()
        24.0
        """
        kind = as_dtype(dtype, self.dtype if self.dtype.is_float else dtypes.int64)
        return self.cast(kind)._reduce(Combine.MUL, dim, keepdim)

    def mean(self, dim: Dims = None, keepdim: bool = False, dtype: DTypeLike | None = None) -> Self:
        """The mean. DTypeError for bools and integers without a floating `dtype`.

        >>> Tensor([[1.0, 2.0], [3.0, 4.0]]).mean(1).tolist()
        [1.5, 3.5]
        """
        x = self.cast(as_dtype(dtype, self.dtype))
        x._need_float("mean")
        if x.dtype.is_half:
            return x.cast(dtypes.float32).mean(dim, keepdim).cast(x.dtype)
        total = x._reduce(Combine.ADD, dim, keepdim)
        return total / x._count(dim)

    def _need_float(self, what: str) -> None:
        if not self.dtype.is_float:
            fail(DTypeError, f"{what}: not defined for {self.dtype}; cast first, e.g. .float()")

    def amax(self, dim: Dims = None, keepdim: bool = False) -> Self:
        """The largest element, nan if there is one; equal ones share the gradient (nan: all have). ShapeError for no
        elements.

        >>> Tensor([[1, 5], [7, 3]]).amax(1).tolist()
        [5, 7]
        """
        need_elements("amax", self.shape, self._axes(dim))
        return self._reduce(Combine.MAX, dim, keepdim)

    def amin(self, dim: Dims = None, keepdim: bool = False) -> Self:
        """The smallest element, nan if there is one; equal ones share the gradient (nan: all have). ShapeError for no
        elements.

        >>> Tensor([[1, 5], [7, 3]]).amin(1).tolist()
        [1, 3]
        """
        need_elements("amin", self.shape, self._axes(dim))
        return self._reversed()._reduce(Combine.MAX, dim, keepdim)._reversed()

    def _reversed(self) -> Self:
        """The elements in reversed order of size; its own inverse."""
        return self * -1 if self.dtype.is_float else self.bitwise_not()

    @overload
    def max(self, dim: None = None, keepdim: bool = False) -> Self: ...
    @overload
    def max(self, dim: Core, keepdim: bool = False) -> Self: ...
    @overload
    def max(self, dim: int, keepdim: bool = False) -> Indexed[Self]: ...
    def max(self, dim: int | Core | None = None, keepdim: bool = False) -> Self | Indexed[Self]:
        """The largest element of all; with `dim`, the pair (values, indices) along it; with a tensor, `maximum`.

        Of equal elements all share the gradient, but along `dim`, where the one at the index gets it.

        >>> Tensor([[1, 5], [7, 3]]).max().item()
        7
        >>> Tensor([[1, 5], [7, 3]]).max(1).indices.tolist()
        [1, 0]
        """
        if isinstance(dim, Core):
            return self.maximum(dim)
        largest = self.amax(dim, keepdim)
        if dim is None:
            return self._extreme(largest, None)
        return Indexed(self._extreme(largest, dim, first=True), self.argmax(dim, keepdim))

    def _extreme(self, value: Self, dim: Dims, first: bool = False) -> Self:
        """`value`, the extreme over `dim`, whose gradient the `first` such element gets, or all of them share."""
        if not (self.dtype.is_float and self.ndim):
            return value
        return self._out(graph.call(value.node, (self._in(), value.node), Extreme(self._axes(dim), first)))

    @overload
    def min(self, dim: None = None, keepdim: bool = False) -> Self: ...
    @overload
    def min(self, dim: Core, keepdim: bool = False) -> Self: ...
    @overload
    def min(self, dim: int, keepdim: bool = False) -> Indexed[Self]: ...
    def min(self, dim: int | Core | None = None, keepdim: bool = False) -> Self | Indexed[Self]:
        """The smallest element of all; with `dim`, the pair (values, indices) along it; with a tensor, `minimum`.

        Of equal elements all share the gradient, but along `dim`, where the one at the index gets it.

        >>> Tensor([[1, 5], [7, 3]]).min(0).values.tolist()
        [1, 3]
        """
        if isinstance(dim, Core):
            return self.minimum(dim)
        smallest = self.amin(dim, keepdim)
        if dim is None:
            return self._extreme(smallest, None)
        return Indexed(self._extreme(smallest, dim, first=True), self.argmin(dim, keepdim))

    def argmax(self, dim: int | None = None, keepdim: bool = False) -> Self:
        """Where the largest element (or the first nan) is along `dim`, int64; the first of equal ones.

        Without `dim`, in the flattened tensor. ShapeError for no elements.

        >>> Tensor([[1, 5, 5], [7, 3, 0]]).argmax(1).tolist()
        [1, 0]
        """
        if dim is None:
            need_elements("argmax", self.shape, range(self.ndim))
            place = self.detach().flatten().argmax(0) if self.ndim else self._new(graph.const(0, dtypes.int64))
            return place.reshape((1,) * self.ndim) if keepdim else place
        axis = self._axis(dim)
        if not self.ndim:
            return self._new(graph.const(0, dtypes.int64))
        x = self.detach()
        need_elements("argmax", self.shape, (axis,))
        largest = put_back(x._reduce(Combine.MAX, axis, keepdim=False).node, (axis,), self.shape)
        found = x.eq(self._new(largest))
        if self.dtype.is_float:
            found = found | x.isnan()
        left = self._new(graph.flip(positions(self.shape, axis), [axis]))  # n-1 at the first place
        furthest = found._choose(left, -1)._reduce(Combine.MAX, axis, keepdim)
        return (self.shape[axis] - 1 - furthest).cast(dtypes.int64)

    def argmin(self, dim: int | None = None, keepdim: bool = False) -> Self:
        """Where the smallest element (or the first nan) is along `dim`, int64; the first of equal ones.

        >>> Tensor([4, 1, 1]).argmin().item()
        1
        """
        need_elements("argmin", self.shape, self._axes(dim))
        return self.detach()._reversed().argmax(dim, keepdim)

    def any(self, dim: Dims = None, keepdim: bool = False) -> Self:
        """Whether any element is not zero; of uint8 in uint8, as PyTorch has it.

        >>> Tensor([[0, 1], [0, 0]]).any(1).tolist()
        [True, False]
        """
        return self._truth(self.bool()._reduce(Combine.MAX, dim, keepdim))

    def all(self, dim: Dims = None, keepdim: bool = False) -> Self:
        """Whether no element is zero; of uint8 in uint8, as PyTorch has it.

        >>> Tensor([[0, 1], [1, 1]]).all(1).tolist()
        [False, True]
        """
        return self._truth(self.bool()._reduce(Combine.MUL, dim, keepdim))

    def _truth(self, value: Self) -> Self:
        return value.cast(dtypes.uint8) if self.dtype is dtypes.uint8 else value

    def count_nonzero(self, dim: Dims = None) -> Self:
        """How many elements are not zero, int64.

        >>> Tensor([[0, 5], [7, 3]]).count_nonzero(1).tolist()
        [1, 2]
        """
        return self.bool()._reduce_in(dtypes.int64, dim)

    def _reduce_in(self, kind: DType, dim: Dims) -> Self:
        return self.cast(kind)._reduce(Combine.ADD, dim, keepdim=False)

    def aminmax(self, *, dim: int | None = None, keepdim: bool = False) -> MinMax[Self]:
        """(min, max), both `amin` and `amax`, of all elements or along `dim`.

        >>> low, high = Tensor([3.0, 1.0, 2.0]).aminmax()
        >>> low.item(), high.item()
        (1.0, 3.0)
        """
        return MinMax(self.amin(dim, keepdim), self.amax(dim, keepdim))

    def nansum(self, dim: Dims = None, keepdim: bool = False, *, dtype: DTypeLike | None = None) -> Self:
        """`sum`, where nan counts as 0.

        >>> Tensor([1.0, float("nan")]).nansum().item()
        1.0
        """
        return self._without_nan().sum(dim, keepdim, dtype)

    def nanmean(self, dim: Dims = None, keepdim: bool = False, *, dtype: DTypeLike | None = None) -> Self:
        """The mean of all that are not nan; nan where there are none. DTypeError for bools and integers.

        >>> Tensor([1.0, 3.0, float("nan")]).nanmean().item()
        2.0
        """
        self._need_float("nanmean")
        kind = as_dtype(dtype, self.dtype)
        x = self.cast(dtypes.float32 if self.dtype.is_half else self.dtype)
        there = (~x.isnan()).cast(x.dtype)._reduce(Combine.ADD, dim, keepdim)
        return (x._without_nan()._reduce(Combine.ADD, dim, keepdim) / there).cast(kind)

    def _without_nan(self) -> Self:
        """0 where this is nan, without a gradient there."""
        return self.isnan()._choose(0, self) if self.dtype.is_float else self
