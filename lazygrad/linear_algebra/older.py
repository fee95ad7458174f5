"""What PyTorch has under older names, beside `torch.linalg`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lazygrad.errors import ShapeError
from lazygrad.linear_algebra import pseudo, spectral, triangles
from lazygrad.linear_algebra.host import T, check_floats, check_matrices, eye_like, on_host
from lazygrad.linear_algebra.powers import reflections
from lazygrad.linear_algebra.solving import need_regular
from lazygrad.linear_algebra.substitution import order_of
from lazygrad.linear_algebra.triangles import lu_parts, permutation, rows_in_order, solve_triangular
from lazygrad.ops.autocast import autocasting
from lazygrad.ops.core import Core, fail
from lazygrad.ops.function import Function
from lazygrad.ops.operands import not_a_tensor


class OlderSVD(NamedTuple):
    """What the older `svd` gives: A = U diag(S) V^T."""

    U: Any
    S: Any
    V: Any


class LUFactor(NamedTuple):
    """What `lu_factor` gives: L and U in one matrix, and which row was exchanged with each, from 1."""

    LU: Any
    pivots: Any


class LUFactorEx(NamedTuple):
    """What `lu_factor_ex` gives."""

    LU: Any
    pivots: Any
    info: Any


class Geqrf(NamedTuple):
    """What `geqrf` gives."""

    a: Any
    tau: Any


class TriangularSolve(NamedTuple):
    """What `triangular_solve` gives."""

    solution: Any
    cloned_coefficient: Any


@autocasting
def cholesky(input: T, upper: bool = False) -> T:
    """`linalg.cholesky`.

    >>> cholesky(Tensor([[4.0, 2.0], [2.0, 5.0]])).tolist()
    [[2.0, 0.0], [1.0, 2.0]]
    """
    return triangles.cholesky(input, upper=upper)


class _CholeskySolve(Function):
    """X with L L^T X = B. The gradient by B is that of `solve`; by L, (gA + gA^T) L with gA = -gB X^T, for all of L."""

    @staticmethod
    def forward(ctx: Any, B: Any, L: Any) -> Any:
        ctx.save_for_backward(L, X := _solved_twice(B, L))
        return X

    @staticmethod
    def backward(ctx: Any, gX: Any) -> Any:
        (L, X) = ctx.saved_tensors
        gB = _CholeskySolve.apply(gX, L)
        gA = gB.matmul(X.mT)
        return gB, -(gA + gA.mT).matmul(L)


def _solved_twice(B: Any, L: Any) -> Any:
    return solve_triangular(L.mT, solve_triangular(L, B, upper=False), upper=True)


@autocasting
def cholesky_solve(B: T, L: T, upper: bool = False) -> T:
    """X with A X = B, where A = L L^T (or, if `upper`, L^T L).

    >>> cholesky_solve(Tensor([[4.0], [4.0]]), Tensor([[2.0, 0.0], [0.0, 1.0]])).tolist()
    [[1.0], [4.0]]
    """
    check_matrices("cholesky_solve", B, L)
    check_matrices("cholesky_solve", L, square=True)
    if L.shape[-1] != B.shape[-2]:
        fail(ShapeError, f"cholesky_solve: shapes {list(B.shape)} and {list(L.shape)} do not fit")
    return _CholeskySolve.apply(B, L.mT if upper else L)  # type: ignore[no-any-return]


@autocasting
def cholesky_inverse(L: T, upper: bool = False) -> T:
    """The inverse of A = L L^T (or, if `upper`, of L^T L).

    >>> cholesky_inverse(Tensor([[2.0, 0.0], [0.0, 1.0]])).tolist()
    [[0.25, 0.0], [0.0, 1.0]]
    """
    check_matrices("cholesky_inverse", L, square=True)
    return cholesky_solve(eye_like(L), L, upper)


@autocasting
def pinverse(input: T, rcond: float = 1e-15) -> T:
    """`linalg.pinv` with `rtol=rcond`.

    >>> pinverse(Tensor([[2.0], [0.0]])).tolist()
    [[0.5, 0.0]]
    """
    return pseudo.pinv(input, rtol=rcond)


@autocasting
def svd(input: T, some: bool = True, compute_uv: bool = True) -> OlderSVD:
    """U, S and V with A = U diag(S) V^T, as `linalg.svd`, which gives the transpose of V. With `some` only the first
    min(m, n) columns; without `compute_uv` U and V are zeros.

    >>> svd(Tensor([[3.0, 0.0], [0.0, -4.0]])).S.tolist()
    [4.0, 3.0]
    """
    if compute_uv:
        U, S, Vh = spectral.svd(input, not some)
        return OlderSVD(U, S, Vh.mT)
    check_matrices("svd", input)
    m, n = input.shape[-2:]
    zeros = [input._new(eye_like(input, int(k)).node).mul(0).expand(*input.shape[:-2], k, k) for k in (m, n)]
    return OlderSVD(zeros[0], spectral.svdvals(input), zeros[1])


@autocasting
def qr(input: T, some: bool = True) -> triangles.QR:
    """`linalg.qr`, "reduced" or, unless `some`, "complete".

    >>> qr(Tensor([[3.0], [4.0]])).R.abs().tolist()
    [[5.0]]
    """
    return triangles.qr(input, "reduced" if some else "complete")


# ---- L and U in one matrix ----


def lu_factor_ex(A: T, *, pivot: bool = True, check_errors: bool = False) -> LUFactorEx:
    """`lu_factor` and, for each matrix, which element of the diagonal of U is zero (0: none), int32.

    >>> lu_factor_ex(Tensor([[1.0, 1.0], [1.0, 1.0]])).info.item()
    2
    """
    L, U, _, _, pivots = lu_parts(A, pivot)
    m, n, k = A.shape[-2], A.shape[-1], pivots.shape[-1]
    left, right = L.tril(-1).pad((0, n - k)), U.pad((0, 0, 0, m - k))
    zero = ((U.narrow(-1, 0, k) * eye_like(A, k)).sum(-1) == 0) if k else None
    info = pivots.sum(-1) * 0 if zero is None else zero.any(-1)._choose(zero.int().argmax(-1) + 1, 0)
    if check_errors:
        need_regular("lu_factor", A, info)
    return LUFactorEx(left + right, pivots, info.int())


def lu_factor(A: T, *, pivot: bool = True) -> LUFactor:
    """L (without its ones) and U of `linalg.lu` in one matrix (..., m, n), and for each row the one that it was
    exchanged with in turn, from 1, int32: what `lu_solve` takes.

    >>> LU, pivots = lu_factor(Tensor([[1.0, 2.0], [4.0, 4.0]]))
    >>> LU.tolist(), pivots.tolist()
    ([[4.0, 4.0], [0.25, 1.0]], [2, 2])
    """
    return LUFactor(*lu_factor_ex(A, pivot=pivot)[:2])


def lu(A: T, pivot: bool = True, get_infos: bool = False) -> Any:
    """`linalg.lu_factor`, with `get_infos` the infos of `linalg.lu_factor_ex`, too.

    >>> lu(Tensor([[1.0, 2.0], [4.0, 4.0]]))[1].tolist()
    [2, 2]
    """
    found = lu_factor_ex(A, pivot=pivot)
    return tuple(found) if get_infos else LUFactor(*found[:2])


def lu_unpack(LU_data: T, LU_pivots: Any, unpack_data: bool = True, unpack_pivots: bool = True) -> triangles.LU:
    """P, L and U of `linalg.lu` from what `lu_factor` gives; empty vectors instead of what is not wanted.

    >>> lu_unpack(*lu_factor(Tensor([[1.0, 2.0], [4.0, 4.0]]))).P.tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    check_matrices("lu_unpack", LU_data)
    empty = LU_data.detach().flatten().narrow(0, 0, 0)
    L = U = P = empty
    if unpack_data:
        k = min(LU_data.shape[-2], LU_data.shape[-1])  # type: ignore[type-var]
        L = LU_data.narrow(-1, 0, k).tril(-1) + eye_like(LU_data).narrow(-1, 0, k)
        U = LU_data.narrow(-2, 0, k).triu()
    if unpack_pivots:
        P = permutation(_order(LU_data, LU_pivots, inverse=True), LU_data)
    return triangles.LU(P, L, U)


def _order(LU: Any, pivots: Any, inverse: bool) -> Any:
    """The rows of A that those of L U are, or where each row of A is among those."""
    if not isinstance(pivots, Core):
        not_a_tensor("lu_solve", pivots)
    rows = int(LU.shape[-2])
    order = order_of(pivots.numpy().astype(np.int64) - 1, rows)  # type: ignore[attr-defined]
    return LU._from_host(np.argsort(order, -1) if inverse else order)


def lu_solve_factored(LU: T, pivots: Any, B: T, *, left: bool = True, adjoint: bool = False) -> T:
    """X with A X = B (unless `left` X A = B; if `adjoint` with the transpose of A), from the factors of `lu_factor`.

    >>> LU, pivots = lu_factor(Tensor([[1.0, 2.0], [4.0, 4.0]]))
    >>> lu_solve_factored(LU, pivots, Tensor([[3.0], [8.0]])).tolist()
    [[1.0], [1.0]]
    """
    check_matrices("lu_solve", LU, square=True)
    check_matrices("lu_solve", LU, B)
    if not left:
        return lu_solve_factored(LU, pivots, B.mT, adjoint=not adjoint).mT
    if LU.shape[-1] != B.shape[-2]:
        fail(ShapeError, f"lu_solve: shapes {list(LU.shape)} and {list(B.shape)} do not fit")
    if adjoint:
        half = solve_triangular(LU.mT, B, upper=False)
        whole = solve_triangular(LU.mT, half, upper=True, unitriangular=True)
        return rows_in_order(whole, _order(LU, pivots, inverse=True))  # type: ignore[no-any-return]
    turned = rows_in_order(B, _order(LU, pivots, inverse=False))
    return solve_triangular(LU, solve_triangular(LU, turned, upper=False, unitriangular=True), upper=True)  # type: ignore[no-any-return]


@autocasting
def lu_solve(b: T, LU_data: T, LU_pivots: Any) -> T:
    """`linalg.lu_solve`, with its arguments in another order.

    >>> lu_solve(Tensor([[3.0], [8.0]]), *lu_factor(Tensor([[1.0, 2.0], [4.0, 4.0]]))).tolist()
    [[1.0], [1.0]]
    """
    return lu_solve_factored(LU_data, LU_pivots, b)


@autocasting
def triangular_solve(
    b: T, A: T, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> TriangularSolve:
    """X with A X = b for a triangular matrix A, or its transpose, and A: see `linalg.solve_triangular`.

    >>> triangular_solve(Tensor([[2.0], [5.0]]), Tensor([[2.0, 0.0], [1.0, 4.0]]), upper=False).solution.tolist()
    [[1.0], [1.0]]
    """
    check_matrices("triangular_solve", b, A)
    turned, side = (A.mT, not upper) if transpose else (A, upper)
    return TriangularSolve(solve_triangular(turned, b, upper=side, unitriangular=unitriangular), A)


# ---- reflections ----


@autocasting
def geqrf(input: T) -> Geqrf:
    """The QR factorization as LAPACK stores it: R above, below the vectors of reflections, and their factors tau.

    It has no gradient; `linalg.qr` has one. Computed on the host.

    >>> geqrf(Tensor([[3.0], [4.0]])).tau.round(decimals=2).tolist()
    [1.600000023841858]
    """
    check_matrices("geqrf", input)
    h, tau = on_host("geqrf", lambda a: np.linalg.qr(a, "raw"), input)
    return Geqrf(h.mT, tau)


@autocasting
def ormqr(input: T, tau: T, other: T, left: bool = True, transpose: bool = False) -> T:
    """Q @ other, or unless `left` other @ Q, Q being the whole product of the reflections of `geqrf`, or its transpose.

    >>> ormqr(Tensor([[1.0], [1.0]]), Tensor([1.0]), Tensor([[1.0], [0.0]])).tolist()
    [[0.0], [-1.0]]
    """
    check_floats("ormqr", input, tau, other)
    Q = reflections(input, tau)
    turned = Q.mT if transpose else Q
    return turned.matmul(other) if left else other.matmul(turned)
