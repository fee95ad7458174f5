"""The compiler: what it makes, keeps and says; and the definitions that kernels come with."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("cuda.bindings", reason="cuda-python is not installed: no wheel for this platform")

from lazygrad.engine.cache import DiskCache
from lazygrad.errors import ArgumentError, CompileError
from lazygrad.render.cuda import KNOWN
from lazygrad.render.cuda_prelude import BASE, definitions
from lazygrad.runtime.base import KernelSource, RuntimeStats
from lazygrad.runtime.cuda_device import MODELS, planned_info
from lazygrad.runtime.nvrtc import Compiler, Resources

GOOD = 'extern "C" __global__ void {name}(float *x) {{\n  x[threadIdx.x] += 1.0f;\n}}\n'


def kernel(name: str, text: str = GOOD) -> KernelSource:
    return KernelSource(name, text.format(name=name), name)


def compiler(cache: DiskCache | None = None, arch: str = "sm_90a") -> Compiler:
    made = Compiler(arch, RuntimeStats())
    made.cache = cache
    return made


def test_many_kernels_are_built_at_once_and_once() -> None:
    ours = compiler()
    sources = [kernel(f"k{i}") for i in range(4)]
    first = ours.build([*sources, sources[0]])
    assert [cubin.source.name for cubin in first] == ["k0", "k1", "k2", "k3", "k0"]
    assert all(cubin.image.startswith(b"\x7fELF") and cubin.resources.registers > 0 for cubin in first)
    assert ours.build(sources)[3] is first[3]
    assert (ours.stats.built, ours.stats.loaded) == (4, 0)


def test_kernels_come_from_the_cache(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    (first,) = compiler(cache).build([kernel("k")])
    again = compiler(DiskCache(tmp_path))
    assert again.build([kernel("k")]) == [first]
    assert (again.stats.built, again.stats.loaded) == (0, 1)
    other = compiler(DiskCache(tmp_path), "sm_80")
    assert other.build([kernel("k")])[0].image != first.image, "another architecture, another entry"
    for entry in tmp_path.rglob("*.entry"):
        entry.write_bytes(entry.read_bytes()[:-1])
    damaged = compiler(DiskCache(tmp_path))
    assert damaged.build([kernel("k")]) == [first]
    assert damaged.stats.built == 1


def test_an_error_names_the_kernel_and_the_line() -> None:
    bad = kernel("bad", 'extern "C" __global__ void {name}(float *x) {{\n  x[0] = y;\n}}\n')
    with pytest.raises(CompileError) as caught:
        compiler().build([kernel("good"), bad])
    message = str(caught.value)
    assert message.startswith("kernel 'bad' does not compile; the compiler said:\n  bad.cu(2): error: ")
    assert '"y" is undefined' in message
    assert ">  2 |   x[0] = y;" in message


def test_spills_are_counted() -> None:
    """More values than 32 registers hold, all alive at the end."""
    lines = [f"  float v{i} = x[{i} * n];" for i in range(100)]
    total = " + ".join(f"v{i} * v{99 - i}" for i in range(100))
    body = "\n".join([*lines, "  __syncthreads();", f"  x[n] = {total};"])
    text = f'extern "C" __global__ void __launch_bounds__(1024, 2) k(float *x, int n) {{\n{body}\n}}\n'
    (cubin,) = compiler().build([KernelSource("k", text, "k")])
    assert cubin.resources.registers == 32
    assert cubin.resources.spill_bytes > 0
    assert cubin.resources.problems == (f"{cubin.resources.spill_bytes} bytes of registers are spilled",)


def test_serialized_matrix_instructions_are_seen() -> None:
    log = "ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async instructions are serialized due to..."
    assert Resources.of(log).problems == ("wgmma is serialized (C7510)",)


def test_unknown_architectures() -> None:
    assert planned_info("sm_80").units == MODELS["sm_80"].units
    with pytest.raises(ArgumentError, match="no GPU of architecture 'sm_35' is known; there are sm_80"):
        planned_info("sm_35")


@pytest.mark.parametrize("name", BASE)
def test_every_definition_stands_alone(name: str) -> None:
    """What a definition needs comes with it, once."""
    text = definitions([name, name], BASE)
    assert text.count(BASE[name].text) == 1
    for arch in ("sm_80", "sm_90a"):
        compiler(arch=arch).build([KernelSource(name, text + GOOD.format(name="k"), "k")])


def test_definitions_come_in_the_order_of_their_use() -> None:
    text = definitions(KNOWN, KNOWN)
    assert [text.count(definition.text) for definition in KNOWN.values()] == [1] * len(KNOWN)
    compiler().build([KernelSource("all", text + GOOD.format(name="k"), "k")])
    assert definitions([], KNOWN) == ""
