"""Determinants."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from lazygrad.engine.run import read
from lazygrad.linear_algebra.host import Array, T, check_matrices, eye_like, on_host
from lazygrad.linear_algebra.solving import solve, solve_ex
from lazygrad.linear_algebra.spectral import svd
from lazygrad.ops.function import Function


class SlogDet(NamedTuple):
    """What `slogdet` gives: det A = sign * exp(logabsdet)."""

    sign: Any
    logabsdet: Any


class _Det(Function):
    """The gradient is that of Jacobi, the cofactors: det(A) A^-T, and where A is nearly singular those of its singular
    values, det(U Vh) U diag(the product of the other singular values) Vh."""

    @staticmethod
    def forward(ctx: Any, A: Any) -> Any:
        det, regular = on_host("det", _det, A)
        ctx.save_for_backward(A, det)
        ctx.regular = bool(read(regular.node, regular.device).all())
        ctx.mark_non_differentiable(regular)
        return det, regular

    @staticmethod
    def backward(ctx: Any, g: Any, _: Any) -> Any:
        A, det = ctx.saved_tensors
        if ctx.regular:
            scale = (g * det).unsqueeze(-1).unsqueeze(-1)
            return solve(A.mT, eye_like(A)) * scale
        U, S, Vh = svd(A)
        n = A.shape[-1]
        one = eye_like(A)
        others = (S.unsqueeze(-2) * (1 - one) + one).prod(-1)
        turned = U.detach().matmul(Vh.detach())
        sign = _Det.apply(turned)[0] if n else det
        return (U * others.unsqueeze(-2)).matmul(Vh) * (g * sign.round()).unsqueeze(-1).unsqueeze(-1)


def _det(A: Array) -> tuple[Array, Array]:
    det = np.asarray(np.linalg.det(A))
    if not A.size or not np.isfinite(A).all():
        return det, np.ones(det.shape, np.bool_)
    S = np.linalg.svd(A, compute_uv=False)
    return det, S[..., -1] > math.sqrt(np.finfo(A.dtype).eps) * S[..., 0]


def det(A: T) -> T:
    """The determinants of matrices (..., n, n), computed on the host.

    >>> det(Tensor([[1.0, 2.0], [3.0, 4.0]])).item()
    -2.0
    """
    check_matrices("det", A, square=True)
    if A.shape[-1] == 1:
        return A.squeeze(-1).squeeze(-1)
    return _Det.apply(A)[0]  # type: ignore[no-any-return]


class _SlogDet(Function):
    """The gradient by the logarithm is A^-T."""

    @staticmethod
    def forward(ctx: Any, A: Any) -> Any:
        sign, size = on_host("slogdet", _slogdet, A)
        ctx.save_for_backward(A)
        ctx.mark_non_differentiable(sign)
        return sign, size

    @staticmethod
    def backward(ctx: Any, _: Any, g: Any) -> Any:
        (A,) = ctx.saved_tensors
        if A.shape[-1] == 1:  # also where it is 0
            return A.reciprocal() * g.unsqueeze(-1).unsqueeze(-1)
        return solve_ex(A.mT, eye_like(A)).result * g.unsqueeze(-1).unsqueeze(-1)


def _slogdet(A: Array) -> tuple[Array, Array]:
    sign, size = np.linalg.slogdet(A)
    return np.where(np.isnan(size), 0, sign).astype(A.dtype), np.asarray(size)


def slogdet(A: T) -> SlogDet:
    """The sign of the determinants of matrices (..., n, n), -1, 0 or 1, and the logarithms of their sizes.

    >>> [t.item() for t in slogdet(Tensor([[0.0, 1.0], [1.0, 0.0]]))]
    [-1.0, 0.0]
    """
    check_matrices("slogdet", A, square=True)
    return SlogDet(*_SlogDet.apply(A))


def logdet(A: T) -> T:
    """The logarithms of determinants: nan for negative ones, -inf for 0.

    >>> logdet(Tensor([[1.0, 0.0], [0.0, 1.0]])).item()
    0.0
    """
    sign, size = slogdet(A)
    return (sign < 0)._choose(math.nan, size)  # type: ignore[no-any-return]
