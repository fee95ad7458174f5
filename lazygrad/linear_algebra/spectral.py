"""Eigenvalues and singular values."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lazygrad.errors import ArgumentError, DTypeError
from lazygrad.linear_algebra.host import Array, T, check_matrices, on_host, svd_of
from lazygrad.linear_algebra.solving import solve
from lazygrad.ops.autocast import autocasting
from lazygrad.ops.core import fail
from lazygrad.ops.function import Function


class Eigh(NamedTuple):
    """What `eigh` gives: A = V diag(L) V^T."""

    eigenvalues: Any
    eigenvectors: Any


class Eig(NamedTuple):
    """What `eig` gives: A V = V diag(L)."""

    eigenvalues: Any
    eigenvectors: Any


class SVD(NamedTuple):
    """What `svd` gives: A = U diag(S) Vh."""

    U: Any
    S: Any
    Vh: Any


def differences(values: Any) -> Any:
    """values[j] - values[i] of the last dimension, (..., n, n), and ones on the diagonal."""
    apart = values.unsqueeze(-2) - values.unsqueeze(-1)
    return apart + diagonal_matrix(values.detach() * 0 + 1)


def diagonal_matrix(values: Any) -> Any:
    """The matrices with these diagonals."""
    n = values.shape[-1]
    return values.unsqueeze(-1).expand(*values.shape, n).tril().triu()


class _Eigh(Function):
    """The gradient is the symmetric part of V (diag(gL) + (V^T gV) / E) V^T with E[i, j] = L[j] - L[i] (Giles,
    Collected matrix derivative results, 2008)."""

    @staticmethod
    def forward(ctx: Any, A: Any, triangle: Any) -> Any:
        L, V = on_host("eigh", lambda a: np.linalg.eigh(a, triangle), A)
        ctx.save_for_backward(L, V)
        ctx.set_materialize_grads(False)
        return L, V

    @staticmethod
    def backward(ctx: Any, gL: Any, gV: Any) -> Any:
        L, V = ctx.saved_tensors
        if gV is None:
            return (V * gL.unsqueeze(-2)).matmul(V.mT), None
        inner = V.mT.matmul(gV) / differences(L)
        inner = inner.tril(-1) + inner.triu(1)
        if gL is not None:
            inner = inner + diagonal_matrix(gL)
        g = V.matmul(inner).matmul(V.mT)
        return (g + g.mT) * 0.5, None


@autocasting
def eigh(A: T, UPLO: str = "L") -> Eigh:
    """The eigenvalues of symmetric matrices (..., n, n), ascending, and their orthonormal eigenvectors, as columns.

    Only the lower triangle is looked at, or with `UPLO` "U" the upper one. A is realized and factorized on the host.
    The gradient by the vectors is infinite where eigenvalues are equal.

    >>> eigh(Tensor([[2.0, 1.0], [1.0, 2.0]])).eigenvalues.round().tolist()
    [1.0, 3.0]
    """
    check_matrices("eigh", A, square=True)
    if not isinstance(UPLO, str) or UPLO.upper() not in ("L", "U"):
        fail(ArgumentError, f"eigh: UPLO is 'L' or 'U', not {UPLO!r}")
    return Eigh(*_Eigh.apply(A, UPLO.upper()))


@autocasting
def eigvalsh(A: T, UPLO: str = "L") -> T:
    """The eigenvalues of symmetric matrices, ascending: those of `eigh`.

    >>> eigvalsh(Tensor([[2.0, 1.0], [1.0, 2.0]])).round().tolist()
    [1.0, 3.0]
    """
    return eigh(A, UPLO).eigenvalues  # type: ignore[no-any-return]


class _Eig(Function):
    """The gradient is V^-T (diag(gL) + (V^T gV - V^T V diag(V^T gV)) / E) V^T, E[i, j] = L[j] - L[i] (Boeddeker et al.,
    On the computation of complex-valued gradients, 2017)."""

    @staticmethod
    def forward(ctx: Any, A: Any) -> Any:
        L, V = on_host("eig", _eig, A)
        ctx.save_for_backward(L, V)
        return L, V

    @staticmethod
    def backward(ctx: Any, gL: Any, gV: Any) -> Any:
        L, V = ctx.saved_tensors
        by_V = V.mT.matmul(gV)
        own = (V * gV).sum(-2)
        inner = (by_V - V.mT.matmul(V) * own.unsqueeze(-2)) / differences(L)
        return solve(V.mT, (inner.tril(-1) + inner.triu(1) + diagonal_matrix(gL)).matmul(V.mT))


def _eig(A: Array) -> tuple[Array, Array]:
    L, V = np.linalg.eig(A)
    if np.iscomplexobj(L):
        fail(DTypeError, f"eig: some eigenvalues of shape {list(A.shape)} are complex numbers, which no tensor holds")
    return L, V


@autocasting
def eig(A: T) -> Eig:
    """The eigenvalues of matrices (..., n, n), and their eigenvectors of length 1, as columns, where all are real.

    DTypeError where some are complex. A is realized and factorized on the host.

    >>> eig(Tensor([[2.0, 0.0], [1.0, 3.0]])).eigenvalues.sum().item()
    5.0
    """
    check_matrices("eig", A, square=True)
    return Eig(*_Eig.apply(A))


@autocasting
def eigvals(A: T) -> T:
    """The eigenvalues of matrices: those of `eig`.

    >>> eigvals(Tensor([[2.0, 0.0], [0.0, 3.0]])).tolist()
    [2.0, 3.0]
    """
    return eig(A).eigenvalues  # type: ignore[no-any-return]


class _SVD(Function):
    """The gradient is Townsend's (Differentiating the singular value decomposition, 2016)."""

    @staticmethod
    def forward(ctx: Any, A: Any, full: bool) -> Any:
        U, S, Vh = on_host("svd", lambda a: svd_of(a, full), A)
        ctx.save_for_backward(U, S, Vh)
        ctx.set_materialize_grads(False)
        return U, S, Vh

    @staticmethod
    def backward(ctx: Any, gU: Any, gS: Any, gVh: Any) -> Any:
        U, S, Vh = ctx.saved_tensors
        m, n, k = U.shape[-2], Vh.shape[-1], S.shape[-1]
        U, Vh = U.narrow(-1, 0, k), Vh.narrow(-2, 0, k)
        gU = None if gU is None else gU.narrow(-1, 0, k)
        gVh = None if gVh is None else gVh.narrow(-2, 0, k)
        if gU is None and gVh is None:
            return (U * gS.unsqueeze(-2)).matmul(Vh), None
        E = differences(S.square())
        inner = diagonal_matrix(S * 0 if gS is None else gS)
        if gU is not None:
            inner = inner + _skew(U.mT.matmul(gU)) / E * S.unsqueeze(-2)
        if gVh is not None:
            inner = inner + _skew(Vh.matmul(gVh.mT)) / E * S.unsqueeze(-1)
        left = U.matmul(inner)
        if gU is not None and m > k:
            left = left + (gU - U.matmul(U.mT.matmul(gU))) / S.unsqueeze(-2)
        g = left.matmul(Vh)
        if gVh is not None and n > k:
            g = g + (U / S.unsqueeze(-2)).matmul(gVh - gVh.matmul(Vh.mT).matmul(Vh))
        return g, None


def _skew(X: Any) -> Any:
    return X - X.mT


@autocasting
def svd(A: T, full_matrices: bool = True, *, driver: str | None = None) -> SVD:
    """U, S and Vh with A = U diag(S) Vh: singular values (..., k), descending, k = min(m, n), and orthonormal vectors,
    the columns of U (..., m, m) and the rows of Vh (..., n, n); of the first k only unless `full_matrices`.

    A is realized and factorized on the host; `driver` is for CUDA in PyTorch, and is refused as there. Gradients by
    vectors are those of the first k, and infinite where singular values are equal.

    >>> svd(Tensor([[3.0, 0.0], [0.0, -4.0]])).S.tolist()
    [4.0, 3.0]
    """
    check_matrices("svd", A)
    if driver is not None:
        fail(ArgumentError, f"svd: driver {driver!r}: LAPACK on the host has no choice; leave it None")
    return SVD(*_SVD.apply(A, full_matrices))


@autocasting
def svdvals(A: T, *, driver: str | None = None) -> T:
    """The singular values of matrices (..., m, n), descending: (..., min(m, n)).

    >>> svdvals(Tensor([[3.0, 0.0], [0.0, -4.0]])).tolist()
    [4.0, 3.0]
    """
    return svd(A, False, driver=driver).S  # type: ignore[no-any-return]
