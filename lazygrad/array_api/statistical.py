"""Sums, means and the like. `axis` None means all dimensions; sums of integers are in 64 bits."""

from __future__ import annotations

from lazygrad.array_api.manipulation import Axes
from lazygrad.array_api.promotion import an_array
from lazygrad.dtype import DType, dtypes
from lazygrad.errors import ShapeError
from lazygrad.ops.core import fail
from lazygrad.ops.joining import cat
from lazygrad.tensor import Tensor

__all__ = [
    "all",
    "any",
    "cumulative_prod",
    "cumulative_sum",
    "diff",
    "max",
    "mean",
    "min",
    "prod",
    "std",
    "sum",
    "var",
]


def all(x: Tensor, /, *, axis: Axes | None = None, keepdims: bool = False) -> Tensor:
    """Whether no element is zero.

    >>> all(Tensor([1, 0])).item()
    False
    """
    return an_array("all", x).ne(0).all(axis, keepdims)


def any(x: Tensor, /, *, axis: Axes | None = None, keepdims: bool = False) -> Tensor:
    """Whether any element is not zero.

    >>> any(Tensor([1, 0])).item()
    True
    """
    return an_array("any", x).ne(0).any(axis, keepdims)


def cumulative_prod(
    x: Tensor, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False
) -> Tensor:
    """The products so far along `axis`, which must be named unless there is one; with the 1 before all of them.

    >>> cumulative_prod(Tensor([2, 3]), include_initial=True).tolist()
    [1, 2, 6]
    """
    dim = _only_axis("cumulative_prod", x, axis)
    return _behind(x.cumprod(dim, dtype=_wide(x, dtype)), dim, 1 if include_initial else None)


def cumulative_sum(
    x: Tensor, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False
) -> Tensor:
    """The sums so far along `axis`, which must be named unless there is one; with the 0 before all of them.

    >>> cumulative_sum(Tensor([2, 3]), include_initial=True).tolist()
    [0, 2, 5]
    """
    dim = _only_axis("cumulative_sum", x, axis)
    return _behind(x.cumsum(dim, dtype=_wide(x, dtype)), dim, 0 if include_initial else None)


def diff(
    x: Tensor, /, *, axis: int = -1, n: int = 1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """Differences of neighbours along `axis`, `n` times, of the array with others put before and behind it.

    >>> diff(Tensor([1, 4, 9])).tolist()
    [3, 5]
    """
    return an_array("diff", x).diff(n, axis, prepend, append)


def max(x: Tensor, /, *, axis: Axes | None = None, keepdims: bool = False) -> Tensor:
    """The largest element; nan where there is one.

    >>> max(Tensor([[1, 5], [7, 2]]), axis=0).tolist()
    [7, 5]
    """
    return an_array("max", x).amax(axis, keepdims)


def mean(x: Tensor, /, *, axis: Axes | None = None, keepdims: bool = False) -> Tensor:
    """The mean.

    >>> mean(Tensor([1.0, 2.0])).item()
    1.5
    """
    return an_array("mean", x).mean(axis, keepdims)


def min(x: Tensor, /, *, axis: Axes | None = None, keepdims: bool = False) -> Tensor:
    """The smallest element; nan where there is one.

    >>> min(Tensor([[1, 5], [7, 2]]), axis=0).tolist()
    [1, 2]
    """
    return an_array("min", x).amin(axis, keepdims)


def prod(x: Tensor, /, *, axis: Axes | None = None, dtype: DType | None = None, keepdims: bool = False) -> Tensor:
    """The product.

    >>> prod(Tensor([2, 3], dtype="uint8"))
    tensor(6, dtype=uint64)
    """
    return an_array("prod", x).prod(axis, keepdims, dtype=_wide(x, dtype))


def std(x: Tensor, /, *, axis: Axes | None = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The standard deviation, of N - `correction` degrees of freedom.

    >>> std(Tensor([1.0, 3.0])).item()
    1.0
    """
    over, dims = some_axis("std", x, axis)
    return over.std(dims, keepdim=keepdims and over is x, correction=correction)


def sum(x: Tensor, /, *, axis: Axes | None = None, dtype: DType | None = None, keepdims: bool = False) -> Tensor:
    """The sum.

    >>> sum(Tensor([200, 100], dtype="uint8"))
    tensor(300, dtype=uint64)
    """
    return an_array("sum", x).sum(axis, keepdims, dtype=_wide(x, dtype))


def var(x: Tensor, /, *, axis: Axes | None = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The variance, of N - `correction` degrees of freedom.

    >>> var(Tensor([1.0, 3.0])).item()
    1.0
    """
    over, dims = some_axis("var", x, axis)
    return over.var(dims, keepdim=keepdims and over is x, correction=correction)


def _wide(x: Tensor, dtype: DType | None) -> DType:
    """The dtype that a sum is in unless one is given."""
    if dtype is not None or x.dtype.is_float:
        return dtype or x.dtype
    return dtypes.uint64 if x.dtype.kind == "uint" else dtypes.int64


def _only_axis(what: str, x: Tensor, axis: int | None) -> int:
    if axis is None and an_array(what, x).ndim != 1:
        fail(ShapeError, f"{what}: shape {list(x.shape)} has {x.ndim} dimensions; say along which one, axis=")
    return 0 if axis is None else axis


def some_axis(what: str, x: Tensor, axis: Axes | None) -> tuple[Tensor, Axes | None]:
    """`x` and `axis`; where that names no dimension, one of size 1 is put at the end: PyTorch would take them all."""
    return (an_array(what, x), axis) if axis != () else (x.unsqueeze(-1), -1)


def _behind(x: Tensor, dim: int, initial: int | None) -> Tensor:
    if initial is None:
        return x
    first = [1 if axis == x._axis(dim) else size for axis, size in enumerate(x.shape)]
    return cat([x.new_full(first, initial), x], dim)
