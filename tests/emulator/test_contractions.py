"""Products in blocks of local memory and registers, of every layout and type; the emulator reports races in them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lazygrad import Tensor
from lazygrad.settings import settings

Data = NDArray[Any]
SHAPES = [  # rows, depth, columns: filling blocks, or not; in chunks of 16, 8 or 4 bytes
    (128, 64, 128),
    (130, 33, 257),
    (64, 16, 300),
    (17, 40, 19),
    (256, 8, 96),
    (66, 70, 34),
    (5, 130, 131),
]
TOLERANCE = {"float16": 2e-3, "float32": 1e-4, "float64": 1e-12}


@pytest.fixture(params=["sm_80", "sm_90a"], autouse=True)
def emulated(request: pytest.FixtureRequest) -> Iterator[None]:
    with settings.override(device="CUDA_EMULATED", emulated_arch=request.param, verify=True):
        yield


class Products:
    """Collects lazy results with what they must be, and compares them after one realize."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, Tensor, Data, float]] = []

    def add(self, name: str, ours: Tensor, expected: Data, tolerance: float = 1e-4) -> None:
        self.rows.append((name, ours, expected, tolerance))

    def check(self) -> None:
        Tensor.realize(*[ours for _, ours, _, _ in self.rows])
        for name, ours, expected, tolerance in self.rows:
            np.testing.assert_allclose(ours.numpy(), expected, tolerance, tolerance, err_msg=name)


def normal(*shape: int, dtype: str = "float32") -> Data:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_blocks_of_every_layout(dtype: str) -> None:
    """Either factor transposed; an epilogue."""
    products = Products()
    for (m, k, n), left, right in itertools.product(SHAPES, (False, True), (False, True)):
        a, b, c = normal(m, k, dtype=dtype), normal(k, n, dtype=dtype), normal(n, dtype=dtype)
        x = Tensor(a.T.copy()).T if left else Tensor(a)
        y = Tensor(b.T.copy()).T if right else Tensor(b)
        want = np.maximum(a.astype(np.float64) @ b + c, 0)
        products.add(f"{m}x{k}x{n} {left} {right}", (x @ y + Tensor(c)).relu(), want, TOLERANCE[dtype])
    products.check()


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64"])
def test_integers(dtype: str) -> None:
    products = Products()
    for (m, k, n), left, right in itertools.product(SHAPES[1:4], (False, True), (False, True)):
        a, b = ((normal(*shape) * 3).round().astype(dtype) for shape in ((m, k), (k, n)))
        x = Tensor(a.T.copy()).T if left else Tensor(a)
        y = Tensor(b.T.copy()).T if right else Tensor(b)
        products.add(f"{m}x{k}x{n} {left} {right}", x @ y, a @ b, 0)
    products.check()


def test_views_and_batches() -> None:
    """Factors that are parts of larger arrays, from any element on; several axes of rows; broadcast batches."""
    products = Products()
    a, b = normal(3, 70, 41), normal(3, 41, 66)
    wide = a.astype(np.float64)
    for start in (0, 1, 2, 4):
        ours = Tensor(a)[:, start : start + 64, start:] @ Tensor(b)[:, start:, start : start + 60]
        products.add(f"from {start}", ours, wide[:, start : start + 64, start:] @ b[:, start:, start : start + 60])
    products.add("one matrix for all", Tensor(a) @ Tensor(b[0].copy()), wide @ b[0])
    products.add("flipped", Tensor(a).flip(1) @ Tensor(b).flip(1), wide[:, ::-1] @ b[:, ::-1])
    ours = Tensor(a)[:, ::2, 1::2] @ Tensor(b)[:, 1::2, ::3]
    products.add("every other", ours, wide[:, ::2, 1::2] @ b[:, 1::2, ::3])
    heads = normal(2, 40, 4, 16)
    scores = np.einsum("bihd,bjhd->bhij", heads.astype(np.float64), heads)
    x = Tensor(heads).transpose(1, 2)
    products.add("heads", x @ x.transpose(2, 3), scores)
    products.check()


def test_what_is_fused() -> None:
    """Prologues are computed a slice ahead; epilogues read further arrays; one sum goes to several outputs."""
    products = Products()
    a, b, c = normal(70, 50), normal(50, 130), normal(70, 130)
    exact = a.astype(np.float64) @ b
    total = Tensor(a) @ Tensor(b)
    products.add("sum", total, exact)
    products.add("and what follows", (total + Tensor(c)).tanh(), np.tanh(exact + c))
    products.add("prologue", (Tensor(a) * 2).exp() @ Tensor(b), np.exp(a.astype(np.float64) * 2) @ b, 1e-3)
    half = a.astype("float16")
    products.add("of two types", Tensor(half).float() @ Tensor(b), half.astype(np.float64) @ b)
    masked = Tensor(a).pad((3, 0, 1, 0)) @ Tensor(b).pad((0, 0, 0, 3))
    products.add("padded", masked, np.pad(a.astype(np.float64), ((1, 0), (3, 0))) @ np.pad(b, ((0, 3), (0, 0))))
    x, w = normal(2, 5, 11, 14), normal(12, 5, 3, 3)
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    products.add("convolution", Tensor(x).conv2d(Tensor(w), padding=1), np.einsum("nchwij,ocij->nohw", windows, w))
    products.check()
