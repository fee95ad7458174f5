"""What only a GPU shows: results on it, replayed plans, memory that runs out, errors that lose it, threads and streams.

`python -m pytest -m cuda` runs these; without a GPU they are skipped, with the reason.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from lazygrad import Tensor, jit, manual_seed, optim
from lazygrad.dtype import BY_NAME, DType
from lazygrad.engine import run
from lazygrad.errors import OutOfMemoryError
from lazygrad.ir.elements import Array, from_storage, to_storage
from lazygrad.ir.node import Node, topological
from lazygrad.models.gpt import GPT, GPTConfig
from lazygrad.runtime.base import KernelSource, Launch, Runtime
from lazygrad.runtime.cuda_driver import load_driver
from lazygrad.runtime.registry import available_devices, default_device, open_device
from lazygrad.settings import settings
from tests.frontend import test_op_table as op_tests
from tests.op_row import Row
from tests.op_table import TABLE
from tests.programs import Program, random_program, with_stores
from tests.tiling.test_tf32 import NUMBERS, rounded

pytestmark = pytest.mark.cuda
ROOT = Path(__file__).parents[2]
TOGETHER = 10  # random programs in a schedule


@pytest.fixture(autouse=True)
def _on_the_gpu() -> Iterator[None]:
    with settings.override(device="CUDA"):
        yield


@pytest.fixture
def runtime() -> Runtime:
    return open_device("CUDA")


def on_gpu(array: Array, dtype: DType) -> Node:
    return run.upload(to_storage(np.asarray(array), dtype), dtype, "CUDA")


def floats(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


# ---- values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names", op_tests.groups(list(TABLE), 24), ids=lambda names: f"{names[0]}..{names[-1]}" if names else ""
)
def test_the_op_table(names: list[str]) -> None:
    op_tests.test_devices_agree(names, "CUDA")


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_the_op_table_in_every_type(row: Row) -> None:
    op_tests.test_dtypes(row)


@pytest.mark.parametrize("first", range(0, 60, TOGETHER))
@pytest.mark.parametrize("store", [0.0, 0.25, 1.0])
def test_random_programs(first: int, store: float) -> None:
    """However programs are cut into kernels, and some of their values computed first."""
    made = [random_program(seed, size=16, make=on_gpu) for seed in range(first, first + TOGETHER)]
    roots = [with_stores(p.roots, p.seed, store) if store else p.roots for p in made]
    inside = [n for p in made for n in topological(p.roots) if n.src]
    run.realize(inside[:: max(1, len(inside) // 20)] if store == 0.25 else [], "CUDA")
    run.realize([n for some in roots for n in some], "CUDA")
    for p, some in zip(made, roots):
        _compare(p, some)


def _compare(program: Program, roots: Sequence[Node]) -> None:
    program.check([from_storage(run.download(n), n.dtype) for n in roots], "on the GPU")


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("shape", [(33, 65, 17), (128, 256, 64), (1000, 768, 2304), (512, 4096, 1024)], ids=str)
def test_matrix_products(dtype: str, shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    a, b, c = (torch.tensor(floats(*s)).to(getattr(torch, dtype)).double().numpy() for s in ((m, k), (k, n), (n,)))
    ours = [Tensor(x, dtype=BY_NAME[dtype]) for x in (a, b, c)]
    for name, got, want in (
        ("plain", ours[0] @ ours[1], a @ b),
        ("transposed", Tensor(b.T.copy(), dtype=BY_NAME[dtype]) @ Tensor(a.T.copy(), dtype=BY_NAME[dtype]), b.T @ a.T),
        ("epilogue", (ours[0] @ ours[1] + ours[2]).relu(), np.maximum(a @ b + c, 0)),
    ):
        rounding = {"float32": 2**-23, "float16": 2**-10, "bfloat16": 2**-7}[dtype] * np.abs(want).max()
        # Partial sums of i products of normal numbers are about sqrt(i) large, each rounded to 24 bits: 5 deviations.
        summing = 5 * 2**-24 * k / 2**0.5
        np.testing.assert_allclose(got.float().numpy(), want, atol=rounding + summing, err_msg=name)


@pytest.mark.parametrize("shape", [(33, 65, 17), (128, 256, 64), (1000, 768, 2304)], ids=str)
def test_products_that_may_be_rounded_to_tf32(shape: tuple[int, int, int]) -> None:
    """In every layout those of factors rounded to nearest, and exactly so where no sum is rounded."""
    m, k, n = shape
    a, b, eye = floats(m, k), floats(k, n), np.eye(32, dtype=np.float32)
    special = eye * np.resize(np.array([x for x in NUMBERS if abs(x) > 1e-30], np.float32), 32)
    want = rounded(a).astype(np.float64) @ rounded(b)
    with settings.override(float32_matmul_precision="high"):
        for left in (Tensor(a), Tensor(a.T.copy()).realize().T):
            for right in (Tensor(b), Tensor(b.T.copy()).realize().T):
                np.testing.assert_allclose((left @ right).numpy(), want, atol=1e-5 * np.abs(want).max())
        for left, right in ((special, eye), (eye, special)):
            for product in (
                Tensor(left) @ Tensor(right),
                (Tensor(left).T @ Tensor(right)),
                Tensor(left) @ Tensor(right).T,
            ):
                np.testing.assert_array_equal(product.numpy(), rounded(special))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_large_rows(dtype: str) -> None:
    x = torch.tensor(floats(300, 4096)).to(getattr(torch, dtype))
    ours = Tensor(x.double().numpy(), dtype=BY_NAME[dtype])
    wide = x.double()
    tolerance = {"float32": 2e-6, "float16": 2e-3, "bfloat16": 1.6e-2}[dtype]
    pairs: list[tuple[Tensor, torch.Tensor]] = [
        (ours * 2 + 1, wide * 2 + 1),
        (ours.softmax(-1), wide.softmax(-1)),
        (ours.layernorm(), torch.nn.functional.layer_norm(wide, (4096,))),
        (ours.float().sum(0), wide.sum(0)),
        (ours.float().sum(-1), wide.sum(-1)),
        (ours.max(), wide.max()),
        (ours.gelu(), torch.nn.functional.gelu(wide)),
    ]
    for got, want in pairs:
        reference = want.numpy()
        np.testing.assert_allclose(got.float().numpy(), reference, tolerance, tolerance * np.abs(reference).max())
    assert ours.float().argmax(-1).tolist() == wide.argmax(-1).tolist()


def test_random_numbers_are_those_of_every_device() -> None:
    drawn = []
    for device in ("CUDA", "NUMPY"):
        manual_seed(5)
        drawn.append(Tensor.randn(1000, device=device).numpy())
    np.testing.assert_allclose(drawn[0], drawn[1], rtol=1e-5, atol=1e-6)


# ---- plans that are replayed -----------------------------------------------------------------------


def gpt_losses(wrap: Callable[[Callable[[Tensor, Tensor], Tensor]], Callable[[Tensor, Tensor], Tensor]]) -> list[float]:
    manual_seed(1)
    model = GPT(GPTConfig(vocabulary=65, layers=2))
    optimizer = optim.AdamW(model.parameters(), lr=1e-3)
    rng = np.random.default_rng(2)

    def step(tokens: Tensor, targets: Tensor) -> Tensor:
        loss = model.loss(tokens, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run_step = wrap(step)
    return [run_step(*(Tensor(rng.integers(0, 65, (12, 64))) for _ in range(2))).item() for _ in range(8)]


def test_training_replays_as_graphs() -> None:
    jitted = gpt_losses(jit)
    plain = gpt_losses(lambda step: step)
    with settings.override(device="NUMPY"):
        expected = gpt_losses(lambda step: step)
    np.testing.assert_array_equal(jitted, plain)
    np.testing.assert_allclose(jitted, expected, rtol=2e-5)


PLUS_ONE = """extern "C" __global__ void k(const float *a, float *b, const int n) {
  int i = blockIdx.x * 32 + threadIdx.x;
  if (i < n) b[i] = a[i] + 1.0f;
}"""


def test_graphs_take_other_memory_and_sizes(runtime: Runtime) -> None:
    (kernel,) = runtime.build([KernelSource("k", PLUS_ONE, "k")])
    buffers = [runtime.wrap(np.zeros(256, np.float32)) for _ in range(4)]
    first, second, third, other = buffers
    launches = [Launch(kernel, (a, b), (256,), (256,), (32,)) for a, b in ((first, second), (second, third))]
    prepared = runtime.prepare(launches)
    for turn in range(3):
        runtime.write(first, np.full(256, turn, np.float32))
        prepared.run()
        assert np.all(runtime.read(third, 1024).view(np.float32) == turn + 2)
    prepared.rebind(1, 1, other)
    prepared.resize(0, (0,), (0,))
    prepared.run()
    assert np.all(runtime.read(other, 1024).view(np.float32) == 4), "the second kernel alone, on what was there"
    prepared.resize(0, (100,), (128,))
    runtime.write(first, np.full(256, 10, np.float32))
    prepared.run()
    assert runtime.read(other, 1024).view(np.float32).tolist() == [12.0] * 100 + [4.0] * 156


def test_times_are_measured(runtime: Runtime) -> None:
    (kernel,) = runtime.build([KernelSource("k", PLUS_ONE, "k")])
    count = 16 << 20
    memory = tuple(runtime.allocate(4 * count) for _ in range(2))
    prepared = runtime.prepare([Launch(kernel, memory, (n,), (count,), (32,)) for n in (1, count)])
    for _ in range(2):
        seconds = prepared.run(profile=True)
    assert seconds is not None
    assert 0 < seconds[0] < seconds[1] < 0.1


# ---- memory ----------------------------------------------------------------------------------------


def test_out_of_memory_and_after(runtime: Runtime) -> None:
    gc.collect()
    runtime.pool.trim()
    free = int(load_driver()("cuMemGetInfo")[0])
    held = runtime.allocate(free // 2, "half of it")
    with pytest.raises(OutOfMemoryError, match="half of it"):
        runtime.allocate(free)
    del held
    gc.collect()
    again = runtime.allocate(free * 3 // 4)
    runtime.write(again, np.arange(1000, dtype=np.uint8))
    assert runtime.read(again, 1000).tolist() == np.arange(1000, dtype=np.uint8).tolist()
    del again
    gc.collect()
    runtime.pool.trim()


def test_steps_leak_nothing(runtime: Runtime) -> None:
    x = Tensor(floats(256, 256)).realize()
    held = []
    for turn in range(200):
        x = (x @ x.T).softmax(-1).realize()
        if turn in (20, 199):
            gc.collect()
            held.append(runtime.stats.live_bytes)
    assert held[0] == held[1]


def test_large_copies(runtime: Runtime) -> None:
    data = np.random.default_rng(0).integers(0, 256, 50_000_001).astype(np.uint8)
    assert np.array_equal(runtime.read(runtime.wrap(data), data.nbytes), data)


def test_gpus_copy_from_each_other() -> None:
    names = [name for name, text in available_devices() if name.startswith("CUDA") and "not usable" not in text]
    if len(names) < 2:
        pytest.skip(f"there is one GPU here: {names}")
    x = floats(1000, 1000)
    there = (Tensor(x, device="CUDA") + 1).to("CUDA:1")
    assert np.array_equal((there * 2).to("CUDA").numpy(), (x + 1) * 2)


# ---- threads, streams, failures --------------------------------------------------------------------


def test_threads_and_other_streams_agree() -> None:
    """Four threads compute here while PyTorch, where it has this GPU, keeps it busy in a stream of its own."""
    x = floats(512, 512)
    expected = np.tanh(x.astype(np.float64) @ x)
    wrong: list[str] = []

    def work(number: int) -> None:
        for _ in range(20):
            got = (Tensor(x, device="CUDA") @ Tensor(x, device="CUDA")).tanh().numpy()
            if not np.allclose(got, expected, atol=1e-4):
                wrong.append(f"thread {number}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    if torch.cuda.is_available():
        with torch.cuda.stream(torch.cuda.Stream()):
            busy = torch.randn(2048, 2048, device="cuda")
            for _ in range(50):
                busy = torch.tanh(busy @ busy)
    for thread in threads:
        thread.join()
    assert not wrong


LOST = """
from lazygrad.errors import DeviceError
from lazygrad.runtime.base import KernelSource, Launch
from lazygrad.runtime.registry import open_device
runtime = open_device("CUDA")
text = 'extern "C" __global__ void k(float *a) { a[(1L << 44) + threadIdx.x] = 1.0f; }'
(kernel,) = runtime.build([KernelSource("k", text, "k")])
runtime.prepare([Launch(kernel, (runtime.allocate(4),), (), (32,), (32,))]).run()
for use in (runtime.synchronize, runtime.synchronize, lambda: runtime.allocate(1)):
    try:
        use()
        print("worked")
    except DeviceError as error:
        print("lost" if "The device is lost for this process" in str(error) else error)
"""


def test_a_wild_store_loses_the_device_with_an_error() -> None:
    ran = _python("-c", LOST)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["lost"] * 3


def test_the_report_and_the_default() -> None:
    ran = _python("-m", "lazygrad")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = ran.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("  CUDA:"))
    assert lines[at + 1].strip() == "self-test: passed"
    assert "Default device: CUDA" in lines
    with settings.override(device=""):
        assert default_device() == "CUDA"


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "LAZYGRAD_DEVICE"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, env=environment, check=False)
