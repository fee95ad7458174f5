"""Sine, cosine and tangent of any angle: next to multiples of pi/2, and up to the largest floats."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

from lazygrad import Tensor

Array = NDArray[Any]
DEVICES = pytest.mark.parametrize("device", ["NUMPY", "OPENCL", "CUDA_EMULATED"])


def angles(dtype: str) -> Array:
    rng, info = np.random.default_rng(0), np.finfo(dtype)
    given = [1e-6, 0.1, 50, 1e3, 1e5, 1e6, 3e7, 2.0**50, 2.0**51, 1e20, float(info.max), float(info.tiny), 1e-30]
    sizes = (rng.uniform(-10, 10, 60), 10.0 ** rng.uniform(-8, 15, 60), 10.0 ** rng.uniform(15, np.log10(info.max), 30))
    turns = [*range(1, 20), *(2**k for k in range(5, 50)), *rng.integers(1, 2**24, 30), *rng.integers(1, 2**50, 20)]
    with mpmath.workprec(1300):
        near = [float(int(n) * mpmath.pi / 2) for n in turns]
    return np.concatenate([given, *sizes, near]).astype(dtype)


def ulps(got: Array, exact: list[Any]) -> float:
    info = np.finfo(got.dtype)
    steps = (mpmath.mpf(2) ** (max(mpmath.frexp(e)[1] - 1, info.minexp) - info.nmant) for e in exact)
    return max(float(abs(mpmath.mpf(float(g)) - e) / step) for g, e, step in zip(got, exact, steps))


@DEVICES
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_angles(dtype: str, device: str) -> None:
    x = angles(dtype)
    with mpmath.workprec(1300):
        for name, allowed in (("sin", 2.0), ("cos", 2.0), ("tan", 4.0)):
            exact = [getattr(mpmath, name)(float(v)) for v in x]
            assert ulps(getattr(Tensor(x, device=device), name)().numpy(), exact) <= allowed, name


@DEVICES
def test_slopes(device: str) -> None:
    """Of sin, cos and tan: what the others give."""
    at = np.array([0.0, 1e-6, -1e-6, 1.0, 1e5, 3e7], np.float32)
    wide = at.astype(np.float64)
    for name, slope in (("sin", np.cos(wide)), ("cos", -np.sin(wide)), ("tan", 1 / np.cos(wide) ** 2)):
        x = Tensor(at, device=device, requires_grad=True)
        getattr(x, name)().sum().backward()
        assert x.grad is not None
        np.testing.assert_allclose(x.grad.numpy(), slope, 1e-6, 0, err_msg=name)


@DEVICES
def test_what_has_no_angle(device: str) -> None:
    x = Tensor(np.array([np.inf, -np.inf, np.nan], np.float32), device=device)
    assert np.isnan(np.stack([x.sin().numpy(), x.cos().numpy(), x.tan().numpy()])).all()
    assert Tensor(np.zeros(2, np.float32), device=device).cos().tolist() == [1.0, 1.0]
    assert np.signbit(Tensor(np.array([-0.0], np.float32), device=device).sin().numpy()).all()
