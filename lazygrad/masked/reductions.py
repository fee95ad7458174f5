"""Reductions of the elements where a mask is true."""

from __future__ import annotations

import math

from lazygrad.dtype import DTypeLike, as_dtype, dtypes
from lazygrad.errors import ArgumentError, DTypeError, fail
from lazygrad.masked.masks import Dims, axes_of, count_of, kept, widened
from lazygrad.ops.signatures import checked
from lazygrad.tensor import Tensor


@checked
def sum(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The sum of what is not masked out.

    >>> sum(Tensor([[1, 2], [3, 4]]), 1, mask=Tensor([True, False])).tolist()
    [1, 3]
    """
    return kept(input, mask, 0).sum(axes_of(input, dim), keepdim, widened(input, dtype))


@checked
def prod(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The product of what is not masked out.

    >>> prod(Tensor([2, 3, 4]), mask=Tensor([True, False, True])).item()
    8
    """
    return kept(input, mask, 1).prod(axes_of(input, dim), keepdim, widened(input, dtype))


@checked
def amax(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The largest of what is not masked out; the least number of the dtype where all is.

    >>> amax(Tensor([1, 2, 4]), mask=Tensor([True, True, False])).item()
    2
    """
    result = kept(input, mask, input.dtype.min).amax(axes_of(input, dim), keepdim)
    return result.cast(as_dtype(dtype, input.dtype))


@checked
def amin(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The smallest of what is not masked out; the greatest number of the dtype where all is.

    >>> amin(Tensor([1, 2, 4]), mask=Tensor([False, True, True])).item()
    2
    """
    result = kept(input, mask, input.dtype.max).amin(axes_of(input, dim), keepdim)
    return result.cast(as_dtype(dtype, input.dtype))


@checked
def argmax(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Where the largest of what is not masked out is, in the dtype of the tensor unless `dtype` is given.

    >>> argmax(Tensor([1, 2, 4]), mask=Tensor([True, True, False])).item()
    1
    """
    return kept(input, mask, input.dtype.min).argmax(dim, keepdim).cast(as_dtype(dtype, input.dtype))


@checked
def argmin(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Where the smallest of what is not masked out is, in the dtype of the tensor unless `dtype` is given.

    >>> argmin(Tensor([1, 2, 4]), mask=Tensor([False, True, True])).item()
    1
    """
    return kept(input, mask, input.dtype.max).argmin(dim, keepdim).cast(as_dtype(dtype, input.dtype))


@checked
def mean(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The mean of what is not masked out. DTypeError for bools and integers without a floating `dtype`.

    >>> mean(Tensor([1.0, 2.0, 4.0]), mask=Tensor([True, True, False])).item()
    1.5
    """
    kind = as_dtype(dtype, input.dtype)
    if not kind.is_float:
        fail(DTypeError, f"masked.mean: not defined for {kind}; give a floating dtype")
    return sum(input, dim, keepdim=keepdim, dtype=kind, mask=mask) / count_of(input, dim, keepdim, mask)


@checked
def median(
    input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: DTypeLike | None = None, mask: Tensor | None = None
) -> Tensor:
    """The median along `dim` of what is not masked out and not nan; nan where there is none.

    >>> median(Tensor([1.0, 2.0, 4.0, 9.0]), mask=Tensor([False, True, True, True])).item()
    4.0
    """
    x = input if input.dtype.is_float else input.cast(dtypes.float32)
    found = kept(x, mask, math.nan).nanmedian(dim, keepdim).values
    return found if input.dtype.is_float else found.cast(as_dtype(dtype, input.dtype))


@checked
def norm(
    input: Tensor,
    ord: float | None = 2.0,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The norm of order `ord` of what is not masked out.

    >>> norm(Tensor([3.0, 4.0, 9.0]), mask=Tensor([True, True, False])).item()
    5.0
    """
    fill = math.inf if ord == -math.inf else 0.0
    return kept(input, mask, fill).norm(ord, axes_of(input, dim), keepdim, dtype)


@checked
def logsumexp(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """log(sum(exp(...))) of what is not masked out, without overflow.

    >>> logsumexp(Tensor([1.0, 1.0, 9.0]), mask=Tensor([True, True, False]))
    tensor(1.6931)
    """
    result = kept(input, mask, input.dtype.min).logsumexp(axes_of(input, dim), keepdim)
    return result.cast(as_dtype(dtype, input.dtype))


@checked
def var(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The variance of what is not masked out, over its number less `correction` (1; 0 if `unbiased` is False).

    >>> var(Tensor([1.0, 3.0, 9.0]), mask=Tensor([True, True, False])).item()
    2.0
    """
    if unbiased is not None and correction is not None:
        fail(ArgumentError, f"masked.var: unbiased = {unbiased} and correction = {correction} are one argument")
    less = correction if correction is not None else 0 if unbiased is False else 1
    kind = as_dtype(dtype, input.dtype if input.dtype.is_float else dtypes.float32)
    wide = kind if kind.is_float else dtypes.float32
    count = count_of(input, dim, True, mask)
    average = sum(input, dim, keepdim=True, dtype=kind, mask=mask) / count
    total = sum((input - average).square(), dim, keepdim=keepdim, dtype=wide, mask=mask)
    return (total / (count.reshape(total.shape).cast(wide) - less).clamp(min=0)).cast(kind)


@checked
def std(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The square root of `var`.

    >>> std(Tensor([1.0, 5.0, 9.0]), correction=0, mask=Tensor([True, True, False])).item()
    2.0
    """
    found = var(input, dim, unbiased, correction=correction, keepdim=keepdim, dtype=dtype, mask=mask)
    return found.sqrt()
