"""Every row of the table of operations: values, gradients, dtypes, shapes, views, devices, errors."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor, dtypes
from lazygrad.dtype import BY_NAME, DType
from lazygrad.errors import LazygradError
from tests.op_row import FLOATS, Row
from tests.op_table import TABLE

ROWS = pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
Arrays = list[np.ndarray[Any, Any]]
TOLERANCE = {"float64": 1e-12, "float32": 2e-5, "float16": 4e-3, "bfloat16": 3e-2}


def samples(row: Row, shape: tuple[int, ...] | None = None) -> Arrays:
    rng = np.random.default_rng(zlib.crc32(row.name.encode()))
    return [np.asarray(spec.sample(rng, shape)) for spec in row.inputs]


def varies(x: np.ndarray[Any, Any]) -> bool:
    return x.dtype.kind == "f"


def tensors(arrays: Arrays, dtype: DType = dtypes.float64, **options: Any) -> list[Tensor]:
    """Tensors of the arrays, the floating ones in `dtype`."""
    return [Tensor(a, dtype=dtype if varies(a) else None, **(options if varies(a) else {})) for a in arrays]


def torches(arrays: Arrays, dtype: str = "float64", grad: bool = False) -> list[torch.Tensor]:
    made = [torch.tensor(a).to(getattr(torch, dtype)) if varies(a) else torch.tensor(a) for a in arrays]
    return [t.requires_grad_(grad) if t.is_floating_point() else t for t in made]


def close(ours: Any, theirs: Any, tolerance: float, what: str = "") -> None:
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape, f"{what}: shape {ours.shape}, expected {theirs.shape}"
    np.testing.assert_allclose(
        ours.astype(np.float64), theirs.astype(np.float64), rtol=tolerance, atol=tolerance, err_msg=what
    )


@ROWS
def test_values(row: Row) -> None:
    arrays = samples(row)
    ours = row.call(*tensors(arrays)).numpy()
    if row.reference is not None:
        close(ours, row.reference(*arrays), 1e-12, "against NumPy")
    close(ours, row.torch_call(*torches(arrays)).numpy(), 1e-12, "against PyTorch")


@ROWS
def test_gradients(row: Row) -> None:
    arrays = samples(row)
    if not row.grad or not any(map(varies, arrays)):
        pytest.skip("has no gradient")
    ours, theirs = tensors(arrays, requires_grad=True), torches(arrays, grad=True)
    a, b = row.call(*ours), row.torch_call(*theirs)
    weights = np.random.default_rng(1).uniform(0.5, 1.5, tuple(b.shape))
    (a * Tensor(weights)).sum().backward()
    (b * torch.tensor(weights)).sum().backward()
    for i, (x, y) in enumerate(zip(ours, theirs)):
        if y.grad is not None:
            gradient = x.grad.numpy() if x.grad is not None else np.zeros(x.shape)
            close(gradient, y.grad.numpy(), 1e-10, f"gradient by input {i}, against PyTorch")


@ROWS
def test_gradients_by_differences(row: Row) -> None:
    arrays = samples(row)
    if not row.grad or not any(map(varies, arrays)):
        pytest.skip("has no gradient")
    ours = tensors(arrays, requires_grad=True)
    result = row.call(*ours)
    weights = np.random.default_rng(2).uniform(0.5, 1.5, result.shape)
    (result * Tensor(weights)).sum().backward()
    rng = np.random.default_rng(3)
    for i, array in enumerate(arrays):
        if varies(array) and array.size:
            direction = rng.uniform(-1, 1, array.shape)
            gradient = ours[i].grad
            slope = float((gradient.numpy() * direction).sum()) if gradient is not None else 0.0
            measured = _slope(row.call, arrays, i, direction, weights)
            assert slope == pytest.approx(measured, rel=1e-6, abs=1e-6), f"input {i}"


def _slope(call: Callable[..., Tensor], arrays: Arrays, i: int, direction: Any, weights: Any) -> float:
    step, total = 1e-6, 0.0
    for sign in (1, -1):
        moved = [a + sign * step * direction if j == i else a for j, a in enumerate(arrays)]
        total += sign * float((call(*tensors(moved)).numpy() * weights).sum())
    return total / (2 * step)


@ROWS
def test_dtypes(row: Row) -> None:
    """Each dtype gives PyTorch's dtype, and values within its rounding of the float64 ones."""
    for name in row.dtypes:
        arrays = [a.astype(name) if varies(a) and name not in FLOATS else a for a in _fitting(samples(row), name)]
        ours = [Tensor(a, dtype=BY_NAME[name] if varies(a) else None) for a in arrays]
        theirs = torches(arrays, name if name in FLOATS else "float64")
        if name == "int64" or name not in FLOATS:
            theirs = [t.to(getattr(torch, name)) if a.dtype.name == name else t for t, a in zip(theirs, arrays)]
        try:
            expected = row.torch_call(*theirs)
        except (RuntimeError, NotImplementedError, IndexError):  # PyTorch lacks this dtype here
            row.call(*ours).realize()
            continue
        result = row.call(*ours)
        assert result.dtype.name == str(expected.dtype).removeprefix("torch."), f"{name}"
        tolerance = TOLERANCE.get(name, 0) if result.dtype.is_float else 0
        if tolerance or not result.dtype.is_float:
            close(
                result.numpy(), expected.to(torch.float64).numpy() if tolerance else expected.numpy(), tolerance, name
            )


def _fitting(arrays: Arrays, dtype: str) -> Arrays:
    """Samples that survive a cast to an integer dtype: no negative numbers where there are none, no zero divisors."""
    if dtype in FLOATS:
        return arrays
    low = 0 if dtype in ("uint8", "bool") else -100
    return [
        np.maximum(np.round(a), low) if varies(a) else np.maximum(a, low) if a.dtype.kind == "i" else a for a in arrays
    ]


@pytest.mark.parametrize("row", [r for r in TABLE.values() if r.elementwise], ids=lambda r: r.name)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 0, 3), (1, 1), (3, 1, 2)], ids=str)
def test_elementwise_shapes(row: Row, shape: tuple[int, ...]) -> None:
    arrays = samples(row, shape)
    ours = row.call(*tensors(arrays, requires_grad=row.grad))
    assert ours.shape == shape
    close(ours.numpy(), row.torch_call(*torches(arrays)).numpy(), 1e-12)
    if row.grad and any(map(varies, arrays)):
        ours.sum().backward()


@ROWS
def test_views_as_inputs(row: Row) -> None:
    """Transposed, reversed and cut out of something larger: the same result."""
    arrays = samples(row)
    plain = row.call(*tensors(arrays)).numpy()
    for disguise in (_transposed, _reversed, _cut_out):
        disguised = [disguise(a) for a in arrays]
        close(row.call(*disguised).numpy(), plain, 1e-14)  # BLAS adds in an order that depends on the strides


def _transposed(a: np.ndarray[Any, Any]) -> Tensor:
    return Tensor(a.T.copy(order="C")).permute(*range(a.ndim)[::-1])


def _reversed(a: np.ndarray[Any, Any]) -> Tensor:
    return Tensor(np.flip(a).copy()).flip(*range(a.ndim))


def _cut_out(a: np.ndarray[Any, Any]) -> Tensor:
    return Tensor(np.pad(a, 2))[tuple(slice(2, 2 + n) for n in a.shape)]


@ROWS
def test_errors(row: Row) -> None:
    for call, kind, words in row.errors:
        with pytest.raises(kind, match=re.escape(words)) as caught:
            call()
        assert not isinstance(caught.value, LazygradError) or "op_table" in str(caught.value), "names the user's line"


def groups(names: Sequence[str], size: int) -> list[list[str]]:
    return [list(names[i : i + size]) for i in range(0, len(names), size)]


@pytest.mark.parametrize("names", groups(list(TABLE), 24), ids=lambda names: f"{names[0]}..{names[-1]}")
def test_devices_agree(names: list[str], device: str) -> None:
    """float32 results and gradients on each device, computed in one schedule, against PyTorch's in float64."""
    results: list[tuple[str, Tensor, Any]] = []
    for name in names:
        row = TABLE[name]
        arrays = samples(row)
        differentiable = row.grad and any(map(varies, arrays))
        ours = tensors(arrays, dtypes.float32, device=device, requires_grad=differentiable)
        ours = [x if x.device == device else x.to(device) for x in ours]
        theirs = torches(
            [a.astype(np.float32).astype(np.float64) if varies(a) else a for a in arrays], grad=differentiable
        )
        a, b = row.call(*ours), row.torch_call(*theirs)
        results.append((name, a, b.detach().numpy()))
        if differentiable:
            a.sum().backward()
            b.sum().backward()
            pairs = [(x.grad, y.grad) for x, y in zip(ours, theirs)]
            results += [(f"{name} gradient", x, y.numpy()) for x, y in pairs if x is not None and y is not None]
    Tensor.realize(*[r for _, r, _ in results])
    for name, ours_, theirs_ in results:
        close(ours_.numpy(), theirs_, 1e-4, name)
