"""Sizes and numbers that no tensor has are refused where they are given, by one error that names them and the line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, dtypes, nn
from lazygrad.errors import LazygradError

SIZED: dict[str, Callable[[Any], Any]] = {
    "zeros": Tensor.zeros,
    "ones": lambda n: Tensor.ones(2, n),
    "full": lambda n: Tensor.full((n,), 2.0),
    "empty": Tensor.empty,
    "rand": lambda n: Tensor.rand(n, 3),
    "randn": Tensor.randn,
    "randint": lambda n: Tensor.randint(n, high=3),
    "bernoulli": Tensor.bernoulli,
    "uniform": Tensor.uniform,
    "normal": Tensor.normal,
    "linspace": lambda n: Tensor.linspace(0, 1, n),
    "eye": Tensor.eye,
    "Linear": lambda n: nn.Linear(n, 2),
    "Linear's outputs": lambda n: nn.Linear(2, n),
    "Embedding": lambda n: nn.Embedding(n, 2),
    "Embedding's width": lambda n: nn.Embedding(2, n),
    "LayerNorm": lambda n: nn.LayerNorm([n]),
    "RMSNorm": lambda n: nn.RMSNorm([n]),
    "BatchNorm2d": nn.BatchNorm2d,
    "Conv2d": lambda n: nn.Conv2d(2, 2, n),
}
NUMBERED: dict[str, Callable[[Any], Any]] = {
    "full": lambda x: Tensor.full((2,), x),
    "arange": Tensor.arange,
    "arange's step": lambda x: Tensor.arange(0, 3, x),
    "linspace": lambda x: Tensor.linspace(x, 1, 3),
    "uniform": lambda x: Tensor.uniform(3, low=x),
    "uniform's end": lambda x: Tensor.uniform(3, high=x),
    "normal": lambda x: Tensor.normal(3, mean=x),
    "normal's deviation": lambda x: Tensor.normal(3, std=x),
    "randint": lambda x: Tensor.randint(3, low=x, high=3),
    "randint's end": lambda x: Tensor.randint(3, high=x),
    "bernoulli": lambda x: Tensor.bernoulli(3, p=x),
    "dropout": lambda x: Tensor.ones(3).dropout(x),
    "Dropout": nn.Dropout,
}


def refused(work: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(LazygradError, match=r"\(test_arguments.py:\d+: "):
        work(value)


@pytest.mark.parametrize("name", SIZED)
def test_sizes(name: str) -> None:
    for size in (-1, -5, 2.5, "3", None, 1 << 63, 1 << 70, np.float32(2), np.int8(-3), float("nan")):
        if not (name == "normal" and isinstance(size, float)):  # a mean, as in PyTorch
            refused(SIZED[name], size)
    SIZED[name](np.uint8(3))
    SIZED[name](np.int64(3))


@pytest.mark.parametrize("name", NUMBERED)
def test_numbers(name: str) -> None:
    for value in ("a", None, [1.0], {}, 1j, b"1", np.ones(3), object()):
        if not (value is None and name in ("bernoulli", "randint")):  # None is the default there
            refused(NUMBERED[name], value)
    NUMBERED[name](np.float32(0.5) if "randint" not in name else np.int16(2))
    NUMBERED[name](Tensor(0.5 if "randint" not in name else 2))


def test_numbers_of_numpy_decide_the_dtype_as_pythons_do() -> None:
    assert Tensor.arange(np.float32(2)).dtype is Tensor.arange(2.0).dtype
    assert Tensor.arange(np.int8(2)).dtype is dtypes.int64
    assert Tensor.full((2,), np.float32(2)).dtype is dtypes.float32
    assert Tensor.randint(50, low=np.int8(-3), high=np.uint8(4)).abs().max().item() <= 3


@pytest.mark.parametrize(
    "make",
    [
        lambda: Tensor.zeros(1 << 62, 8),
        lambda: Tensor.normal(3, mean=1e39),
        lambda: Tensor.normal(3, std=1e39),
        lambda: Tensor.normal(3, std=1e5, dtype="float16"),
        lambda: nn.BatchNorm2d(3)(Tensor.ones(2, 4)),
        lambda: nn.BatchNorm1d(4)(Tensor.ones(1, 4)),
        lambda: nn.GroupNorm(3, 4),
        lambda: nn.Embedding(3, 2, padding_idx=7),
        lambda: nn.Sequential(nn.ReLU())[3],
        lambda: nn.init.xavier_uniform_(Tensor.ones(3)),
        lambda: Tensor.ones(3).to("NOWHERE"),
        lambda: Tensor.ones(3, device="OPENCL:x"),
        lambda: Tensor.ones(3, device=3),  # type: ignore[arg-type]
    ],
)
def test_errors_inside_modules_and_of_devices_name_the_line(make: Callable[[], Any]) -> None:
    with pytest.raises(LazygradError, match=r"\(test_arguments.py:\d+: "):
        make()
