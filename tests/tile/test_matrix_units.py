"""Products of 16-bit floats on matrix units, run by the emulated GPU with all of its checks, against NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from lazygrad import Tensor, dtypes
from lazygrad.settings import settings

Product = Callable[..., Tensor]
MATRIX_UNIT = {"sm_80": "lg_mma_", "sm_90a": "lg_wgmma_"}
FUNCTION = {
    "plain": lambda a, b: a @ b,
    "second transposed": lambda a, b: a @ b.transpose(-1, -2),
    "first transposed": lambda a, b: a.transpose(-1, -2) @ b,
    "both transposed": lambda a, b: a.transpose(-1, -2) @ b.transpose(-1, -2),
    "bias and relu": lambda a, b, c: (a @ b + c).relu(),
    "residual": lambda a, b, c: (a @ b).tanh() + c,
    "wider output": lambda a, b: (a @ b).float() * 2,
}
CASES: list[tuple[str, tuple[tuple[int, ...], ...]]] = [
    ("plain", ((256, 128), (128, 256))),
    ("plain", ((200, 72), (72, 264))),
    ("plain", ((3, 256, 64), (3, 64, 192))),
    ("plain", ((512, 520), (520, 512))),
    ("second transposed", ((300, 96), (328, 96))),
    ("first transposed", ((136, 512), (136, 384))),
    ("both transposed", ((64, 256), (128, 64))),
    ("bias and relu", ((500, 64), (64, 520), (520,))),
    ("residual", ((260, 40), (40, 136), (260, 136))),
    ("wider output", ((130, 64), (64, 130 + 6))),
]


@pytest.fixture(params=MATRIX_UNIT)
def arch(request: pytest.FixtureRequest) -> Iterator[str]:
    with settings.override(device="CUDA_EMULATED", emulated_arch=request.param, verify=True):
        yield request.param


@pytest.mark.parametrize(
    ("name", "shapes", "dtype"),
    [(*case, dtypes.bfloat16) for case in CASES] + [(*case, dtypes.float16) for case in CASES[::4]],
    ids=str,
)
def test_products_are_right(arch: str, name: str, shapes: tuple[tuple[int, ...], ...], dtype: object) -> None:
    rng = np.random.default_rng(len(name))
    given = [Tensor(rng.standard_normal(s).astype("float32")).cast(dtype).realize() for s in shapes]  # type: ignore[arg-type]
    result = FUNCTION[name](*given)
    (kernel,) = result.schedule()
    assert MATRIX_UNIT[arch] in kernel.source
    exact = [Tensor(x.float().numpy().astype("float64"), device="NUMPY") for x in given]
    expected = FUNCTION[name](*exact).numpy() if name != "wider output" else exact[0].numpy() @ exact[1].numpy() * 2
    step = 2.0**-8 if result.dtype is dtypes.bfloat16 else 2.0**-11 if result.dtype is dtypes.float16 else 1e-6
    got = result.float().numpy()
    np.testing.assert_allclose(got, expected, rtol=step, atol=1e-6 * np.abs(expected).max())
