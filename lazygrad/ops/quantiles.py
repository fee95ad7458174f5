"""Elements by their rank: medians, quantiles, and the most frequent ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, overload

from lazygrad.dtype import dtypes
from lazygrad.engine.tracing import watch_here
from lazygrad.errors import ArgumentError, DTypeError, ShapeError
from lazygrad.ir import node as graph
from lazygrad.ir.build import positions, size_value
from lazygrad.ir.op import Combine
from lazygrad.ir.signature import Shape
from lazygrad.ops.core import Core, fail
from lazygrad.ops.host_values import mask_values
from lazygrad.ops.joining import cat
from lazygrad.ops.minmax import need_elements
from lazygrad.ops.pairs import Indexed
from lazygrad.ops.prefixes import Prefixes
from lazygrad.ops.sorting import Sorting

if TYPE_CHECKING:
    from typing_extensions import Self

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


class Quantiles(Prefixes, Sorting):
    """Medians, quantiles, modes. They are realized as by `sort`."""

    __slots__ = ()

    @overload
    def median(self, dim: None = None, keepdim: bool = False) -> Self: ...
    @overload
    def median(self, dim: int, keepdim: bool = False) -> Indexed[Self]: ...
    def median(self, dim: int | None = None, keepdim: bool = False) -> Self | Indexed[Self]:
        """The element in the middle, the lower one of two; nan if there is a nan. With `dim`, (values, indices) along
        it.

        >>> Tensor([4, 1, 3, 2]).median().item(), Tensor([[4, 1, 3]]).median(1).indices.tolist()
        (2, [2])
        """
        return self._median("median", dim, keepdim, ignore_nan=False)

    @overload
    def nanmedian(self, dim: None = None, keepdim: bool = False) -> Self: ...
    @overload
    def nanmedian(self, dim: int, keepdim: bool = False) -> Indexed[Self]: ...
    def nanmedian(self, dim: int | None = None, keepdim: bool = False) -> Self | Indexed[Self]:
        """The `median` of all that are not nan; nan where there are none.

        >>> Tensor([4.0, 1.0, float("nan"), 2.0]).nanmedian().item()
        2.0
        """
        return self._median("nanmedian", dim, keepdim, ignore_nan=True)

    def _median(self, what: str, dim: int | None, keepdim: bool, ignore_nan: bool) -> Self | Indexed[Self]:
        if dim is None:
            if 0 in self.shape:
                if not self.dtype.is_float:
                    fail(ShapeError, f"{what}: shape {list(self.shape)} has no elements")
                return self._new(graph.const(math.nan, self.dtype))
            if not self.ndim:
                return self._apart()
            value = self.detach().flatten()._median(what, 0, False, ignore_nan)[0]
            return self._extreme(self._out(value.node), None)
        axis = self._axis(dim)
        need_elements(what, self.shape, (axis,) if self.ndim else ())
        if not self.ndim:
            return Indexed(self._apart(), self._order(0))
        return self._at_place(self._middle(axis, ignore_nan), axis, keepdim)

    def _middle(self, axis: int, ignore_nan: bool) -> Self:
        """The place along `axis` of the median."""
        n, missing = self.shape[axis], self.detach().isnan()
        if ignore_nan or not isinstance(n, int):
            count = self._how_many(axis, ignore_nan)
            place = self._order(axis)._at_order(((count - 1) // 2).clamp(min=0), axis)
        else:
            place = self._place_of_rank(axis, (n - 1) // 2)
        if ignore_nan or not self.dtype.is_float:
            return place
        return missing.any(axis, keepdim=True)._choose(missing.argmax(axis, keepdim=True), place)

    def _how_many(self, axis: int, but_nan: bool) -> Self:
        """How many elements are along `axis`, all or those that are not nan, int64 with size 1 there."""
        if but_nan:
            return (~self.detach().isnan()).sum(axis, keepdim=True)
        shape = tuple(1 if i == axis else n for i, n in enumerate(self.shape))
        return self._new(size_value(self.shape[axis], dtypes.int64, shape))

    def mode(self, dim: int = -1, keepdim: bool = False) -> Indexed[Self]:
        """(values, indices) of the most frequent element along `dim`, of several the smallest, where it is last.

        >>> values, indices = Tensor([2, 1, 2, 1, 3]).mode()
        >>> values.item(), indices.item()
        (1, 3)
        """
        axis = self._axis(dim)
        if not self.ndim:
            return Indexed(self._apart(), self._order(0))
        need_elements("mode", self.shape, (axis,))
        order = self._order(axis)
        ascending = self.detach()._at_order(order, axis)
        later, earlier = ascending._ends(axis)
        place = self._new(positions(self.shape, axis))
        first = place.narrow(axis, 0, 1).eq(0)
        starts = first if self.shape[axis] == 1 else cat([first, later.ne(earlier)], axis)
        length = place - starts._choose(place, 0)._scan(Combine.MAX, axis)  # of the run of equal elements so far
        return self._at_place(order._at_order(length.argmax(axis, keepdim=True), axis), axis, keepdim)

    def quantile(
        self, q: float | Core, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
    ) -> Self:
        """The values below which the fractions `q` of the elements are (all of them, or along `dim`): between two
        elements one by `interpolation`: "linear", "lower", "higher", "midpoint" or "nearest". nan if there is a nan.

        A vector `q` adds a dimension in front. DTypeError for integers and 16-bit floats; ArgumentError for fractions
        that are not between 0 and 1.

        >>> Tensor([1.0, 2.0, 3.0, 4.0]).quantile(0.5).item(), Tensor([1.0, 3.0]).quantile(Tensor([0.0, 1.0])).tolist()
        (2.5, [1.0, 3.0])
        """
        return self._quantile("quantile", q, dim, keepdim, interpolation, ignore_nan=False)

    def nanquantile(
        self, q: float | Core, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
    ) -> Self:
        """The `quantile` of all that are not nan; nan where there are none.

        >>> Tensor([1.0, 2.0, float("nan"), 3.0]).nanquantile(0.5).item()
        2.0
        """
        return self._quantile("nanquantile", q, dim, keepdim, interpolation, ignore_nan=True)

    def _quantile(
        self, what: str, q: float | Core, dim: int | None, keepdim: bool, interpolation: str, ignore_nan: bool
    ) -> Self:
        fractions = self._fractions(what, q)
        if interpolation not in _INTERPOLATIONS:
            fail(ArgumentError, f"{what}: interpolation {interpolation!r} is none of {', '.join(_INTERPOLATIONS)}")
        axis = 0 if dim is None else self._axis(dim)
        if dim is None:
            kept: Shape = (1,) * self.ndim if keepdim else ()
        else:
            kept = tuple(1 if i == axis else n for i, n in enumerate(self.shape) if i != axis or keepdim)
        x = self.flatten() if dim is None or not self.ndim else self.movedim(axis, -1)
        need_elements(what, x.shape, (x.ndim - 1,))
        found = x._at_fractions(fractions.reshape(-1), interpolation, ignore_nan)  # (..., fractions)
        return found.movedim(-1, 0).reshape(*fractions.shape, *kept)

    def _at_fractions(self, q: Self, interpolation: str, ignore_nan: bool) -> Self:
        """Of the last dimension the values at fractions (m,): (..., m)."""
        last = self.ndim - 1
        highest = (self._how_many(last, ignore_nan) - 1).clamp(min=0).cast(self.dtype)
        rank = q * highest
        if not ignore_nan:
            rank = self.detach().isnan().any(-1, keepdim=True)._choose(highest, rank)
        rank = rank.expand(*self.shape[:-1], q.shape[0])
        if interpolation == "lower":
            rank = rank.floor()
        elif interpolation == "higher":
            rank = rank.ceil()
        elif interpolation == "nearest":
            rank = rank.round()
        below = rank.detach().floor()
        order = self._order(last)
        low = self._at_order(order._of_places(below.cast(dtypes.int64)), last)
        if interpolation in ("lower", "higher", "nearest"):
            return low
        high = self._at_order(order._of_places(rank.detach().ceil().cast(dtypes.int64)), last)
        weight = rank * 0 + 0.5 if interpolation == "midpoint" else rank - below
        return low + (high - low) * weight if interpolation == "linear" else low.lerp(high, weight)

    def _fractions(self, what: str, q: float | Core) -> Self:
        """`q` as a tensor of this one's dtype."""
        if self.dtype not in (dtypes.float32, dtypes.float64):
            fail(DTypeError, f"{what}: not defined for {self.dtype}, but for float32 and float64; cast first")
        fractions = self._beside(q)
        if isinstance(q, Core) and q.dtype is not self.dtype:
            fail(DTypeError, f"{what}: q is {q.dtype}, the tensor {self.dtype}; cast one of them first")
        if fractions.ndim > 1:
            fail(ShapeError, f"{what}: q is a number or a vector, not of shape {list(fractions.shape)}")
        known = watch_here() is None or not isinstance(q, Core)
        if known and not mask_values((fractions >= 0) & (fractions <= 1)).all():
            fail(ArgumentError, f"{what}: the fractions are between 0 and 1, not {q}")
        return fractions.cast(self.dtype)
