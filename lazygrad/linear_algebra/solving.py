"""Systems of equations, inverses and determinants."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lazygrad.engine.run import read
from lazygrad.errors import ArgumentError, LinAlgError, ShapeError
from lazygrad.linear_algebra.host import Array, T, check_floats, check_matrices, each_matrix, on_host
from lazygrad.linear_algebra.substitution import factored
from lazygrad.ops.autocast import autocasting
from lazygrad.ops.broadcast import broadcast_shape
from lazygrad.ops.core import fail
from lazygrad.ops.function import Function


class SolveEx(NamedTuple):
    """What `solve_ex` gives."""

    result: Any
    info: Any


class InvEx(NamedTuple):
    """What `inv_ex` gives."""

    inverse: Any
    info: Any


class _Solve(Function):
    """X with A X = B, and where it failed. The gradients are gB = A^-T gX and gA = -gB X^T (Giles, Collected matrix
    derivative results, 2008)."""

    @staticmethod
    def forward(ctx: Any, A: Any, B: Any) -> Any:
        X, info = on_host("solve", _solved, A, B)
        ctx.save_for_backward(A, X)
        ctx.mark_non_differentiable(info)
        return X, info

    @staticmethod
    def backward(ctx: Any, gX: Any, _: Any) -> Any:
        A, X = ctx.saved_tensors
        gB, _ = _Solve.apply(A.mT, gX)
        return -gB.matmul(X.mT), gB


def _solved(A: Array, B: Array) -> tuple[Array, Array]:
    batch = np.broadcast_shapes(A.shape[:-2], B.shape[:-2])
    right = np.broadcast_to(B, (*batch, *B.shape[-2:]))
    try:
        return np.linalg.solve(np.broadcast_to(A, (*batch, *A.shape[-2:])), right), np.zeros(A.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        regular, info = _with_ones_for_zeros(A)
        found = np.linalg.solve(np.broadcast_to(regular, (*batch, *A.shape[-2:])), right)
        return np.where(np.broadcast_to(info, batch)[..., None, None] != 0, np.nan, found).astype(B.dtype), info


def _with_ones_for_zeros(A: Array) -> tuple[Array, Array]:
    """The matrices, unit ones for those that are singular, and which element of the diagonal of U is 0 (from 1)."""

    def one(a: Array) -> tuple[Array, int]:
        pivots = np.diagonal(factored(a)[0])
        zeros = np.flatnonzero(pivots == 0)
        return (np.eye(len(a), dtype=a.dtype), int(zeros[0]) + 1) if len(zeros) else (a, 0)

    return each_matrix(one, A)


def is_vector(A: Any, B: Any) -> bool:
    """Whether B stands for vectors: it is one, or a batch of A's batch."""
    return bool(B.ndim == 1 or (A.ndim - 1 == B.ndim and B.shape == A.shape[:-1]))


def solve_ex(A: T, B: T, *, left: bool = True, check_errors: bool = False) -> SolveEx:
    """`solve` and, for each matrix, which pivot is zero (0: none), int32, instead of an error unless `check_errors`.

    >>> solve_ex(Tensor([[1.0, 1.0], [1.0, 1.0]]), Tensor([1.0, 2.0])).info.item()
    2
    """
    check_matrices("solve", A, square=True)
    check_floats("solve", A, B)
    if is_vector(A, B):
        if not left:
            fail(
                ArgumentError,
                f"solve: vectors {list(B.shape)} stand on the right of a matrix; left=False needs matrices",
            )
        result, info = solve_ex(A, B.unsqueeze(-1), check_errors=check_errors)
        return SolveEx(result.squeeze(-1), info)
    if B.ndim < 2 or A.shape[-1] != B.shape[-2 if left else -1]:
        fail(ShapeError, f"solve: shapes {list(A.shape)} and {list(B.shape)} do not fit")
    broadcast_shape("solve", A.shape[:-2], B.shape[:-2])
    if not left:
        result, info = solve_ex(A.mT, B.mT, check_errors=check_errors)
        return SolveEx(result.mT, info)
    X, info = _Solve.apply(A, B)
    if check_errors:
        need_regular("solve", A, info)
    return SolveEx(X, info)


def need_regular(what: str, A: Any, info: Any) -> None:
    if (found := read(info.node, info.device)).any():
        k = int(found[found != 0].flat[0])
        fail(LinAlgError, f"{what}: a matrix of shape {list(A.shape)} is singular: pivot {k} is zero")


@autocasting
def solve(A: T, B: T, *, left: bool = True) -> T:
    """X with A X = B, or unless `left` X A = B, for matrices A (..., n, n); batches broadcast.

    B is (..., n, k), a vector (n,), or vectors (..., n) for the batch (...) of A. Both are realized, and the system is
    solved on the host. LinAlgError for a singular matrix.

    >>> solve(Tensor([[2.0, 0.0], [1.0, 4.0]]), Tensor([2.0, 5.0])).tolist()
    [1.0, 1.0]
    """
    return solve_ex(A, B, left=left, check_errors=True).result  # type: ignore[no-any-return]


@autocasting
def inv_ex(A: T, *, check_errors: bool = False) -> InvEx:
    """`inv` and, for each matrix, which pivot is zero (0: none), int32, instead of an error unless `check_errors`.

    >>> inv_ex(Tensor([[1.0, 1.0], [1.0, 1.0]])).info.item()
    2
    """
    check_matrices("inv", A, square=True)
    X, info = _Inv.apply(A)
    if check_errors:
        need_regular("inv", A, info)
    return InvEx(X, info)


class _Inv(Function):
    """The gradient is -X^T g X^T, X being the inverse."""

    @staticmethod
    def forward(ctx: Any, A: Any) -> Any:
        X, info = on_host("inv", lambda a: _solved(a, np.eye(a.shape[-1], dtype=a.dtype)), A)
        ctx.save_for_backward(X)
        ctx.mark_non_differentiable(info)
        return X, info

    @staticmethod
    def backward(ctx: Any, g: Any, _: Any) -> Any:
        (X,) = ctx.saved_tensors
        return -X.mT.matmul(g).matmul(X.mT)


@autocasting
def inv(A: T) -> T:
    """The inverses of matrices (..., n, n), computed on the host. LinAlgError for singular ones.

    >>> inv(Tensor([[2.0, 0.0], [0.0, 4.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    return inv_ex(A, check_errors=True).inverse  # type: ignore[no-any-return]
