"""Spellings of other libraries (tinygrad's, NumPy's) where PyTorch has none, and PyTorch's classes of errors."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import lazygrad
from lazygrad import Tensor
from lazygrad.errors import ArgumentError, DTypeError, OperandError
from lazygrad.nn import functional
from lazygrad.settings import settings

VALUES = np.random.default_rng(0).normal(size=(2, 3, 7, 6)).astype(np.float32)


@pytest.fixture(autouse=True)
def _on_numpy() -> Any:
    with settings.override(device="NUMPY"):
        yield


def test_names_of_one_operation() -> None:
    x, y = Tensor([0.25, 0.5, 2.0]), Tensor([1.0, 0.0, 1.0])
    n = Tensor([5, -7, 12])
    pairs: list[tuple[Any, Any]] = [
        (x.swish(), x.silu()),
        (n.mod(3), n.remainder(3)),
        (n.lshift(2), n << 2),
        (n.rshift(Tensor([0, 1, 2])), n >> Tensor([0, 1, 2])),
        (x.sequential([Tensor.relu, lambda t: t + 1]), x.relu() + 1),
        (x.sequential([]), x),
        (y.binary_crossentropy(y, reduction="none"), y.binary_cross_entropy(y, reduction="none")),
        (x.binary_crossentropy_logits(y, pos_weight=x), x.binary_cross_entropy_with_logits(y, pos_weight=x)),
        (x.reshape(1, 3).dot(x), x.reshape(1, 3) @ x),
        (x.dot(x), (x * x).sum()),
        (x.softmax(), x.softmax(-1)),
        (x.log_softmax(), x.log_softmax(-1)),
        (x.isclose(0.5), Tensor([False, True, False])),
        *zip(x.meshgrid(y, indexing="xy"), lazygrad.meshgrid(x, y, indexing="xy")),
    ]
    for ours, wanted in pairs:
        assert ours.dtype is wanted.dtype
        np.testing.assert_array_equal(ours.numpy(), wanted.numpy())


def test_where_on_a_condition() -> None:
    x, is_large = Tensor([1.0, 5.0]), Tensor([False, True])
    assert is_large.where(x, 0).tolist() == [0.0, 5.0]
    assert is_large.where(2, 3).tolist() == [3, 2]
    assert is_large.where(Tensor([1, 2]), Tensor([[3], [4]])).tolist() == [[3, 2], [4, 2]]
    assert Tensor([True, True]).where(is_large, Tensor([False, False])).tolist() == [False, True]  # PyTorch's: kept
    with pytest.raises(OperandError, match="where takes a Tensor"):
        x.where(1, 2)
    with pytest.raises(DTypeError, match="not bool"):
        x.where(x, 2)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
def test_infinities_of_one_sign(dtype: str) -> None:
    x = Tensor([0.0, 1.0] if dtype == "int32" else [math.inf, -math.inf, math.nan, 3.0], dtype=dtype)
    assert x.isinf(detect_negative=False).tolist() == x.isposinf().tolist()
    assert x.isinf(detect_positive=False).tolist() == x.isneginf().tolist()
    assert not x.isinf(False, False).any()


def test_sparse_categorical_crossentropy() -> None:
    logits, classes = VALUES[0], np.array([[0, 5, -1, 2, 2, 1, 0]] * 3)
    for reduction, smoothing in itertools.product(("none", "mean", "sum"), (0.0, 0.3)):
        ours = Tensor(logits).sparse_categorical_crossentropy(Tensor(classes), -1, smoothing, reduction)
        theirs = torch.nn.functional.cross_entropy(
            torch.tensor(logits).movedim(-1, 1), torch.tensor(classes), ignore_index=-1,
            label_smoothing=smoothing, reduction=reduction,
        )  # fmt: skip
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5)


def test_gradient_by_targets() -> None:
    x, y = (Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    z = (x * x * y).sum()
    assert [g.tolist() for g in z.gradient(x, y)] == [[2.0, 8.0], [1.0, 4.0]]
    assert [g.tolist() for g in (x * y).gradient(x, gradient=Tensor([3.0, 0.0]))] == [[3.0, 0.0]]
    assert [g.tolist() for g in x.sum().gradient(y, materialize_grads=True)] == [[0.0, 0.0]]
    assert x.grad is None
    with pytest.raises(ArgumentError, match="give no targets"):
        z.gradient(x, dim=0)


# ---- paddings of every side ----


def _sides(n: int, rng: np.random.Generator, most: int) -> tuple[int, ...]:
    return tuple(int(p) for p in rng.integers(0, most + 1, 2 * n))


@pytest.mark.parametrize("device", ["NUMPY", "OPENCL"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_paddings_of_every_side(n: int, device: str) -> None:
    """Two numbers for each dimension are those of `pad`: convolutions and pools of what is padded before them."""
    rng = np.random.default_rng(n)
    data = rng.normal(size=(2, 4, *(9, 7, 5)[:n])).astype(np.float32)
    weight = rng.normal(size=(6, 2, *(3, 2, 2)[:n])).astype(np.float32)
    x, w = Tensor(data, device=device), Tensor(weight, device=device)
    t = torch.tensor(data)
    conv, max_pool, avg_pool = (
        getattr(torch.nn.functional, f"{name}{n}d") for name in ("conv", "max_pool", "avg_pool")
    )
    pairs = []
    for _ in range(2 if device == "OPENCL" else 5):
        p, q = _sides(n, rng, 3), _sides(n, rng, 1)
        padded = torch.nn.functional.pad(t, p)
        low, zeros = torch.nn.functional.pad(t, q, value=-math.inf), torch.nn.functional.pad(t, q)
        inside = avg_pool(torch.nn.functional.pad(torch.ones_like(t), q), 3, 2)
        pairs += [
            (getattr(x, f"conv{n}d")(w, padding=p, groups=2), conv(padded, torch.tensor(weight), groups=2)),
            (getattr(x, f"max_pool{n}d")(3, 2, padding=q), max_pool(low, 3, 2)),
            (getattr(x, f"avg_pool{n}d")(3, 2, padding=q), avg_pool(zeros, 3, 2)),
            (getattr(x, f"avg_pool{n}d")(3, 2, padding=q, count_include_pad=False), avg_pool(zeros, 3, 2) / inside),
        ]
    Tensor.realize(*(ours for ours, _ in pairs))
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=2e-5, atol=1e-5)


def test_paddings_that_are_none() -> None:
    x, w = Tensor(VALUES), Tensor.ones(1, 3, 2, 2)
    for padding in ((1, 2, 3), (1, 2, 3, 4, 5), ()):
        with pytest.raises(ArgumentError, match="one number for each of 2 dimensions"):
            x.conv2d(w, padding=padding)
    with pytest.raises(ArgumentError, match="more than half of the window"):
        x.max_pool2d(2, padding=(0, 0, 0, 2))


# ---- bytes of images ----


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_bytes_at_other_sizes(mode: str) -> None:
    """PyTorch mixes uint8 images with weights of 16 bits, and rounds after each dimension."""
    data = np.random.default_rng(1).integers(0, 256, (2, 3, 17, 13), dtype=np.uint8)
    for size, options in itertools.product(
        [(5, 5), (31, 20), (17, 40)], [{}, {"align_corners": True}, {"antialias": True}]
    ):
        ours = functional.interpolate(Tensor(data), size=size, mode=mode, **options).numpy()
        theirs = torch.nn.functional.interpolate(torch.tensor(data), size=size, mode=mode, **options).numpy()
        assert ours.dtype == np.uint8
        wrong = ours.astype(int) - theirs
        assert not wrong.any(), (size, options)


# ---- errors ----

WRONG: dict[str, Callable[[Any, Any], Any]] = {
    "shapes": lambda m, x: x + m.ones(3, 5),
    "reshape": lambda m, x: x.reshape(5, 5),
    "two open sizes": lambda m, x: x.reshape(-1, -1),
    "matmul": lambda m, x: x @ m.ones(7, 2),
    "permute": lambda m, x: x.permute(0, 0),
    "dim": lambda m, x: x.sum(9),
    "gather": lambda m, x: m.gather(x, 0, m.full((1, 1), 99)),
    "topk": lambda m, x: x.topk(99),
    "no limits": lambda m, x: x.clamp(),
    "float index": lambda m, x: x[m.ones(2)],
    "integer mean": lambda m, x: m.arange(3).mean(),
    "stack": lambda m, x: m.stack([x, m.ones(1)]),
    "negative power": lambda m, x: m.arange(3) ** -1,
    "mode": lambda m, x: m.nn.functional.pad(x, (1, 1), mode="typo"),
    "resampled": lambda m, x: m.nn.functional.interpolate(x[None, None], size=2, mode="typo"),
    "reduction": lambda m, x: m.nn.functional.mse_loss(x, x, reduction="typo"),
    "beyond bytes": lambda m, x: m.full((2,), 300, dtype=m.uint8 if m is torch else lazygrad.dtypes.uint8) + 300,
    "no gradient": lambda m, x: x.sum().backward(),
    "dropout": lambda m, x: m.nn.functional.dropout(x, 2.0),
}


def _value(result: Any) -> None:
    (result[0] if isinstance(result, tuple) else result).numpy()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WRONG)
def test_errors_are_caught_as_in_pytorch(name: str) -> None:
    """Whoever catches PyTorch's class catches ours."""
    with pytest.raises(Exception) as theirs:
        WRONG[name](torch, torch.ones(2, 3))
    with pytest.raises(lazygrad.errors.LazygradError) as ours:
        _value(WRONG[name](lazygrad, Tensor.ones(2, 3)))
    assert isinstance(ours.value, theirs.type), (theirs.type, theirs.value)


def test_shape_errors_are_those_of_numpy_too() -> None:
    with pytest.raises(ValueError, match="reshape"):
        Tensor.ones(3).reshape(2)
