"""Copies by the engine (TMA), barriers that count bytes, matrix operations of warp groups, clusters."""

from __future__ import annotations

import numpy as np
import pytest

from lazygrad.errors import GraphError
from lazygrad.runtime.base import KernelSource, TensorMap
from lazygrad.settings import settings

from . import cute
from .harness import Data, bfloat16, fails, kernel, launch, planted, small_integers

SEEDS = [0, 1, 2]
# What a wait that is missing may be seen by first: it depends on who runs ahead.
EARLY = "race: |asynchronous|uninitialized: |accumulators|more arrivals"


@pytest.fixture(params=SEEDS, ids=lambda seed: f"seed {seed}", autouse=True)
def _order(request: pytest.FixtureRequest) -> object:
    with settings.override(emulated_seed=request.param):
        yield


def over(memory: int, array: Data, box: tuple[int, int], swizzle: int = 0) -> TensorMap:
    """The map of a two-dimensional array of 16-bit elements."""
    rows, columns = array.shape
    return TensorMap(memory, "float16", (columns, rows), (columns * 2,), box, swizzle)


# ---- tiles and their swizzles ------------------------------------------------------------------------


def tile_kernel(swizzle: int, array: Data) -> KernelSource:
    columns = (swizzle or 64) // 2
    return kernel(
        f"tile_{swizzle}",
        "const unsigned short *x, unsigned short *y, const int column, const int row, "
        "const __grid_constant__ lg_tensor_map map",
        f"""
  __shared__ __align__(1024) unsigned short tile[{16 * columns}];
  __shared__ __align__(8) unsigned long full[1];
  if (threadIdx.x == 0) {{
    lg_barrier_init(full, 1);
    lg_barrier_ready();
    lg_barrier_expect(full, {32 * columns});
    lg_tensor_load(tile, &map, full, column, row);
  }}
  __syncthreads();
  lg_barrier_wait(full, 0);
  for (int i = threadIdx.x; i < {16 * columns}; i += 32) {{
    y[i] = tile[i];
  }}
""",
        tensor_maps=(over(0, array, (columns, 16), swizzle),),
    )


@pytest.mark.parametrize("corner", [(0, 0), (8, 3), (-4, -2), (200, 37)], ids=str)
@pytest.mark.parametrize("swizzle", [0, 32, 64, 128])
def test_tiles(swizzle: int, corner: tuple[int, int]) -> None:
    """A tile lies as CuTe's swizzle says; what is outside of the array is 0."""
    x = np.arange(1, 41 * 208 + 1, dtype=np.uint16).reshape(41, 208)
    source = tile_kernel(swizzle, x)
    columns = (swizzle or 64) // 2
    y = np.zeros(16 * columns, np.uint16)
    launch(source, [x, y], 1, 32, *corner)
    padded = np.pad(x, ((8, 64), (8, 128)))
    box = padded[corner[1] + 8 :, corner[0] + 8 :][:16, :columns].reshape(-1)
    bits = {0: 0, 32: 1, 64: 2, 128: 3}[swizzle]
    where = [cute.swizzle(bits, 2 * i) // 2 for i in range(16 * columns)]
    np.testing.assert_array_equal(y[where], box)


def test_maps_that_the_hardware_refuses() -> None:
    x = np.zeros((16, 64), np.uint16)
    good = tile_kernel(128, x)
    for wrong, words in (
        (TensorMap(0, "float16", (64, 16), (120,), (64, 16), 128), "multiples of 16"),
        (TensorMap(0, "float16", (64, 16), (128,), (64, 257), 128), "1 to 256"),
        (TensorMap(0, "float16", (64, 16), (128,), (64, 16), 64), "no longer than the swizzle"),
        (TensorMap(0, "float16", (64, 16), (128,), (60, 16), 0), "multiple of 16 bytes"),
        (TensorMap(0, "float16", (64, 16), (128, 1), (64, 16), 0), "all described"),
    ):
        source = planted(good)
        changed = KernelSource(source.name, source.text, source.entry, type(source.attributes)(tensor_maps=(wrong,)))
        with pytest.raises(GraphError, match=words):
            launch(changed, [x, x], 1, 32, 0, 0)


@pytest.mark.parametrize(
    ("words", "change"),
    [
        (EARLY, ("lg_barrier_wait(full, 0);", "")),
        ("deadlock", ("lg_barrier_expect(full, 2048)", "lg_barrier_expect(full, 2056)")),
        ("deadlock", ("lg_barrier_expect(full, 2048);", "")),
        ("deadlock", ("lg_barrier_init(full, 1)", "lg_barrier_init(full, 2)")),
        ("deadlock", ("lg_barrier_wait(full, 0)", "lg_barrier_wait(full, 0);\n  lg_barrier_wait(full, 1)")),
        (
            "more arrivals",
            ("lg_barrier_expect(full, 2048);", "lg_barrier_expect(full, 2048);\n    lg_barrier_expect(full, 2048);"),
        ),
        ("before lg_barrier_init|race: ", ("  __syncthreads();\n", "")),
        ("is a barrier object", ("y[i] = tile[i];", "y[i] = tile[i] + (unsigned short)full[0];")),
        ("is not aligned to 128", ("lg_tensor_load(tile,", "lg_tensor_load(tile + 8,")),
        ("out of bounds", ("lg_tensor_load(tile,", "lg_tensor_load(tile + 512,")),
        ("must be in shared memory", ("lg_tensor_load(tile,", "lg_tensor_load(y,")),
    ],
)
def test_bugs_with_a_tile(words: str, change: tuple[str, str]) -> None:
    x, y = np.zeros((16, 64), np.uint16), np.zeros(1024, np.uint16)
    fails(planted(tile_kernel(128, x), change), words, [x, y], 1, 32, 0, 0)


# ---- a ring between a producer and a consumer ----------------------------------------------------------

STAGES = 2
RING = """
  __shared__ __align__(1024) unsigned short left[8192];    // 2 stages of 64 x 64
  __shared__ __align__(1024) unsigned short right[8192];   // 2 stages of 64 x 64
  __shared__ __align__(8) unsigned long full[2];
  __shared__ __align__(8) unsigned long empty[2];
  if (threadIdx.x == 0) {
    for (int s = 0; s < 2; s++) {
      lg_barrier_init(full + s, 1);
      lg_barrier_init(empty + s, 1);
    }
    lg_barrier_ready();
  }
  __syncthreads();
  if (threadIdx.x >= 128) {
    lg_registers_decrease<40>();
    if (threadIdx.x == 128) {
      for (int k = 0; k < depth / 64; k++) {
        const int s = k % 2;
        if (k >= 2) lg_barrier_wait(empty + s, (k / 2 + 1) % 2);
        lg_barrier_expect(full + s, 16384);
        lg_tensor_load(left + s * 4096, &a_map, full + s, k * 64, 0);
        lg_tensor_load(right + s * 4096, &b_map, full + s, k * 64, 0);
      }
    }
  } else {
    lg_registers_increase<232>();
    float acc[32];
    for (int i = 0; i < 32; i++) acc[i] = 0;
    for (int k = 0; k < depth / 64; k++) {
      const int s = k % 2;
      lg_barrier_wait(full + s, k / 2 % 2);
      lg_wgmma_hold<32>(acc);
      lg_wgmma_fence();
      for (int i = 0; i < 4; i++) {
        lg_wgmma_bf16_n64<0, 0>(acc, lg_matrix<128>(left + s * 4096 + i * 16, 16, 1024),
                                lg_matrix<128>(right + s * 4096 + i * 16, 16, 1024));
      }
      lg_wgmma_commit();
      lg_wgmma_wait<0>();
      lg_wgmma_hold<32>(acc);
      if (threadIdx.x == 0) lg_barrier_arrive(empty + s, 0);
    }
    const int lane = threadIdx.x % 32;
    for (int i = 0; i < 32; i++) {
      const int row = threadIdx.x / 32 * 16 + lane / 4 + i / 2 % 2 * 8, column = i / 4 * 8 + lane % 4 * 2 + i % 2;
      c[row * 64 + column] = acc[i];
    }
  }
"""


def ring(depth: int) -> tuple[KernelSource, list[Data], Data]:
    a, b = small_integers(64, depth), small_integers(64, depth, seed=1)
    arrays = [bfloat16(a), bfloat16(b), np.zeros((64, 64), np.float32)]
    params = (
        "const unsigned short *a, const unsigned short *b, float *c, const int depth, "
        "const __grid_constant__ lg_tensor_map a_map, const __grid_constant__ lg_tensor_map b_map"
    )
    maps = tuple(over(i, arrays[i], (64, 64), 128) for i in (0, 1))
    return kernel("ring", params, RING, tensor_maps=maps), arrays, a @ b.T


@pytest.mark.parametrize("depth", [64, 320])
def test_ring(depth: int) -> None:
    source, arrays, expected = ring(depth)
    launch(source, arrays, 1, 256, depth)
    np.testing.assert_array_equal(arrays[2], expected)


@pytest.mark.parametrize(
    ("words", "change"),
    [
        (EARLY, ("lg_barrier_wait(full + s, k / 2 % 2);", "")),
        (EARLY, ("if (k >= 2) lg_barrier_wait(empty + s, (k / 2 + 1) % 2);", "")),
        (EARLY, ("lg_barrier_wait(empty + s, (k / 2 + 1) % 2)", "lg_barrier_wait(empty + s, k / 2 % 2)")),
        ("deadlock", ("if (threadIdx.x == 0) lg_barrier_arrive(empty + s, 0);", "")),
        (EARLY, ("if (threadIdx.x == 0) lg_barrier_arrive", "if (threadIdx.x % 64 == 0) lg_barrier_arrive")),
        ("deadlock", ("16384", "16392")),
        (EARLY, ("lg_wgmma_wait<0>();", "")),
        (EARLY, ("lg_wgmma_commit();", "")),
        (EARLY, ("lg_wgmma_wait<0>();", "lg_wgmma_wait<1>();")),
        ("deadlock|different matrix operations", ("for (int i = 0; i < 4; i++) {\n        lg_wgmma",
                                         "for (int i = 0; i < (threadIdx.x < 96 ? 4 : 3); i++) {\n        lg_wgmma")),
        ("different matrix operations", ("(left + s * 4096 + i * 16,", "(left + s * 4096 + threadIdx.x / 96 * 64,")),
        ("multiple of 8", ("lg_registers_increase<232>", "lg_registers_increase<236>")),
    ],
)  # fmt: skip
def test_bugs_in_a_ring(words: str, change: tuple[str, str]) -> None:
    source, arrays, _ = ring(320)
    fails(planted(source, change), words, arrays, 1, 256, 320)


def test_registers_are_limited() -> None:
    source = kernel("registers", "int *y", "\n  lg_registers_increase<240>();\n  y[threadIdx.x] = 1;\n")
    launch(source, [np.zeros(256, np.int32)], 1, 256)
    fails(source, "want 122880 registers in all", [np.zeros(512, np.int32)], 1, 512)


# ---- operands of wgmma -----------------------------------------------------------------------------------


def one_wgmma(kind: str, columns: int, ta: int, tb: int, swizzle: int) -> KernelSource:
    lead_a, lead_b = swizzle * 16, swizzle * 16
    return kernel(
        f"wgmma_{kind}_{columns}_{ta}{tb}_{swizzle}",
        "const unsigned short *a, const unsigned short *b, float *c",
        f"""
  __shared__ __align__(1024) unsigned short left[1024];
  __shared__ __align__(1024) unsigned short right[{16 * columns}];
  for (int i = threadIdx.x; i < 1024; i += 128) left[i] = a[i];
  for (int i = threadIdx.x; i < {16 * columns}; i += 128) right[i] = b[i];
  lg_fence_async();
  __syncthreads();
  float acc[{columns // 2}];
  for (int i = 0; i < {columns // 2}; i++) acc[i] = c[threadIdx.x * {columns // 2} + i];
  lg_wgmma_fence();
  lg_wgmma_{kind}_n{columns}<{ta}, {tb}>(acc, lg_matrix<{swizzle}>(left, {lead_a}, {stride(ta, swizzle)}),
                                         lg_matrix<{swizzle}>(right, {lead_b}, {stride(tb, swizzle)}));
  lg_wgmma_commit();
  lg_wgmma_wait<0>();
  for (int i = 0; i < {columns // 2}; i++) c[threadIdx.x * {columns // 2} + i] = acc[i];
""",
    )


def stride(major_mn: int, swizzle: int) -> int:
    """Bytes between groups of eight lines: next to each other. Parts of lines follow after both groups of the depth."""
    return 8 * swizzle


def packed(matrix: Data, major_mn: int, swizzle: int) -> Data:
    """An operand (lines x 16, 16 bits) where CuTe's canonical layouts put it; those of K have one part to a line."""
    bits = {32: 1, 64: 2, 128: 3}[swizzle]
    lines, depth = matrix.shape
    room = np.zeros(1 << 16, np.uint16)
    used = 0
    for line in range(lines):
        for k in range(depth):
            if major_mn:
                at = cute.major_mn(bits, swizzle * 16, 8 * swizzle, line, k)
            else:
                at = cute.major_k(bits, 8 * swizzle, line, k)
            room[at // 2] = matrix[line, k]
            used = max(used, at // 2 + 1)
    return room[:used]


@pytest.mark.parametrize(
    ("ta", "tb", "swizzle"), [(0, 0, 32), (1, 1, 128), (1, 1, 64), (1, 1, 32), (1, 0, 32), (0, 1, 32)]
)
@pytest.mark.parametrize(("kind", "columns"), [("bf16", 64), ("f16", 128), ("bf16", 192), ("f16", 256)])
def test_wgmma_reads_what_cute_describes(kind: str, columns: int, ta: int, tb: int, swizzle: int) -> None:
    a, b = small_integers(64, 16), small_integers(columns, 16, seed=3)
    bits = bfloat16 if kind == "bf16" else lambda x: x.astype(np.float16).view(np.uint16)
    layout = cute.c_64xn(columns)
    start = small_integers(64, columns, seed=5)
    acc = np.array([[start[layout.place(t, v)] for v in range(columns // 2)] for t in range(128)], np.float32)
    left, right = packed(bits(a), ta, swizzle), packed(bits(b), tb, swizzle)
    assert len(left) == 1024
    assert len(right) == 16 * columns
    launch(one_wgmma(kind, columns, ta, tb, swizzle), [left, right, acc], 1, 128)
    result = start + a @ b.T
    expected = [[result[layout.place(t, v)] for v in range(columns // 2)] for t in range(128)]
    np.testing.assert_array_equal(acc, expected)


def test_writes_are_fenced_before_matrix_units_read_them() -> None:
    source = one_wgmma("bf16", 64, 0, 0, 32)
    arrays = [np.zeros(1024, np.uint16), np.zeros(1024, np.uint16), np.zeros((128, 32), np.float32)]
    launch(source, arrays, 1, 128)
    fails(planted(source, ("lg_fence_async();", "")), "no lg_fence_async since", arrays, 1, 128)
    fails(planted(source, ("  __syncthreads();\n", "")), "race: |uninitialized: |lg_fence_async", arrays, 1, 128)
    late = ("lg_wgmma_commit();", "__syncthreads();\n  if (threadIdx.x == 0) left[0] = 1;\n  lg_wgmma_commit();")
    fails(planted(source, late), "a matrix operation read|asynchronous operation that reads it", arrays, 1, 128)
    unready = ("lg_wgmma_fence();", "")
    fails(planted(source, unready), "without lg_wgmma_fence since they were written", arrays, 1, 128)
    early = ("lg_wgmma_wait<0>();", "")
    fails(
        planted(source, early),
        "accumulators of a matrix operation|has not waited for matrix operations",
        arrays,
        1,
        128,
    )


# ---- stores of the engine ----------------------------------------------------------------------------------

STORE = """
  __shared__ __align__(128) unsigned short tile[512];
  for (int turn = 0; turn < 2; turn++) {
    if (threadIdx.x == 0) lg_store_wait<0>();
    __syncthreads();
    for (int i = threadIdx.x; i < 512; i += 64) {
      tile[i] = i + turn * 1000 + 1;
    }
    lg_fence_async();
    __syncthreads();
    if (threadIdx.x == 0) {
      lg_tensor_store(&map, tile, 0, turn * 16);
      lg_store_commit();
    }
  }
  if (threadIdx.x == 0) lg_store_wait<0>();
"""


def test_stores() -> None:
    y = np.zeros((30, 32), np.uint16)
    params = "unsigned short *y, const __grid_constant__ lg_tensor_map map"
    source = kernel("store", params, STORE, tensor_maps=(over(0, y, (32, 16)),))
    launch(source, [y], 1, 64)
    both = np.concatenate([np.arange(1, 513), np.arange(1001, 1513)]).reshape(32, 32)
    np.testing.assert_array_equal(y, both[:30])  # rows outside are not written
    last = "  }\n  if (threadIdx.x == 0) lg_store_wait<0>();\n"
    for words, change in (
        ("has not waited for its stores", (last, "  }\n")),
        ("asynchronous operation that reads it|race: ", ("{\n    if (threadIdx.x == 0) lg_store_wait<0>();", "{")),
        ("lg_fence_async", ("lg_fence_async();", "")),
        ("race: |uninitialized: |lg_fence_async", ("    __syncthreads();\n    if (threadIdx", "    if (threadIdx")),
        ("race: |asynchronous operation", ("lg_store_wait<0>();\n    __syncthreads();", "lg_store_wait<0>();")),
    ):  # fmt: skip
        fails(planted(source, change), words, [y], 1, 64)


# ---- clusters ----------------------------------------------------------------------------------------------

CLUSTER = """
  __shared__ __align__(128) unsigned short tile[1024];  // each block loads a half for both
  __shared__ __align__(8) unsigned long full[1];
  const int rank = lg_cluster_rank();
  if (threadIdx.x == 0) {
    lg_barrier_init(full, 1);
    lg_barrier_ready();
    lg_barrier_expect(full, 2048);
  }
  lg_cluster_sync();
  if (threadIdx.x == 0) {
    lg_tensor_load_all(tile + rank * 512, &map, full, 3, 0, blockIdx.x / 2 * 32 + rank * 16);
  }
  lg_barrier_wait(full, 0);
  for (int i = threadIdx.x; i < 1024; i += 32) {
    y[blockIdx.x * 1024 + i] = tile[i] + rank;
  }
  lg_cluster_sync();
"""


def test_clusters() -> None:
    x, y = np.arange(64 * 32, dtype=np.uint16).reshape(64, 32), np.zeros((4, 1024), np.uint16)
    params = "const unsigned short *x, unsigned short *y, const __grid_constant__ lg_tensor_map map"
    source = kernel("multicast", params, CLUSTER, cluster=2, tensor_maps=(over(0, x, (32, 16)),))
    launch(source, [x, y], 4, 32)
    expected = x.reshape(2, 1, 1024) + np.arange(2).reshape(1, 2, 1)
    np.testing.assert_array_equal(y, expected.reshape(4, 1024))
    for words, change in (
        ("before lg_barrier_init|race: |past every array", ("  lg_cluster_sync();\n  if", "  if")),
        ("deadlock", ("lg_barrier_expect(full, 2048)", "lg_barrier_expect(full, 4096)")),
        (EARLY, ("lg_barrier_wait(full, 0);", "")),
        (f"deadlock|{EARLY}", ("full, 3,", "full, 1 << rank,")),
        ("before thread 0, which initialized it, calls lg_barrier_ready", ("lg_barrier_ready();", "")),
        ("no block 2 in a cluster of 2", ("lg_barrier_wait", "lg_barrier_arrive(full, 2);\n  lg_barrier_wait")),
        ("deadlock", ("rank;\n  }\n  lg_cluster_sync();\n", "rank;\n  }\n  if (rank == 0) lg_cluster_sync();\n")),
    ):
        fails(planted(source, change), words, [x, y], 4, 32)
    late = ("  }\n  lg_cluster_sync();\n}", "  }\n  if (threadIdx.x == 0) lg_barrier_arrive(full, 1 - rank);\n}")
    fails(planted(source, late), "may have ended before thread 0|whose block has ended|deadlock", [x, y], 4, 32)
    with pytest.raises(GraphError, match="2 at a time"):
        launch(source, [x, y], 3, 32)
