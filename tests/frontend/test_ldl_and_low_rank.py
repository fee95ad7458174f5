"""LDL^T of symmetric matrices and singular values of matrices of low rank, beyond PyTorch's samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

import lazygrad
from lazygrad import Tensor, linalg
from lazygrad.errors import ArgumentError, DTypeError, LinAlgError, ShapeError
from lazygrad.settings import settings


@pytest.fixture(autouse=True)
def _on_numpy() -> Iterator[None]:
    with settings.override(device="NUMPY"):
        yield


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 12])
def test_ldl_is_lapacks(n: int) -> None:
    """Definite and indefinite, with zeros on the diagonal, so that blocks of two are taken."""
    draw = np.random.default_rng(n)
    A = draw.normal(size=(4, 3, n, n))
    A = A + A.swapaxes(-1, -2)
    A[1] *= 1 - np.eye(n)
    A[2] = A[2] @ A[2].swapaxes(-1, -2) + np.eye(n)
    A[3] = np.round(A[3])
    B = draw.normal(size=(3, n, 2))
    ours, theirs = linalg.ldl_factor_ex(Tensor(A)), torch.linalg.ldl_factor_ex(torch.tensor(A))
    for x, y in zip(ours, theirs):
        assert str(x.dtype) == str(y.dtype).removeprefix("torch.")
        np.testing.assert_allclose(x.numpy(), y.numpy(), atol=1e-12, rtol=1e-9)
    if not ours.info.numpy().any():
        X = linalg.ldl_solve(ours.LD, ours.pivots, Tensor(B))
        np.testing.assert_allclose(A @ X.numpy(), np.broadcast_to(B, (4, 3, n, 2)), atol=1e-9)


def test_ldl_of_what_has_none() -> None:
    singular = Tensor([[0.0, 0.0], [0.0, 1.0]])
    assert linalg.ldl_factor_ex(singular).info.item() == 1
    with pytest.raises(LinAlgError, match="zero at place 1"):
        linalg.ldl_factor(singular)
    with pytest.raises(ShapeError, match="square"):
        linalg.ldl_factor(Tensor.ones(2, 3))
    LD, pivots = linalg.ldl_factor(Tensor([[2.0]]))
    with pytest.raises(DTypeError, match="pivots are integers"):
        linalg.ldl_solve(LD, pivots.float(), Tensor([[1.0]]))
    with pytest.raises(ShapeError, match="do not fit"):
        linalg.ldl_solve(LD, pivots, Tensor([[1.0], [2.0]]))


@pytest.mark.parametrize("shape", [(7, 5), (5, 7), (2, 3, 6, 6)])
def test_low_rank_is_found(shape: tuple[int, ...]) -> None:
    draw = np.random.default_rng(0)
    left, right = draw.normal(size=(*shape[:-1], 3)), draw.normal(size=(*shape[:-2], 3, shape[-1]))
    A = left @ right
    U, S, V = lazygrad.svd_lowrank(Tensor(A), q=4)
    np.testing.assert_allclose(S.numpy()[..., :3], np.linalg.svd(A, compute_uv=False)[..., :3], rtol=1e-9)
    np.testing.assert_allclose((U * S.unsqueeze(-2)).matmul(V.mT).numpy(), A, atol=1e-9)
    U, S, V = lazygrad.pca_lowrank(Tensor(A), q=3)
    less = A - A.mean(-2, keepdims=True)
    np.testing.assert_allclose((U * S.unsqueeze(-2)).matmul(V.mT).numpy(), less, atol=1e-9)
    theirs = torch.pca_lowrank(torch.tensor(A), q=3)
    assert [tuple(x.shape) for x in (U, S, V)] == [tuple(x.shape) for x in theirs]
    M = draw.normal(size=shape)
    _, S, _ = lazygrad.svd_lowrank(Tensor(A + M), q=3, M=Tensor(M))
    np.testing.assert_allclose(S.numpy(), np.linalg.svd(A, compute_uv=False)[..., :3], rtol=1e-9)


def test_low_rank_gradients_and_errors() -> None:
    A = np.random.default_rng(0).normal(size=(6, 4))
    x, t = Tensor(A, requires_grad=True), torch.tensor(A, requires_grad=True)
    lazygrad.svd_lowrank(x, q=4)[1].sum().backward()
    torch.linalg.svdvals(t).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), atol=1e-9)
    with pytest.raises(ArgumentError, match="q is 9"):
        lazygrad.svd_lowrank(x, q=9)
    with pytest.raises(ShapeError, match="q is 9"):
        lazygrad.pca_lowrank(x, q=9)
    with pytest.raises(ArgumentError, match="niter"):
        lazygrad.pca_lowrank(x, niter=-1)
