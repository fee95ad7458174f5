"""LDL^T of symmetric matrices, which need not be definite, as LAPACK's sytrf keeps it; and systems by it.

J. R. Bunch and L. Kaufman, "Some stable methods for calculating inertia and solving symmetric linear systems" (1977):
D has blocks of one or two rows, chosen so that no element grows much.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from lazygrad.errors import DTypeError, LinAlgError, ShapeError
from lazygrad.linear_algebra.host import Array, T, check_matrices, on_host
from lazygrad.ops.core import Core, fail
from lazygrad.ops.operands import not_a_tensor

_ALPHA = (1 + math.sqrt(17)) / 8  # growth over one block of two is that over two of one


class LDL(NamedTuple):
    """What `ldl_factor` gives."""

    LD: Any
    pivots: Any


class LDLEx(NamedTuple):
    """What `ldl_factor_ex` gives."""

    LD: Any
    pivots: Any
    info: Any


def ldl_factor(A: T, *, hermitian: bool = False) -> LDL:
    """A = L D L^T of symmetric matrices (..., n, n), of which the lower triangles are looked at, in one triangle; and
    int32 `pivots`: which row each one was exchanged with, counted from 1, negative for two rows of a block of D.

    It has no gradient. `hermitian` is accepted: elements are real. LinAlgError where D has a zero.

    >>> LD, pivots = ldl_factor(Tensor([[0.0, 2.0], [2.0, 0.0]]))
    >>> LD.tolist(), pivots.tolist()
    ([[0.0, 0.0], [2.0, 0.0]], [-2, -2])
    """
    return LDL(*ldl_factor_ex(A, hermitian=hermitian, check_errors=True)[:2])


def ldl_factor_ex(A: T, *, hermitian: bool = False, check_errors: bool = False) -> LDLEx:
    """`ldl_factor` with `info`, int32: 0, or the place of the first zero in D, counted from 1; that is an error with
    `check_errors` alone.

    >>> ldl_factor_ex(Tensor([[1.0, 0.0], [0.0, 0.0]])).info.item()
    2
    """
    check_matrices("ldl_factor", A, square=True)
    LD, pivots, info = on_host("ldl_factor", _factored, A)
    if check_errors and (failed := int(info.amax().item() if info.numel() else 0)):
        fail(LinAlgError, f"ldl_factor: D is zero at place {failed}")
    return LDLEx(LD, pivots, info)


def ldl_solve(LD: T, pivots: Core, B: T, *, hermitian: bool = False) -> T:
    """X with A X = B, of what `ldl_factor` made of A; B is (..., n, k), and batches broadcast.

    >>> A = Tensor([[0.0, 2.0], [2.0, 0.0]])
    >>> ldl_solve(*ldl_factor(A), Tensor([[2.0], [4.0]])).tolist()
    [[2.0], [1.0]]
    """
    what = "ldl_solve"
    if not isinstance(pivots, Core):
        not_a_tensor(what, pivots)
    check_matrices(what, LD, B)
    check_matrices(what, LD, square=True)
    if pivots.dtype.is_float or pivots.dtype.is_bool:
        fail(DTypeError, f"{what}: pivots are integers, not {pivots.dtype}")
    if LD.shape[:-1] != pivots.shape or B.shape[-2] != LD.shape[-1]:
        shapes = f"{list(LD.shape)}, {list(pivots.shape)} and {list(B.shape)}"
        fail(ShapeError, f"{what}: shapes {shapes} do not fit")
    rows: Array = pivots.numpy()  # type: ignore[attr-defined]
    return on_host(what, lambda a, b: (_solved(a, rows, b),), LD, B)[0]  # type: ignore[no-any-return]


def _factored(A: Array) -> tuple[Array, Array, Array]:
    n = A.shape[-1]
    done = [_of_one(a) for a in A.reshape(math.prod(A.shape[:-2]), n, n)]
    LD, pivots = np.array([d[0] for d in done], A.dtype), np.array([d[1] for d in done], np.int32)
    info = np.array([d[2] for d in done], np.int32)
    return LD.reshape(A.shape), pivots.reshape(A.shape[:-1]), info.reshape(A.shape[:-2])


def _of_one(A: Array) -> tuple[Array, Array, int]:
    """The triangle, the pivots and the first zero of one matrix (LAPACK's sytf2)."""
    A, n, k, info = np.tril(A), len(A), 0, 0
    pivots = np.zeros(n, np.int32)
    while k < n:
        place, step = _pivot(A, k)
        last = k + step - 1
        if place != last:
            _exchange(A, k, last, place)
        if step == 1 and (A[k, k] == 0 or np.isnan(A[k, k])):
            info = info or k + 1
        else:
            _eliminate(A, k, step)
        pivots[k : k + step] = (place + 1) if step == 1 else -(place + 1)
        k += step
    return A, pivots, info


def _pivot(A: Array, k: int) -> tuple[int, int]:
    """Which row comes to the end of the next block, and how many rows that has."""
    diagonal, below = abs(A[k, k]), np.abs(A[k + 1 :, k])
    column = below.max(initial=0)
    if not max(diagonal, column) > 0 or diagonal >= _ALPHA * column:
        return k, 1
    i = k + 1 + int(below.argmax())
    row = max(np.abs(A[i, k:i]).max(), np.abs(A[i + 1 :, i]).max(initial=0))
    if diagonal >= _ALPHA * column * (column / row):
        return k, 1
    return i, 1 if abs(A[i, i]) >= _ALPHA * row else 2


def _exchange(A: Array, k: int, a: int, b: int) -> None:
    """Rows and columns `a` and `b` of what is left from `k` on, in its lower triangle."""
    A[b + 1 :, [a, b]] = A[b + 1 :, [b, a]]
    A[a + 1 : b, a], A[b, a + 1 : b] = A[b, a + 1 : b].copy(), A[a + 1 : b, a].copy()
    A[a, a], A[b, b] = A[b, b], A[a, a]
    if a > k:
        A[a, k], A[b, k] = A[b, k], A[a, k]


def _eliminate(A: Array, k: int, step: int) -> None:
    """Take a block's part from what is below it."""
    rest, block = A[k + step :, k : k + step].copy(), A[k : k + step, k : k + step]
    whole = np.tril(block) + np.tril(block, -1).T
    factors = np.linalg.solve(whole, rest.T).T if step > 1 else rest / whole
    A[k + step :, k + step :] -= np.tril(factors @ rest.T)
    A[k + step :, k : k + step] = factors


def _solved(LD: Array, pivots: Array, B: Array) -> Array:
    n, k = B.shape[-2:]
    batch = np.broadcast_shapes(LD.shape[:-2], B.shape[:-2])
    count = math.prod(batch)
    right = np.broadcast_to(B, (*batch, n, k)).reshape(count, n, k)
    left = np.broadcast_to(LD, (*batch, n, n)).reshape(count, n, n)
    rows = np.broadcast_to(pivots, (*batch, n)).reshape(count, n)
    done = [_solved_one(a, p, b.copy()) for a, p, b in zip(left, rows, right)]
    return np.array(done, B.dtype).reshape(*batch, n, k)


def _solved_one(LD: Array, pivots: Array, X: Array) -> Array:
    """L^-T D^-1 L^-1 X, exchanged as the rows were (LAPACK's sytrs)."""
    blocks, k = [], 0
    while k < len(X):
        step = 1 if pivots[k] > 0 else 2
        blocks.append((k, step, abs(int(pivots[k])) - 1))
        k += step
    for k, step, place in blocks:
        last = k + step - 1
        X[[last, place]] = X[[place, last]]
        X[k + step :] -= LD[k + step :, k : k + step] @ X[k : k + step]
        block = LD[k : k + step, k : k + step]
        X[k : k + step] = np.linalg.solve(np.tril(block) + np.tril(block, -1).T, X[k : k + step])
    for k, step, place in reversed(blocks):
        last = k + step - 1
        X[k : k + step] -= LD[k + step :, k : k + step].T @ X[k + step :]
        X[[last, place]] = X[[place, last]]
    return X
