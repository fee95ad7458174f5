"""Random indices, read and written, compared with NumPy's."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor, no_grad
from lazygrad.errors import BoundsError, GradientError, ShapeError


def random_index(rng: random.Random, shape: tuple[int, ...], arrays: bool) -> tuple[Any, ...]:
    """Basic items, and with `arrays` one group of neighbouring integer arrays (NumPy and PyTorch agree on those)."""
    items: list[Any] = []
    array_at = rng.randrange(len(shape)) if arrays else -1
    together = rng.choice([1, 1, 2])
    inner = tuple(rng.randint(1, 3) for _ in range(rng.randint(1, 2)))
    for axis, n in enumerate(shape):
        if arrays and array_at <= axis < array_at + together:
            items.append(np.array([rng.randrange(-n, n) for _ in range(int(np.prod(inner)))]).reshape(inner))
        elif not arrays and rng.random() < 0.25:
            items.append(rng.randrange(-n, n))
        else:
            ends = [None, *range(-n - 1, n + 2)]
            items.append(slice(rng.choice(ends), rng.choice(ends), rng.choice([None, 1, 2, 3, -1, -2])))
        if not arrays and rng.random() < 0.15:
            items.append(None)
    if not arrays and rng.random() < 0.3:
        cut = rng.randrange(len(items) + 1)
        items = [*items[:cut], ..., *items[cut:]]
    return tuple(items)


@pytest.mark.parametrize("arrays", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_reading(seed: int, arrays: bool) -> None:
    rng = random.Random(seed)
    shape = tuple(rng.randint(1, 5) for _ in range(rng.randint(1, 4)))
    base = np.arange(int(np.prod(shape))).reshape(shape)
    index = random_index(rng, shape, arrays)
    np.testing.assert_array_equal(Tensor(base)[index].numpy(), base[index], err_msg=str((shape, index)))


@pytest.mark.parametrize("arrays", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_writing(seed: int, arrays: bool) -> None:
    rng = random.Random(1000 + seed)
    shape = tuple(rng.randint(1, 5) for _ in range(rng.randint(1, 4)))
    base = -np.arange(float(np.prod(shape))).reshape(shape)
    index = random_index(rng, shape, arrays)
    values = np.random.default_rng(seed).uniform(1, 2, base[index].shape)
    if arrays:  # an element named twice takes one of its values
        values[:] = 1.5
    tensor = Tensor(base)
    for value in (7.0, values):
        expected = base.copy()
        expected[index] = value
        tensor[index] = value if isinstance(value, float) else Tensor(value)
        np.testing.assert_array_equal(tensor.numpy(), expected, err_msg=str((shape, index)))


@pytest.mark.parametrize("seed", range(10))
def test_gradients_land_in_what_was_read(seed: int) -> None:
    rng = random.Random(2000 + seed)
    shape = tuple(rng.randint(2, 5) for _ in range(rng.randint(1, 3)))
    index = random_index(rng, shape, arrays=True)
    base = np.random.default_rng(seed).normal(size=shape)
    weights = np.random.default_rng(seed).normal(size=base[index].shape)
    x = Tensor(base, requires_grad=True)
    (x[index] * Tensor(weights)).sum().backward()
    expected = np.zeros(shape)
    np.add.at(expected, index, weights)
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), expected, atol=1e-12)


def test_masks() -> None:
    x, t = Tensor.arange(12).reshape(3, 4), torch.arange(12).reshape(3, 4)
    rows = [True, False, True]
    assert x[x > 5].tolist() == t[t > 5].tolist()
    assert x[rows].tolist() == t[rows].tolist()
    assert x[:, [True, False, True, False]].tolist() == t[:, [True, False, True, False]].tolist()
    assert x[np.array(rows), 1:].tolist() == t[np.array(rows), 1:].tolist()
    assert x[x > 50].shape == (0,)
    x[x > 5] = 0
    t[t > 5] = 0
    assert x.tolist() == t.tolist()
    x[rows] = Tensor([9, 8, 7, 6])
    t[rows] = torch.tensor([9, 8, 7, 6])
    assert x.tolist() == t.tolist()
    x[x == 9] = Tensor([1, 2])
    t[t == 9] = torch.tensor([1, 2])
    assert x.tolist() == t.tolist()


def test_tensors_as_indices_are_not_read_back() -> None:
    x, i = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True), Tensor([1, 1, -2])
    y = x[i]
    y.sum().backward()
    assert y.tolist() == [[3, 4], [3, 4], [1, 2]]
    assert x.grad is not None
    assert x.grad.tolist() == [[1, 1], [2, 2]]
    assert Tensor([1, 2, 3])[Tensor(2)].item() == 3


def test_writing_keeps_dtype_and_broadcasts() -> None:
    x = Tensor([[1, 2, 3], [4, 5, 6]])
    x[:, 1] = 2.9
    x[1] = Tensor([[7.0, 8.0, 9.0]])
    assert x.tolist() == [[1, 2, 3], [7, 8, 9]]
    x[0, ::2] = [5, 6]
    assert x.tolist() == [[5, 2, 6], [7, 8, 9]]
    x[...] = 0
    assert x.tolist() == [[0, 0, 0], [0, 0, 0]]
    with pytest.raises(ShapeError, match="does not fit"):
        x[0] = Tensor([1, 2])
    with pytest.raises(BoundsError, match="index 5"):
        x[5] = 1


def test_written_values_get_gradients_and_overwritten_ones_do_not() -> None:
    a, b = Tensor([1.0, 2.0, 3.0], requires_grad=True), Tensor([10.0], requires_grad=True)
    x = a * 2
    x[1] = b
    x[[2, 0]] = x[[0, 2]] * 3
    x.sum().backward()
    assert a.grad is not None
    assert b.grad is not None
    assert (a.grad.tolist(), b.grad.tolist()) == ([6, 0, 6], [1])


def test_leaves_are_written_only_without_gradient() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GradientError, match="no_grad"):
        x[0] = 5.0
    with no_grad():
        x[0] = 5.0
    (x * x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [10, 4]


def test_a_value_computed_from_a_view_stays() -> None:
    x = Tensor([1, 2, 3])
    y = x[1:] * 1
    x[1] = 9
    assert (x.tolist(), y.tolist()) == ([1, 9, 3], [2, 3])


def test_the_order_of_reads_and_writes_is_kept(device: str) -> None:
    x = Tensor([1.0, 2.0, 3.0], device=device).realize()
    before = x * 10
    x[0] = 5.0
    between = x * 10
    x += 1
    assert before.tolist() == [10, 20, 30]
    assert between.tolist() == [50, 20, 30]
    assert x.tolist() == [6, 3, 4]
