"""The machine code of matrix products: matrix units and bulk copies, where a disassembler is at hand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

pytest.importorskip("cuda.bindings", reason="cuda-python is not installed: no wheel for this platform")

from extra.bench.planned import compiled, graphs, kernel_sources, placeholder
from lazygrad import dtypes
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
    text = disassembled(dtype, arch, tmp_path)
    found = set(re.findall(r"\b([A-Z][A-Z0-9]+)\b", text))
    assert set(wanted) <= found


def disassembled(dtype: DType, arch: str, folder: Path) -> str:
    """The machine code of a product of two matrices."""
    tool = disassembler()
    if tool is None:
        pytest.skip("no nvdisasm on the path, and the wheel nvidia-cuda-nvdisasm is not installed")
    nodes = graphs(lambda: [placeholder(4096, 4096, dtype=dtype) @ placeholder(4096, 4096, dtype=dtype)])
    (cubin,) = compiled(kernel_sources(nodes, planned_info(arch)), arch)
    (folder / "k.cubin").write_bytes(cubin.image)
    return subprocess.run([tool, "-c", folder / "k.cubin"], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("arch", ["sm_90a", "sm_80"])
def test_products_of_float32_use_them_where_they_may(arch: str, tmp_path: Path) -> None:
    """Matrix loads bring the first factor, loads of words the second, whose neighbours are not along the depth."""
    with settings.override(float32_matmul_precision="high"):
        text = disassembled(dtypes.float32, arch, tmp_path)
    assert all(name in text for name in ("HMMA.1688.F32.TF32", "LDGSTS.E.BYPASS.128", "LDSM.16.M88.4", "LDS "))
    assert not re.search("HMMA|HGMMA|LDSM", disassembled(dtypes.float32, arch, tmp_path))
    waits = text.count("MEMBAR.ALL.GPU")  # where a cluster meets, before and after everything
    assert waits <= 2, "a step of the main loop waits until device memory has seen all writes"
