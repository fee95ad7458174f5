"""Norms of vectors and matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lazygrad.dtype import DTypeLike, as_dtype
from lazygrad.errors import ArgumentError, DTypeError, ShapeError
from lazygrad.linear_algebra.host import T
from lazygrad.linear_algebra.spectral import svdvals
from lazygrad.ops.autocast import autocasting
from lazygrad.ops.core import Core, fail
from lazygrad.ops.operands import not_a_tensor

Dims = int | Sequence[int] | None
_SINGULAR = (2, -2, "nuc")


def _in_dtype(what: str, x: Any, dtype: DTypeLike | None) -> Any:
    if not isinstance(x, Core):
        not_a_tensor(what, x)
    kind = x.dtype if dtype is None else as_dtype(dtype)
    if not x.dtype.is_float or not kind.is_float:
        fail(DTypeError, f"{what}: not defined for {x.dtype} in {kind}; cast first, e.g. .float()")
    if kind.itemsize < x.dtype.itemsize:
        fail(DTypeError, f"{what}: dtype {kind} is narrower than {x.dtype}")
    return x.cast(kind)


def vector_norm(x: T, ord: float = 2, dim: Dims = None, keepdim: bool = False, *, dtype: DTypeLike | None = None) -> T:
    """The norm of order `ord` of all elements, or along `dim` (one or several): (sum |x|^ord)^(1/ord), for 0 how many
    are not 0, for inf and -inf the largest and the smallest size. It is computed in `dtype` if given.

    >>> vector_norm(Tensor([[3.0, 4.0], [0.0, 5.0]]), dim=1).tolist()
    [5.0, 5.0]
    """
    if isinstance(ord, (str, bool)) or not isinstance(ord, (int, float)):
        fail(ArgumentError, f"vector_norm: {ord!r} is no order; it is a number")
    x = _in_dtype("vector_norm", x, dtype)
    dim = None if isinstance(dim, (tuple, list)) and not dim else dim
    return x.norm(float(ord), dim, keepdim)


def matrix_norm(
    A: T,
    ord: float | str = "fro",
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: DTypeLike | None = None,
) -> T:
    """The norm of the matrices over two dimensions: "fro" (of all elements), "nuc" (the sum of the singular values), 2
    and -2 (the largest and the smallest one), inf and -inf (of the sums of sizes along rows), 1 and -1 (along columns).

    >>> matrix_norm(Tensor([[1.0, -2.0], [3.0, 4.0]]), 1).item()
    6.0
    """
    x = _in_dtype("matrix_norm", A, dtype)
    if isinstance(dim, int) or len(dim) != 2:
        fail(ArgumentError, f"matrix_norm: dim {dim!r} are not two dimensions")
    rows, columns = (x._axis(d) for d in dim)
    if rows == columns or x.ndim < 2:
        fail(ShapeError, f"matrix_norm: dims {list(dim)} of shape {list(x.shape)} are not two different ones")
    if ord == "fro":
        return x.norm(2, (rows, columns), keepdim)  # type: ignore[no-any-return]
    if ord in _SINGULAR:
        found = _by_singular_values(x, ord, rows, columns)
    elif ord in (1, -1, math.inf, -math.inf):
        along, over = (columns, rows) if abs(float(ord)) == math.inf else (rows, columns)
        sizes = x.norm(1, along, keepdim=True)
        found = (sizes.amax(over, True) if float(ord) > 0 else sizes.amin(over, True)).squeeze((rows, columns))
    else:
        fail(ArgumentError, f"matrix_norm: {ord!r} is no order; see the docstring")
    if not keepdim:
        return found  # type: ignore[no-any-return]
    return found.reshape(tuple(1 if i in (rows, columns) else n for i, n in enumerate(x.shape)))  # type: ignore[no-any-return]


def _by_singular_values(x: Any, order: Any, rows: int, columns: int) -> Any:
    rest = [i for i in range(x.ndim) if i not in (rows, columns)]
    S = svdvals(x.permute(*rest, rows, columns))
    if order == "nuc":
        return S.sum(-1)
    if not S.shape[-1]:
        fail(ShapeError, f"matrix_norm: shape {list(x.shape)} has no singular value for a norm of order {order}")
    return S.amax(-1) if order == 2 else S.amin(-1)


@autocasting
def norm(
    A: T,
    ord: float | str | None = None,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DTypeLike | None = None,
) -> T:
    """`vector_norm`, or `matrix_norm` where `dim` is a pair or `ord` is given for a matrix without `dim`.

    Without `ord`, the 2-norm of all elements along `dim`.

    >>> norm(Tensor([[3.0, 0.0], [0.0, 4.0]])).item(), norm(Tensor([[3.0, 0.0], [0.0, 4.0]]), 2).item()
    (5.0, 4.0)
    """
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None:
        if not isinstance(A, Core):
            not_a_tensor("norm", A)
        if A.ndim not in (1, 2):
            fail(ShapeError, f"norm: of order {ord!r} over all {A.ndim} dimensions of {list(A.shape)}; give dim")
        dim = tuple(range(A.ndim))
    pair = not isinstance(dim, int) and len(dim) == 2
    if pair:
        return matrix_norm(A, ord, dim, keepdim, dtype=dtype)  # type: ignore[arg-type]
    if isinstance(ord, str):
        fail(ArgumentError, f"norm: {ord!r} is an order for matrices; dim {dim!r} are not two dimensions")
    return vector_norm(A, ord, dim, keepdim, dtype=dtype)
