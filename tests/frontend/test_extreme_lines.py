"""Values and gradients of what works along a dimension, over lines of extreme numbers, against PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor
from lazygrad.settings import settings
from tests.extreme_lines import LINES, ROWS, Row

Array = np.ndarray[Any, Any]
RELATIVE = {"float32": 1e-5, "float64": 1e-12}
LEAST = {"float32": 1.5e-43, "float64": 1e-321}


@dataclass(frozen=True)
class Case:
    name: str
    row: Row
    dtype: str
    value: Tensor
    slope: Tensor | None


def weights(shape: Any, dtype: str) -> Array:
    """What results are multiplied by before they are added up: exact, and no two alike."""
    return (1 + np.arange(np.prod(shape)).reshape(shape) % 7 / 4).astype(dtype)


def case(name: str, row: Row, dtype: str) -> Case:
    """Not yet computed: all cases are compiled together."""
    x = Tensor(np.array(list(LINES.values()), dtype), requires_grad=True)
    value = row.call(x)
    (value * Tensor(weights(value.shape, dtype))).sum().backward()
    return Case(name, row, dtype, value, x.grad)


@pytest.fixture(scope="module", params=["NUMPY", "OPENCL"])
def computed(request: pytest.FixtureRequest) -> Iterator[list[Case]]:
    with settings.override(device=request.param):
        cases = [case(n, row, dtype) for dtype in RELATIVE for n, row in ROWS.items()]
        Tensor.realize(*(t for c in cases for t in (c.value, c.slope) if t is not None))
        yield cases


def pytorch(row: Row, dtype: str, precision: str) -> tuple[Array, Array]:
    """Value and slope that PyTorch computes in `precision` from the numbers of `dtype`."""
    x = torch.tensor(np.array(list(LINES.values()), dtype).astype(precision), requires_grad=True)
    value = row.theirs(x)
    (value * torch.tensor(weights(value.shape, precision))).sum().backward()
    assert x.grad is not None
    return value.detach().numpy(), x.grad.numpy()


def agrees(got: Array, wanted: Array, dtype: str, size: float) -> Any:
    """By line: within a few roundings of the largest number of the line."""
    wanted = wanted.astype(dtype).astype(np.float64)
    largest = np.where(np.isfinite(wanted), np.abs(wanted), 0).reshape(len(wanted), -1).max(1)
    allowed = RELATIVE[dtype] * np.maximum(largest, max(size, LEAST[dtype] / RELATIVE[dtype]))
    near = np.abs(got.astype(np.float64) - wanted) <= allowed.reshape(-1, *(1,) * (got.ndim - 1))
    same = near | (got == wanted) | (np.isnan(got) & np.isnan(wanted))
    return same.reshape(len(got), -1).all(1)


def where_wrong(c: Case, got: Array, wanted: list[Array], excepted: Any) -> list[str]:
    """The lines of which `got` is neither PyTorch's result in the same dtype nor its result in float64, rounded."""
    right = np.logical_or.reduce([agrees(got, w, c.dtype, c.row.size) for w in wanted])
    return [
        f"{c.name}, {c.dtype}, {line}: {got[k]}, not {[w[k] for w in wanted]}"
        for k, line in enumerate(LINES)
        if not right[k] and line not in excepted
    ]


@np.errstate(all="ignore")
def test_values(computed: list[Case]) -> None:
    wrong = []
    for c in computed:
        wanted = [pytorch(c.row, c.dtype, p)[0] for p in (c.dtype, "float64")]
        wrong += where_wrong(c, c.value.numpy(), wanted, c.row.values_differ)
    assert not wrong, "\n".join(wrong)


@np.errstate(all="ignore")
def test_gradients(computed: list[Case]) -> None:
    wrong = []
    for c in computed:
        assert c.slope is not None, c.name
        wanted = [pytorch(c.row, c.dtype, p)[1] for p in (c.dtype, "float64")]
        wrong += where_wrong(c, c.slope.numpy(), wanted, c.row.slopes_differ)
    assert not wrong, "\n".join(wrong)
