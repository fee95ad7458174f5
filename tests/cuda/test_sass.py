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


def disassembler() -> str | None:
    """nvdisasm: of a toolkit on the path, or of the wheel nvidia-cuda-nvdisasm."""
    wheels = Path(sysconfig.get_paths()["purelib"], "nvidia").glob("*/bin/nvdisasm")
    return shutil.which("nvdisasm") or next((str(path) for path in wheels), None)


@pytest.mark.parametrize(
    ("arch", "wanted"), [("sm_90a", ("HGMMA", "UTMALDG", "UTMASTG", "SYNCS")), ("sm_80", ("HMMA", "LDGSTS", "LDSM"))]
)
@pytest.mark.parametrize("dtype", [dtypes.float16, dtypes.bfloat16], ids=str)
def test_products_use_matrix_units(arch: str, wanted: tuple[str, ...], dtype: DType, tmp_path: Path) -> None:
    tool = disassembler()
    if tool is None:
        pytest.skip("no nvdisasm on the path, and the wheel nvidia-cuda-nvdisasm is not installed")
    nodes = graphs(lambda: [placeholder(4096, 4096, dtype=dtype) @ placeholder(4096, 4096, dtype=dtype)])
    (cubin,) = compiled(kernel_sources(nodes, planned_info(arch)), arch)
    (tmp_path / "k.cubin").write_bytes(cubin.image)
    text = subprocess.run([tool, "-c", tmp_path / "k.cubin"], capture_output=True, text=True, check=True).stdout
    found = set(re.findall(r"\b([A-Z][A-Z0-9]+)\b", text))
    assert set(wanted) <= found
    waits = text.count("MEMBAR.ALL.GPU")  # where a cluster meets, before and after everything
    assert waits <= 2, "a step of the main loop waits until device memory has seen all writes"
