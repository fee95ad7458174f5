"""Which elements there are, and how many: unique ones, bins, histograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lazygrad.dtype import Scalar, dtypes
from lazygrad.engine.run import upload
from lazygrad.errors import ArgumentError, DTypeError, ShapeError
from lazygrad.ir import node as graph
from lazygrad.ir.op import Combine
from lazygrad.ops.core import Core, fail
from lazygrad.ops.fitting import fitting
from lazygrad.ops.host_values import on_host
from lazygrad.ops.likes import Likes
from lazygrad.ops.pairs import Histogram
from lazygrad.ops.quantiles import Quantiles
from lazygrad.ops.selecting import Selecting

if TYPE_CHECKING:
    from typing_extensions import Self

_Array = np.ndarray[Any, Any]


class Counting(Quantiles, Selecting, Likes):
    """Unique elements and histograms."""

    __slots__ = ()

    def unique(
        self,
        sorted: bool = True,
        return_inverse: bool = False,
        return_counts: bool = False,
        dim: int | None = None,
        *,
        size: int | None = None,
        fill_value: float = 0,
    ) -> Self | tuple[Self, ...]:
        """The different elements, ascending (`sorted` or not), or with `dim` the different slices along it; then, if
        wanted, where each element went, in its shape, and how many went there, int64. Every nan is another element.

        The size of the result depends on the values, so this tensor is realized. With `size` there are so many: further
        ones are dropped, missing ones are `fill_value`, of which there are 0, and it works under `jit`.

        >>> values, counts = Tensor([3, 1, 3]).unique(return_counts=True)
        >>> values.tolist(), counts.tolist()
        ([1, 3], [1, 2])
        >>> Tensor([3, 1, 3]).unique(size=3, fill_value=-1).tolist()
        [1, 3, -1]
        """
        if size is not None:
            return self._first_unique(size, fill_value, return_inverse, return_counts, dim)
        x = self._values_on_host()
        if dim is None:
            values, inverse, counts = _unique(x, return_inverse, return_counts)
            return self._parts(values, inverse, counts)
        axis = self._axis(dim)
        if not x.ndim:
            x, axis = x.reshape(1), 0
        if 0 in x.shape[:axis] + x.shape[axis + 1 :]:
            fail(ShapeError, f"unique: slices along dim {dim} of shape {list(self.shape)} have no elements")
        rows = _rows(x, axis)
        order = np.lexsort(rows.T[::-1]) if rows.size else np.arange(len(rows))
        starts = _starts(rows[order])
        inverse = np.empty(len(order), np.int64)
        inverse[order] = np.cumsum(starts) - 1
        values = np.take(x, order[starts], axis)
        return self._parts(values, inverse if return_inverse else None, _counts(starts) if return_counts else None)

    def _first_unique(
        self, size: int, fill_value: Scalar, inverse: bool, counts: bool, dim: int | None
    ) -> Self | tuple[Self, ...]:
        """`unique` of a size that is known."""
        if size < 0 or dim is not None:
            fail(ArgumentError, f"unique: a size of {size} with dim = {dim}; it is at least 0, and dim is None")
        x = self.detach().flatten()
        ordered, order = x.sort()
        later, earlier = ordered._ends(0)
        starts = self._new(graph.pad(later.ne(earlier).node, [(1, 0)], True)).narrow(0, 0, x.shape[0])
        went = starts.cast(dtypes.int64).cumsum(0) - 1
        parts = [ordered._first_where(starts, size, fill_value)]
        if inverse:
            parts.append(went._scattered(0, order.node, went, "set").reshape(self.shape))
        if counts:
            parts.append(self._counted(went, size, self._new(graph.const(1, dtypes.int64, x.shape))))
        return parts[0] if len(parts) == 1 else tuple(parts)

    def unique_consecutive(
        self, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
    ) -> Self | tuple[Self, ...]:
        """The elements that differ from the one before, or with `dim` such slices along it; then, if wanted, where each
        element went, in its shape, and how many went there, int64. Realizes this tensor, as `unique` does.

        >>> Tensor([1, 1, 2, 1]).unique_consecutive().tolist()
        [1, 2, 1]
        """
        x = self._values_on_host()
        shape = x.shape
        axis = 0 if dim is None else self._axis(dim)
        x = x.reshape(-1) if dim is None or not x.ndim else x
        if 0 in x.shape[:axis] + x.shape[axis + 1 :]:
            fail(ShapeError, f"unique_consecutive: slices along dim {dim} of shape {list(self.shape)} have no elements")
        starts = _starts(_rows(x, axis))
        inverse = np.cumsum(starts) - 1
        inverse = inverse.reshape(shape) if dim is None else inverse
        values = np.compress(starts, x, axis)
        return self._parts(values, inverse if return_inverse else None, _counts(starts) if return_counts else None)

    def _values_on_host(self) -> _Array:
        """The elements, comparable: 16-bit floats as float32."""
        x = self.detach().cast(dtypes.float32) if self.dtype.is_half else self.detach()
        return on_host(x)

    def _parts(self, values: _Array, *others: _Array | None) -> Self | tuple[Self, ...]:
        kind = dtypes.float32 if self.dtype.is_half else self.dtype
        parts = [self._new(upload(values, kind, self.device)).cast(self.dtype)]
        parts += [self._new(upload(x.astype(np.int64), dtypes.int64, self.device)) for x in others if x is not None]
        return parts[0] if len(parts) == 1 else tuple(parts)

    # ---- bins ----

    def bincount(self, weights: Core | None = None, minlength: int = 0, *, size: int | None = None) -> Self:
        """How often each number 0, 1, ... is among this vector of integers, int64, up to the largest of them, or
        `minlength` numbers; with `weights` the sums of these, in float32 or float64.

        The largest number is realized. ArgumentError for negative ones. With `size` only the numbers below that are
        counted, nothing is realized, negative ones do not count, and it works under `jit`.

        >>> Tensor([1, 3, 1]).bincount().tolist(), Tensor([0, 1]).bincount(Tensor([0.5, 2.0]), 3).tolist()
        ([0, 2, 0, 1], [0.5, 2.0, 0.0])
        >>> Tensor([1, 3, 1, -1]).bincount(size=3).tolist()
        [0, 2, 0]
        """
        if not self.dtype.is_int or self.ndim != 1:
            fail(DTypeError, f"bincount: takes a vector of integers, not {self.dtype}{list(self.shape)}")
        if minlength < 0 or (size is not None and size < 0):
            fail(ArgumentError, f"bincount: minlength is {minlength} and size {size}; they are 0 or more")
        self._same_device("bincount", *(() if weights is None else (weights,)))
        if weights is not None and weights.shape != self.shape:
            fail(ShapeError, f"bincount: weights {list(weights.shape)} of {list(self.shape)} numbers")
        size = self._bins(minlength) if size is None else size
        if weights is None:
            return self._counted(self.cast(dtypes.int64), size, self._new(graph.const(1, dtypes.int64, self.shape)))
        kind = weights.dtype if weights.dtype is dtypes.float32 else dtypes.float64
        return self._counted(self.cast(dtypes.int64), size, self._beside(weights).detach().cast(kind))

    def _bins(self, minlength: int) -> int:
        """How many numbers `bincount` counts, by the largest one."""
        least, most = (int(x._values_on_host()) for x in self.aminmax()) if self.shape != (0,) else (0, -1)
        if least < 0:
            fail(ArgumentError, f"bincount: {least} is among the numbers; they are 0 or more")
        return max(most + 1, minlength)

    def _counted(self, places: Self, size: int, weights: Self) -> Self:
        """The sums of a vector of weights for each of `size` places; those elsewhere do not count."""
        base = graph.const(0, weights.dtype, (size,))
        return self._new(graph.scatter(base, places.node, weights.node, 0, Combine.ADD))

    def histc(self, bins: int = 100, min: float = 0, max: float = 0) -> Self:
        """How many elements are in each of `bins` bins of one width between `min` and `max`, of this tensor's dtype.

        Those outside, and nan, do not count; without a range it is that of the elements, which are realized.
        ArgumentError for bins or a range that are none.

        >>> Tensor([1.0, 2.0, 1.0]).histc(3, 0, 3).tolist()
        [0.0, 2.0, 1.0]
        """
        if not isinstance(bins, int) or bins < 1:
            fail(ArgumentError, f"histc: {bins} bins; there is one at least")
        min, max = fitting("histc", min, dtypes.float64), fitting("histc", max, dtypes.float64)
        low, high = self._range("histc", None if min == max else (float(min), float(max)), 1.0)
        x = self.detach().flatten()
        wide = x if self.dtype is dtypes.float64 else x.cast(dtypes.float32)
        place = ((wide - low) * bins / (high - low)).floor().clamp(max=bins - 1)
        inside = (wide >= low) & (wide <= high)
        places = inside._choose(place, -1.0).cast(dtypes.int64)
        counts = self._counted(places, bins, self._new(graph.const(1, dtypes.int64, x.shape)))
        return counts.cast(self.dtype)

    def _range(self, what: str, given: Sequence[float] | None, around: float) -> tuple[float, float]:
        """The range of bins: the one given, or that of the elements; one of no width is widened by `around`."""
        if given is None:
            low, high = (x._values_on_host().item() for x in self.aminmax()) if 0 not in self.shape else (0.0, 1.0)
        else:
            low, high = given
        if not (np.isfinite(low) and np.isfinite(high) and low <= high):
            fail(ArgumentError, f"{what}: no bins are between {low} and {high}")
        return (low - around, high + around) if low == high else (low, high)

    def histogram(
        self,
        bins: int | Core,
        *,
        range: Sequence[float] | None = None,
        weight: Core | None = None,
        density: bool = False,
    ) -> Histogram[Self]:
        """(hist, bin_edges): how many elements, or the sum of their weights, are in each bin: so many of one width in
        `range` (that of the elements, which are realized), or those between ascending edges. The last edge is in its
        bin.

        With `density` the integral over all bins is 1. DTypeError for other dtypes than float32 and float64.

        >>> hist, edges = Tensor([1.0, 2.0, 1.0]).histogram(4, range=(0.0, 3.0), weight=Tensor([1.0, 2.0, 4.0]))
        >>> hist.tolist(), edges.tolist()
        ([0.0, 5.0, 2.0, 0.0], [0.0, 0.75, 1.5, 2.25, 3.0])
        """
        if self.dtype not in (dtypes.float32, dtypes.float64):
            fail(DTypeError, f"histogram: not defined for {self.dtype}, but for float32 and float64; cast first")
        self._same_device("histogram", *(() if weight is None else (weight,)))
        if weight is not None and (weight.shape != self.shape or weight.dtype is not self.dtype):
            given = f"{weight.dtype}{list(weight.shape)}"
            fail(ShapeError, f"histogram: a weight {given} for {self.dtype}{list(self.shape)}")
        edges = self._edges(bins, range)
        x = self.detach().flatten()
        last = edges.narrow(0, edges._known("histogram", 0) - 1, 1)
        place = edges._search(x, True, dtypes.int64) - 1
        place = x.eq(last)._choose(edges._known("histogram", 0) - 2, place)
        weights = x.ones_like() if weight is None else self._beside(weight).detach().flatten()
        hist = self._counted(place, edges._known("histogram", 0) - 1, weights)
        if density:
            later, earlier = edges._ends(0)
            hist = hist / hist.sum() / (later - earlier)
        return Histogram(hist, edges)

    def _edges(self, bins: int | Core, range: Sequence[float] | None) -> Self:
        if isinstance(bins, Core):
            if range is not None:
                fail(ArgumentError, "histogram: bins that are edges have a range of their own")
            if bins.ndim != 1 or bins.dtype is not self.dtype or bins.shape[0] == 0:
                given = f"{bins.dtype}{list(bins.shape)}"
                fail(ShapeError, f"histogram: the edges of bins are a vector of {self.dtype}, not {given}")
            return self._beside(bins).detach()
        if not isinstance(bins, int) or bins < 1:
            fail(ArgumentError, f"histogram: {bins} bins; there is one at least")
        if range is not None and (len(range) != 2 or not range[0] <= range[1]):
            fail(ArgumentError, f"histogram: a range of {range}; it is (least, largest)")
        low, high = self._range("histogram", range, 0.5)
        return self.linspace(low, high, bins + 1, dtype=self.dtype, device=self.device)


def _unique(x: _Array, inverse: bool, counts: bool) -> tuple[_Array, _Array | None, _Array | None]:
    if not (inverse or counts):
        return np.unique(x, equal_nan=False), None, None
    values, places, numbers = np.unique(x, return_inverse=True, return_counts=True, equal_nan=False)
    return values, places.reshape(x.shape) if inverse else None, numbers if counts else None


def _rows(x: _Array, axis: int) -> _Array:
    """The slices of `axis`, each as one row."""
    return np.moveaxis(x, axis, 0).reshape(x.shape[axis], x.size // max(x.shape[axis], 1))


def _starts(rows: _Array) -> _Array:
    """Which rows differ from the one before."""
    starts = np.ones(len(rows), np.bool_)
    starts[1:] = (rows[1:] != rows[:-1]).any(1)
    return starts


def _counts(starts: _Array) -> _Array:
    """How many rows there are from each start to the next one."""
    return np.diff(np.append(np.flatnonzero(starts), len(starts)))
