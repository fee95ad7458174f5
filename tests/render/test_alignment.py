"""Rows of odd lengths: elements lie where no vector would, and nothing may ask for more than an element's alignment."""

from __future__ import annotations

import numpy as np
import pytest

from lazygrad import Tensor
from lazygrad.dtype import BY_NAME

TYPES = ("float16", "bfloat16", "float32", "int8", "bool")


@pytest.mark.parametrize("device", ["OPENCL", "CUDA_EMULATED"])
@pytest.mark.parametrize("name", TYPES)
def test_rows_of_every_length(name: str, device: str) -> None:
    """Products, sums, elementwise programs and copies of rows, of which only the first is aligned."""
    rng, found = np.random.default_rng(0), []
    rows = [(rng.integers(-3, 4, (3, n)), rng.integers(-3, 4, (6, n))) for n in (7, 8, 9, 13, 17, 33, 65)]
    for where in (device, "NUMPY"):
        made: list[Tensor] = []
        held = [[Tensor(v.astype(np.float32), device=where).cast(BY_NAME[name]) for v in pair] for pair in rows]
        Tensor.realize(*(x for pair in held for x in pair))
        for x, y in held:
            made += [x.sum(-1), x[:, 1:] + y[:3, 1:], x.expand(2, *x.shape).cast(BY_NAME["float16"]), x.flip(1)]
            made += [x @ y.T, x[1:, 2:] @ y[:, 2:].T] if x.dtype.is_float else [x.pad((1, 2, 0, 1))]
        Tensor.realize(*made)
        found.append([t.cast(BY_NAME["float32"]).numpy() for t in made])
    for k, (ours, wanted) in enumerate(zip(*found)):
        np.testing.assert_array_equal(ours, wanted, err_msg=str(k))


@pytest.mark.parametrize("offset", [1, 3, 5, 8])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int8])
def test_memory_that_begins_anywhere(dtype: type, offset: int) -> None:
    held = np.arange(offset + 100).astype(dtype)
    x = Tensor.from_numpy(held[offset:], device="OPENCL")
    np.testing.assert_array_equal((x * 1).numpy(), held[offset:])
    np.testing.assert_array_equal(x.reshape(4, 25).flip(1).numpy(), held[offset:].reshape(4, 25)[:, ::-1])


@pytest.mark.parametrize("device", ["OPENCL", "CUDA_EMULATED"])
def test_a_number_of_bools_beside_all_of_them(device: str) -> None:
    """A kernel that LLVM 14 could not compile while it compared bools one by one: it ended the process."""
    rng = np.random.default_rng(0)
    for rows, columns in ((13, 4), (9, 3), (16, 8), (7, 5)):
        held = rng.random(rows) > 0.2
        x = Tensor(held, device=device)
        first = Tensor.arange(rows * columns, device=device).reshape(rows, columns) < 1
        ours = x.reshape(rows, 1).logical_or(x.all().logical_and(first)).numpy()
        wanted = held[:, None] | (held.all() & (np.arange(rows * columns).reshape(rows, columns) < 1))
        np.testing.assert_array_equal(ours, wanted)
