"""What OpenCL runs, CUDA runs: the table of operations, random programs, a GPT that trains; with every check on."""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor
from lazygrad.dtype import DType, dtypes
from lazygrad.engine import run
from lazygrad.ir.elements import Array, from_storage, to_storage
from lazygrad.ir.node import Node
from lazygrad.runtime.registry import open_device
from lazygrad.settings import settings
from tests.frontend import test_op_table as op_tests
from tests.op_table import TABLE
from tests.programs import Program, random_program, with_stores
from tests.tiling import test_gpu

DEVICE = "CUDA_EMULATED"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "gpt.py"


@pytest.fixture(params=["sm_80", "sm_90a"], autouse=True)
def arch(request: pytest.FixtureRequest) -> Iterator[str]:
    with settings.override(device=DEVICE, emulated_arch=request.param):
        yield request.param


@pytest.mark.parametrize("names", op_tests.groups(list(TABLE), 72), ids=lambda names: f"{names[0]}..{names[-1]}")
def test_op_table(names: list[str], arch: str, breadth: int) -> None:
    """Every third row on each architecture, others on either; all of them with a breadth of 3 or more."""
    op_tests.test_devices_agree(names[["sm_80", "sm_90a"].index(arch) :: max(1, 3 // breadth)], DEVICE)


@pytest.mark.parametrize("family", test_gpu.FAMILIES, ids=lambda f: f.__name__)
def test_families(family: test_gpu.Family, arch: str) -> None:
    """Sizes around those of groups and tiles."""
    programs = test_gpu.Programs()
    family(programs, ["sm_80", "sm_90a"].index(arch))
    programs.check()


# ---- contractions of 16-bit floats: matrix units -------------------------------------------------------

SHAPES = [(64, 64, 64), (128, 128, 128), (256, 192, 320), (130, 72, 200), (129, 136, 1000), (512, 256, 64)]


def integers(*shape: int) -> np.ndarray[Any, Any]:
    """Numbers whose products and sums are exact."""
    return np.random.default_rng(sum(shape)).integers(-2, 3, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [*((shape, dtypes.bfloat16) for shape in SHAPES), *((shape, dtypes.float16) for shape in SHAPES[:2])],
    ids=lambda value: "x".join(map(str, value)) if isinstance(value, tuple) else str(value),
)
def test_matrix_units(shape: tuple[int, int, int], dtype: DType, arch: str) -> None:
    """Every way that operands can lie, with what comes before and after the product in the same kernel."""
    rows, columns, depth = shape
    a, b, bias = integers(rows, depth), integers(depth, columns), integers(columns)
    product = Tensor(a @ b, device="NUMPY").cast(dtype).float().numpy()  # of 16 bits, whatever is computed from it
    exact = np.maximum(product + bias, 0) * 2
    results = []
    for which in range(4):
        x, y = Tensor(a).cast(dtype), Tensor(b).cast(dtype)
        x = x.T.contiguous().realize().T if which & 1 else x.realize()
        y = y.T.contiguous().realize().T if which & 2 else y.realize()
        results.append(((x @ y).cast(dtypes.float32) + Tensor(bias)).relu() * 2)
        inner = (rows if which & 1 else depth), (depth if which & 2 else columns)
        kernels = [k.source for k in results[-1].schedule()]
        if not any(n % 8 for n in inner):  # their rows start at multiples of 16 bytes, as copies must
            assert sum(bool(re.search(r"lg_(wg)?mma_", text)) for text in kernels) == 1
    Tensor.realize(*results)
    for result in results:
        np.testing.assert_array_equal(result.numpy(), exact)


def test_batches_on_matrix_units() -> None:
    a, b = integers(3, 70, 64), integers(3, 64, 80)
    x, y = (Tensor(v).cast(dtypes.bfloat16).realize() for v in (a, b))
    np.testing.assert_array_equal((x @ y).cast(dtypes.float32).numpy(), a @ b)


def test_gradients_attention_and_convolutions_of_16_bit_floats() -> None:
    a, b, weight = integers(136, 200), integers(200, 264), integers(136, 264)
    x, y = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
    product = x.cast(dtypes.bfloat16) @ y.cast(dtypes.bfloat16)
    (product.cast(dtypes.float32) * Tensor(weight)).sum().backward()
    assert x.grad is not None
    assert y.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), weight @ b.T)
    np.testing.assert_array_equal(y.grad.numpy(), a.T @ weight)
    values = np.random.default_rng(0).standard_normal((2, 3, 70, 64)).astype(np.float16).astype(np.float32)
    images, kernels = integers(2, 32, 11, 13), integers(24, 32, 3, 3)
    results = []
    for device in (DEVICE, "NUMPY"):
        with settings.override(device=device):
            dtype = dtypes.float16 if device == DEVICE else dtypes.float32
            q, image, kernel = (Tensor(v).cast(dtype).realize() for v in (values, images, kernels))
            attended = q.scaled_dot_product_attention(q, q, is_causal=True)
            results.append([v.cast(dtypes.float32).numpy() for v in (attended, image.conv2d(kernel, padding=1))])
    np.testing.assert_allclose(results[0][0], results[1][0], 0, 4e-3)
    np.testing.assert_array_equal(results[0][1], results[1][1])


# ---- random programs -------------------------------------------------------------------------------------

TOGETHER = 10


def check(programs: Sequence[Program], share: float, what: str) -> None:
    """Realize every program in one schedule, with `share` of its values stored on the way, and compare."""
    roots = [with_stores(p.roots, p.seed, share) if share else p.roots for p in programs]
    run.realize(list(itertools.chain(*roots)), DEVICE)
    for p, own in zip(programs, roots):
        p.check([from_storage(run.download(n), n.dtype) for n in own], what)


def on_device(array: Array, dtype: DType) -> Node:
    return run.upload(to_storage(np.asarray(array), dtype), dtype, DEVICE)


@pytest.mark.parametrize(("first", "share"), [(0, 0.0), (10, 0.0), (20, 0.0), (100, 0.25), (200, 1.0)])
def test_random_programs(first: int, share: float) -> None:
    programs = [random_program(seed, size=16, make=on_device) for seed in range(first, first + TOGETHER)]
    check(programs, share, f"{share} stored")


def test_steps_along_sequences() -> None:
    check([random_program(seed, 8, make=on_device, also=["along"]) for seed in range(5)], 0.1, "with REPEAT")


# ---- training --------------------------------------------------------------------------------------------


def test_training() -> None:
    losses, parameters = test_gpu.train(DEVICE)
    expected, held = test_gpu.train("NUMPY")
    np.testing.assert_allclose(losses, expected, 1e-4)
    assert losses[-1] < losses[0]
    for ours, theirs in zip(parameters, held):
        np.testing.assert_allclose(ours, theirs, 0, 5e-3)
    assert open_device(DEVICE).stats.launches > 0


def test_the_example(tmp_path: Path, arch: str) -> None:
    """examples/gpt.py as a user runs it: the same losses as on the evaluator, and text at the end."""
    text = tmp_path / "text.txt"
    text.write_text("".join(f"the {i}th line of a text to learn from;\n" for i in range(60)), encoding="utf-8")
    sizes = ["--layers", "1", "--heads", "2", "--width", "16", "--context", "16", "--batch", "3", "--eval-batches", "1"]
    spec = importlib.util.spec_from_file_location("gpt_on_cuda", EXAMPLE)
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    losses = []
    for device in (DEVICE, "NUMPY"):
        out = tmp_path / device
        with settings.override(device=device):
            options = ["--text", str(text), "--out", str(out), "--steps", "4", "--max-new-tokens", "8", "--seed", "7"]
            assert script.main([*options, *sizes]) == 0
        metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
        losses.append((metrics["train_loss"], metrics["val_loss"]))
    np.testing.assert_allclose(losses[0], losses[1], 1e-4)
