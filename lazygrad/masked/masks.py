"""What masked operations share: the elements that a mask keeps, how many, and along which dimensions."""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.dtype import DType, DTypeLike, Scalar, as_dtype, dtypes
from lazygrad.errors import ShapeError, fail
from lazygrad.tensor import Tensor

Dims = int | Sequence[int] | None


def kept(x: Tensor, mask: Tensor | None, fill: Scalar) -> Tensor:
    """The elements where the mask is true, `fill` elsewhere."""
    return x if mask is None else x.masked_fill(~mask_of(x, mask), fill)


def mask_of(x: Tensor, mask: Tensor) -> Tensor:
    """The mask in the shape of `x`."""
    if mask.ndim > x.ndim:
        fail(ShapeError, f"masked: a mask of shape {list(mask.shape)} has more dimensions than {list(x.shape)}")
    return mask.bool().expand(x.shape)


def axes_of(x: Tensor, dim: Dims) -> list[int]:
    """`dim` as axes; none are all, as in PyTorch."""
    if dim is None or (not isinstance(dim, int) and not dim):
        return list(range(x.ndim))
    return list(x._axes(dim))


def widened(x: Tensor, dtype: DTypeLike | None) -> DType:
    """The dtype of sums and products: integers in int64."""
    return as_dtype(dtype, x.dtype if x.dtype.is_float else dtypes.int64)


def count_of(input: Tensor, dim: Dims, keepdim: bool, mask: Tensor | None) -> Tensor:
    """How many elements are not masked out, int64."""
    there = input.ones_like(dtype=dtypes.bool) if mask is None else mask_of(input, mask)
    return there.sum(axes_of(input, dim), keepdim)
