"""Programs for matrix units: their text, what they need, and what NVRTC makes of them.

After an intended change of the text: UPDATE_GOLDEN=1 python -m pytest tests/tiling/test_matrix_programs.py
"""

from __future__ import annotations

import difflib
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lazygrad import Tensor, dtypes
from lazygrad.render.cuda import render
from lazygrad.runtime.base import DeviceInfo, KernelSource, RuntimeStats
from lazygrad.runtime.nvrtc import Compiler, Resources
from lazygrad.settings import settings
from lazygrad.tiling import hopper_shape
from lazygrad.tiling.contract import contraction
from lazygrad.tiling.hopper import hopper
from lazygrad.tiling.lower import lower
from lazygrad.tiling.program import Program
from lazygrad.tiling.resources import resources
from lazygrad.tiling.show import text
from lazygrad.tiling.target import Target
from lazygrad.tiling.tensorize import tensorize
from tests.tiling.matrix_programs import AMPERE, HOPPER, linear, matrix, on_ampere, on_hopper, plain

GOLDEN = Path(__file__).parent / "golden"
UPDATE = os.environ.get("UPDATE_GOLDEN", "") not in ("", "0")


def with_tf32(make: Callable[[], Tensor]) -> Tensor:
    with settings.override(float32_matmul_precision="high"):
        return make()


def single(*shape: int) -> Tensor:
    return matrix(*shape, dtype=dtypes.float32)


PROGRAMS: dict[str, Callable[[], Program]] = {
    "hopper": lambda: on_hopper(linear(4096, 1024, 4096)),
    "hopper_alternating": lambda: on_hopper(linear(4096, 1024, 4096), alternate=True),
    "hopper_divided": lambda: on_hopper(linear(768, 16384, 768), splits=5),
    "ampere": lambda: on_ampere(linear(1024, 512, 1024)),
    "ampere_tf32": lambda: on_ampere(with_tf32(lambda: (single(1024, 512) @ single(512, 1024) + single(1024)).relu())),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_text_is_as_recorded(name: str) -> None:
    path, now = GOLDEN / f"{name}.txt", text(PROGRAMS[name]()) + "\n"
    if UPDATE:
        path.write_text(now, encoding="utf-8")
    recorded = path.read_text(encoding="utf-8") if path.exists() else ""
    changed = difflib.unified_diff(recorded.splitlines(), now.splitlines(), path.name, "now", lineterm="", n=2)
    assert now == recorded, "UPDATE_GOLDEN=1 records this:\n" + "\n".join(changed)


def test_resources_are_known_before_compiling() -> None:
    found = resources(PROGRAMS["hopper"]())
    slices, part, barriers = 3 * (128 + 256) * 64 * 2, 128 * 256 * 2, 3 * 2 * 8
    assert (found.items, found.cluster, found.registers) == (384, 2, 64 * 256 // 128)
    assert found.local_bytes == slices + part + barriers
    small = resources(PROGRAMS["ampere"]())
    assert (small.items, small.cluster, small.local_bytes) == (128, 1, 4 * (64 + 128) * 32 * 2)
    assert small.registers == (32 * 64 + (32 * 16 + 64 * 16) // 2) // 32


# ---- compiled ----------------------------------------------------------------------------------------

SHAPES: dict[str, Callable[[], Tensor]] = {
    "relu(a @ b + c)": lambda: linear(4096, 4096, 4096),
    "GPT-2, 768 to 2304": lambda: matrix(8192, 768) @ matrix(768, 2304) + matrix(2304),
    "GPT-2, 768 to 3072, gelu": lambda: (matrix(8192, 768) @ matrix(768, 3072) + matrix(3072)).gelu(),
    "GPT-2, 3072 to 768, residual": lambda: matrix(8192, 3072) @ matrix(3072, 768) + matrix(768) + matrix(8192, 768),
    "GPT-2, 768 to 50304": lambda: matrix(8192, 768) @ matrix(50304, 768).transpose(0, 1),
    "gradient of a weight": lambda: matrix(8192, 3072).transpose(0, 1) @ matrix(8192, 768),
    "scores of attention": lambda: matrix(96, 1024, 64) @ matrix(96, 1024, 64).transpose(1, 2),
    "odd sizes": lambda: matrix(4001, 1000) @ matrix(1000, 4008) + matrix(4001, 1),
}


def compiled(program: Program, info: DeviceInfo) -> tuple[KernelSource, Resources, bytes]:
    source = render(lower(replace(program, name="product"), Target.of(info)), info)
    pytest.importorskip("cuda.bindings.nvrtc")
    with settings.override(cache=False):
        (cubin,) = Compiler(info.arch, RuntimeStats()).build([source])
    return source, cubin.resources, cubin.image


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("arch", ["sm_80", "sm_90a", "sm_90a alternating"])
def test_nothing_is_spilled_or_serialized(name: str, arch: str) -> None:
    made = SHAPES[name]()
    if arch == "sm_80":
        check(on_ampere(made), AMPERE, ("HMMA.16816", "LDGSTS", "LDSM"))
    else:
        program = on_hopper(made, alternate="alternating" in arch)
        check(program, HOPPER, ("HGMMA", "UTMALDG", "MULTICAST", "USETMAXREG"))


DIVIDED = ("gradient of a weight", "GPT-2, 768 to 3072, gelu", "odd sizes")


@pytest.mark.parametrize("name", DIVIDED)
@pytest.mark.parametrize("arch", ["sm_80", "sm_90a", "sm_90a alternating"])
def test_nothing_is_spilled_where_the_depth_is_divided(name: str, arch: str) -> None:
    """Sums go to memory and come back in accesses of 16 bytes, past nothing that is not coherent."""
    made = SHAPES[name]()
    wanted = ("STG.E.128", "LDG.E.128 ", "MEMBAR.SC.GPU", "ATOMG.E.ADD")
    if arch == "sm_80":
        check(on_ampere(made, splits=3), AMPERE, ("HMMA.16816", *wanted))
    else:
        check(on_hopper(made, alternate="alternating" in arch, splits=3), HOPPER, ("HGMMA", *wanted))


def check(program: Program, info: DeviceInfo, wanted: tuple[str, ...]) -> None:
    """The program compiles without spills, in the local memory that it was planned with, to these instructions."""
    source, used, image = compiled(program, info)
    assert used.problems == (), source.text
    assert resources(program).local_bytes <= info.local_bytes
    assert source.attributes.shared_bytes + used.shared_bytes <= info.local_bytes
    for instruction in wanted if shutil.which("nvdisasm") else ():
        assert instruction in disassembled(image), instruction


TF32: dict[str, Callable[[], Tensor]] = {
    "plain": lambda: single(4096, 4096) @ single(4096, 4096),
    "first transposed": lambda: single(4096, 4096).T @ single(4096, 4096),
    "second transposed": lambda: single(4096, 4096) @ single(4096, 4096).T,
    "both transposed": lambda: single(4096, 4096).T @ single(4096, 4096).T,
    "768 to 3072, gelu": lambda: (single(8192, 768) @ single(3072, 768).T + single(3072)).gelu(),
    "3072 to 768, residual": lambda: single(8192, 3072) @ single(768, 3072).T + single(768) + single(8192, 768),
    "scores of attention": lambda: single(96, 1024, 64) @ single(96, 1024, 64).transpose(1, 2),
    "odd sizes": lambda: single(4001, 1001) @ single(1001, 4007) + single(4001, 1),
    "a factor computed": lambda: (single(4096, 4096) * 2 + 1) @ single(4096, 4096),
}


@pytest.mark.parametrize("name", TF32)
@pytest.mark.parametrize("info", [AMPERE, HOPPER], ids=lambda info: info.arch)
def test_nothing_is_spilled_with_tf32(name: str, info: DeviceInfo) -> None:
    program = tensorize(plain(with_tf32(TF32[name])), info)
    assert program is not None
    copies = ("LDGSTS",) if name != "odd sizes" else ()
    check(program, info, ("HMMA.1688.F32.TF32", *copies))


def disassembled(image: bytes) -> str:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"product-{os.getpid()}.cubin"
    path.write_bytes(image)
    try:
        return subprocess.run(["nvdisasm", str(path)], capture_output=True, text=True, check=True).stdout
    finally:
        path.unlink()


def test_few_deep_blocks_are_divided() -> None:
    """Gradients of GPT-2's weights; a product with blocks for all multiprocessors is not."""
    deep = {rows: plain(matrix(16384, rows).transpose(0, 1) @ matrix(16384, 768)) for rows in (768, 2304, 3072)}
    for pass_, info in ((hopper, HOPPER), (tensorize, AMPERE)):
        made = pass_(deep[768], info)
        assert made is not None and [a.name for a in made.workspace] == ["partial", "tickets"]
        whole = pass_(plain(linear(4096, 4096, 4096)), info)
        assert whole is not None and not whole.workspace


def test_the_estimate_knows_what_dividing_costs() -> None:
    c = contraction(plain(matrix(16384, 768).transpose(0, 1) @ matrix(16384, 768)))
    assert c is not None
    best = hopper_shape.best_shape(c, HOPPER)
    assert best is not None and best.splits > 1
    took = {n: hopper_shape.clocks(c, replace(best, splits=n), HOPPER) for n in (1, best.splits, 16)}
    assert took[best.splits] < 0.6 * took[1] and took[best.splits] < took[16]
    short = contraction(plain(matrix(768, 768) @ matrix(768, 768)))
    assert short is not None and {s.splits for s in hopper_shape.divided(short, best)} == {best.splits}


def test_devices_without_what_a_pass_needs_get_other_programs() -> None:
    product = plain(linear(4096, 256, 4096))
    assert hopper(product, HOPPER) is not None
    assert hopper(product, AMPERE) is None and tensorize(product, AMPERE) is not None
    assert hopper(product, replace(HOPPER, units=1)) is None  # no cluster of two
    assert hopper(product, replace(HOPPER, local_bytes=32 << 10)) is None
    assert tensorize(product, replace(AMPERE, arch="sm_75")) is None
    assert tensorize(product, replace(AMPERE, arch="")) is None
    assert tensorize(plain(matrix(64, 64, dtype=dtypes.float32) @ matrix(64, 64, dtype=dtypes.float32)), AMPERE) is None
