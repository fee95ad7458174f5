"""The machine code of matrix products: matrix units and bulk copies, where a disassembler is at hand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("cuda.bindings", reason="cuda-python is not installed: no wheel for this platform")

from extra.bench.planned import compiled, graphs, kernel_sources, placeholder
from lazygrad import Tensor, dtypes
from lazygrad.dtype import DType
from lazygrad.runtime.cuda_device import planned_info
from lazygrad.settings import settings


def disassembler() -> str | None:
    """nvdisasm: of a toolkit on the path, or of the wheel nvidia-cuda-nvdisasm."""
    wheels = Path(sysconfig.get_paths()["purelib"], "nvidia").glob("*/bin/nvdisasm")
    return shutil.which("nvdisasm") or next((str(path) for path in wheels), None)


@pytest.mark.parametrize(
    ("arch", "wanted"), [("sm_90a", ("HGMMA", "UTMALDG", "UTMASTG", "SYNCS")), ("sm_80", ("HMMA", "LDGSTS", "LDSM"))]
)
@pytest.mark.parametrize("dtype", [dtypes.float16, dtypes.bfloat16], ids=str)
def test_products_use_matrix_units(arch: str, wanted: tuple[str, ...], dtype: DType, tmp_path: Path) -> None:
    text = disassembled(square(dtype), arch, tmp_path)
    found = set(re.findall(r"\b([A-Z][A-Z0-9]+)\b", text))
    assert set(wanted) <= found


def square(dtype: DType) -> Callable[[], Tensor]:
    """A product of two matrices."""
    return lambda: placeholder(4096, 4096, dtype=dtype) @ placeholder(4096, 4096, dtype=dtype)


def disassembled(make: Callable[[], Tensor], arch: str, folder: Path) -> str:
    """The machine code of the one kernel that computes a tensor."""
    tool = disassembler()
    if tool is None:
        pytest.skip("no nvdisasm on the path, and the wheel nvidia-cuda-nvdisasm is not installed")
    (cubin,) = compiled(kernel_sources(graphs(lambda: [make()]), planned_info(arch)), arch)
    (folder / "k.cubin").write_bytes(cubin.image)
    return subprocess.run([tool, "-c", folder / "k.cubin"], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("arch", ["sm_90a", "sm_80"])
def test_products_of_float32_use_them_where_they_may(arch: str, tmp_path: Path) -> None:
    """Matrix loads bring the first factor, loads of words the second, whose neighbours are not along the depth."""
    with settings.override(float32_matmul_precision="high"):
        text = disassembled(square(dtypes.float32), arch, tmp_path)
    assert all(name in text for name in ("HMMA.1688.F32.TF32", "LDGSTS.E.BYPASS.128", "LDSM.16.M88.4", "LDS "))
    assert not re.search("HMMA|HGMMA|LDSM", disassembled(square(dtypes.float32), arch, tmp_path))
    waits = text.count("MEMBAR.ALL.GPU")  # where a cluster meets, before and after everything
    assert waits <= 2, "a step of the main loop waits until device memory has seen all writes"


PRODUCTS: dict[str, Callable[[], Tensor]] = {
    "nn": lambda: (placeholder(4096, 4096) @ placeholder(4096, 4096) + placeholder(4096)).gelu(),
    "tn": lambda: (placeholder(4096, 4096).T @ placeholder(4096, 4096) + placeholder(4096)).gelu(),
    "nt": lambda: (placeholder(4096, 4096) @ placeholder(4096, 4096).T + placeholder(4096)).gelu(),
    "odd": lambda: (placeholder(4001, 999) @ placeholder(999, 4003) + placeholder(4003)).gelu(),
}


@pytest.mark.parametrize("arch", ["sm_80", "sm_90a"])
@pytest.mark.parametrize("name", PRODUCTS)
def test_float32_products_multiply_most_of_the_time(name: str, arch: str, tmp_path: Path) -> None:
    """The loop over a slice reads 16 bytes at a time, for 16 multiplications; the next slices come asynchronously."""
    text = disassembled(PRODUCTS[name], arch, tmp_path)
    codes = re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\d+ +)?([A-Z][\w.]+)", text)
    names = Counter(code.split(".")[0] for code in codes)
    assert names["LDGSTS"] and not names["LDL"] and not names["STL"]
    inner = innermost(text)
    multiplied, read = inner["FFMA"], inner["LDS.128"]
    assert multiplied >= 64 and multiplied == 16 * read and not inner["LDS"]
    assert multiplied >= 0.85 * inner.total()


def innermost(text: str) -> Counter[str]:
    """The instructions of the shortest loop that multiplies, without their modifiers but for the width of reads."""
    labels: dict[str, int] = {}
    codes: list[str] = []
    loops: list[Counter[str]] = []
    for line in text.splitlines():
        if label := re.match(r"\s*(\.L\w+):", line):
            labels[label[1]] = len(codes)
        elif found := re.search(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\d+ +)?([A-Z]\w+)([^;]*)", line):
            wide = found[1] == "LDS" and found[2].startswith(".128")
            codes.append("LDS.128" if wide else found[1])
            target = re.search(r"\.L\w+", found[2])
            if found[1] == "BRA" and target and target[0] in labels:
                loops.append(Counter(codes[labels[target[0]] :]))
    return min((loop for loop in loops if loop["FFMA"]), key=Counter.total)
