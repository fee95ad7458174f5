"""Kernels that memory bounds: what each keeps in flight, reads in a line, and launches, seen without a GPU."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("cuda.bindings", reason="cuda-python is not installed: no wheel for this platform")

from extra.bench.planned import compiled, graphs, placeholder
from lazygrad import Tensor, dtypes
from lazygrad.dtype import DType
from lazygrad.engine.compile import Stages, compile_kernel
from lazygrad.index.expr import dim_max
from lazygrad.runtime.cuda_device import planned_info
from lazygrad.runtime.nvrtc import Cubin
from lazygrad.schedule.kernel import schedule
from lazygrad.tiling.program import Kind, Loop
from lazygrad.tiling.walk import flattened
from tests.cuda.test_sass import disassembler

BF16 = dtypes.bfloat16
LATENCY_NS, BANDWIDTH_GBS, UNITS = 700, 4300, 132  # of an H200: what memory takes to answer, what it can give
NEEDED = LATENCY_NS * BANDWIDTH_GBS / UNITS  # bytes in flight in each unit (Little's law)
REGISTERS, THREADS, GROUPS, LOCAL = 65536, 2048, 32, 228 << 10  # of a unit


def of(*shape: int, dtype: DType = BF16) -> Tensor:
    return placeholder(*shape, dtype=dtype)


def gradients() -> list[Tensor]:
    x, mean, y = of(16384, 768), of(16384, 1, dtype=dtypes.float32), of(16384, 768)
    return [(x * (y - mean)).sum(0), x.sum(0)]


STREAMS: dict[str, Callable[[], list[Tensor]]] = {
    "copy": lambda: [of(8192, 4096).cast(dtypes.float16)],
    "axpb": lambda: [of(8192, 4096) * 2 + 1],
    "sum of two": lambda: [of(8192, 4096) + of(8192, 4096)],
    "softmax": lambda: [of(8192, 4096).softmax(-1)],
    "layernorm": lambda: [of(8192, 4096).layernorm()],
    "softmax of 3072": lambda: [of(16384, 3072).softmax(-1)],
    "softmax of float32": lambda: [of(16384, 1024, dtype=dtypes.float32).softmax(-1)],
    "softmax of attention": lambda: [of(192, 1024, 1024).softmax(-1)],
    "layernorm of a model": lambda: [of(16384, 768).layernorm()],
    "columns": lambda: [of(16384, 768).sum(0)],
    "wide columns": lambda: [of(16384, 3072).sum(0)],
    "columns of float32": lambda: [of(8192, 4096, dtype=dtypes.float32).sum(0)],
    "sums of gradients": gradients,
    "first axis": lambda: [of(16, 1024, 768).sum(0)],
    "total": lambda: [of(8192, 4096).sum()],
}


def planned(make: Callable[[], list[Tensor]], arch: str = "sm_90a") -> Stages:
    """The one kernel that computes what `make` returns."""
    (kernel,) = schedule(graphs(make)).kernels
    return compile_kernel(kernel, {}, planned_info(arch))


def machine_code(stages: Stages, folder: Path) -> tuple[Cubin, str]:
    """The compiled kernel, and its instructions as text."""
    tool = disassembler()
    if tool is None:
        pytest.skip("no nvdisasm on the path, and the wheel nvidia-cuda-nvdisasm is not installed")
    (cubin,) = compiled([stages.compiled.source], "sm_90a")
    (folder / "k.cubin").write_bytes(cubin.image)
    return cubin, subprocess.run([tool, "-c", folder / "k.cubin"], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", STREAMS)
def test_enough_is_in_flight(name: str, tmp_path: Path) -> None:
    """Of the loads that a work-item makes before it waits for one, in all work-items that a unit can hold."""
    stages = planned(STREAMS[name])
    cubin, code = machine_code(stages, tmp_path)
    size, used = stages.compiled.group_size, cubin.resources
    warps = -(-used.registers // 8) * 8 * 32
    resident = min(THREADS // size, GROUPS, REGISTERS // warps // (size // 32), LOCAL // (used.shared_bytes + 1024))
    resident = min(resident, -(-dim_max(stages.compiled.groups) // UNITS))
    start = code.index("LDG.E")
    burst = code[start : start + re.search(r"SHFL|BAR\.SYNC|STG|BRA|$", code[start:]).start()]  # type: ignore[union-attr]
    each = sum(int(bits or 32) // 8 for bits in re.findall(r"LDG\.E(?:\.(\d+))?", burst))
    assert resident * size * each >= NEEDED, f"{resident} groups of {size} items with {each} bytes each"


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("arch", ["sm_80", "sm_90a"])
def test_nothing_is_spilled(name: str, arch: str) -> None:
    (cubin,) = compiled([planned(STREAMS[name], arch).compiled.source], arch)
    assert not cubin.resources.problems


ROWS = {  # bytes of a row, and work-items that share it
    "softmax": (8192, 256),
    "layernorm": (8192, 256),
    "softmax of 3072": (6144, 128),
    "softmax of attention": (2048, 32),
    "softmax of float32": (4096, 32),
    "layernorm of a model": (1536, 32),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_stay_in_registers(name: str, tmp_path: Path) -> None:
    """Every element is read once and written once, 16 bytes at a time; rows of a warp need no barrier."""
    (nbytes, items), stages = ROWS[name], planned(STREAMS[name])
    _, code = machine_code(stages, tmp_path)
    found = [re.sub(r"\.CONSTANT", "", op) for op in re.findall(r"\b(?:LDG|STG)\.[\w.]+", code)]
    assert found == ["LDG.E.128"] * (nbytes // 16 // items) + ["STG.E.128"] * (nbytes // 16 // items)
    assert ("BAR.SYNC" in code) is (items > 32)


@pytest.mark.parametrize("name", ["columns", "wide columns", "columns of float32", "sums of gradients"])
def test_columns_are_read_in_lines_by_all_units(name: str) -> None:
    stages = planned(STREAMS[name])
    size = 4 if "32" in name else 2
    side = {
        s.axis.var.name: dim_max(s.axis.extent)
        for s in flattened(stages.program.body)
        if isinstance(s, Loop) and s.axis.kind in (Kind.LOCAL, Kind.UNROLL) and s.axis.var.name in ("chunk", "k")
    }
    assert side["chunk"] * side["k"] * size >= 64
    assert 2 * UNITS <= dim_max(stages.compiled.groups) <= 4 * UNITS


def test_an_embedding_gradient_is_parallel_and_in_order() -> None:
    """Every unit has rows; whole lines are added, in float32, which a second kernel rounds; no work-item waits for
    another or needs an atomic."""

    def gradient() -> list[Tensor]:
        index = of(16384, 1, dtype=dtypes.int64).expand(16384, 768)
        return [placeholder(50304, 768, dtype=BF16).scatter_add(0, index, of(16384, 768))]

    stages, rounding = (compile_kernel(k, {}, planned_info("sm_90a")) for k in schedule(graphs(gradient)).kernels)
    text = stages.compiled.source.text
    assert "__shared__" not in rounding.compiled.source.text
    assert 2 * UNITS - 8 <= dim_max(stages.compiled.groups) <= 4 * UNITS
    assert text.count("lg_load<4>(out0") == 2  # eight columns each
    assert not re.search(r"atomic|__syncthreads", text)
    looks = re.findall(r"for \(int u0_part = 0; u0_part < (\d+);", text)
    assert looks == [str(16384 // 256)]  # a warp looks at 256 indices at a time
    assert not compiled([stages.compiled.source], "sm_90a")[0].resources.problems


def test_long_rows_of_a_loss_run_two_to_a_unit() -> None:
    def loss() -> list[Tensor]:
        return [of(16384, 50304).cross_entropy(placeholder(16384, dtype=dtypes.int64))]

    kernels = [compile_kernel(k, {}, planned_info("sm_90a")) for k in schedule(graphs(loss)).kernels]
    rows = [k for k in kernels if k.compiled.group_size > 256]
    assert rows
    for stages in rows:
        (cubin,) = compiled([stages.compiled.source], "sm_90a")
        assert stages.compiled.group_size * 2 * cubin.resources.registers <= REGISTERS
        assert UNITS <= dim_max(stages.compiled.groups) <= 2 * UNITS
