"""Searching, sorting, sets and indexing. Indices are int64."""

from __future__ import annotations

from typing import Any, NamedTuple

from lazygrad.array_api.manipulation import Axes
from lazygrad.array_api.promotion import alike, an_array
from lazygrad.errors import ShapeError
from lazygrad.ops.core import fail
from lazygrad.ops.joining import where as chosen
from lazygrad.tensor import Tensor

__all__ = [
    "argmax",
    "argmin",
    "argsort",
    "count_nonzero",
    "nonzero",
    "searchsorted",
    "sort",
    "take",
    "take_along_axis",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
    "where",
]


class UniqueAll(NamedTuple):
    """Different values, where each comes first, which of them every element is, and how many are of each."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """Different values, and how many are of each."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """Different values, and which of them every element is."""

    values: Tensor
    inverse_indices: Tensor


def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the largest element is along `axis`, the first one of several; None means in the flat array.

    >>> argmax(Tensor([1, 3, 3])).item()
    1
    """
    return an_array("argmax", x).argmax(axis, keepdims)


def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the smallest element is along `axis`, the first one of several; None means in the flat array.

    >>> argmin(Tensor([3, 1, 1])).item()
    1
    """
    return an_array("argmin", x).argmin(axis, keepdims)


def argsort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The places of the elements in order along `axis`; equal ones stay in theirs.

    >>> argsort(Tensor([3, 1, 2])).tolist()
    [1, 2, 0]
    """
    return an_array("argsort", x).argsort(axis, descending, stable)


def count_nonzero(x: Tensor, /, *, axis: Axes | None = None, keepdims: bool = False) -> Tensor:
    """How many elements are not zero.

    >>> count_nonzero(Tensor([0, 3, 4])).item()
    2
    """
    return an_array("count_nonzero", x).ne(0).sum(axis, keepdims)


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """The indices of the elements that are not zero, in row-major order: an array for each dimension. It is computed
    at once, because the shape depends on it. ShapeError for 0-d arrays.

    >>> [indices.tolist() for indices in nonzero(Tensor([[0, 3], [4, 0]]))]
    [[0, 1], [1, 0]]
    """
    if not an_array("nonzero", x).ndim:
        fail(ShapeError, "nonzero: a 0-d array has no indices")
    found: tuple[Tensor, ...] = x.nonzero(as_tuple=True)
    return found


def searchsorted(x1: Tensor, x2: Tensor, /, *, side: str = "left", sorter: Tensor | None = None) -> Tensor:
    """Where the elements of `x2` would go in `x1`, which is in order (or `sorter` puts it): before equal ones, or
    behind them with `side` "right".

    >>> searchsorted(Tensor([1, 3, 5]), Tensor([3, 4])).tolist()
    [1, 2]
    """
    line, values = alike("searchsorted", x1, x2)
    return line.searchsorted(values, side=side, sorter=sorter)


def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements in order along `axis`, nan as the largest.

    >>> sort(Tensor([3, 1, 2]), descending=True).tolist()
    [3, 2, 1]
    """
    return an_array("sort", x).sort(axis, descending, stable)[0]


def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """The elements at `indices` (1-d) along `axis`, which need not be named where there is only one.

    >>> take(Tensor([10, 20, 30]), Tensor([2, 0])).tolist()
    [30, 10]
    """
    if axis is None and an_array("take", x).ndim != 1:
        fail(ShapeError, f"take: shape {list(x.shape)} has {x.ndim} dimensions; say which one, axis=")
    place: list[Any] = [slice(None)] * x.ndim
    place[x._axis(0 if axis is None else axis)] = indices
    return x[tuple(place)]


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """For every line along `axis` the elements at the indices of its own.

    >>> take_along_axis(Tensor([[1, 2], [3, 4]]), Tensor([[1], [0]])).tolist()
    [[2], [3]]
    """
    return an_array("take_along_axis", x).take_along_dim(indices, axis)


def unique_all(x: Tensor, /) -> UniqueAll:
    """Different values in order, where each comes first in the flat array, which of them every element is, and how
    many are of each. Every nan is a value of its own. Computed at once, because shapes depend on it.

    >>> [part.tolist() for part in unique_all(Tensor([5, 2, 5]))]
    [[2, 5], [1, 0], [1, 0, 1], [1, 2]]
    """
    values, inverse, counts = an_array("unique_all", x).unique(return_inverse=True, return_counts=True)
    first = inverse.flatten().argsort(stable=True)[counts.cumsum(0) - counts]
    return UniqueAll(values, first, inverse, counts)


def unique_counts(x: Tensor, /) -> UniqueCounts:
    """Different values in order, and how many are of each.

    >>> [part.tolist() for part in unique_counts(Tensor([5, 2, 5]))]
    [[2, 5], [1, 2]]
    """
    values, counts = an_array("unique_counts", x).unique(return_counts=True)
    return UniqueCounts(values, counts)


def unique_inverse(x: Tensor, /) -> UniqueInverse:
    """Different values in order, and which of them every element is.

    >>> [part.tolist() for part in unique_inverse(Tensor([5, 2, 5]))]
    [[2, 5], [1, 0, 1]]
    """
    values, inverse = an_array("unique_inverse", x).unique(return_inverse=True)
    return UniqueInverse(values, inverse)


def unique_values(x: Tensor, /) -> Tensor:
    """Different values in order.

    >>> unique_values(Tensor([5, 2, 5])).tolist()
    [2, 5]
    """
    return an_array("unique_values", x).unique()  # type: ignore[return-value]  # values alone


def where(condition: Tensor, x1: Tensor | float, x2: Tensor | float, /) -> Tensor:
    """`x1` where the condition is true, else `x2`; in their common dtype.

    >>> where(Tensor([True, False]), Tensor([1, 2]), 0).tolist()
    [1, 0]
    """
    return chosen(condition, *alike("where", x1, x2))
