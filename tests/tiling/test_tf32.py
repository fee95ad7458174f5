"""Products of float32 numbers that may be rounded to TF32, run by the emulated GPU with all of its checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lazygrad import Tensor, dtypes
from lazygrad.settings import settings
from lazygrad.tiling.collective import Copy, Mma
from lazygrad.tiling.hopper import hopper
from lazygrad.tiling.tensorize import tensorize
from lazygrad.tiling.verify import verify
from lazygrad.tiling.walk import flattened
from tests.tiling.matrix_programs import AMPERE, HOPPER, matrix, plain
from tests.tiling.test_matrix_units import CASES, COMPUTED, FUNCTION

Data = NDArray[np.float32]
HALF_STEP = 2.0**-11  # what rounding to 10 bits changes of a number, at most


def rounded(x: Data) -> Data:
    """The nearest numbers with 10 bits of mantissa, halves away from 0."""
    _, exponent = np.frexp(x.astype(np.float64))
    step = np.ldexp(1.0, np.maximum(exponent, -125) - 11)  # of the smallest numbers all steps are alike
    return np.asarray(np.sign(x) * np.floor(np.abs(x) / step + 0.5) * step, np.float32)


def normal(*shape: int, seed: int = 0) -> Data:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.fixture(params=["sm_80", "sm_90a"])
def arch(request: pytest.FixtureRequest) -> Iterator[str]:
    chosen = {"device": "CUDA_EMULATED", "emulated_arch": request.param, "float32_matmul_precision": "high"}
    with settings.override(**chosen, verify=True):
        yield request.param


def on_matrix_unit(result: Tensor) -> bool:
    return any("lg_mma_tf32(" in kernel.source for kernel in result.schedule())


@pytest.mark.parametrize(("name", "shapes"), CASES, ids=str)
def test_products_are_those_of_rounded_factors(arch: str, name: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    """All layouts, batches, sizes that fill no block, and what follows the sum; only factors are rounded."""
    given = [normal(*shape, seed=i) for i, shape in enumerate(shapes)]
    result = FUNCTION[name](*map(Tensor, given))
    assert on_matrix_unit(result)
    factors = [rounded(x) if i < 2 else x for i, x in enumerate(given)]
    expected = FUNCTION[name](*(Tensor(x.astype(np.float64), device="NUMPY") for x in factors)).numpy()
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-6, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("name", COMPUTED)
def test_factors_may_be_computed(arch: str, name: str) -> None:
    """What copies of 16 bytes cannot bring."""
    function, shapes = COMPUTED[name]
    given = [normal(*shape, seed=i) for i, shape in enumerate(shapes)]
    result = function(*map(Tensor, given))
    assert on_matrix_unit(result)
    expected = function(*(Tensor(rounded(x).astype(np.float64), device="NUMPY") for x in given)).numpy()
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-6, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("shape", [(128, 64, 128), (33, 17, 19), (100, 600, 36)], ids=str)
def test_the_error_is_that_of_ten_bits(arch: str, shape: tuple[int, int, int]) -> None:
    rows, depth, columns = shape
    a, b = normal(rows, depth), normal(depth, columns, seed=1)
    got = (Tensor(a) @ Tensor(b)).numpy()
    exact, magnitude = a.astype(np.float64) @ b, np.abs(a).astype(np.float64) @ np.abs(b)
    error = np.abs(got - exact) / magnitude
    of_sums = depth * 2.0**-24
    assert error.max() <= (1 + HALF_STEP) ** 2 - 1 + of_sums


NUMBERS = {  # a number, and what it is rounded to
    1 + 2.0**-12: 1.0,
    1 + 2.0**-11: 1 + 2.0**-10,  # as near to 1: away from 0
    -1 - 2.0**-11: -1 - 2.0**-10,
    1 + 2.0**-11 - 2.0**-23: 1.0,
    1 + 3 * 2.0**-11: 1 + 2.0**-9,
    2 - 2.0**-23: 2.0,
    3 * 2.0**-149: 0.0,
    2.0**-126 + 2.0**-137: 2.0**-126 + 2.0**-136,
    65537.0: 65536.0,
}


@pytest.mark.parametrize("turned", [False, True])
def test_numbers_are_rounded_to_nearest(arch: str, turned: bool) -> None:
    """With the setting, and without it not at all; as each of the factors, loaded in each way."""
    values, expected = (np.array([*part], np.float32) for part in (NUMBERS, NUMBERS.values()))
    a, one = np.zeros((32, 16), np.float32), np.zeros((16, 32), np.float32)
    a[: len(values), 3], one[3] = values, 1

    def products() -> list[Data]:
        left = Tensor(a.T.copy()).realize().T if turned else Tensor(a).realize()
        right = Tensor(one.T.copy()).realize().T if turned else Tensor(one).realize()
        return [(left @ right).numpy()[: len(values), 0], (right.T @ left.T).numpy()[0, : len(values)]]

    for got in products():
        np.testing.assert_array_equal(got, expected)
    with settings.override(float32_matmul_precision="highest"):
        for got in products():
            np.testing.assert_array_equal(got, values)


def test_what_is_not_finite_stays_so(arch: str) -> None:
    a = np.eye(32, dtype=np.float32)
    a[0, 0], a[1, 1], a[2, 2] = np.inf, np.nan, np.finfo(np.float32).max
    got = (Tensor(a) @ Tensor(np.ones((32, 32), np.float32))).numpy()
    assert np.isinf(got[0]).all() and np.isnan(got[1]).all() and (got[3:] == 1).all()
    assert np.isinf(got[2]).all()  # the largest number is nearer to the next power of two


def test_gradients_of_a_linear_layer(arch: str) -> None:
    x, w, g = normal(48, 40), normal(72, 40, seed=1), normal(48, 72, seed=2)
    inputs, weight = Tensor(x, requires_grad=True), Tensor(w, requires_grad=True)
    bias = Tensor(normal(72, seed=3), requires_grad=True)
    (inputs.linear(weight, bias) * Tensor(g)).sum().backward()
    assert inputs.grad is not None and weight.grad is not None and bias.grad is not None
    assert on_matrix_unit(inputs.grad) and on_matrix_unit(weight.grad)
    x, w, g = (rounded(v).astype(np.float64) for v in (x, w, g))
    for got, expected in ((inputs.grad.numpy(), g @ w), (weight.grad.numpy(), g.T @ x)):
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=2e-6 * np.abs(expected).max())
    np.testing.assert_allclose(bias.grad.numpy(), normal(48, 72, seed=2).astype(np.float64).sum(0), 1e-5, 1e-5)


def test_16_bit_floats_beside_float32_are_exact(arch: str) -> None:
    """A product of both kinds is one of float32 numbers; 16-bit floats need no rounding, and keep their own units."""
    a, b = normal(64, 48), normal(48, 64, seed=1)
    half = Tensor(a).cast(dtypes.bfloat16).realize()
    mixed = half.float() @ Tensor(b)
    assert on_matrix_unit(mixed)
    expected = half.float().numpy().astype(np.float64) @ rounded(b)
    np.testing.assert_allclose(mixed.numpy(), expected, rtol=1e-6, atol=2e-6 * np.abs(expected).max())
    assert not on_matrix_unit(half @ half.T)


def test_programs_say_so() -> None:
    """Passes choose by what the graph permits; none takes what its device cannot do."""
    with settings.override(float32_matmul_precision="high"):
        rounds = plain(matrix(1024, 512, dtype=dtypes.float32) @ matrix(512, 1024, dtype=dtypes.float32))
    exact = plain(matrix(1024, 512, dtype=dtypes.float32) @ matrix(512, 1024, dtype=dtypes.float32))
    assert tensorize(exact, AMPERE) is None and hopper(exact, HOPPER) is None
    assert tensorize(rounds, replace(AMPERE, arch="sm_75")) is None and hopper(rounds, HOPPER) is None
    for info in (AMPERE, HOPPER):
        program = tensorize(rounds, info)
        assert program is not None
        verify(program)
        made = list(flattened(program.body))
        assert any(isinstance(s, Mma) for s in made) and any(isinstance(s, Copy) for s in made)
