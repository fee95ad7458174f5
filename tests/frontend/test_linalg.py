"""Linear algebra beyond PyTorch's samples: large and odd sizes, singular matrices, higher gradients, and `jit`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import lazygrad
from lazygrad import Tensor, dtypes, jit, linalg
from lazygrad.errors import JitError, LinAlgError
from lazygrad.linear_algebra.substitution import factored, order_of, solved_triangle

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "shape", [(1, 1), (8, 8), (50, 50), (2, 90, 31), (3, 31, 90), (0, 4, 4), (5, 0), (0, 5)], ids=str
)
def test_halving_finds_the_factors_of_any_size(shape: tuple[int, ...]) -> None:
    A = RNG.standard_normal(shape)
    packed, pivots = factored(A)
    k = min(shape[-2:])
    L = np.tril(packed[..., :k], -1) + np.eye(shape[-2], k)
    rows = np.take_along_axis(A, order_of(pivots, shape[-2])[..., None], -2)
    np.testing.assert_allclose(L @ np.triu(packed[..., :k, :]), rows, atol=1e-12)
    if A.size:
        LU, theirs = torch.linalg.lu_factor(torch.tensor(A))
        np.testing.assert_array_equal(pivots + 1, theirs.numpy())
        np.testing.assert_allclose(packed, LU.numpy(), atol=1e-11)


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("n", [1, 24, 25, 60, 101])
def test_halving_solves_triangles_of_any_size(n: int, upper: bool, unit: bool) -> None:
    A, B = RNG.standard_normal((2, n, n)) / n + np.eye(n), RNG.standard_normal((2, n, 3))
    got = solved_triangle(A, B, upper, unit)
    want = torch.linalg.solve_triangular(torch.tensor(A), torch.tensor(B), upper=upper, unitriangular=unit)
    np.testing.assert_allclose(got, want.numpy(), rtol=1e-10, atol=1e-12)


def test_zeros_on_a_diagonal_give_infinities() -> None:
    A = Tensor([[1.0, 0.0], [1.0, 0.0]], device="NUMPY")
    assert linalg.solve_triangular(A, Tensor([[1.0], [2.0]], device="NUMPY"), upper=False).tolist() == [[1.0], [np.inf]]


def test_one_singular_matrix_of_a_batch_leaves_the_others() -> None:
    A = RNG.standard_normal((3, 4, 4))
    A[1, 2] = A[1, 0]
    X, info = linalg.inv_ex(Tensor(A, device="NUMPY"))
    assert (info.numpy() > 0).tolist() == [False, True, False]
    np.testing.assert_allclose(X.numpy()[::2], np.linalg.inv(A[::2]), rtol=1e-10)
    L, info = linalg.cholesky_ex(Tensor(np.stack([np.eye(4), np.diag([1.0, 1, -1, 1])]), device="NUMPY"))
    assert info.tolist() == [0, 3]
    np.testing.assert_array_equal(L.numpy()[0], np.eye(4))
    with pytest.raises(LinAlgError, match="singular"):
        linalg.solve(Tensor(A, device="NUMPY"), Tensor(A, device="NUMPY"))


SECOND = {
    "det": lambda m, x: m.linalg.det(x),
    "inv": lambda m, x: m.linalg.inv(x).sum(),
    "solve": lambda m, x: (m.linalg.solve(x, x.mT @ x) * x).sum(),
    "slogdet": lambda m, x: m.linalg.slogdet(x)[1],
    "cholesky": lambda m, x: m.linalg.cholesky(x @ x.mT).sum(),
    "eigvalsh": lambda m, x: m.linalg.eigvalsh(x + x.mT).square().sum(),
    "svdvals": lambda m, x: (m.linalg.svdvals(x) ** 3).sum(),
    "qr": lambda m, x: m.linalg.qr(x)[1].square().sum() + m.linalg.qr(x)[0].sum(),
    "lu": lambda m, x: m.linalg.lu(x)[2].square().sum(),
    "pinv": lambda m, x: m.linalg.pinv(x).square().sum(),
    "matrix_exp": lambda m, x: m.linalg.matrix_exp(x / 4).square().sum(),
}


@pytest.mark.parametrize("name", SECOND)
def test_gradients_are_differentiated_again(name: str) -> None:
    given = RNG.standard_normal((4, 4)) + 3 * np.eye(4)
    weights = RNG.standard_normal((4, 4))
    x, t = Tensor(given, requires_grad=True, device="NUMPY"), torch.tensor(given, requires_grad=True)
    w = Tensor(weights, device="NUMPY")
    first = lazygrad.grad(lambda v: (lazygrad.grad(lambda u: SECOND[name](lazygrad, u))(v) * w).sum())
    (slope,) = torch.autograd.grad(SECOND[name](torch, t), t, create_graph=True)
    (want,) = torch.autograd.grad((slope * torch.tensor(weights)).sum(), t)
    np.testing.assert_allclose(first(x).numpy(), want.numpy(), rtol=1e-7, atol=1e-7)


def test_factorizations_are_refused_under_jit_and_products_are_not() -> None:
    x = Tensor(RNG.standard_normal((3, 3)))
    traced = jit(linalg.inv)
    traced(x)
    with pytest.raises(JitError, match="inv computes on the host"):
        traced(x)
    power = jit(lambda t: linalg.matrix_power(t, 5))
    for _ in range(3):
        np.testing.assert_allclose(power(x).numpy(), np.linalg.matrix_power(x.numpy(), 5), rtol=1e-10)


def test_exponentials_of_large_and_of_tiny_norms(device: str) -> None:
    for scale in (0.0, 1e-9, 0.7, 30.0):
        given = RNG.standard_normal((2, 5, 5)) * scale
        got = linalg.matrix_exp(Tensor(given, dtype=dtypes.float64, device=device)).numpy()
        want = torch.linalg.matrix_exp(torch.tensor(given)).numpy()
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9 * np.abs(want).max())


def test_results_are_on_the_device_of_their_input(device: str) -> None:
    x = Tensor(RNG.standard_normal((3, 3)).astype(np.float32), device=device)
    for result in (*linalg.svd(x), *linalg.lu(x), linalg.inv(x), linalg.det(x), linalg.pinv(x), *linalg.lstsq(x, x)):
        assert result.device == device
