"""Products of float32 and float64 in blocks of local memory, with accesses of 16 bytes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lazygrad import Tensor
from lazygrad.settings import settings

SHAPES = [(128, 64, 128), (130, 33, 257), (64, 16, 300), (17, 40, 19), (256, 8, 96)]  # rows, depth, columns


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_blocks_of_every_layout(dtype: str) -> None:
    """Rows and columns that fill blocks and runs, and that do not; either factor transposed; an epilogue."""
    rng = np.random.default_rng(0)
    rows: list[tuple[str, Tensor, NDArray[Any]]] = []
    with settings.override(device="CUDA_EMULATED"):
        for (m, k, n), left, right in itertools.product(SHAPES, (False, True), (False, True)):
            a, b, c = (rng.standard_normal(s).astype(dtype) for s in ((m, k), (k, n), (n,)))
            x = Tensor(a.T.copy()).T if left else Tensor(a)
            y = Tensor(b.T.copy()).T if right else Tensor(b)
            want = np.maximum(a.astype(np.float64) @ b + c, 0)
            rows.append((f"{m}x{k}x{n} {left} {right}", (x @ y + Tensor(c)).relu(), want))
        Tensor.realize(*[ours for _, ours, _ in rows])
        for name, ours, want in rows:
            tolerance = 1e-4 if dtype == "float32" else 1e-12
            np.testing.assert_allclose(ours.numpy(), want, tolerance, tolerance, err_msg=name)
