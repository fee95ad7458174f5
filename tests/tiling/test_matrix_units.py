"""Products of 16-bit floats on matrix units, run by the emulated GPU with all of its checks, against NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from lazygrad import Tensor, dtypes
from lazygrad.engine.explain import kernels
from lazygrad.settings import settings
from tests.tiling.matrix_programs import warp_groups, warps

Product = Callable[..., Tensor]
MATRIX_UNIT = {
    "sm_80": "lg_mma_",
    "sm_80 divided": "lg_mma_",
    "sm_90a": "lg_wgmma_",
    "sm_90a alternating": "lg_wgmma_",
    "sm_90a divided": "lg_wgmma_",
    "sm_90a alternating divided": "lg_wgmma_",
}
FUNCTION = {
    "attention's scores": lambda qkv: _heads(qkv, 0) @ _heads(qkv, 1).transpose(-1, -2),
    "attention's values": lambda p, qkv: p @ _heads(qkv, 2),
    "plain": lambda a, b: a @ b,
    "second transposed": lambda a, b: a @ b.transpose(-1, -2),
    "first transposed": lambda a, b: a.transpose(-1, -2) @ b,
    "both transposed": lambda a, b: a.transpose(-1, -2) @ b.transpose(-1, -2),
    "bias and relu": lambda a, b, c: (a @ b + c).relu(),
    "residual": lambda a, b, c: (a @ b).tanh() + c,
    "wider output": lambda a, b: (a @ b).float() * 2,
}


# What follows a product in its kernel reads it rounded to 16 bits: the steepest slope, and the largest value between
# that is rounded again.
AFTER = {"bias and relu": (1, 0), "residual": (1, 1), "wider output": (2, 0)}
STEP = {dtypes.bfloat16: 2.0**-8, dtypes.float16: 2.0**-11, dtypes.float32: 1e-6}  # half of a last place


def _heads(qkv: Tensor, which: int) -> Tensor:
    """(batch, time, 3 * 2 * 64) -> (batch, 2, time, 64): part number `which`."""
    batch, time, _ = qkv.shape
    return qkv[:, :, which * 128 : (which + 1) * 128].reshape(batch, time, 2, 64).transpose(1, 2)


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
    ("residual", ((384, 64), (64, 136), (384, 136))),  # the second half of the last pair of blocks has no rows
    ("wider output", ((130, 64), (64, 136))),
    ("attention's scores", ((2, 136, 384),)),
    ("attention's values", ((2, 2, 136, 136), (2, 136, 384))),
]
COMPUTED: dict[str, tuple[Product, tuple[tuple[int, ...], ...]]] = {
    "odd sizes": (lambda a, b: a @ b, ((33, 17), (17, 19))),
    "a row apart": (lambda a, b: a[:, 1:] @ b, ((64, 65), (64, 40))),
    "flipped": (lambda a, b: a.flip(1) @ b, ((64, 64), (64, 72))),
    "convolution": (lambda a, b: a.conv2d(b, padding=1), ((2, 8, 9, 9), (16, 8, 3, 3))),
    "both": (lambda a, b: a.flip(0) @ b.flip(0), ((72, 64), (64, 80))),
}


@pytest.fixture(params=MATRIX_UNIT)
def arch(request: pytest.FixtureRequest) -> Iterator[str]:
    given = str(request.param)
    own = settings.override(device="CUDA_EMULATED", emulated_arch=given.split()[0], verify=True)
    splits = 3 if "divided" in given else 1
    with own, warp_groups(alternate="alternating" in given, splits=splits), warps(splits):
        yield given


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
    assert ("after_even" in kernel.source) is ("alternating" in arch)
    assert ("tickets" in kernel.source) is ("divided" in arch)
    exact = [Tensor(x.float().numpy().astype("float64"), device="NUMPY") for x in given]
    expected = FUNCTION[name](*exact).numpy() if name != "wider output" else exact[0].numpy() @ exact[1].numpy() * 2
    step = STEP[result.dtype]
    allowed = step * np.abs(expected) + 1e-6 * np.abs(expected).max()
    if name in AFTER:
        slope, between = AFTER[name]
        allowed += STEP[given[0].dtype] * (slope * np.abs(exact[0].numpy() @ exact[1].numpy()) + between)
    assert (np.abs(result.float().numpy() - expected) <= allowed).all()


def test_a_kernel_may_store_a_product_and_what_follows_it(arch: str) -> None:
    """As training does: the input of an activation is needed again. The last rows and columns fill no block."""
    rng = np.random.default_rng(3)
    a, b, c = (rng.standard_normal(s).astype("float32") for s in ((200, 72), (72, 264), (264,)))
    x, y, z = (Tensor(v).cast(dtypes.bfloat16).realize() for v in (a, b, c))
    before = x @ y + z
    after = before.gelu()
    (kernel,) = kernels([before.node, after.node], before.device)
    if "sm_90a" in arch:
        assert kernel.source.count("lg_tensor_store(&out0_map") == kernel.source.count("lg_tensor_store(&out1_map") > 0
    Tensor.realize(before, after)
    product = x.float().numpy().astype(float) @ y.float().numpy()
    exact = product + z.float().numpy()
    wanted = Tensor(exact, device="NUMPY").gelu().numpy()
    for got, want, slope in ((before, exact, 1), (after, wanted, 1.13)):  # the product is rounded, too
        allowed = STEP[dtypes.bfloat16] * (np.abs(want) + slope * np.abs(product)) + 1e-5
        assert (np.abs(got.float().numpy() - want) <= allowed).all()


@pytest.mark.parametrize("name", COMPUTED)
def test_factors_may_be_computed(arch: str, name: str) -> None:
    """What copies of 16 bytes cannot bring is computed and stored by the work-items, a slice ahead."""
    function, shapes = COMPUTED[name]
    rng = np.random.default_rng(len(name))
    given = [Tensor(rng.standard_normal(s).astype("float32")).cast(dtypes.bfloat16).realize() for s in shapes]
    result = function(*given)
    (kernel,) = result.schedule()
    assert "lg_mma_" in kernel.source
    got = result.float().numpy()
    exact = [Tensor(x.float().numpy(), device="NUMPY").cast(dtypes.bfloat16) for x in given]
    expected = function(*exact).float().numpy()
    np.testing.assert_allclose(got, expected, rtol=2.0**-7, atol=1e-6 * np.abs(expected).max())


def test_factors_cast_to_16_bits_are_rounded() -> None:
    """float32 numbers that the user casts before the product are multiplied as what they are cast to.

    Those of the first 32 rows are so near to 1 and -1 that nothing is left of their sums.
    """
    rng = np.random.default_rng(5)
    a, b = (rng.standard_normal((64, 64)).astype("float32") for _ in range(2))
    a[:32] = np.where(np.arange(64) % 2, 1, -1) * (1 + rng.uniform(0, 2.0**-9, (32, 64)))
    b[:] = b[0]
    with settings.override(device="CUDA_EMULATED", verify=True):
        result = Tensor(a).realize().cast(dtypes.bfloat16) @ Tensor(b).realize().cast(dtypes.bfloat16)
        (kernel,) = result.float().schedule()
        assert "lg_mma_" in kernel.source
        got = result.float().numpy()
    rounded = [Tensor(x, device="NUMPY").cast(dtypes.bfloat16).float().numpy().astype("float64") for x in (a, b)]
    expected = rounded[0] @ rounded[1]
    assert not got[:32].any()
    assert np.abs(a[:32] @ b).max() > 0.01, "what is not rounded adds up"
    np.testing.assert_allclose(got, expected, rtol=STEP[dtypes.bfloat16], atol=1e-5 * np.abs(expected).max())
