"""Scans and normalizations of the elements where a mask is true: results have the shape of the tensor."""

from __future__ import annotations

import math

from lazygrad.dtype import DTypeLike, as_dtype
from lazygrad.masked.masks import kept
from lazygrad.masked.reductions import norm
from lazygrad.ops.signatures import checked
from lazygrad.tensor import Tensor


@checked
def cumsum(input: Tensor, dim: int, *, dtype: DTypeLike | None = None, mask: Tensor | None = None) -> Tensor:
    """The sums so far, to which nothing is added where the mask is false; in the dtype of the tensor.

    >>> cumsum(Tensor([1, 2, 4]), 0, mask=Tensor([True, False, True])).tolist()
    [1, 1, 5]
    """
    return kept(input, mask, 0).cumsum(dim, dtype=as_dtype(dtype, input.dtype))


@checked
def cumprod(input: Tensor, dim: int, *, dtype: DTypeLike | None = None, mask: Tensor | None = None) -> Tensor:
    """The products so far, which stay as they are where the mask is false; in the dtype of the tensor.

    >>> cumprod(Tensor([2, 3, 4]), 0, mask=Tensor([True, False, True])).tolist()
    [2, 2, 8]
    """
    return kept(input, mask, 1).cumprod(dim, dtype=as_dtype(dtype, input.dtype))


@checked
def normalize(
    input: Tensor,
    ord: float,
    dim: int,
    *,
    eps: float = 1e-12,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """What is not masked out, divided by its `norm` along `dim`, or by `eps` where that is less; 0 elsewhere.

    >>> normalize(Tensor([3.0, 4.0, 9.0]), 2.0, 0, mask=Tensor([True, True, False]))
    tensor([0.6000, 0.8000, 0.0000])
    """
    length = norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    return kept(input, mask, 0) / length.maximum(length.full_like(eps))


@checked
def softmax(input: Tensor, dim: int, *, dtype: DTypeLike | None = None, mask: Tensor | None = None) -> Tensor:
    """`softmax` along `dim` of what is not masked out, 0 elsewhere; nan where all is masked out.

    >>> softmax(Tensor([1.0, 1.0, 9.0]), 0, mask=Tensor([True, True, False])).tolist()
    [0.5, 0.5, 0.0]
    """
    return kept(input, mask, input.dtype.min).cast(as_dtype(dtype, input.dtype)).softmax(dim)


@checked
def log_softmax(input: Tensor, dim: int, *, dtype: DTypeLike | None = None, mask: Tensor | None = None) -> Tensor:
    """The logarithm of `softmax`, -inf where the mask is false.

    >>> log_softmax(Tensor([1.0, 1.0, 9.0]), 0, mask=Tensor([True, True, False]))
    tensor([-0.6931, -0.6931,    -inf])
    """
    return kept(input, mask, input.dtype.min).cast(as_dtype(dtype, input.dtype)).log_softmax(dim)


@checked
def softmin(input: Tensor, dim: int, *, dtype: DTypeLike | None = None, mask: Tensor | None = None) -> Tensor:
    """`softmax` of the negated elements.

    >>> softmin(Tensor([1.0, 1.0, -9.0]), 0, mask=Tensor([True, True, False])).tolist()
    [0.5, 0.5, 0.0]
    """
    return (-kept(input, mask, input.dtype.max).cast(as_dtype(dtype, input.dtype))).softmax(dim)


def logaddexp(
    input: Tensor,
    other: Tensor,
    *,
    dtype: DTypeLike | None = None,
    input_mask: Tensor | None = None,
    other_mask: Tensor | None = None,
) -> Tensor:
    """log(exp(input) + exp(other)), where what is masked out counts as -inf.

    >>> logaddexp(Tensor([1.0, 1.0]), Tensor([1.0, 1.0]), other_mask=Tensor([True, False]))
    tensor([1.6931, 1.0000])
    """
    a, b = kept(input, input_mask, -math.inf), kept(other, other_mask, -math.inf)
    return a.logaddexp(b).cast(as_dtype(dtype, input.dtype))
