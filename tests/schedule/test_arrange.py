"""Products that only a permutation reads are stored in its order; nothing else moves, and no number changes."""

from __future__ import annotations

import numpy as np
import pytest

from lazygrad import Tensor
from lazygrad.ir.op import Op
from lazygrad.schedule.kernel import schedule

RNG = np.random.default_rng(7)
A, B = RNG.standard_normal((2, 3, 5, 7)), RNG.standard_normal((2, 3, 7, 4))
PRODUCT = A @ B  # (2, 3, 5, 4)


def product() -> Tensor:
    return Tensor(A, device="NUMPY") @ Tensor(B, device="NUMPY")


def moves(*tensors: Tensor) -> tuple[int, list[tuple[object, ...]]]:
    """The number of kernels, and the shapes of the products that they store."""
    kernels = schedule([t.node for t in tensors]).kernels
    products = [m.node.shape for k in kernels for m in k.group.members if m.node.op is Op.REDUCE]
    return len(kernels), products


@pytest.mark.parametrize("axes", [(0, 2, 1, 3), (0, 3, 1, 2), (3, 2, 1, 0), (1, 0, 2, 3)])
def test_a_permuted_product_is_computed_in_its_new_order(axes: tuple[int, ...]) -> None:
    wanted = PRODUCT.transpose(axes)
    heads = wanted.reshape(wanted.shape[0], wanted.shape[1], -1)
    weight = RNG.standard_normal((heads.shape[-1], 6))
    y = product().permute(*axes).reshape(*heads.shape) @ Tensor(weight, device="NUMPY")
    assert moves(y) == (2, [wanted.shape, (*heads.shape[:2], 6)])
    np.testing.assert_allclose(y.numpy(), heads @ weight, rtol=1e-12)


def test_what_follows_a_product_moves_with_it() -> None:
    x, row = product(), RNG.standard_normal(4)
    y = ((x.float() * 2 + Tensor(row, device="NUMPY")).exp().permute(0, 2, 1, 3)).contiguous()
    assert moves(y) == (1, [(2, 5, 3, 4)])
    wanted = np.exp(PRODUCT.astype(np.float32) * 2 + row).transpose(0, 2, 1, 3)
    np.testing.assert_allclose(y.numpy(), wanted, rtol=1e-5)


def test_a_product_with_another_reader_keeps_its_order() -> None:
    x = product()
    y, z = x.permute(0, 2, 1, 3).contiguous(), x.sum(-1)
    assert moves(y, z)[1][0] == PRODUCT.shape
    np.testing.assert_allclose(y.numpy(), PRODUCT.transpose(0, 2, 1, 3), rtol=1e-12)
    np.testing.assert_allclose(z.numpy(), PRODUCT.sum(-1), rtol=1e-12)


def test_a_product_that_is_a_result_keeps_its_order() -> None:
    x = product()
    y = x.permute(0, 2, 1, 3).contiguous()
    assert moves(x, y)[1] == [PRODUCT.shape]
    np.testing.assert_allclose(y.numpy(), PRODUCT.transpose(0, 2, 1, 3), rtol=1e-12)
    np.testing.assert_allclose(x.numpy(), PRODUCT, rtol=1e-12)


def test_sums_of_rows_keep_their_order() -> None:
    x = Tensor(A, device="NUMPY")
    y = (x * x).sum(-1).permute(2, 1, 0).contiguous()
    assert moves(y)[1] == [(2, 3, 5)]
    np.testing.assert_allclose(y.numpy(), (A * A).sum(-1).transpose(2, 1, 0), rtol=1e-12)
