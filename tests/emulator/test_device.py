"""The device itself: finding a compiler, errors of compiling, the cache, settings, and what its files keep to."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from lazygrad.engine.cache import DiskCache
from lazygrad.errors import CompileError, DeviceError, GraphError, KernelError
from lazygrad.render.cuda_async import ASYNC
from lazygrad.render.cuda_prelude import BASE
from lazygrad.runtime.base import KernelSource, Launch, LaunchAttributes, RuntimeStats
from lazygrad.runtime.cuda_device import planned_info
from lazygrad.runtime.emulator import EmulatedRuntime, toolchain
from lazygrad.runtime.nvrtc import Compiler
from lazygrad.runtime.registry import canonical, default_device, open_device
from lazygrad.settings import settings

from . import harness, test_blocks, test_hopper, test_warps

FILES = sorted(toolchain.HERE.glob("*.[ch]pp"))


def test_it_is_never_chosen_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert canonical("cuda_emulated") == "CUDA_EMULATED"
    with settings.override(device=""):
        assert default_device() != "CUDA_EMULATED"
    with pytest.raises(DeviceError, match="bad device name"):
        canonical("CUDA_EMULATED:1")


def test_no_compiler_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="install g\\+\\+ or clang\\+\\+"):
        EmulatedRuntime()
    monkeypatch.setenv("CXX", "no-such-compiler -O1")
    with pytest.raises(DeviceError, match="CXX names 'no-such-compiler'"):
        EmulatedRuntime()
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho I am no compiler >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    with pytest.raises(DeviceError, match="does not work: I am no compiler"):
        EmulatedRuntime()


def source(body: str, name: str = "k", params: str = "int *y") -> KernelSource:
    return KernelSource(name, f'extern "C" __global__ void {name}({params}) {{\n{body}\n}}\n', name)


def test_errors_of_compiling() -> None:
    device = open_device("CUDA_EMULATED")
    with pytest.raises(CompileError) as caught:
        device.build([source("  y[0] = 1;\n  y[1] = wrong;")])
    assert "k:3:" in str(caught.value)
    assert "wrong" in str(caught.value)
    with pytest.raises(CompileError, match="inline PTX"):
        device.build([source('  asm("mov.u32 %0, 1;" : "=r"(y[0]));')])
    with pytest.raises(CompileError, match="no kernel 'other'"):
        device.build([KernelSource("k", source("").text, "other")])
    with pytest.raises(GraphError, match="entry name 'k'"):
        device.build([source("y[0] = 1;"), source("y[0] = 2;")])
    (built,) = device.build([source("y[0] = 1;")])
    with pytest.raises(CompileError, match="takes 1 arguments, and the launch gives 2"):
        device.prepare([Launch(built, (device.allocate(4),) * 2, (), (32,), (32,))])


def test_kernels_come_from_the_cache(tmp_path: Path) -> None:
    numbers = []
    for _ in range(2):
        device = EmulatedRuntime(cache=DiskCache(tmp_path))
        (built,) = device.build([source("  y[threadIdx.x] = 7;")])
        y = np.zeros(32, np.int32)
        device.prepare([Launch(built, (device.wrap(y),), (), (32,), (32,))]).run()
        assert (y == 7).all()
        numbers.append((device.stats.built, device.stats.loaded))
    assert numbers == [(2, 0), (0, 2)]  # the emulator itself, and the kernel


def test_without_checks() -> None:
    """Nothing is instrumented: the same results, and no reports."""
    body = "  __shared__ int held[64];\n  held[threadIdx.x] = threadIdx.x;\n  y[threadIdx.x] = held[threadIdx.x ^ 1];"
    y = np.zeros(64, np.int32)
    harness.fails(source(body), "race: |uninitialized: ", [y], 1, 64)
    with settings.override(emulated_checks=False):
        harness.launch(source(body), [y], 1, 64)  # threads run in turn here, so that half of them read what is there
        assert (y[1::2] == np.arange(0, 64, 2)).all()
        x, z = harness.floats(5, 700), np.zeros(5, np.float32)
        harness.launch(test_blocks.REDUCTION, [x, z], 5, 256, 700)
        np.testing.assert_allclose(z, x.astype(np.float64).sum(1), 1e-4, 1e-4)
        ring, arrays, expected = test_hopper.ring(320)
        harness.launch(ring, arrays, 1, 256, 320)
        np.testing.assert_array_equal(arrays[2], expected)


def test_shared_memory_is_limited() -> None:
    y = np.zeros(32, np.int32)
    declared = source("  __shared__ int held[12289];\n  held[threadIdx.x] = 1;\n  y[threadIdx.x] = held[threadIdx.x];")
    harness.fails(declared, "declares 49156 bytes of shared memory; more than 49152", [y], 1, 32)
    body = """
  extern __shared__ __align__(1024) unsigned char lg_dynamic[];
  int *const held = (int *)(lg_dynamic + 200000);
  held[threadIdx.x] = threadIdx.x;
  y[threadIdx.x] = held[threadIdx.x];"""
    asked = KernelSource("k", source(body).text, "k", LaunchAttributes(shared_bytes=200_128))
    harness.launch(asked, [y], 1, 32)
    assert (y == np.arange(32)).all()
    over = KernelSource("k", asked.text, "k", LaunchAttributes(shared_bytes=200_000))
    harness.fails(over, "out of bounds", [y], 1, 32)
    other = harness.planted(asked, ("held[threadIdx.x] = threadIdx.x;", ""))
    harness.fails(other, r"uninitialized: it reads held\[0\]", [y], 1, 32)
    bounded = harness.planted(source("y[0] = 1;"), ("void k", "void __launch_bounds__(64) k"))
    for threads, most in ((96, 64), (1056, 64)):
        with pytest.raises(GraphError, match=f"{threads} work-items in a work-group, and it may have {most}"):
            harness.launch(bounded, [y], 1, threads)
    with settings.override(emulated_arch="sm_80"):
        harness.fails(asked, "asks for 200128 bytes of shared memory, and a block may have 166912", [y], 1, 32)


def test_cooperative_launches_run_all_blocks_at_once() -> None:
    """Blocks that wait for each other; one after the other they would wait for ever."""
    body = """
  if (threadIdx.x == 0) {
    atomicAdd(y, 1);
    while (atomicAdd(y, 0) < 6) __nanosleep(100);
  }"""
    y = np.zeros(1, np.int32)
    together = KernelSource("k", source(body).text, "k", LaunchAttributes(cooperative=True))
    harness.launch(together, [y], 6, 32)
    assert y[0] == 6
    harness.fails(source(body), "endless loop", [np.zeros(1, np.int32)], 6, 32)


def test_cores_change_no_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Blocks on any number of cores; the report is that of the first block that fails."""
    body = "  float s = 0;\n  for (int i = 0; i < 99; i++) s = s * 0.7f + x[blockIdx.x * 32 + threadIdx.x];\n"
    fine = source(body + "  y[blockIdx.x * 32 + threadIdx.x] = s;", "many", "const float *x, float *y")
    bad = source("  if (blockIdx.x % 7 == 5) y[99999] = 1;\n  y[blockIdx.x] = 1;", "bad")
    results = []
    for cores in (1, 2, 5):
        monkeypatch.setattr("lazygrad.runtime.host.usable_cores", lambda cores=cores: cores)
        device = EmulatedRuntime(cache=DiskCache(tmp_path))
        x, y = harness.floats(64 * 32), np.zeros(64 * 32, np.float32)
        (built,) = device.build([fine])
        device.prepare([Launch(built, (device.wrap(x), device.wrap(y)), (), (64 * 32,), (32,))]).run()
        results.append(y)
        (built,) = device.build([bad])
        with pytest.raises(KernelError, match=r"block 5, thread 0: out of bounds: it writes 4 bytes at y\[99999\]"):
            device.prepare([Launch(built, (device.allocate(400),), (), (64 * 32,), (32,))]).run()
    assert all((r == results[0]).all() for r in results)


# ---- the contract ---------------------------------------------------------------------------------------


def test_every_name_of_the_contract_is_defined() -> None:
    defined = "\n".join(path.read_text(encoding="utf-8") for path in FILES)
    internal = {"lg_shared"}  # used by definitions only
    missing = [
        n for n in itertools.chain(BASE, ASYNC) if n not in internal and not re.search(rf"\b{n}\b", _wgmmas(defined))
    ]
    assert not missing


def _wgmmas(text: str) -> str:
    """The text, and the names that its macro EMU_WGMMA makes."""
    made = [
        f"lg_wgmma_{kind}_n{n}"
        for n in re.findall(r"^EMU_WGMMA\((\d+)\)", text, re.MULTILINE)
        for kind in ("bf16", "f16")
    ]
    return "\n".join([text, *made])


def test_nvrtc_compiles_what_the_emulator_ran() -> None:
    """The hand-written kernels of these tests are CUDA, not something that only the emulator takes."""
    assert test_blocks.SAXPY in harness.WRITTEN
    test_hopper.ring(64)
    test_hopper.one_wgmma("bf16", 64, 0, 1, 128)
    unique = {s.entry: s for s in harness.WRITTEN}
    assert {test_warps.GEMM.entry, "ring"} <= set(unique)
    Compiler(planned_info("sm_90a").arch, RuntimeStats()).build(list(unique.values()))


# ---- the files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_are_readable(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 300
    assert lines[0].startswith("// "), "the first line says what the file is about"
    assert [i for i, line in enumerate(lines, 1) if len(line) > 120] == []


def test_the_emulator_compiles_without_warnings() -> None:
    options = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(toolchain.HERE / "emulator.cpp")]
    done = subprocess.run([*toolchain.find_compiler(), *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_process_leaves_no_files(tmp_path: Path) -> None:
    code = "from lazygrad import Tensor; print((Tensor([1.0, 2.0], device='CUDA_EMULATED') * 2).numpy())"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == "[2. 4.]\n", done.stderr
    assert list(tmp_path.iterdir()) == []


def test_launches_of_many_threads() -> None:
    """The emulator's workers serve one launch at a time, whoever asks."""
    wrong: list[int] = []

    def work(number: int) -> None:
        x = harness.floats(20, 300, seed=number)
        for _ in range(10):
            y = np.zeros(20, np.float32)
            harness.launch(test_blocks.REDUCTION, [x, y], 20, 256, 300)
            if not np.allclose(y, x.astype(np.float64).sum(1), 1e-4, 1e-4):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
