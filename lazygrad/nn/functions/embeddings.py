"""Rows of a table, and their sums, means or maxima."""

from __future__ import annotations

from typing import Any

from lazygrad.dtype import dtypes
from lazygrad.errors import ArgumentError, BoundsError, DTypeError, ShapeError, fail
from lazygrad.ops.function import Function
from lazygrad.ops.joining import where
from lazygrad.ops.mode import no_grad
from lazygrad.ops.operands import not_a_tensor
from lazygrad.tensor import Tensor

_NO_ZERO = 1e-7  # added to norms, as in PyTorch


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of the table `weight` (n, d): integers of any shape (...) to (..., d).

    Args:
        padding_idx: a row that gets no gradient.
        max_norm: rows that are asked for and whose norm of order `norm_type` is more are scaled down to it, in place.
        scale_grad_by_freq: whether the gradient of a row is divided by how often `input` names it.
        sparse: accepted; gradients are dense.

    BoundsError for a `padding_idx` outside the table, and for other rows outside it when a value is read.

    >>> from lazygrad.nn import functional
    >>> functional.embedding(Tensor([[1, 0]]), Tensor([[1, 2], [3, 4]])).tolist()
    [[[3, 4], [1, 2]]]
    """
    for t in (input, weight):
        if not isinstance(t, Tensor):
            not_a_tensor("embedding", t)
    padding = row_of("embedding", padding_idx, weight)
    if max_norm is not None:
        _limit(weight, input, max_norm, norm_type)
    rows = weight.embedding(input)
    if scale_grad_by_freq:
        rows = _Scaled.apply(rows, _frequencies(input, weight))
    return rows if padding is None else where(input.eq(padding).unsqueeze(-1), rows.detach(), rows)


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, the mean or the maximum (`mode`) of the rows of `weight` (n, d) that each bag names: (B, d).

    Args:
        input: the bags: integers (B, L), or all in one vector.
        offsets: for a vector, where every bag begins: integers (B,); the first is 0.
        include_last_offset: whether `offsets` has one more element, where the last bag ends; what follows is in none.
        per_sample_weights: of the shape of `input`, factors of the rows of a "sum".
        padding_idx: a row that is left out. A bag that has no row gives 0.
        max_norm, norm_type, scale_grad_by_freq, sparse: see `embedding`.

    Of equal maxima the first gets the gradient.

    >>> from lazygrad.nn import functional
    >>> table = Tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> functional.embedding_bag(Tensor([0, 1, 1]), table, Tensor([0, 2]), mode="sum").tolist()
    [[4.0, 6.0], [3.0, 4.0]]
    """
    _check_bags(input, weight, offsets, mode, per_sample_weights)
    if mode == "max" and (scale_grad_by_freq or sparse):
        fail(ArgumentError, "embedding_bag: mode 'max' takes neither scale_grad_by_freq nor sparse")
    rows = embedding(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    padding = row_of("embedding_bag", padding_idx, weight)
    is_there = None if padding is None else input.ne(padding)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    if offsets is None:
        return _of_matrix(rows, is_there, mode)
    results = _of_vector(rows, is_there, offsets, mode)
    return results[:-1] if include_last_offset else results


def _check_bags(
    input: Tensor, weight: Tensor, offsets: Tensor | None, mode: str, per_sample_weights: Tensor | None
) -> None:
    what = "embedding_bag"
    for t in (input, weight, *(t for t in (offsets, per_sample_weights) if t is not None)):
        if not isinstance(t, Tensor):
            not_a_tensor(what, t)
    if mode not in ("sum", "mean", "max"):
        fail(ArgumentError, f"{what}: mode is 'sum', 'mean' or 'max', not {mode!r}")
    if input.ndim not in (1, 2) or (input.ndim == 2) is (offsets is not None):
        fail(ShapeError, f"{what}: takes (B, L) without offsets, or a vector with them, not {list(input.shape)}")
    if offsets is not None and offsets.ndim != 1:
        fail(ShapeError, f"{what}: offsets are a vector, not of shape {list(offsets.shape)}")
    if per_sample_weights is None:
        return
    if mode != "sum":
        raise NotImplementedError(f"{what}: per_sample_weights are factors of a 'sum', and the mode is {mode!r}")
    if per_sample_weights.shape != input.shape:
        shapes = f"{list(per_sample_weights.shape)} for an input of shape {list(input.shape)}"
        fail(ShapeError, f"{what}: per_sample_weights of shape {shapes}")
    if per_sample_weights.dtype is not weight.dtype:
        fail(DTypeError, f"{what}: per_sample_weights are {per_sample_weights.dtype}, the table is {weight.dtype}")


def _of_matrix(rows: Tensor, is_there: Tensor | None, mode: str) -> Tensor:
    """(B, L, d) to (B, d); `is_there` (B, L) says which rows count."""
    there = None if is_there is None else is_there.unsqueeze(-1)
    if mode == "max":
        if not rows.shape[1]:
            return rows.sum(1)
        least = rows if there is None else rows.masked_fill(there.logical_not(), float("-inf"))
        largest: Tensor = least.max(1).values
        return largest if there is None else where(there.any(1), largest, 0.0)
    total = (rows if there is None else where(there, rows, 0.0)).sum(1)
    if mode == "sum":
        return total
    count = max(int(rows.shape[1]), 1) if there is None else there.sum(1).clamp(min=1)
    return total / count


def _of_vector(rows: Tensor, is_there: Tensor | None, offsets: Tensor, mode: str) -> Tensor:
    """(n, d) to (B, d), the bags beginning at `offsets` (B,)."""
    n, size = rows._known("embedding_bag", 0), offsets._known("embedding_bag", 0)
    places = Tensor.arange(n, device=rows.device, dtype=dtypes.int64)
    bags = offsets.cast(dtypes.int64).searchsorted(places, right=True) - 1
    kept = rows if is_there is None else where(is_there.unsqueeze(1), rows, 0.0)
    zeros = Tensor.zeros(size, *rows.shape[1:], dtype=rows.dtype, device=rows.device)
    if mode == "max":
        return _largest(rows, is_there, bags, zeros)
    total = zeros.index_add(0, bags, kept)
    if mode == "sum":
        return total
    ones = Tensor.ones(n, dtype=rows.dtype, device=rows.device) if is_there is None else is_there.cast(rows.dtype)
    return total / zeros[:, :1].index_add(0, bags, ones.unsqueeze(1)).clamp(min=1)


def _largest(rows: Tensor, is_there: Tensor | None, bags: Tensor, zeros: Tensor) -> Tensor:
    """The first of the largest elements of each bag; its place is found, and the element taken from there."""
    n, fixed = int(rows.shape[0]), rows.detach()
    if not n:
        return zeros + rows.sum(0)
    there = Tensor.ones(n, 1, dtype=dtypes.bool, device=rows.device) if is_there is None else is_there.unsqueeze(1)
    index = bags.unsqueeze(1).expand(rows.shape)
    least = where(there, fixed, float("-inf"))
    largest = zeros.scatter_reduce(0, index, least, "amax", include_self=False)
    is_largest = there.logical_and(least.eq(largest.gather(0, index)).logical_or(least.isnan()))
    places = Tensor.arange(n, device=rows.device, dtype=dtypes.int64).unsqueeze(1)
    none = Tensor.full(tuple(zeros.shape), n, dtype=dtypes.int64, device=rows.device)
    first = none.scatter_reduce(0, index, where(is_largest, places, n), "amin")
    return where(first < n, rows.gather(0, first.clamp(max=n - 1)), 0.0)


def row_of(what: str, padding_idx: int | None, weight: Tensor) -> int | None:
    """The row that `padding_idx` names, from the end if negative; BoundsError where there is none.

    >>> row_of("embedding", -1, Tensor.zeros(3, 2))
    2
    """
    if padding_idx is None:
        return None
    n = weight._known(what, 0)
    if not -n <= padding_idx < n:
        fail(BoundsError, f"{what}: padding_idx {padding_idx} is not a row of a table of {n}")
    return padding_idx % n


def _limit(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale down the rows that are asked for, in place."""
    with no_grad():
        index = input.reshape(-1)
        rows = weight.detach().embedding(index)
        norm = rows.norm(norm_type, 1, keepdim=True)
        limited = where(norm > max_norm, rows * (max_norm / (norm + _NO_ZERO)), rows)
        weight.assign(weight.detach().index_copy(0, index, limited))


def _frequencies(input: Tensor, weight: Tensor) -> Tensor:
    """How often each element of `input` (...) is in it: (..., 1)."""
    index = input.detach().reshape(-1).cast(dtypes.int64)
    none = Tensor.zeros(weight.shape[0], dtype=weight.dtype, device=weight.device)
    often = none.index_add(0, index, Tensor.ones(index.shape, dtype=weight.dtype, device=weight.device))
    return often.gather(0, index).reshape(*input.shape, 1)


class _Scaled(Function):
    """Rows as they are; their gradients are divided by how often they are asked for."""

    @staticmethod
    def forward(ctx: Any, rows: Any, often: Any) -> Any:
        ctx.save_for_backward(often)
        return rows.detach()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads[0] / ctx.saved_tensors[0], None
