"""Pseudoinverses, least squares, ranks and condition numbers: what depends on which singular values count as zero."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.linear_algebra.host import Array, T, check_floats, check_matrices, on_host, svd_of
from lazygrad.linear_algebra.norms import matrix_norm
from lazygrad.linear_algebra.solving import inv_ex
from lazygrad.linear_algebra.spectral import eigh, svdvals
from lazygrad.ops.autocast import autocasting
from lazygrad.ops.core import Core, fail
from lazygrad.ops.function import Function

Tolerance = Any  # a number, or a tensor of one for each matrix


class LeastSquares(NamedTuple):
    """What `lstsq` gives."""

    solution: Any
    residuals: Any
    rank: Any
    singular_values: Any


def _bound(A: Any, largest: Any, atol: Tolerance, rtol: Tolerance) -> Any:
    """Up to where singular values count as zero, (...): the larger one of `atol` and `rtol` times the largest."""
    if rtol is None:
        default = np.finfo(A.dtype.storage).eps * max(A.shape[-2:])
        if atol is None:
            rtol = default
        else:
            positive = largest._beside(atol).cast(largest.dtype) > 0
            rtol = positive._choose(0.0, positive._new(positive.node).cast(largest.dtype) * 0 + default)
    bound = largest * rtol if not isinstance(rtol, Core) else largest * largest._beside(rtol)
    return bound if atol is None else bound.maximum(largest._beside(atol).cast(bound.dtype))


def _sizes(A: Any, hermitian: bool) -> Any:
    """Singular values without a gradient, those of a symmetric matrix by its eigenvalues."""
    return eigh(A.detach()).eigenvalues.abs() if hermitian else svdvals(A.detach())


def _largest(A: Any, S: Any) -> Any:
    return S.amax(-1) if S.shape[-1] else A.sum((-2, -1))


# ---- pseudoinverse ----


class _Pinv(Function):
    """The gradient is Golub and Pereyra's (The differentiation of pseudo-inverses, 1973), with P the pseudoinverse:
    -P^T g P^T + (I - A P) g^T P P^T + P^T P g^T (I - P A)."""

    @staticmethod
    def forward(ctx: Any, A: Any, bound: Any, hermitian: bool) -> Any:
        (P,) = on_host("pinv", _pinv_hermitian if hermitian else _pinv, A, bound)
        ctx.save_for_backward(A, P)
        return P

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        A, P = ctx.saved_tensors
        left, right = g.mT.matmul(P), P.mT.matmul(P)
        first = left.matmul(P.mT)
        second = right.matmul(g.mT)
        whole = first - A.matmul(P.matmul(first)) + second - second.matmul(P).matmul(A)
        return whole - P.mT.matmul(g).matmul(P.mT), None, None


def _pinv(A: Array, bound: Array) -> tuple[Array]:
    U, S, Vh = svd_of(A, False)
    kept = bound[..., None] < S
    inverse = np.where(kept, 1 / np.where(kept, S, 1), 0).astype(A.dtype)
    return (np.swapaxes(Vh, -1, -2) * inverse[..., None, :] @ np.swapaxes(U, -1, -2),)


def _pinv_hermitian(A: Array, bound: Array) -> tuple[Array]:
    L, V = np.linalg.eigh(A)
    kept = np.abs(L) > bound[..., None]
    inverse = np.where(kept, 1 / np.where(kept, L, 1), 0).astype(A.dtype)
    return (V * inverse[..., None, :] @ np.swapaxes(V, -1, -2),)


def pinv(A: T, *, atol: Tolerance = None, rtol: Tolerance = None, hermitian: bool = False) -> T:
    """The pseudoinverses of matrices (..., m, n), (..., n, m).

    Singular values (with `hermitian`, the sizes of eigenvalues) up to the larger one of `atol` and `rtol` times the
    largest count as zero. `rtol` is max(m, n) times the dtype's epsilon unless given, or 0 where `atol` is.

    >>> pinv(Tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 0.0]])).tolist()
    [[0.5, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    check_matrices("pinv", A, square=hermitian)
    if 0 in A.shape:
        return A.mT * 0
    S = _sizes(A, hermitian)
    bound = _bound(A, _largest(A, S), atol, rtol).detach()
    return _Pinv.apply(A, bound, hermitian)  # type: ignore[no-any-return]


# ---- least squares ----

DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


@autocasting
def lstsq(A: T, B: T, rcond: float | None = None, *, driver: str | None = None) -> LeastSquares:
    """X of the least norm with the least |A X - B|^2, for A (..., m, n) and B (..., m, k), or vectors B (..., m).

    Also, as PyTorch has them by the name of LAPACK's `driver` ("gelsy" unless given): the squares of the norms of the
    columns of A X - B (where m > n, the rank is full, and not "gelsy"; else empty), the rank (not "gels"), and the
    singular values ("gelsd" and "gelss"). Here all compute the same, by the pseudoinverse, on the host. Singular values
    up to `rcond` times the largest count as zero, max(m, n) times the epsilon unless given.

    >>> A = Tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> lstsq(A, Tensor([[1.0], [3.0], [5.0]])).solution.round(decimals=3).tolist()
    [[1.0], [2.0]]
    """
    check_matrices("lstsq", A)
    check_floats("lstsq", A, B)
    driver = "gelsy" if driver is None else driver
    if driver not in DRIVERS:
        fail(ArgumentError, f"lstsq: driver is one of {', '.join(DRIVERS)}, not {driver!r}")
    vectors = B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])
    right = B.unsqueeze(-1) if vectors else B
    if right.ndim < 2 or right.shape[-2] != A.shape[-2]:
        fail(ShapeError, f"lstsq: shapes {list(A.shape)} and {list(B.shape)} do not fit")
    X = pinv(A, rtol=rcond).matmul(right)
    S = svdvals(A.detach())
    rank = (_bound(A, _largest(A, S), None, rcond).unsqueeze(-1) < S).sum(-1)
    nothing = A._new(S.node).flatten().narrow(0, 0, 0)
    residuals = nothing
    m, n = int(A.shape[-2]), int(A.shape[-1])
    if driver != "gelsy" and m > n and bool((rank == n).all()):
        residuals = (A.matmul(X) - right).square().sum(-2)
    return LeastSquares(
        X.squeeze(-1) if vectors else X,
        residuals,
        nothing.cast("int64") if driver == "gels" else rank,
        S if driver in ("gelsd", "gelss") else nothing,
    )


# ---- ranks and conditions ----


@autocasting
def matrix_rank(
    A: T, tol: Tolerance = None, hermitian: bool = False, *, atol: Tolerance = None, rtol: Tolerance = None
) -> T:
    """How many singular values of matrices (..., m, n) do not count as zero, int64: see `pinv`. `tol` is `atol` with an
    `rtol` of 0.

    >>> matrix_rank(Tensor([[1.0, 1.0], [1.0, 1.0]])).item()
    1
    """
    check_matrices("matrix_rank", A, square=hermitian)
    S = _sizes(A, hermitian)
    if tol is not None:
        atol, rtol = tol, 0.0
    return (_bound(A, _largest(A, S), atol, rtol).unsqueeze(-1) < S).sum(-1)  # type: ignore[no-any-return]


@autocasting
def cond(A: T, p: Any = None) -> T:
    """The condition numbers of matrices: the norm of order `p` (2 if None) of A times that of its inverse.

    Orders are those of `matrix_norm`. For 2 and -2 it is a quotient of singular values, also of matrices that are not
    square; a singular matrix has an infinite one.

    >>> cond(Tensor([[2.0, 0.0], [0.0, 4.0]])).item()
    2.0
    """
    check_matrices("cond", A)
    if p is None or p in (2, -2):
        S = svdvals(A)
        if not S.shape[-1]:
            return _largest(A, S)  # type: ignore[no-any-return]
        first, last = S.narrow(-1, 0, 1).squeeze(-1), S.narrow(-1, -1, 1).squeeze(-1)
        return last / first if p == -2 else first / last
    check_matrices("cond", A, square=True)
    if 0 in A.shape:
        return A.sum((-2, -1))
    X, info = inv_ex(A)
    size = matrix_norm(A, p) * matrix_norm(X, p)
    return info.ne(0)._choose(math.inf, size)  # type: ignore[no-any-return]
