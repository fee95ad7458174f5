"""Singular values of matrices of low rank, by a few random directions: N. Halko, P. G. Martinsson and J. A. Tropp,
"Finding structure with randomness" (SIAM Review 2011), algorithms 4.4 and 5.1.
"""

from __future__ import annotations

from typing import Any

from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.linear_algebra.host import T, check_matrices
from lazygrad.linear_algebra.spectral import svd
from lazygrad.linear_algebra.triangles import qr
from lazygrad.ops.arguments import steps
from lazygrad.ops.autocast import autocasting
from lazygrad.ops.core import fail


@autocasting
def svd_lowrank(A: T, q: int | None = 6, niter: int | None = 2, M: Any = None) -> tuple[T, T, T]:
    """(U, S, V) with about U diag(S) V^T = A (less M, if given), for A (..., m, n) of a rank of about `q` or less.

    `niter` products with A and its transpose make up for singular values that fall slowly. Directions are drawn at
    random.

    >>> x = Tensor([[1.0, 2.0, 3.0]])
    >>> U, S, V = svd_lowrank(x.mT @ x, q=1)
    >>> [round(s, 3) for s in S.tolist()]
    [14.0]
    """
    check_matrices("svd_lowrank", A)
    A = A if M is None else A - M
    m, n = (int(size) for size in A.shape[-2:])
    q, turns = 6 if q is None else q, steps("svd_lowrank", "niter", 2 if niter is None else niter)
    if not 0 <= q <= min(m, n):
        fail(ArgumentError, f"svd_lowrank: q is {q}; it is from 0 to the lesser of {m} and {n}")
    if m < n:
        U, S, V = svd_lowrank(A.mT, q, niter)
        return V, S, U
    kind: Any = type(A)
    directions = kind.randn(n, q, dtype=A.dtype, device=A.device)
    Q = qr(A @ directions).Q
    for _ in range(turns):
        Q = qr(A @ qr(A.mT @ Q).Q).Q
    U, S, Vh = svd(Q.mT @ A, full_matrices=False)
    return Q @ U, S, Vh.mT


@autocasting
def pca_lowrank(A: T, q: int | None = None, center: bool = True, niter: int = 2) -> tuple[T, T, T]:
    """`svd_lowrank` of A less the mean of its rows (unless `center` is false): the columns of V are the directions in
    which rows differ most. q is the lesser of 6 and the sizes unless given.

    >>> U, S, V = pca_lowrank(Tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]), q=1)
    >>> [round(s, 3) for s in S.tolist()]
    [2.0]
    """
    check_matrices("pca_lowrank", A)
    least = min(int(size) for size in A.shape[-2:])
    q = min(6, least) if q is None else q
    if not 0 <= q <= least:
        fail(ShapeError, f"pca_lowrank: q is {q}; it is from 0 to the lesser size of {list(A.shape)}")
    if niter < 0:
        fail(ArgumentError, f"pca_lowrank: niter is {niter}, less than 0")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)
