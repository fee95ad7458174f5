"""Threads and blocks: indices, barriers, shared memory, shuffles, atomics; each right kernel has twins with a bug."""

from __future__ import annotations

import numpy as np
import pytest

from lazygrad.settings import settings

from .harness import fails, floats, kernel, launch, planted

SAXPY = kernel(
    "saxpy",
    "const float *__restrict__ x, float *__restrict__ y, const int n",
    """
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i < n) {
    y[i] = 2.5f * x[i] + y[i];
  }
""",
)
REDUCTION = kernel(
    "block_sum",
    "const float *__restrict__ x, float *__restrict__ y, const int n",
    """
  __shared__ __align__(16) float part[8];
  float sum = 0;
  for (int i = threadIdx.x; i < n; i += 256) {
    sum += x[blockIdx.x * n + i];
  }
  for (int step = 16; step > 0; step /= 2) {
    sum += __shfl_xor_sync(0xffffffffu, sum, step);
  }
  if (threadIdx.x % 32 == 0) {
    part[threadIdx.x / 32] = sum;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    float total = 0;
    for (int w = 0; w < 8; w++) {
      total += part[w];
    }
    y[blockIdx.x] = total;
  }
""",
)
MATMUL = kernel(
    "tiled_matmul",
    "const float *__restrict__ a, const float *__restrict__ b, float *__restrict__ c, const int n",
    """
  __shared__ __align__(16) float left[256];
  __shared__ __align__(16) float right[256];
  const int row = threadIdx.x / 16, column = threadIdx.x % 16;
  const int top = blockIdx.x / (n / 16) * 16, side = blockIdx.x % (n / 16) * 16;
  float sum = 0;
  for (int k = 0; k < n; k += 16) {
    left[row * 16 + column] = a[(top + row) * n + k + column];
    right[row * 16 + column] = b[(k + row) * n + side + column];
    __syncthreads();
    for (int i = 0; i < 16; i++) {
      sum += left[row * 16 + i] * right[i * 16 + column];
    }
    __syncthreads();  // before the next tiles
  }
  c[(top + row) * n + side + column] = sum;
""",
)
LAST = kernel(
    "last_block",
    "const int *__restrict__ x, int *__restrict__ part, int *__restrict__ y, int *__restrict__ tickets",
    """
  __shared__ int ticket;
  if (threadIdx.x == 0) {
    part[blockIdx.x] = x[blockIdx.x] * 2;
    __threadfence();
    ticket = atomicAdd(tickets, 1);
  }
  __syncthreads();
  if (ticket == 9 && threadIdx.x == 0) {
    __threadfence();
    int sum = 0;
    for (int i = 0; i < 10; i++) {
      sum += part[i];
    }
    y[0] = sum;
  }
""",
)
VECTORS = kernel(
    "vectors",
    "const float *__restrict__ x, float *__restrict__ y",
    """
  lg_lanes<float, 4> v = lg_load<4>(x + threadIdx.x * 4);
  for (int k = 0; k < 4; k++) {
    v.v[k] = v.v[k] * 2;
  }
  lg_store(y + threadIdx.x * 4, v);
""",
)


@pytest.fixture(params=[0, 1, 2], ids=lambda seed: f"seed {seed}", autouse=True)
def _order(request: pytest.FixtureRequest) -> object:
    """Threads in turn, and in two random orders."""
    with settings.override(emulated_seed=request.param):
        yield


def test_saxpy() -> None:
    x, y = floats(1000), floats(1000, seed=1)
    expected = np.float32(2.5) * x.astype(np.float64) + y
    launch(SAXPY, [x, y], 8, 128, 1000)
    np.testing.assert_allclose(y, expected, 1e-6, 1e-6)


def test_running_over_an_end() -> None:
    words = r"thread 104: out of bounds: it reads 4 bytes at [xy]\[1000\], which has 1000 elements"
    for wrong in ("i < n + 1", "i < n || true"):
        error = fails(planted(SAXPY, ("i < n", wrong)), words, [floats(1000), floats(1000)], 8, 128, 1000)
        assert error.where.endswith("y[i] = 2.5f * x[i] + y[i];")
    before = planted(SAXPY, ("y[i] = 2.5f", "y[i - 1] = 2.5f"))
    fails(before, r"block 0, thread 0: out of bounds: it writes 4 bytes at y\[-1\]", [floats(9), floats(9)], 1, 128, 9)


def test_reduction() -> None:
    x, y = floats(5, 700), np.zeros(5, np.float32)
    launch(REDUCTION, [x, y], 5, 256, 700)
    np.testing.assert_allclose(y, x.astype(np.float64).sum(1), 1e-4, 1e-4)


def test_bugs_in_a_reduction() -> None:
    x, y = floats(5, 700), np.zeros(5, np.float32)

    def report(words: str, *changes: tuple[str, str]) -> None:
        fails(planted(REDUCTION, *changes), words, [x, y], 5, 256, 700)

    report(r"race: it (reads|writes) part\[|uninitialized: it reads part\[", ("__syncthreads();", ""))
    report(r"uninitialized: it reads part\[3\]", ("% 32 == 0)", "% 32 == 0 && threadIdx.x != 96)"))
    report("deadlock|divergence", ("__syncthreads();", "if (threadIdx.x < 128) __syncthreads();"))
    report("divergence", ("__syncthreads();", "if (threadIdx.x < 128) __syncthreads();\n  else __syncthreads();"))
    report("index 8 of an array of type 'float", ("w < 8", "w < 9"))
    report("deadlock|divergence", ("for (int step", "if (threadIdx.x % 2) for (int step"))
    report("endless loop", ("step /= 2", "step /= 1"))
    report("misaligned", ("x[blockIdx.x * n + i]", "*(const float *)((const char *)x + 4 * i + 2)"))
    report("endless loop", ("__syncthreads();", "while (((volatile float *)y)[0] == y[0]) {}"))


def test_a_deadlock_says_who_waits_where() -> None:
    x, y = floats(700), np.zeros(1, np.float32)
    stuck = planted(REDUCTION, ("__syncthreads();", "if (threadIdx.x != 7) __syncthreads();"))
    text = str(fails(stuck, "deadlock", [x, y], 1, 256, 700))
    assert "ended: thread 7\n" in text
    line = next(i for i, row in enumerate(stuck.text.splitlines(), 1) if "!= 7" in row)
    assert f"waiting in __syncthreads (line {line}): threads 0-6, 8-255" in text


def test_matmul() -> None:
    a, b, c = floats(48, 48), floats(48, 48, seed=1), np.zeros((48, 48), np.float32)
    launch(MATMUL, [a, b, c], 9, 256, 48)
    np.testing.assert_allclose(c, a.astype(np.float64) @ b, 1e-4, 1e-4)


@pytest.mark.parametrize("which", ["    __syncthreads();\n    for", "    __syncthreads();  // before the next tiles\n"])
def test_a_barrier_missing_in_a_matmul(which: str) -> None:
    without = "    for" if which.endswith("for") else ""
    arrays = [floats(48, 48), floats(48, 48), np.zeros((48, 48), np.float32)]
    fails(planted(MATMUL, (which, without)), "race: |uninitialized: ", arrays, 9, 256, 48)


def test_atomics_and_the_last_block() -> None:
    x, part = np.arange(10, dtype=np.int32), np.zeros(10, np.int32)
    y, tickets = np.zeros(1, np.int32), np.zeros(1, np.int32)
    launch(LAST, [x, part, y, tickets], 10, 32)
    assert (y[0], tickets[0]) == (90, 10)


def test_every_atomic_operation() -> None:
    source = kernel(
        "atomics",
        "int *y, float *z, unsigned long long *w",
        """
  __shared__ int held[1];
  if (threadIdx.x == 0) held[0] = 0;
  __syncthreads();
  const int i = blockIdx.x * 64 + threadIdx.x;
  atomicAdd(held, 1);
  atomicAdd(y, i);
  atomicSub(y + 1, i);
  atomicMin(y + 2, i - 70);
  atomicMax(y + 3, i);
  atomicAnd(y + 4, ~(1 << i % 7));
  atomicOr(y + 5, 1 << i % 7);
  atomicXor(y + 6, i);
  atomicExch(y + 7, 5);
  atomicInc((unsigned int *)y + 8, 99u);
  atomicCAS(y + 9, 0, 8);
  atomicAdd(z, 0.5f);
  atomicAdd(w, 1ull << 33);
  __syncthreads();
  if (threadIdx.x == 0) atomicAdd(y + 10, held[0]);
""",
    )
    y, z, w = np.zeros(11, np.int32), np.zeros(1, np.float32), np.zeros(1, np.uint64)
    y[4] = -1
    launch(source, [y, z, w], 2, 64)
    numbers = np.arange(128)
    xor = int(np.bitwise_xor.reduce(numbers))
    assert y.tolist() == [numbers.sum(), -numbers.sum(), -70, 127, -128, 127, xor, 5, 28, 8, 128]
    assert (z[0], w[0]) == (64.0, 128 << 33)
    arrays = [np.zeros(11, np.int32), z, w]
    fails(planted(source, ("if (threadIdx.x == 0) held[0] = 0;", "")), "uninitialized: it reads held", arrays, 2, 64)
    plain = ("atomicAdd(held, 1);", "if (threadIdx.x) atomicAdd(held, 1);\n  else held[0] = 1;")
    fails(planted(source, plain), r"race: it (reads|writes) held\[0\]", arrays, 2, 64)


def test_vectors_are_aligned() -> None:
    x, y = floats(512), np.zeros(512, np.float32)
    launch(VECTORS, [x, y], 1, 128)
    np.testing.assert_array_equal(y, x * 2)
    shifted = planted(
        VECTORS, ("lg_load<4>(x + threadIdx.x * 4)", "lg_load<4>(x + threadIdx.x * 4 - threadIdx.x / 127)")
    )
    fails(shifted, r"thread 127: misaligned: it reads 16 bytes at x\[507\]", [x, y], 1, 128)


def test_in_place() -> None:
    """One array given twice, and parts of one memory: a kernel sees one place as one place."""
    both = kernel("both", "const int *x, int *y", "\n  y[threadIdx.x] = x[threadIdx.x] + 1;\n  y[0] = x[0] * 10;\n")
    x = np.arange(8, dtype=np.int32)
    launch(both, [x, x], 1, 1)
    assert x.tolist() == [10, 1, 2, 3, 4, 5, 6, 7]
    launch(both, [x[2:], x[1:6]], 1, 1)
    assert x.tolist() == [10, 20, 2, 3, 4, 5, 6, 7]


def test_indices_in_three_axes() -> None:
    source = kernel(
        "axes",
        "int *y",
        """
  const int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  y[block * blockDim.x + threadIdx.x] = blockIdx.z * 100 + blockIdx.y * 10 + blockIdx.x;
""",
    )
    y = np.zeros((4, 3, 2, 32), np.int32)
    launch(source, [y], (2, 3, 4), 32)
    z, row, column, _ = np.indices(y.shape)
    np.testing.assert_array_equal(y, z * 100 + row * 10 + column)
