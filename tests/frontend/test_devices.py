"""Every dtype on every device: a representative set of operations, computed in one schedule, against the evaluator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, cat, where
from lazygrad.dtype import ALL, DType, dtypes
from lazygrad.errors import DeviceError, OutOfMemoryError

TOLERANCE = {dtypes.float64: 1e-12, dtypes.float32: 1e-5, dtypes.float16: 2e-3, dtypes.bfloat16: 1.6e-2}
Program = Callable[[Tensor, Tensor], Tensor]
ANY: dict[str, Program] = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "maximum": lambda a, b: a.maximum(b),
    "minimum": lambda a, b: a.minimum(b),
    "less": lambda a, b: a < b,
    "equal": lambda a, b: a == b,
    "where": lambda a, b: where(a < b, a, b),
    "sum": lambda a, b: a.sum(1),
    "amax": lambda a, b: a.amax(0),
    "amin": lambda a, b: b.amin(),
    "any": lambda a, b: a.any(1),
    "argmax": lambda a, b: a.argmax(1),
    "cat": lambda a, b: cat([a, b.flip(0)], 1),
    "view": lambda a, b: a.T[1:, ::2] + b[:, 1:].T[:, ::2],
    "gather": lambda a, b: a[[2, 0, 1]],
    "index": lambda a, b: b[:, Tensor([3, 0], device=b.device)],
    "float": lambda a, b: a.float() / 4,
    "int": lambda a, b: b.int() * 3,
    "repeat": lambda a, b: a.repeat(2, 1),
}
NUMERIC: dict[str, Program] = {
    "sub": lambda a, b: a - b,
    "remainder": lambda a, b: a % b,
    "floor_divide": lambda a, b: a // b,
    "prod": lambda a, b: a.prod(1),
    "square": lambda a, b: a**2,
    "abs": lambda a, b: a.abs(),
    "cumsum": lambda a, b: a.cumsum(1),
    "matmul": lambda a, b: a @ b.T,
    "clamp": lambda a, b: a.clamp(1, 3),
    "scatter_add": lambda a, b: a.scatter_add(1, Tensor([[1, 1]], device=a.device), b[:1, :2]),
}
FLOATING: dict[str, Program] = {
    "div": lambda a, b: a / b,
    "exp": lambda a, b: (a / 4).exp(),
    "log": lambda a, b: b.log(),
    "tanh": lambda a, b: (a - b).tanh(),
    "softmax": lambda a, b: a.softmax(1),
    "layernorm": lambda a, b: a.layernorm(),
    "mean": lambda a, b: a.mean(0),
    "var": lambda a, b: a.var(1),
    "gelu": lambda a, b: (a - b).gelu(),
    "linear": lambda a, b: a.linear(b, b[:, 0]),
    "round": lambda a, b: (a / b).round(),
    "cross_entropy": lambda a, b: a.cross_entropy(Tensor([0, 3, 2], device=a.device)),
    "pow": lambda a, b: b**a,
}
INTEGER: dict[str, Program] = {
    "and": lambda a, b: a & b,
    "xor": lambda a, b: a ^ b,
    "not": lambda a, b: ~a,
    "shift": lambda a, b: (a << 2) >> 1,
}


def programs(dtype: DType) -> dict[str, Program]:
    if dtype.is_bool:
        return ANY
    return {**ANY, **NUMERIC, **(FLOATING if dtype.is_float else INTEGER)}


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_every_dtype(dtype: DType, device: str) -> None:
    low = 1 if dtype.kind in ("uint", "bool") else -4
    left = np.random.default_rng(0).integers(low - 1, 5, (3, 4)) % (2 if dtype.is_bool else 100 if low == 1 else 1000)
    right = np.random.default_rng(1).integers(1, 5, (3, 4))
    here = [Tensor(v, dtype=dtype, device=device) for v in (left, right)]
    there = [Tensor(v, dtype=dtype, device="NUMPY") for v in (left, right)]
    names = programs(dtype)
    ours = {name: call(here[0], here[1]) for name, call in names.items()}
    Tensor.realize(*ours.values())
    for name, call in names.items():
        expected = call(there[0], there[1])
        assert ours[name].dtype is expected.dtype, name
        tolerance = TOLERANCE.get(expected.dtype, 0.0)
        actual, reference = ours[name].numpy(), expected.numpy()
        np.testing.assert_allclose(
            actual.astype(float), reference.astype(float), rtol=tolerance, atol=tolerance, err_msg=name
        )


def test_tensors_on_two_devices_do_not_mix(device: str) -> None:
    a, b = Tensor([1.0], device=device), Tensor([[1.0]], device="NUMPY").to(device)
    assert (a + b).device == device
    if device != "NUMPY":
        other = Tensor([1.0], device="NUMPY")
        for mix in (
            lambda: a + other,
            lambda: a @ other,
            lambda: cat([a, other]),
            lambda: other[a.int()],
            lambda: a.assign(other),
        ):
            with pytest.raises(DeviceError, match="NUMPY"):
                mix()


def test_no_room_beside_the_pool_is_out_of_memory_too() -> None:
    huge = Tensor.ones(1 << 21, 1 << 21, device="NUMPY") + 1
    with pytest.raises(OutOfMemoryError, match=r"NUMPY: 16\.0 TiB requested"):
        huge.numpy()


ABSENT = [lambda: Tensor([1.0], device="OPENCL:99"), lambda: Tensor([1.0]).to("OPENCL:99").numpy()]


@pytest.mark.parametrize("ask", ABSENT)
def test_a_device_that_is_not_there_is_told_with_the_line(ask: Callable[[], Any]) -> None:
    with pytest.raises(DeviceError, match=r"OPENCL:99.*(?s:.)*\(test_devices\.py:\d+"):
        ask()
