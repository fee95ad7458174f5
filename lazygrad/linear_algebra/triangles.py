"""Factorizations into triangles: Cholesky's, LU and QR; and systems of triangular matrices."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lazygrad.engine.run import read
from lazygrad.errors import ArgumentError, GradientError, LinAlgError, ShapeError
from lazygrad.ir.node import const
from lazygrad.linear_algebra.host import Array, T, check_matrices, each_matrix, on_host
from lazygrad.linear_algebra.substitution import factored, order_of, solved_triangle
from lazygrad.ops.autocast import autocasting
from lazygrad.ops.core import fail
from lazygrad.ops.function import Function
from lazygrad.ops.joining import cat


class CholeskyEx(NamedTuple):
    """What `cholesky_ex` gives."""

    L: Any
    info: Any


class LU(NamedTuple):
    """What `lu` gives: A = P L U."""

    P: Any
    L: Any
    U: Any


class QR(NamedTuple):
    """What `qr` gives: A = Q R."""

    Q: Any
    R: Any


# ---- triangular systems ----


class _SolveTriangular(Function):
    """X with A X = B. By A the gradient is -(gB X^T), and by B it is gB, the solution of A^T gB = gX."""

    @staticmethod
    def forward(ctx: Any, A: Any, B: Any, upper: bool, unit: bool) -> Any:
        (X,) = on_host("solve_triangular", lambda a, b: (solved_triangle(a, b, upper, unit),), A, B)
        ctx.save_for_backward(A, X)
        ctx.upper, ctx.unit = upper, unit
        return X

    @staticmethod
    def backward(ctx: Any, gX: Any) -> Any:
        A, X = ctx.saved_tensors
        gB = _SolveTriangular.apply(A.mT, gX, not ctx.upper, ctx.unit)
        gA = -gB.matmul(X.mT)
        return gA.triu(int(ctx.unit)) if ctx.upper else gA.tril(-int(ctx.unit)), gB, None, None


def solve_triangular(A: T, B: T, *, upper: bool, left: bool = True, unitriangular: bool = False) -> T:
    """X with A X = B (or, unless `left`, X A = B), where A (..., n, n) is lower or `upper` triangular.

    Only that triangle of A is looked at; with `unitriangular` its diagonal is taken for ones. B is (..., n, k) and
    batches broadcast. Both are realized, and the system is solved on the host. Zeros on the diagonal give inf or nan.

    >>> A, B = Tensor([[2.0, 0.0], [1.0, 4.0]]), Tensor([[2.0], [5.0]])
    >>> solve_triangular(A, B, upper=False).tolist()
    [[1.0], [1.0]]
    """
    check_matrices("solve_triangular", A, B)
    check_matrices("solve_triangular", A, square=True)
    if A.shape[-1] != B.shape[-2 if left else -1]:
        fail(ShapeError, f"solve_triangular: shapes {list(A.shape)} and {list(B.shape)} do not fit")
    if not left:
        return solve_triangular(A.mT, B.mT, upper=not upper, unitriangular=unitriangular).mT
    return _SolveTriangular.apply(A, B, upper, unitriangular)  # type: ignore[no-any-return]


# ---- Cholesky ----


class _Cholesky(Function):
    """L with L L^T = A, and how far it went. The gradient is Murray's (Differentiation of the Cholesky decomposition,
    2016): L^-T (phi + phi^T) L^-1 / 2, phi being the lower triangle of L^T gL with half its diagonal."""

    @staticmethod
    def forward(ctx: Any, A: Any) -> Any:
        L, info = on_host("cholesky", _cholesky, A)
        ctx.save_for_backward(L)
        ctx.mark_non_differentiable(info)
        return L, info

    @staticmethod
    def backward(ctx: Any, gL: Any, _: Any) -> Any:
        (L,) = ctx.saved_tensors
        phi = L.mT.matmul(gL)
        half = _SolveTriangular.apply(L.mT, phi.tril() + phi.tril(-1).mT, True, False)
        return solve_triangular(L, half, upper=False, left=False) * 0.5


def _cholesky(A: Array) -> tuple[Array, Array]:
    try:
        return np.linalg.cholesky(A), np.zeros(A.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        return each_matrix(_cholesky_as_far_as_possible, A)


def _cholesky_as_far_as_possible(A: Array) -> tuple[Array, int]:
    """The factor of one matrix, and the order of the first leading part that is not positive definite; 0: none."""
    low, high = 0, len(A) + 1
    while high - low > 1:  # the leading parts are positive definite up to one of them
        k = (low + high) // 2
        try:
            np.linalg.cholesky(A[:k, :k])
            low = k
        except np.linalg.LinAlgError:
            high = k
    L = np.tril(A)
    L[:low, :low] = np.linalg.cholesky(A[:low, :low])
    return L, 0 if low == len(A) else low + 1


@autocasting
def cholesky_ex(A: T, *, upper: bool = False, check_errors: bool = False) -> CholeskyEx:
    """`cholesky` and, for each matrix, the order of its first leading part that is not positive definite (0: none),
    int32, instead of an error unless `check_errors`.

    >>> cholesky_ex(Tensor([[1.0, 0.0], [0.0, -1.0]])).info.item()
    2
    """
    check_matrices("cholesky", A, square=True)
    L, info = _Cholesky.apply(A.mT if upper else A)
    if check_errors and (found := read(info.node, info.device)).any():
        k = int(found[found != 0].flat[0])
        fail(LinAlgError, f"cholesky: the leading part of order {k} is not positive definite; shape {list(A.shape)}")
    return CholeskyEx(L.mT if upper else L, info)


@autocasting
def cholesky(A: T, *, upper: bool = False) -> T:
    """The lower triangle L with L L^T = A, for positive definite A (..., n, n); or, if `upper`, U with U^T U = A.

    Only that triangle of A is looked at. A is realized and factorized on the host. LinAlgError where it is not positive
    definite.

    >>> cholesky(Tensor([[4.0, 2.0], [2.0, 5.0]])).tolist()
    [[2.0, 0.0], [1.0, 2.0]]
    """
    return cholesky_ex(A, upper=upper, check_errors=True).L  # type: ignore[no-any-return]


# ---- LU ----


class _LU(Function):
    """The order of rows, L and U: A[order] = L U. With phi = tril(L^T gL, -1) + triu(gU U^T), the gradient of a square
    A[order] is L^-T phi U^-T; what a tall or wide one has more enters phi through L2 = B2 U^-1 or U2 = L^-1 B2."""

    @staticmethod
    def forward(ctx: Any, A: Any, pivot: bool) -> Any:
        def compute(a: Array) -> tuple[Array, ...]:
            packed, pivots = factored(a, pivot)
            k = pivots.shape[-1]
            L = np.tril(packed[..., :k], -1) + np.eye(a.shape[-2], k, dtype=a.dtype)
            order = order_of(pivots, a.shape[-2])
            return L, np.triu(packed[..., :k, :]), order, np.argsort(order, -1), (pivots + 1).astype(np.int32)

        L, U, order, inverse, pivots = on_host("lu", compute, A)
        ctx.save_for_backward(L, U, inverse)
        return L, U, order, inverse, pivots

    @staticmethod
    def backward(ctx: Any, gL: Any, gU: Any, *_: Any) -> Any:
        L, U, inverse = ctx.saved_tensors
        k = min(L.shape[-2], U.shape[-1])
        L1, U1 = L.narrow(-2, 0, k), U.narrow(-1, 0, k)
        L2, gL2 = L.narrow(-2, k, L.shape[-2] - k), gL.narrow(-2, k, L.shape[-2] - k)
        U2, gU2 = U.narrow(-1, k, U.shape[-1] - k), gU.narrow(-1, k, U.shape[-1] - k)
        strict = L1.mT.matmul(gL.narrow(-2, 0, k)) - gU2.matmul(U2.mT)
        phi = strict.tril(-1) + (gU.narrow(-1, 0, k).matmul(U1.mT) - L2.mT.matmul(gL2)).triu()
        corner = solve_triangular(U1.mT, phi, upper=False, left=False)
        wide = cat([corner, gU2], -1) if U.shape[-1] > k else corner
        g = solve_triangular(L1.mT, wide, upper=True, unitriangular=True)
        if L.shape[-2] > k:
            g = cat([g, solve_triangular(U1.mT, gL2, upper=False, left=False)], -2)
        return rows_in_order(g, inverse), None


def rows_in_order(A: Any, order: Any) -> Any:
    """The rows of every matrix that `order`, (..., m), names."""
    return A.take_along_dim(order.unsqueeze(-1), -2)


def lu_parts(A: Any, pivot: bool = True) -> tuple[Any, ...]:
    """L, U, the order of rows with A[order] = L U, its inverse, and the exchanges that give it, from 1."""
    check_matrices("lu", A)
    return _LU.apply(A, pivot)  # type: ignore[no-any-return]


def permutation(inverse: Any, like: Any) -> Any:
    """The matrix P, with P X the rows of X in the order `inverse`."""
    n = inverse.shape[-1]
    return inverse.one_hot(n).cast(like.dtype)


def lu(A: T, *, pivot: bool = True) -> LU:
    """P, L and U with A = P L U: for A (..., m, n) and k = min(m, n) a permutation (..., m, m), a unit lower triangle
    (..., m, k) and an upper triangle (..., k, n). A is realized and factorized on the host.

    >>> P, L, U = lu(Tensor([[1.0, 2.0], [4.0, 4.0]]))
    >>> P.tolist(), L.tolist(), U.tolist()
    ([[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.25, 1.0]], [[4.0, 4.0], [0.0, 1.0]])
    """
    L, U, _, inverse, _ = lu_parts(A, pivot)
    return LU(permutation(inverse, A) if pivot else A._new(const(0, A.dtype, (0,))), L, U)


# ---- QR ----


class _QR(Function):
    """Q and R of a matrix, (m, k) and (k, n) unless complete. For m >= n the gradient is (gQ + Q sym(triu(M))) R^-T
    with M = gR R^T - Q^T gQ, sym(X) = X + X^T with the diagonal once (Walter and Lehmann, Algorithmic differentiation
    of linear algebra functions, 2018). A wide A = Q [R1 R2] adds A2 gR2^T to gQ; its right part has Q gR2.
    """

    @staticmethod
    def forward(ctx: Any, A: Any, mode: str) -> Any:
        Q, R = on_host("qr", lambda a: _qr(a, mode), A)
        ctx.save_for_backward(A, Q, R)
        ctx.mode = mode
        return Q, R

    @staticmethod
    def backward(ctx: Any, gQ: Any, gR: Any) -> Any:
        A, Q, R = ctx.saved_tensors
        m, n = A.shape[-2:]
        if ctx.mode == "r" or (ctx.mode == "complete" and m > n):
            fail(GradientError, f"qr: mode {ctx.mode!r} of a matrix {[m, n]} has no gradient; use mode 'reduced'")
        if m >= n:
            return _qr_gradient(Q, R, gQ, gR), None
        R1, gR1, gR2 = R.narrow(-1, 0, m), gR.narrow(-1, 0, m), gR.narrow(-1, m, n - m)
        first = _qr_gradient(Q, R1, gQ + A.narrow(-1, m, n - m).matmul(gR2.mT), gR1)
        return cat([first, Q.matmul(gR2)], -1), None


def _qr(A: Array, mode: str) -> tuple[Array, Array]:
    if mode == "r":
        return np.zeros(0, A.dtype), np.asarray(np.linalg.qr(A, "r"))
    found = np.linalg.qr(A, "reduced" if mode == "reduced" else "complete")
    return found[0], found[1]


def _qr_gradient(Q: Any, R: Any, gQ: Any, gR: Any) -> Any:
    M = (gR.matmul(R.mT) - Q.mT.matmul(gQ)).triu()
    return solve_triangular(R.mT, gQ + Q.matmul(M + M.triu(1).mT), upper=False, left=False)


@autocasting
def qr(A: T, mode: str = "reduced") -> QR:
    """Q with orthonormal columns and an upper triangle R with A = Q R, for A (..., m, n) and k = min(m, n).

    `mode`: "reduced", Q (..., m, k) and R (..., k, n); "complete", (..., m, m) and (..., m, n); or "r", no Q. A is
    realized and factorized on the host.

    >>> Q, R = qr(Tensor([[3.0, 1.0], [4.0, 2.0]]))
    >>> (Q @ R).round(decimals=4).tolist()
    [[3.0, 1.0], [4.0, 2.0]]
    """
    check_matrices("qr", A)
    if mode not in ("reduced", "complete", "r"):
        fail(ArgumentError, f"qr: mode is 'reduced', 'complete' or 'r', not {mode!r}")
    return QR(*_QR.apply(A, mode))
