"""What NumPy lacks of LAPACK, for batches of arrays: triangular systems, and factors L and U.

Both halve the matrix, so that nearly all of the work is products (Toledo, Locality of reference in LU decomposition
with partial pivoting, 1997).
"""

from __future__ import annotations

import numpy as np

from lazygrad.linear_algebra.host import Array

SMALL = 24  # rows or columns that are taken one by one


def solved_triangle(A: Array, B: Array, upper: bool, unit: bool) -> Array:
    """X with A X = B, where only a triangle of A is looked at; of `unit` ones not even the diagonal. Zeros on the
    diagonal give infinities or nan."""
    n = A.shape[-1]
    if n <= SMALL:
        return _rows_in_turn(A, B, upper, unit)
    half = n // 2
    first, second = slice(0, half), slice(half, n)
    if upper:
        low = solved_triangle(A[..., second, second], B[..., second, :], upper, unit)
        high = solved_triangle(A[..., first, first], B[..., first, :] - A[..., first, second] @ low, upper, unit)
    else:
        high = solved_triangle(A[..., first, first], B[..., first, :], upper, unit)
        low = solved_triangle(A[..., second, second], B[..., second, :] - A[..., second, first] @ high, upper, unit)
    return np.concatenate([high, low], -2)


def _rows_in_turn(A: Array, B: Array, upper: bool, unit: bool) -> Array:
    n = A.shape[-1]
    X = np.empty((*np.broadcast_shapes(A.shape[:-2], B.shape[:-2]), n, B.shape[-1]), B.dtype)
    for i in reversed(range(n)) if upper else range(n):
        known = slice(i + 1, n) if upper else slice(0, i)
        row = B[..., i : i + 1, :] - A[..., i : i + 1, known] @ X[..., known, :]
        X[..., i : i + 1, :] = row if unit else row / A[..., i : i + 1, i : i + 1]
    return X


def factored(A: Array, pivot: bool = True) -> tuple[Array, Array]:
    """L and U in one matrix, (..., m, n), and the row that was exchanged with each, (..., min(m, n)), from 0.

    L is unit lower triangular, its ones are not stored. A column of zeros leaves a zero on the diagonal of U.
    """
    packed = np.array(A)
    pivots = np.zeros((*A.shape[:-2], min(A.shape[-2:])), np.int64)
    _factor(packed, pivots, pivot)
    return packed, pivots


def _factor(A: Array, pivots: Array, pivot: bool) -> None:
    m, n = A.shape[-2:]
    if min(m, n) <= SMALL // 3:
        _columns_in_turn(A, pivots, pivot)
        return
    half = min(m, n) // 2
    left, right = A[..., :half], A[..., half:]
    _factor(left, pivots[..., :half], pivot)
    exchange(right, pivots[..., :half])
    right[..., :half, :] = solved_triangle(left[..., :half, :], right[..., :half, :], upper=False, unit=True)
    right[..., half:, :] -= left[..., half:, :] @ right[..., :half, :]
    _factor(right[..., half:, :], pivots[..., half:], pivot)
    exchange(left[..., half:, :], pivots[..., half:])
    pivots[..., half:] += half


def _columns_in_turn(A: Array, pivots: Array, pivot: bool) -> None:
    for j in range(min(A.shape[-2:])):
        pivots[..., j] = j + np.argmax(np.abs(A[..., j:, j]), -1) if pivot else j
        _exchange_row(A, j, pivots[..., j])
        head = A[..., j : j + 1, j : j + 1]
        A[..., j + 1 :, j : j + 1] = np.where(head == 0, A[..., j + 1 :, j : j + 1], A[..., j + 1 :, j : j + 1] / head)
        A[..., j + 1 :, j + 1 :] -= A[..., j + 1 :, j : j + 1] * A[..., j : j + 1, j + 1 :]


def exchange(A: Array, pivots: Array) -> None:
    """Exchange rows of every matrix, in turn, in place: row j with row pivots[..., j]."""
    for j in range(pivots.shape[-1]):
        _exchange_row(A, j, pivots[..., j])


def _exchange_row(A: Array, j: int, other: Array) -> None:
    if not A.size:
        return
    place = np.broadcast_to(other[..., None, None], (*A.shape[:-2], 1, A.shape[-1]))
    here = A[..., j : j + 1, :].copy()
    A[..., j : j + 1, :] = np.take_along_axis(A, place, -2)
    np.put_along_axis(A, place, here, -2)


def order_of(pivots: Array, rows: int) -> Array:
    """The rows of A that rows of L U are, (..., rows), from the exchanges."""
    order = np.broadcast_to(np.arange(rows)[:, None], (*pivots.shape[:-1], rows, 1)).copy()
    exchange(order, pivots)
    return order[..., 0]  # type: ignore[no-any-return]
