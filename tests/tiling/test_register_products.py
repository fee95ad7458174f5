"""Products in the registers of single work-items: their text, what checks refuse, and what NVRTC makes of them.

After an intended change of the text: UPDATE_GOLDEN=1 python -m pytest tests/tiling/test_register_products.py
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lazygrad import Tensor, dtypes
from lazygrad.dtype import DType
from lazygrad.errors import GraphError
from lazygrad.render.cuda import render
from lazygrad.runtime.base import DeviceInfo, RuntimeStats
from lazygrad.runtime.nvrtc import Compiler, Resources
from lazygrad.settings import settings
from lazygrad.tiling.array import Array, Scope
from lazygrad.tiling.collective import Wait
from lazygrad.tiling.local_contract import local_contract
from lazygrad.tiling.lower import lower
from lazygrad.tiling.program import Barrier, Program, Stage, Start, Stmt
from lazygrad.tiling.resources import resources
from lazygrad.tiling.show import text
from lazygrad.tiling.target import Target
from lazygrad.tiling.verify import verify
from lazygrad.tiling.walk import flattened
from tests.tiling.matrix_programs import AMPERE, HOPPER, changed, matrix, plain

GOLDEN = Path(__file__).parent / "golden" / "registers.txt"
UPDATE = os.environ.get("UPDATE_GOLDEN", "") not in ("", "0")
RTX = replace(AMPERE, units=82, local_bytes=99 << 10, description="RTX 3090", fingerprint="RTX 3090", arch="sm_86")


def floats(*shape: int, dtype: DType = dtypes.float32) -> Tensor:
    return matrix(*shape, dtype=dtype)


def product(y: Tensor, info: DeviceInfo = HOPPER) -> Program:
    program = local_contract(plain(y), info)
    assert program is not None
    return program


def biased(rows: int, depth: int, columns: int) -> Tensor:
    return (floats(rows, depth) @ floats(depth, columns) + floats(columns)).gelu()


def test_the_text_is_as_recorded() -> None:
    """One factor along the depth, one across; and one that is computed."""
    made = (product(floats(256, 64) @ floats(64, 256), RTX), product(floats(64, 24).flip(1) @ floats(24, 33), RTX))
    now = "\n".join(map(text, made)) + "\n"
    if UPDATE:
        GOLDEN.write_text(now, encoding="utf-8")
    recorded = GOLDEN.read_text(encoding="utf-8") if GOLDEN.exists() else ""
    difference = difflib.unified_diff(recorded.splitlines(), now.splitlines(), GOLDEN.name, "now", lineterm="", n=2)
    assert now == recorded, "UPDATE_GOLDEN=1 records this:\n" + "\n".join(difference)


def staged(program: Program, scope: Scope) -> list[Array]:
    return [s.array for s in flattened(program.body) if isinstance(s, Stage) and s.array.scope is scope]


@pytest.mark.parametrize(("info", "slots"), [(HOPPER, 4), (AMPERE, 4), (RTX, 2)], ids=lambda v: getattr(v, "arch", v))
def test_two_groups_share_a_multiprocessor(info: DeviceInfo, slots: int) -> None:
    program = product(biased(4096, 4096, 4096), info)
    found = resources(program)
    assert (found.items, found.registers, program.resident) == (256, 64, 2)
    assert [a.slots for a in staged(program, Scope.LOCAL)] == [slots, slots]
    assert found.local_bytes * 2 <= info.local_bytes


def test_devices_without_asynchronous_copies_compute_slices_ahead() -> None:
    old = replace(AMPERE, arch="sm_75", local_bytes=64 << 10)
    program = product(biased(4096, 4096, 4096), old)
    assert not any(isinstance(s, Start) for s in flattened(program.body))
    assert [a.name for a in staged(program, Scope.PRIVATE)] == ["a_next", "b_next", "acc"]
    verify(program)


@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64, dtypes.int32, dtypes.int64], ids=str)
def test_sums_fit_the_registers(dtype: DType) -> None:
    (acc,) = staged(product(floats(4096, 512, dtype=dtype) @ floats(512, 4096, dtype=dtype)), Scope.PRIVATE)
    assert isinstance(acc.size, int)
    assert acc.size * acc.dtype.itemsize <= 64 * 4


def test_small_sums_are_left_to_others() -> None:
    assert local_contract(plain(floats(64, 4) @ floats(4, 64)), HOPPER) is None
    assert local_contract(plain(floats(64, 64).sum(0)), HOPPER) is None
    assert local_contract(plain(floats(64, 64) @ floats(64, 64)), replace(HOPPER, max_group=8)) is None
    assert local_contract(plain(floats(64, 64) @ floats(64, 64)), replace(HOPPER, local_bytes=512)) is None


# ---- checked -----------------------------------------------------------------------------------------

LAYOUTS: dict[str, Callable[[], Tensor]] = {
    "nn": lambda: floats(512, 512) @ floats(512, 512),
    "tn": lambda: floats(512, 512).T @ floats(512, 512),
    "nt": lambda: floats(512, 512) @ floats(512, 512).T,
    "odd": lambda: floats(511, 509) @ floats(509, 513),
}


def without(kind: type[Stmt]) -> Callable[[Stmt], Sequence[Stmt]]:
    return lambda s: () if isinstance(s, kind) else (s,)


@pytest.mark.parametrize("name", LAYOUTS)
def test_nothing_can_be_left_out(name: str) -> None:
    program = product(LAYOUTS[name]())
    verify(program)
    with pytest.raises(GraphError, match=r"read without a Barrier after it was written|before anything is written"):
        verify(changed(program, without(Barrier)))
    with pytest.raises(GraphError, match="before the wait for token 'loads'"):
        verify(changed(program, without(Wait)))


# ---- compiled ----------------------------------------------------------------------------------------

SHAPES: dict[str, Callable[[], Tensor]] = {
    "nn": lambda: biased(4096, 4096, 4096),
    "tn": lambda: floats(4096, 4096).T @ floats(4096, 4096) + floats(4096),
    "nt": lambda: (floats(8192, 768) @ floats(3072, 768).T + floats(3072)).gelu(),
    "tt": lambda: floats(4096, 4096).T @ floats(4096, 4096).T,
    "odd": lambda: biased(4001, 999, 4003),
    "chunks of 8 bytes": lambda: biased(4002, 1002, 4006),
    "batches": lambda: floats(96, 1024, 64) @ floats(96, 1024, 64).transpose(1, 2) * 0.125,
    "computed": lambda: floats(4096, 1023).pad((1, 0)) @ floats(1024, 4096).flip(1),
    "convolution": lambda: floats(32, 64, 56, 56).conv2d(floats(64, 64, 3, 3), padding=1).relu(),
    "float64": lambda: floats(2048, 2048, dtype=dtypes.float64) @ floats(2048, 2048, dtype=dtypes.float64),
}


def compiled(program: Program, info: DeviceInfo) -> Resources:
    source = render(lower(replace(program, name="product"), Target.of(info)), info)
    pytest.importorskip("cuda.bindings.nvrtc")
    with settings.override(cache=False):
        (cubin,) = Compiler(info.arch, RuntimeStats()).build([source])
    return cubin.resources


@pytest.mark.parametrize("info", [AMPERE, HOPPER], ids=lambda info: str(info.arch))
@pytest.mark.parametrize("name", SHAPES)
def test_what_the_compiler_makes(name: str, info: DeviceInfo) -> None:
    found = compiled(product(SHAPES[name](), info), info)
    assert found.registers <= 128
    assert not found.problems
