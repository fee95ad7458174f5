"""Every kernel of the table of operations, of the golden programs and of a GPT's training compiles, without a GPU."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pytest

pytest.importorskip("cuda.bindings", reason="cuda-python is not installed: no wheel for this platform")

from extra.bench.planned import ARCHITECTURES, compiled, graphs, kernel_sources, placeholder
from lazygrad import Tensor, dtypes, no_grad, optim
from lazygrad.dtype import BY_NAME, DType
from lazygrad.engine.plan import make_plan
from lazygrad.ir.node import Node, topological
from lazygrad.ir.op import Op
from lazygrad.models.gpt import GPT, GPTConfig
from lazygrad.runtime.base import KernelSource
from lazygrad.runtime.cuda_device import planned_info
from lazygrad.settings import settings
from tests.frontend.test_op_table import groups, samples, tensors, varies
from tests.golden.programs import PROGRAMS
from tests.op_row import Row
from tests.op_table import TABLE
from tests.peers import opinfo

ARCH = pytest.mark.parametrize("arch", ARCHITECTURES)
EVERY = 12  # rows from one to the next that is compiled for other dtypes, and for the older architecture


def results(row: Row, dtype: DType) -> list[Tensor]:
    """The value of a row, and its gradients where it has some."""
    arrays = samples(row)
    differentiable = row.grad and any(map(varies, arrays))
    inputs = tensors(arrays, dtype, requires_grad=differentiable)
    value = row.call(*inputs)
    if not differentiable:
        return [value]
    value.sum().backward()
    return [value, *(x.grad for x in inputs if x.grad is not None)]


def check(nodes: Sequence[Node], arch: str) -> list[KernelSource]:
    """Compile what computes `nodes`; contractions hold all they work on in registers."""
    sources = kernel_sources(nodes, planned_info(arch))
    for cubin in compiled(sources, arch):
        if cubin.source.name.startswith("dot_"):
            assert not cubin.resources.problems, f"{cubin.source.name} for {arch}: {cubin.resources.problems}"
    return sources


@pytest.mark.parametrize("names", groups(list(TABLE), 24), ids=lambda names: f"{names[0]}..{names[-1]}")
def test_every_row_compiles(names: list[str]) -> None:
    for name in names:
        check(graphs(partial(results, TABLE[name], dtypes.float32)), "sm_90a")


def without_rows() -> list[str]:
    """PyTorch's operations that no row of the table is named after."""
    names = [name.rpartition(".")[2] for name in TABLE]
    last = {name: opinfo.operations()[name].name.rpartition(".")[2] for name in opinfo.operations()}
    none = [n for n, word in last.items() if not any(re.match(rf"(linalg_|special_)?{word}(_|$)", k) for k in names)]
    return [n for n in none if n != "nn.functional.ctc_loss"]  # a loop over launches, whose step is a graph of its own


def first_samples(names: list[str]) -> list[Tensor]:
    """The results and gradients of an early sample of each."""
    found: list[Tensor] = []
    for name in names:
        for sample in itertools.islice(opinfo.samples(name, None), 1, 2):
            with contextlib.suppress(opinfo.RefusedError):
                found += [ours for _, ours, _ in opinfo.compute(sample).pairs if isinstance(ours, Tensor)]
    return found


@pytest.mark.parametrize("start", range(0, 180, 30))
def test_what_has_no_row_compiles(start: int) -> None:
    names = without_rows()
    assert len(names) < 210
    check(graphs(partial(first_samples, names[start : start + 30])), "sm_90a")


@pytest.mark.parametrize(
    ("dtype", "arch"),
    [("float32", "sm_80"), ("float64", "sm_90a"), ("float16", "sm_90a"), ("bfloat16", "sm_90a"), ("bfloat16", "sm_80")],
)
def test_rows_compile_in_other_types(dtype: str, arch: str) -> None:
    rows = [row for row in TABLE.values() if dtype in row.dtypes][::EVERY]
    for row in rows:
        check(graphs(partial(results, row, BY_NAME[dtype])), arch)


@ARCH
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_integers_compile(dtype: str, arch: str) -> None:
    def programs() -> list[Tensor]:
        a, b = (Tensor(np.ones((33, 300), dtype)) for _ in range(2))
        return [a * b + a, a // b, a % b, a.sum(-1), a.max(), a.argmax(-1), (a < b).float(), a.float(), a.cumsum(0)]

    check(graphs(programs), arch)


@ARCH
def test_golden_programs_compile(arch: str) -> None:
    check(graphs(lambda: [make() for make in PROGRAMS.values()]), arch)


# ---- large shapes: wide accesses, warps ------------------------------------------------------------


def one(make: Callable[[DType], Tensor], dtype: DType) -> list[Tensor]:
    return [make(dtype)]


WIDE: dict[str, Callable[[DType], Tensor]] = {
    "copy": lambda dtype: placeholder(8192, 4096, dtype=dtype) + 0.5,
    "bias and gelu": lambda dtype: (placeholder(8192, 3072, dtype=dtype) + placeholder(3072, dtype=dtype)).gelu(),
    "softmax": lambda dtype: placeholder(8192, 4096, dtype=dtype).softmax(-1),
    "layernorm": lambda dtype: placeholder(8192, 4096, dtype=dtype).layernorm(),
    "sum": lambda dtype: placeholder(8192, 4096, dtype=dtype).sum(),
    "sum of columns": lambda dtype: placeholder(8192, 4096, dtype=dtype).sum(0),
    "cross-entropy": lambda dtype: placeholder(8192, 50304, dtype=dtype).cross_entropy(
        placeholder(8192, dtype=dtypes.int64)
    ),
}


@ARCH
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_large_rows_are_read_16_bytes_at_a_time(dtype: str, arch: str) -> None:
    lanes = 16 // BY_NAME[dtype].itemsize
    for name, make in WIDE.items():
        sources = check(graphs(partial(one, make, BY_NAME[dtype])), arch)
        wide = min(lanes, 8)
        assert any(re.search(rf"lg_load<{wide}>\(in\d", s.text) for s in sources), f"{name}:\n{sources[0].text}"


def test_sums_pass_through_warps() -> None:
    """One barrier and a few words of shared memory for a row, the rest by shuffles."""
    nodes = graphs(lambda: [placeholder(8192, 4096).sum(-1)])
    (source,) = kernel_sources(nodes, planned_info("sm_90a"))
    (cubin,) = compiled([source], "sm_90a")
    assert source.text.count("__syncthreads") == 1
    assert "__shfl_xor_sync" in source.text
    assert cubin.resources.shared_bytes <= 32 * 4


# ---- a GPT ----------------------------------------------------------------------------------------


def training_step(config: GPTConfig, batch: int, dtype: DType, with_update: bool) -> list[Tensor]:
    """The loss, the gradients, and what an optimizer makes of them, of a model that holds no values."""
    model = GPT(config)
    parameters = list(model.parameters())
    for p in parameters:
        p.node = placeholder(*p.shape, dtype=dtype).node
    tokens = placeholder(batch, config.context, dtype=dtypes.int64)
    targets = placeholder(batch, config.context, dtype=dtypes.int64)
    loss = model.loss(tokens, targets)
    loss.backward()
    gradients = [p.grad for p in parameters if p.grad is not None]
    assert len(gradients) == len(parameters)
    if not with_update:
        return [loss, *gradients]
    optimizer = optim.AdamW(parameters, lr=1e-3)
    (group,) = optimizer.param_groups
    optimizer.make_state(0, group)
    with no_grad():
        numbered = [(i, p, g) for i, (p, g) in enumerate(zip(parameters, gradients))]
        return [loss, *optimizer.update(0, group, numbered)]


@ARCH
def test_a_small_gpt_step_compiles(arch: str) -> None:
    config = GPTConfig(vocabulary=65, layers=2)
    check(graphs(lambda: training_step(config, 12, dtypes.float32, True)), arch)


@ARCH
def test_an_optimizers_launches_compile(arch: str) -> None:
    """Kernels side by side, as a plan launches them: two layers' parameters and their moments."""
    sizes = [(768,), (768, 2304), (2304,), (768, 768), (768,), (768, 3072), (3072,), (3072, 768), (768,)] * 2

    def update() -> list[Tensor]:
        parameters = [placeholder(*s) for s in sizes]
        for p in parameters:
            p.requires_grad = True
        optimizer = optim.AdamW(parameters, lr=1e-3)
        (group,) = optimizer.param_groups
        optimizer.make_state(0, group)
        with no_grad():
            return optimizer.update(0, group, [(i, p, placeholder(*p.shape)) for i, p in enumerate(parameters)])

    nodes = graphs(update)
    inputs = [n for n in topological(nodes) if n.op is Op.BUFFER]
    steps = make_plan(nodes, inputs, {}, planned_info(arch)).steps
    assert len(steps) <= 4, [step.kernel.source.name for step in steps]
    for cubin in compiled([step.kernel.source for step in steps], arch):
        assert not cubin.resources.problems and cubin.resources.registers <= 128, cubin.resources


@pytest.mark.parametrize(
    ("dtype", "precision", "arch"),
    [
        ("float32", "highest", "sm_90a"),  # without matrix units, architectures differ little
        *(("float32", "high", arch) for arch in ARCHITECTURES),
        *(("bfloat16", "highest", arch) for arch in ARCHITECTURES),
    ],
)
def test_gpt2_forward_and_backward_compile(dtype: str, precision: str, arch: str) -> None:
    """Two layers of GPT-2's sizes: the other ten have the same kernels."""
    config = GPTConfig(vocabulary=50304, layers=2, heads=12, width=768, context=1024, bias=True)
    with settings.override(float32_matmul_precision=precision):
        sources = check(graphs(lambda: training_step(config, 16, BY_NAME[dtype], False)), arch)
    assert not [c.source.name for c in compiled(sources, arch) if c.resources.problems], "nothing spills, sums included"
    products = [s for s in sources if s.name.startswith("dot_")]
    units = {"float32 highest": "", "float32 high": "lg_mma_tf32(", "bfloat16 highest": "mma_bf16"}
    assert all(units[f"{dtype} {precision}"] in s.text for s in products)
