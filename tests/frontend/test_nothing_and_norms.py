"""Shapes with nothing in them, scalars, and norms of every order, against PyTorch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lazygrad import Tensor, dtypes
from lazygrad.errors import BoundsError, ShapeError

ORDERS = (0, 0.5, 1, 1.5, 2, 3, math.inf, -math.inf, -0.5, -1, -2, -3)
VALUES = (
    [[3.0, -2.0, 0.5], [-1.0, 4.0, 4.0]],
    [[0.0, 0.0, 0.0], [0.0, 3.0, -3.0]],
    [[1.0, math.inf, 2.0], [5.0, 1.0, 0.0]],
)


@pytest.mark.parametrize("order", ORDERS)
def test_norms(order: float, device: str) -> None:
    found = []
    for values in VALUES if device == "NUMPY" else VALUES[:1]:
        dims = ((1, False), (None, False), (0, True), ((0, 1), True), (-1, True))
        for dim, keepdim in dims if device == "NUMPY" else dims[:1]:
            x, t = Tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
            mine = x.norm(order, dim, keepdim)
            theirs = torch.linalg.vector_norm(t, order, dim, keepdim)
            found.append((mine, theirs.detach(), f"{order} {values} {dim}"))
            if order and math.isfinite(sum(map(sum, values))):
                mine.sum().backward()
                theirs.sum().backward()
                assert x.grad is not None
                found.append((x.grad, t.grad, f"gradient of {order} {values} {dim}"))
    Tensor.realize(*(mine for mine, _, _ in found))
    for mine, theirs, what in found:
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), 2e-6, 1e-7, err_msg=what, strict=True)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_norms_of_halves_are_computed_in_float32(kind: str) -> None:
    x = Tensor(np.full(1000, 100.0), getattr(dtypes, kind))
    for order in ORDERS:
        mine = x.norm(order)
        theirs = torch.full((1000,), 100.0, dtype=getattr(torch, kind)).norm(order)
        assert mine.dtype is x.dtype
        np.testing.assert_allclose(mine.cast(dtypes.float32).item(), theirs.float().item(), 1e-2)


def test_norms_of_nothing() -> None:
    nothing, theirs = Tensor(np.zeros((2, 0))), torch.zeros(2, 0, dtype=torch.float64)
    for order in ORDERS:
        if 0 <= order < math.inf:
            assert nothing.norm(order, 1).tolist() == theirs.norm(order, 1).tolist() == [0, 0]
        else:
            with pytest.raises(ShapeError, match="no elements"):
                nothing.norm(order, 1)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(("shape", "dim"), [((5, 0), 1), ((5, 0), 0), ((0,), 0), ((0, 3), 0), ((2, 0, 3), -1)])
def test_softmax_over_nothing(name: str, shape: tuple[int, ...], dim: int, device: str) -> None:
    x = Tensor(np.zeros(shape, "float32"), requires_grad=True)
    y = getattr(x, name)(dim)
    assert (y.numpy().shape, y.dtype) == (shape, dtypes.float32)
    y.sum().backward()
    assert x.grad is None or x.grad.numpy().shape == shape


@pytest.mark.parametrize(("shape", "dim"), [((5, 0), 1), ((5, 0), 0), ((0,), 0), ((0, 3), 0), ((2, 0, 3), (1, 2))])
@pytest.mark.parametrize("keepdim", [False, True])
def test_logsumexp_over_nothing(shape: tuple[int, ...], dim: int, keepdim: bool, device: str) -> None:
    mine = Tensor(np.zeros(shape, "float32")).logsumexp(dim, keepdim)
    np.testing.assert_array_equal(mine.numpy(), torch.zeros(shape).logsumexp(dim, keepdim).numpy(), strict=True)


def test_iterating_over_nothing() -> None:
    for shape in ((0, 3), (0,), (0, 0), (2, 0)):
        x, t = Tensor(np.zeros(shape, "float32")), torch.zeros(shape)
        assert [r.shape for r in x] == [tuple(r.shape) for r in t]
        for dim in range(len(shape)):
            assert [r.shape for r in x.unbind(dim)] == [tuple(r.shape) for r in t.unbind(dim)]
    assert len(Tensor(np.zeros((0, 3)))) == 0
    with pytest.raises(BoundsError):
        Tensor(np.zeros((0, 3))).unbind(2)


def test_masked_select_of_scalars_and_with_broadcasting() -> None:
    yes, no = torch.tensor(True), torch.tensor(False)
    for x, mask in (
        (torch.tensor(5.0), yes),
        (torch.tensor(5.0), no),
        (torch.tensor(5.0), torch.tensor([True, False, True])),
        (torch.tensor([1.0, 2.0]), yes),
        (torch.tensor([1.0, 2.0]), no),
        (torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[True], [False], [True]])),
        (torch.tensor([[1.0], [2.0]]), torch.tensor([True, False, True])),
        (torch.zeros(0), torch.zeros(0, dtype=torch.bool)),
    ):
        leaf, theirs = Tensor(x.numpy(), requires_grad=True), x.clone().requires_grad_()
        mine, expected = leaf.masked_select(Tensor(mask.numpy())), theirs.masked_select(mask)
        np.testing.assert_array_equal(mine.numpy(), expected.detach().numpy(), strict=True)
        (mine * 3).sum().backward()
        (expected * 3).sum().backward()
        assert leaf.grad is not None
        np.testing.assert_array_equal(leaf.grad.numpy(), theirs.grad.numpy(), strict=True)


def test_masks_have_the_shape_of_what_they_mask() -> None:
    x = Tensor.zeros(2, 3, 4)
    for index in (
        (None, np.array([True, False, False])),
        (..., Tensor([True, False])),
        ([True, False, True],),
        np.zeros((2, 4), bool),
        (0, np.zeros((3, 3), bool)),
        np.zeros((1, 3, 4), bool),
    ):
        with pytest.raises(BoundsError, match="mask"):
            x[index]
        with pytest.raises(BoundsError, match="mask"):
            x[index] = 1.0
    with pytest.raises(BoundsError, match="4 indices for the 3 dimensions"):
        x[np.zeros((2, 3), bool), 0, 0]


def test_numbers_from_tensors_are_numbers() -> None:
    """A tensor without dimensions counts as a number does: it neither joins arrays nor comes between them."""
    x, t = Tensor(np.arange(120.0).reshape(2, 3, 4, 5)), torch.arange(120.0, dtype=torch.float64).reshape(2, 3, 4, 5)
    one, two = Tensor(1), torch.tensor(1)
    for mine, theirs in (
        ((one, slice(None), [1, 2]), (two, slice(None), [1, 2])),
        (([0, 1], one, [1, 2]), ([0, 1], two, [1, 2])),
        (([0, 1], slice(None), one), ([0, 1], slice(None), two)),
        ((slice(None), [0, 1], slice(None), one), (slice(None), [0, 1], slice(None), two)),
        ((one, ..., [1, 2]), (two, ..., [1, 2])),
        ((one, one, one, one), (two, two, two, two)),
        ((None, one, [0, 2]), (None, two, [0, 2])),
    ):
        np.testing.assert_array_equal(x[mine].numpy(), t[theirs].numpy(), strict=True)


def test_tuples_and_ranges_inside_an_index_are_arrays() -> None:
    x = np.arange(12).reshape(3, 4)
    assert Tensor(x)[(0, 2), 1:].tolist() == x[[0, 2], 1:].tolist()
    assert Tensor(x)[:, range(1, 3)].tolist() == x[:, 1:3].tolist()
    assert Tensor(x)[range(2)].tolist() == x[:2].tolist()
    assert Tensor(x)[[Tensor(0), Tensor(2)]].tolist() == x[[0, 2]].tolist()
    assert Tensor(x)[[]].shape == (0, 4)
    for huge in (2**70, -(2**70)):
        with pytest.raises(BoundsError, match="not inside"):
            Tensor(x)[[0, huge]]
