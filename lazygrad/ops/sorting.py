"""Sorting and selecting along a dimension, and places in what is sorted. Equal elements stay in order; nan is last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazygrad.dtype import DType, dtypes
from lazygrad.errors import ArgumentError, BoundsError, DTypeError, ShapeError
from lazygrad.ops.core import Core, Operand, fail
from lazygrad.ops.order import Order
from lazygrad.ops.pairs import Indexed
from lazygrad.ops.promotion import result_type

if TYPE_CHECKING:
    from typing_extensions import Self


class Sorting(Order):
    """Sorting, selecting, searching."""

    __slots__ = ()

    def sort(self, dim: int = -1, descending: bool = False, stable: bool = False) -> Indexed[Self]:
        """(values, indices) along `dim` in ascending or descending order; nan is greater than any number.

        Equal elements stay in their order, whether `stable` or not. On a CPU this tensor is realized, and the indices
        are found when they are asked for; inside `jit`, and on a GPU, it is sorted in the graph.

        >>> values, indices = Tensor([3.0, 1.0, 2.0]).sort()
        >>> values.tolist(), indices.tolist()
        ([1.0, 2.0, 3.0], [1, 2, 0])
        """
        axis = self._axis(dim)
        if self._sorts_at_once(axis):
            return Indexed(*self._sorted_at_once(axis, descending))
        order = self._order(axis, descending)
        return Indexed(self._at_order(order, axis), order)

    def argsort(self, dim: int = -1, descending: bool = False, stable: bool = False) -> Self:
        """The indices of `sort`.

        >>> Tensor([3.0, 1.0, 2.0]).argsort(descending=True).tolist()
        [0, 2, 1]
        """
        return self._order(self._axis(dim), descending)

    def msort(self) -> Self:
        """The values of `sort` along the first dimension.

        >>> Tensor([[3, 1], [2, 5]]).msort().tolist()
        [[2, 1], [3, 5]]
        """
        return self.sort(0).values

    def topk(self, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Indexed[Self]:
        """(values, indices) of the `k` largest (or smallest) elements along `dim`, in order, of equal ones the first.

        BoundsError for more than there are. They are in order also where `sorted` is False. Realized as by `sort`.

        >>> values, indices = Tensor([3, 1, 2]).topk(2)
        >>> values.tolist(), indices.tolist()
        ([3, 2], [0, 2])
        """
        axis = self._axis(dim)
        self._need_places("topk", axis, 0, k)
        order = self._order(axis, largest, k) if self.ndim else self._order(axis).reshape(1)[:k].reshape(())
        return Indexed(self._at_order(order, axis), order)

    def _need_places(self, what: str, axis: int, least: int, k: int) -> None:
        n = self.shape[axis] if self.ndim else 1
        if not isinstance(k, int) or k < least or (isinstance(n, int) and k > n):
            fail(BoundsError, f"{what}: k = {k} is not among the {n} elements along dim {axis} of {list(self.shape)}")

    def kthvalue(self, k: int, dim: int = -1, keepdim: bool = False) -> Indexed[Self]:
        """(value, index) of the `k`-th smallest element along `dim`, k from 1. BoundsError outside. Realized as by
        `sort`.

        >>> value, index = Tensor([3, 1, 2]).kthvalue(2)
        >>> value.item(), index.item()
        (2, 2)
        """
        axis = self._axis(dim)
        self._need_places("kthvalue", axis, 1, k)
        if not self.ndim:
            return Indexed(self._apart(), self._order(0))
        return self._at_place(self._place_of_rank(axis, k - 1), axis, keepdim)

    def _at_place(self, place: Self, axis: int, keepdim: bool) -> Indexed[Self]:
        """The element at `place`, which has size 1 along `axis`, and that place."""
        value = self._at_order(place, axis)
        return Indexed(value, place) if keepdim else Indexed(value.squeeze(axis), place.squeeze(axis))

    # ---- searching ----

    def searchsorted(
        self,
        values: Operand,
        *,
        out_int32: bool = False,
        right: bool = False,
        side: str | None = None,
        sorter: Core | None = None,
    ) -> Self:
        """For each of `values` the place in the last dimension of this sorted tensor where it would be put in: before
        equal elements, or behind them with `right` (or `side="right"`). int64 (or int32), of the shape of `values`.

        The other dimensions of both are equal, or this is a vector. `sorter`: places (as from `argsort`) that sort this
        tensor. ShapeError for others; ArgumentError for a `side` that contradicts `right`.

        >>> x = Tensor([1, 3, 5])
        >>> x.searchsorted(Tensor([3, 6])).tolist(), x.searchsorted(3, right=True).item()
        ([1, 3], 2)
        """
        if side not in (None, "left", "right") or (side == "left" and right):
            fail(ArgumentError, f"searchsorted: side = {side!r} with right = {right}; it is 'left' or 'right'")
        query = self._beside(values)
        line = self._sorted_by(sorter) if sorter is not None else self
        if not self.ndim or (self.ndim > 1 and query.shape[:-1] != self.shape[:-1]):
            both = f"{list(query.shape)} in {list(self.shape)}"
            fail(ShapeError, f"searchsorted: values {both}: all dimensions but the last are equal, or it is a vector")
        return line._search(query, right or side == "right", dtypes.int32 if out_int32 else dtypes.int64)

    def _sorted_by(self, sorter: Core) -> Self:
        if sorter.dtype is not dtypes.int64:
            fail(DTypeError, f"searchsorted: the sorter is {sorter.dtype}; it is int64")
        if sorter.shape != self.shape:
            fail(ShapeError, f"searchsorted: a sorter of shape {list(sorter.shape)} for {list(self.shape)}")
        return self._gathered("searchsorted", -1, sorter)

    def _search(self, query: Self, right: bool, kind: DType) -> Self:
        dtype = result_type("searchsorted", self, query)
        ours, wanted = self.detach().cast(dtype), query.detach().cast(dtype)
        if self.ndim == 1:  # all queries look into one line
            wanted = wanted.reshape(-1)
        never = wanted.isnan()  # behind all, as PyTorch has it
        if right:
            found = ours._count_first(wanted, lambda x: (x <= wanted) | never)
        else:
            found = ours._count_first(wanted, lambda x: (x < wanted) | never)
        return found.cast(kind).reshape(query.shape)

    def bucketize(self, boundaries: Core, *, out_int32: bool = False, right: bool = False) -> Self:
        """For each element the bucket between `boundaries`, an ascending vector, that it is in: `searchsorted` in them.

        >>> Tensor([1, 4, 9]).bucketize(Tensor([2, 4])).tolist()
        [0, 1, 2]
        """
        self._same_device("bucketize", boundaries)
        if boundaries.ndim != 1:
            fail(ShapeError, f"bucketize: the boundaries are a vector, not of shape {list(boundaries.shape)}")
        line = self._new(boundaries.node)
        return line._search(self, right, dtypes.int32 if out_int32 else dtypes.int64)
