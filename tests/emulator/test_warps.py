"""Warps: shuffles, votes, matrix operations of a warp with their layouts, copies of a thread (cp.async)."""

from __future__ import annotations

import numpy as np
import pytest

from lazygrad.settings import settings

from . import cute
from .harness import Data, bfloat16, fails, floats, kernel, launch, planted, small_integers

SHUFFLES = kernel(
    "shuffles",
    "const int *x, int *y",
    """
  const int v = x[threadIdx.x];
  y[threadIdx.x * 8 + 0] = __shfl_sync(0xffffffffu, v, 5);
  y[threadIdx.x * 8 + 1] = __shfl_sync(0xffffffffu, v, 3, 8);
  y[threadIdx.x * 8 + 2] = __shfl_xor_sync(0xffffffffu, v, 12);
  y[threadIdx.x * 8 + 3] = __shfl_up_sync(0xffffffffu, v, 3);
  y[threadIdx.x * 8 + 4] = __shfl_down_sync(0xffffffffu, v, 3, 16);
  y[threadIdx.x * 8 + 5] = (int)__ballot_sync(0xffffffffu, v % 3 == 0);
  y[threadIdx.x * 8 + 6] = __any_sync(0xffffffffu, v == 77) * 2 + __all_sync(0xffffffffu, v >= 0);
  y[threadIdx.x * 8 + 7] = (int)__shfl_xor_sync(0xffffffffu, (long)v << 40, 1) + lg_uniform(blockIdx.x + 9);
""",
)


def test_shuffles() -> None:
    x, y = np.arange(64, dtype=np.int32), np.zeros((64, 8), np.int32)
    launch(SHUFFLES, [x, y], 1, 64)
    for t in range(64):
        first, lane = t // 32 * 32, t % 32
        ballot = sum(1 << i for i in range(32) if (first + i) % 3 == 0)
        down = t + 3 if lane % 16 + 3 < 16 else t
        expected = [
            first + 5,
            t // 8 * 8 + 3,
            t ^ 12,
            t - 3 if lane >= 3 else t,
            down,
            np.int32(np.uint32(ballot)),
            1,
            9,
        ]
        assert y[t].tolist() == expected


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("which does not take part", ("(0xffffffffu, v, 5)", "(0xffffu << threadIdx.x / 16 * 16 % 32, v, 5)")),
        ("lacks its own lane", ("(0xffffffffu, v, 5)", "(0xffu, v, 5)")),
        ("deadlock", ("const int v", "if (threadIdx.x == 3) return;\n  const int v")),
        ("divergence", ("(0xffffffffu, v, 5)", "(threadIdx.x == 9 ? 0xffffu : 0xffffffffu, v, 5)")),
        (
            "divergence",
            ("__any_sync(0xffffffffu, v == 77)", "(v == 1 ? lg_uniform(v) : __any_sync(0xffffffffu, v == 77))"),
        ),
    ],
)
def test_bugs_in_shuffles(words: str, change: tuple[str, str]) -> None:
    arrays = [np.arange(64, dtype=np.int32), np.zeros((64, 8), np.int32)]
    fails(planted(SHUFFLES, change), words, arrays, 1, 64)


NEIGHBOURS = kernel(
    "neighbours",
    "const int *x, int *y",
    """
  __shared__ int held[64];
  held[threadIdx.x] = x[threadIdx.x];
  __syncwarp();
  y[threadIdx.x] = held[threadIdx.x ^ 1];
""",
)


def test_a_warp_meets() -> None:
    x, y = np.arange(64, dtype=np.int32), np.zeros(64, np.int32)
    launch(NEIGHBOURS, [x, y], 1, 64)
    np.testing.assert_array_equal(y, x ^ 1)
    other_warp = planted(NEIGHBOURS, ("threadIdx.x ^ 1", "threadIdx.x ^ 32"))
    for seed in range(3):
        with settings.override(emulated_seed=seed):
            fails(planted(NEIGHBOURS, ("__syncwarp();", "")), r"race: |uninitialized: ", [x, y], 1, 64)
            fails(other_warp, r"race: |uninitialized: ", [x, y], 1, 64)


HALVES = kernel(
    "halves",
    "const int *x, int *y",
    """
  __shared__ int held[64];
  if (threadIdx.x < 64) {
    held[threadIdx.x] = x[threadIdx.x];
    lg_sync_items(1, 128);
  } else {
    lg_sync_items(1, 128);
    y[threadIdx.x - 64] = held[127 - threadIdx.x];
  }
""",
)


def test_named_barriers() -> None:
    x, y = np.arange(64, dtype=np.int32), np.zeros(64, np.int32)
    launch(HALVES, [x, y], 1, 128)
    np.testing.assert_array_equal(y, x[::-1])
    second = "lg_sync_items(1, 128);\n    y["
    for words, change in (
        ("race: |uninitialized: ", (second, "lg_sync_items(2, 64);\n    y[")),
        ("others came to the same barrier with", (second, "lg_sync_items(1, 64);\n    y[")),
        ("race: |uninitialized: ", (second, "y[")),
        ("deadlock", ("lg_sync_items(1, 128);\n  }", "lg_sync_items(1, 128);\n    lg_sync_items(1, 128);\n  }")),
        ("no barrier 16", ("lg_sync_items(1, 128)", "lg_sync_items(16, 128)")),
        ("no whole warps", ("lg_sync_items(1, 128)", "lg_sync_items(1, 100)")),
    ):
        for seed in range(3):
            with settings.override(emulated_seed=seed):
                fails(planted(HALVES, change), words, [x, y], 1, 128)


# ---- matrix operations -------------------------------------------------------------------------------


def mma(kind: str) -> object:
    return kernel(
        f"one_mma_{kind}",
        "const unsigned int *a, const unsigned int *b, float *c",
        f"""
  float acc[4];
  unsigned int left[4], right[2];
  for (int i = 0; i < 4; i++) acc[i] = c[threadIdx.x * 4 + i];
  for (int i = 0; i < 4; i++) left[i] = a[threadIdx.x * 4 + i];
  for (int i = 0; i < 2; i++) right[i] = b[threadIdx.x * 2 + i];
  lg_mma_{kind}(acc, left, right);
  for (int i = 0; i < 4; i++) c[threadIdx.x * 4 + i] = acc[i];
""",
    )


MMA = {kind: mma(kind) for kind in ("bf16", "f16")}


def fragments(matrix: Data, layout: cute.ThreadValue, count: int) -> Data:
    """What each lane of a warp holds."""
    return np.array([[matrix[layout.place(t, v)] for v in range(count)] for t in range(32)], matrix.dtype)


@pytest.mark.parametrize("kind", list(MMA))
def test_fragments_are_those_of_cute(kind: str) -> None:
    a, b, c = small_integers(16, 16), small_integers(8, 16, seed=1), small_integers(16, 8, seed=2)
    bits = bfloat16 if kind == "bf16" else lambda x: x.astype(np.float16).view(np.uint16)
    left, right = fragments(bits(a), cute.A_16x16, 8), fragments(bits(b), cute.B_8x16, 4)
    acc = fragments(c, cute.C_16x8, 4)
    launch(MMA[kind], [left.view(np.uint32), right.view(np.uint32), acc], 1, 32)  # type: ignore[arg-type]
    np.testing.assert_array_equal(acc, fragments(c + a @ b.T, cute.C_16x8, 4))


ONE_MMA_TF32 = kernel(
    "one_mma_tf32",
    "const float *a, const float *b, float *c",
    """
  float acc[4], left[4], right[2];
  for (int i = 0; i < 4; i++) acc[i] = c[threadIdx.x * 4 + i];
  for (int i = 0; i < 4; i++) lg_load_tf32(left + i, a + threadIdx.x * 4 + i);
  for (int i = 0; i < 2; i++) right[i] = lg_tf32(b[threadIdx.x * 2 + i]);
  lg_mma_tf32(acc, left, right);
  for (int i = 0; i < 4; i++) c[threadIdx.x * 4 + i] = acc[i];
""",
)


def test_fragments_of_tf32_are_those_of_cute() -> None:
    """They are rounded as they are loaded; one that is not is reported."""
    a, b, c = small_integers(16, 8), small_integers(8, 8, seed=1), small_integers(16, 8, seed=2)
    step = np.float32(2.0**-12)
    left, right = fragments(a * (1 + step), cute.A_16x8, 4), fragments(b * (1 - step / 2), cute.B_8x8, 2)
    acc = fragments(c, cute.C_16x8, 4)
    expected = fragments(c + a @ b.T, cute.C_16x8, 4)
    arrays = [left, right, acc.copy()]
    launch(ONE_MMA_TF32, arrays, 1, 32)
    np.testing.assert_array_equal(arrays[2], expected)
    for change in (
        ("lg_load_tf32(left + i, a + threadIdx.x * 4 + i)", "left[i] = a[threadIdx.x * 4 + i]"),
        ("lg_tf32(b[threadIdx.x * 2 + i])", "b[threadIdx.x * 2 + i]"),
    ):
        fails(planted(ONE_MMA_TF32, change), "is not rounded to TF32", [left, right, acc], 1, 32)
    exchanged = planted(ONE_MMA_TF32, ("(left + i,", "(left + i / 2 + i % 2 * 2,"))  # two registers of a fragment
    launch(exchanged, arrays := [left, right, acc.copy()], 1, 32)
    assert not np.array_equal(arrays[2], expected)


ROUND = kernel("round_tf32", "const float *x, float *y", "\n  y[threadIdx.x] = lg_tf32(x[threadIdx.x]);\n")


def test_rounding_to_tf32() -> None:
    """10 bits of mantissa, to nearest, halves away from 0; NaN as the conversion instruction gives it."""
    rng = np.random.default_rng(0)
    x = np.ldexp(rng.standard_normal(1024), rng.integers(-140, 120, 1024)).astype(np.float32)
    ties = (rng.integers(0, 1 << 18, 512).astype(np.uint32) << 13 | 1 << 12).view(np.float32)
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan, 3.4028235e38, 1e-45, 2.0**-126, 1 + 2.0**-11], np.float32)
    x = np.concatenate([x, ties, -ties, special])
    x = np.pad(x, (0, -len(x) % 32))
    y = np.zeros_like(x)
    for at in range(0, len(x), 32):
        launch(ROUND, [x[at : at + 32].copy(), part := y[at : at + 32].copy()], 1, 32)
        y[at : at + 32] = part
    wide, finite = x.astype(np.float64), np.isfinite(x)
    _, exponent = np.frexp(wide[finite])
    step = np.ldexp(1.0, np.maximum(exponent, -125) - 11)
    expected = np.sign(wide[finite]) * np.floor(np.abs(wide[finite]) / step + 0.5) * step
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(y[finite], expected.astype(np.float32))
    np.testing.assert_array_equal(np.signbit(y[finite]), np.signbit(x[finite]))
    np.testing.assert_array_equal(y[~finite & ~np.isnan(x)], x[~finite & ~np.isnan(x)])
    assert set(y[np.isnan(x)].view(np.uint32)) == {0x7FFFFFFF}


def test_loaded_matrices_of_tf32_are_fragments() -> None:
    source = kernel(
        "load_matrix_tf32",
        "const float *x, float *y",
        """
  __shared__ __align__(16) float tile[128];
  for (int i = threadIdx.x; i < 128; i += 32) tile[i] = x[i];
  __syncwarp();
  float held[4];
  const int lane = threadIdx.x;
  lg_load_matrix_tf32(held, tile + lane % 16 * 8 + lane / 16 * 4);
  for (int i = 0; i < 4; i++) y[lane * 4 + i] = held[i];
""",
    )
    x, y = np.arange(1, 129, dtype=np.float32).reshape(16, 8), np.zeros((32, 4), np.float32)
    given = x * np.float32(1 + 2.0**-12)
    launch(source, [given, y], 1, 32)
    np.testing.assert_array_equal(y, fragments(x, cute.A_16x8, 4))
    fails(planted(source, ("__syncwarp();", "")), "race: |uninitialized: ", [given, y], 1, 32)
    fails(planted(source, ("tile +", "tile + 1 +")), "misaligned|past every array", [given, y], 1, 32)


@pytest.mark.parametrize("transposed", [0, 1])
def test_loaded_matrices_are_fragments(transposed: int) -> None:
    """16 x 16 elements as four 8 x 8 matrices make the fragment of A, or of its transpose."""
    source = kernel(
        f"load_matrix_{transposed}",
        "const unsigned short *x, unsigned int *y",
        f"""
  __shared__ __align__(16) unsigned short tile[256];
  for (int i = threadIdx.x; i < 256; i += 32) tile[i] = x[i];
  __syncwarp();
  unsigned int words[4];
  const int lane = threadIdx.x;
  lg_load_matrix<{transposed}>(words, tile + {
            "(lane / 16 * 8 + lane % 8) * 16 + lane / 8 % 2 * 8" if transposed else "lane % 16 * 16 + lane / 16 * 8"
        });
  for (int i = 0; i < 4; i++) y[lane * 4 + i] = words[i];
""",
    )
    x, y = np.arange(256, dtype=np.uint16).reshape(16, 16), np.zeros((32, 4), np.uint32)
    launch(source, [x, y], 1, 32)
    expected = fragments(x.T.copy() if transposed else x, cute.A_16x16, 8)
    np.testing.assert_array_equal(y.view(np.uint16), expected)
    arrays = [x, y]
    fails(planted(source, ("__syncwarp();", "")), "race: |uninitialized: ", arrays, 1, 32)
    fails(planted(source, ("tile +", "tile + 1 +")), "misaligned|past every array", arrays, 1, 32)
    fails(planted(source, ("tile +", "(unsigned short *)x +")), "reads shared memory", arrays, 1, 32)
    fails(planted(source, ("< 256", "< 240")), "uninitialized", arrays, 1, 32)


GEMM = kernel(
    "pipelined_gemm",
    "const unsigned short *a, const unsigned short *b, float *c, const int depth",
    """
  // c (32 x 32) = a (32 x depth) times b (32 x depth) transposed: 4 warps of 16 x 16, tiles of depth 16, two of each.
  __shared__ __align__(16) unsigned short left[1024];
  __shared__ __align__(16) unsigned short right[1024];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int row = threadIdx.x % 64 / 2, chunk = threadIdx.x % 2 * 8;
  const unsigned short *from = (threadIdx.x < 64 ? a : b) + row * depth + chunk;
  unsigned short *to = (threadIdx.x < 64 ? left : right) + row * 16 + chunk;
  float acc[8];
  for (int i = 0; i < 8; i++) acc[i] = 0;
  lg_copy_async(to, from, 1);
  lg_copy_commit();
  for (int k = 0; k < depth; k += 16) {
    const int half = k / 16 % 2 * 512;
    if (k + 16 < depth) lg_copy_async(to + (512 - half), from + k + 16, 1);
    lg_copy_commit();
    lg_copy_wait<1>();
    __syncthreads();  // tiles are there
    unsigned int x[4], y[4];
    lg_load_matrix<0>(x, left + half + (warp / 2 * 16 + lane % 16) * 16 + lane / 16 * 8);
    lg_load_matrix<0>(y, right + half + (warp % 2 * 16 + lane / 16 * 8 + lane % 8) * 16 + lane / 8 % 2 * 8);
    lg_mma_bf16(acc, x, y);
    lg_mma_bf16(acc + 4, x, y + 2);
    __syncthreads();  // tiles are free
  }
  for (int i = 0; i < 8; i++) {
    c[(warp / 2 * 16 + lane / 4 + i / 2 % 2 * 8) * 32 + warp % 2 * 16 + i / 4 * 8 + lane % 4 * 2 + i % 2] = acc[i];
  }
""",
)


def gemm_arrays(depth: int) -> tuple[list[Data], Data]:
    a, b = small_integers(32, depth), small_integers(32, depth, seed=1)
    return [bfloat16(a), bfloat16(b), np.zeros((32, 32), np.float32)], a @ b.T


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("depth", [16, 80])
def test_gemm(depth: int, seed: int) -> None:
    arrays, expected = gemm_arrays(depth)
    with settings.override(emulated_seed=seed):
        launch(GEMM, arrays, 1, 128, depth)
    np.testing.assert_array_equal(arrays[2], expected)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("asynchronous copy into it has not been waited for", ("lg_copy_wait<1>();", "")),
        ("asynchronous copy into it has not been waited for", ("lg_copy_wait<1>();", "lg_copy_wait<2>();")),
        ("race: |asynchronous copy|uninitialized: ", ("__syncthreads();  // tiles are there", "")),
        ("race: ", ("__syncthreads();  // tiles are free", "")),
        ("asynchronous copy", ("    lg_copy_commit();\n    lg_copy_wait", "    lg_copy_wait")),
        (
            "has not waited for 1 copies",
            ("  for (int i = 0; i < 8; i++) {\n", "  lg_copy_async(to, from, 1);\n  if (1) {\n    const int i = 0;\n"),
        ),
        ("out of bounds: it reads 16 bytes at [ab]", ("if (k + 16 < depth) ", "")),
        ("deadlock|divergence", ("lg_mma_bf16(acc + 4, x, y + 2);", "if (lane < 16) lg_mma_bf16(acc + 4, x, y + 2);")),
    ],
)
def test_bugs_in_a_gemm(words: str, change: tuple[str, str], seed: int) -> None:
    arrays, _ = gemm_arrays(80)
    with settings.override(emulated_seed=seed):
        fails(planted(GEMM, change), words, arrays, 1, 128, 80)


def test_copies_that_are_not_valid_are_zero() -> None:
    source = kernel(
        "zeros",
        "const float *x, float *y, const int n",
        """
  __shared__ __align__(16) float held[128];
  lg_copy_async(held + threadIdx.x * 4, x + threadIdx.x * 4, threadIdx.x * 4 < n);
  lg_copy_commit();
  lg_copy_wait<0>();
  __syncthreads();
  for (int i = 0; i < 4; i++) y[threadIdx.x * 4 + i] = held[127 - threadIdx.x * 4 - i];
""",
    )
    x, y = floats(40), np.zeros(128, np.float32)
    launch(source, [x, y], 1, 32, 40)
    np.testing.assert_array_equal(y[::-1], np.pad(x, (0, 88)))
    fails(source, r"out of bounds: it reads 16 bytes at x\[40\]", [x, y], 1, 32, 44)
