"""Initial values against PyTorch's: those that are certain, the statistics of random ones, generators, older names."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Generator, Tensor, manual_seed, nn
from lazygrad.errors import ArgumentError, OperandError, ShapeError
from lazygrad.nn import init

NAMES = [n for n in dir(torch.nn.init) if n.endswith("_") and not n.startswith("_")]


@pytest.mark.parametrize("name", NAMES)
def test_arguments_as_pytorch(name: str) -> None:
    ours, theirs = (inspect.signature(getattr(m, name)).parameters for m in (init, torch.nn.init))
    assert [(n, p.default) for n, p in ours.items()] == [(n, p.default) for n, p in theirs.items()]


@pytest.mark.parametrize(
    "name", ["linear", "conv2d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
)
def test_gains(name: str) -> None:
    for param in (None, 0.3, 2):
        assert init.calculate_gain(name, param) == torch.nn.init.calculate_gain(name, param)


@pytest.mark.parametrize("bounds", [(0, 1, -2, 2), (1, 2, 0, 1.5), (0, 1, 3, 4), (0, 0.1, 0.9, 5), (0, 1, -40, -6)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_truncated_normal(bounds: tuple[float, ...], dtype: str) -> None:
    """Mean and deviation of an integral over the density; the density's tails included."""
    mean, std, low, high = bounds
    manual_seed(1)
    values = init.trunc_normal_(Tensor.zeros(20000, dtype=dtype), *bounds).numpy().astype("float64")
    x = np.linspace(low, high, 400001)
    density = np.exp(-0.5 * ((x - mean) / std) ** 2 + 0.5 * min(((np.clip(mean, low, high) - mean) / std) ** 2, 1e9))
    density /= density.sum()
    expected = (x * density).sum()
    spread = np.sqrt(((x - expected) ** 2 * density).sum())
    assert low <= values.min() and values.max() <= high
    assert values.mean() == pytest.approx(expected, abs=5 * spread / 141)
    assert values.std() == pytest.approx(spread, rel=0.05)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (1, 1)])
def test_identities(shape: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(init.eye_(Tensor.ones(*shape)).numpy(), np.eye(*shape))
    layer = nn.Linear(*shape)
    before = layer.weight
    assert init.eye_(layer.weight) is before and before.requires_grad and before.is_leaf


@pytest.mark.parametrize("shape", [(4, 2, 3), (2, 4, 4), (6, 3, 3, 2), (4, 4, 1, 2, 3)])
@pytest.mark.parametrize("groups", [1, 2])
def test_dirac(shape: tuple[int, ...], groups: int) -> None:
    expected = torch.nn.init.dirac_(torch.ones(shape), groups)
    np.testing.assert_array_equal(init.dirac_(Tensor.ones(*shape), groups).numpy(), expected.numpy())


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 2, 3), (2, 3, 2), (4, 4)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    w = init.orthogonal_(Tensor.zeros(*shape, dtype="float64"), gain=2.0).numpy().reshape(shape[0], -1)
    tall = w if w.shape[0] >= w.shape[1] else w.T
    np.testing.assert_allclose(tall.T @ tall, 4 * np.eye(tall.shape[1]), atol=1e-12)
    assert init.orthogonal_(Tensor.zeros(0, 3)).shape == (0, 3)


def test_sparse() -> None:
    w = init.sparse_(Tensor.zeros(50, 40), 0.3, std=2.0).numpy()
    assert ((w == 0).sum(0) == 15).all() and len({tuple(c) for c in (w == 0).T}) > 30
    assert w[w != 0].std() == pytest.approx(2.0, rel=0.1)
    assert not init.sparse_(Tensor.ones(3, 2), 1.0).numpy().any()


@pytest.mark.parametrize("name", [n for n in NAMES if "generator" in inspect.signature(getattr(init, n)).parameters])
def test_generators(name: str) -> None:
    args = (0.5,) if name == "sparse_" else ()

    def drawn(seed: int) -> Any:
        generator = Generator().manual_seed(seed)
        return getattr(init, name)(Tensor.zeros(4, 6), *args, generator=generator).numpy().tolist()

    manual_seed(0)
    first = drawn(3)
    assert Tensor.rand(2).tolist() == (manual_seed(0), Tensor.rand(2).tolist())[1], "the default one is left alone"
    assert drawn(3) == first != drawn(4)


@pytest.mark.parametrize("name", [n for n in NAMES if hasattr(torch.nn.init, n[:-1])])
def test_older_names(name: str) -> None:
    args = {"constant_": (3.0,), "sparse_": (1.0,)}.get(name, ())
    shape = (2, 2, 3) if name == "dirac_" else (2, 2)
    with pytest.warns(FutureWarning, match=f"{name} now"):
        assert getattr(init, name[:-1])(t := Tensor.zeros(*shape), *args) is t
    assert getattr(init, name[:-1]).__name__ == name[:-1]


def test_errors() -> None:
    w = Tensor.zeros(3)
    for call in (init.eye_, init.orthogonal_, lambda t: init.sparse_(t, 0.1)):
        with pytest.raises(ShapeError, match="a matrix is needed"):
            call(w)  # type: ignore[operator]
    with pytest.raises(ShapeError, match="3, 4 or 5"):
        init.dirac_(w)
    with pytest.raises(ArgumentError, match="3 channels do not divide"):
        init.dirac_(Tensor.zeros(3, 2, 2), 2)
    for bounds in ((0, 1, 2, 2), (0, 0, -1, 1)):
        with pytest.raises(ArgumentError, match="std > 0 and a < b"):
            init.trunc_normal_(w, *bounds)
    for name in NAMES:
        args = {"constant_": (3.0,), "sparse_": (1.0,)}.get(name, ())
        with pytest.raises(OperandError, match=rf"^{name} takes a Tensor, not a NumPy array"):
            getattr(init, name)(np.ones((2, 2)), *args)
    with pytest.raises(ArgumentError, match="is a number, not True"):
        init.calculate_gain("leaky_relu", True)
