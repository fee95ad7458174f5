"""Device names, the NUMPY device, and PoCL's private matters that need no kernel."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from lazygrad.errors import BoundsError, DeviceError, OutOfMemoryError
from lazygrad.runtime import cache_folder, host, pocl, pocl_device, registry
from lazygrad.runtime.base import Storage
from lazygrad.runtime.numpy import NumpyRuntime
from lazygrad.settings import settings


@pytest.mark.parametrize(
    ("name", "canonical"),
    [("opencl", "OPENCL"), (" OpenCL:1 ", "OPENCL:1:0"), ("OPENCL:0:2", "OPENCL:0:2"), ("numpy", "NUMPY"),
     ("cuda", "CUDA"), ("CUDA:0", "CUDA"), ("CUDA:3", "CUDA:3")],
)  # fmt: skip
def test_names(name: str, canonical: str) -> None:
    assert registry.canonical(name) == canonical
    assert registry.canonical(canonical) == canonical


@pytest.mark.parametrize("name", ["", "OPENCL:", "OPENCL:x", "OPENCL:-1", "OPENCL:0:0:0", "NUMPY:0", "CUDA:0:1", "GPU"])
def test_bad_names(name: str) -> None:
    with pytest.raises(DeviceError, match=r"OPENCL\[:platform\[:device\]\]"):
        registry.canonical(name)


def test_a_misspelt_name() -> None:
    with pytest.raises(DeviceError, match="did you mean OPENCL"):
        registry.open_device("OPENGL")


def test_the_setting_decides() -> None:
    with settings.override(device="numpy"):
        assert registry.default_device() == "NUMPY"
        assert registry.open_device() is registry.open_device("NUMPY")
    assert registry.open_device("NUMPY") in registry.opened()
    with settings.override(device="TPU"), pytest.raises(DeviceError, match="unknown device 'TPU'"):
        registry.default_device()


def test_an_index_that_is_not_there() -> None:
    try:
        registry.open_device("OPENCL")
    except DeviceError as error:
        pytest.skip(str(error))
    with pytest.raises(DeviceError, match=r"no OpenCL device OPENCL:7:0; the devices here are:\n  OPENCL:0:0  "):
        registry.open_device("OPENCL:7")


def test_the_report() -> None:
    rows = registry.available_devices()
    assert [name.partition(":")[0] for name, _ in rows][-2:] == ["CUDA", "NUMPY"]
    assert rows[0][0].startswith("OPENCL")


def test_numpy_memory() -> None:
    runtime = NumpyRuntime()
    array = np.arange(12, dtype=np.float64).reshape(3, 4)
    storage = Storage("NUMPY", array.nbytes, runtime.allocate(array.nbytes))
    assert storage.memory is not None
    runtime.write(storage.memory, array.T)
    np.testing.assert_array_equal(runtime.read(storage.memory, 96).view(np.float64), array.T.reshape(-1))
    shared = runtime.share(storage.memory, 96)
    runtime.write(runtime.sub(storage.memory, 64, 8), np.float64(7))
    assert shared.view(np.float64)[8] == 7
    wrapped = runtime.wrap(array)
    assert wrapped.host is not None
    assert np.shares_memory(wrapped.host, array)
    assert not np.shares_memory(runtime.wrap(array.T).host, array)  # type: ignore[arg-type]
    assert runtime.stats.live_bytes == 96
    assert "allocated" not in repr(storage)
    del storage, shared
    assert runtime.stats.live_bytes == 0
    assert runtime.stats.cached_bytes >= 96


def test_numpy_bounds_and_limits() -> None:
    with settings.override(memory_limit=1):
        runtime = NumpyRuntime()
    memory = runtime.allocate(100)
    with pytest.raises(BoundsError):
        runtime.sub(memory, 96, 8)
    with pytest.raises(BoundsError):
        runtime.sub(memory, 64, 64)
    with pytest.raises(BoundsError):
        runtime.read(memory, 101)
    with pytest.raises(BoundsError):
        runtime.write(memory, np.zeros(101, np.uint8))
    with pytest.raises(OutOfMemoryError):
        runtime.allocate(2 << 20)
    with pytest.raises(DeviceError, match="NUMPY runs no kernels"):
        runtime.build([])
    with pytest.raises(DeviceError, match="NUMPY runs no kernels"):
        runtime.prepare([])


def test_host_blocks_are_aligned() -> None:
    for size in (1, 4096, 100_000, host.HUGE, 5 * host.HUGE + 4096):
        block = host.aligned_bytes(size)
        assert block.size == size
        assert block.ctypes.data % 4096 == 0
        block[:] = 1
    with pytest.raises(MemoryError):
        host.aligned_bytes(1 << 60)
    gc.collect()


def test_host_description() -> None:
    assert host.usable_cores() >= 1
    assert host.memory_bytes() > 1 << 26
    l1, l2 = host.cache_sizes()
    assert 4096 <= l1 <= l2
    assert host.copy_bandwidth(1) > 0.1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/mem")
def test_a_pointer_is_found_by_its_text() -> None:
    """Among words that are no pointers, or lead elsewhere, the one to the text is replaced and nothing else."""
    old, other = ctypes.create_string_buffer(b"generic"), ctypes.create_string_buffer(b"another")
    words = [0, 1, 2**47 + 5, 123_456, ctypes.addressof(other), ctypes.addressof(old), ctypes.addressof(old)]
    record = (ctypes.c_uint64 * (pocl_device.STRUCT_BYTES // 8))(*words)
    assert pocl_device._replace_pointer(ctypes.addressof(record), b"generic\0", "haswell")
    assert list(record[:5]) == words[:5]
    assert ctypes.string_at(record[5]) == b"haswell"
    assert record[6] == words[6]
    assert not pocl_device._replace_pointer(ctypes.addressof(record), b"absent!\0", "haswell")


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ("sse2 avx avx2 fma bmi1 bmi2 avx512f avx512cd avx512bw avx512dq avx512vl", "skylake-avx512"),
        ("sse2 avx avx2 fma bmi1 bmi2 avx512f", "haswell"),
        ("sse2 avx", "x86-64"),
        ("", ""),
    ],
)
def test_cpu_names(flags: str, name: str) -> None:
    assert pocl_device._cpu_name(set(flags.split())) == name


def test_a_program_travels_as_an_archive(tmp_path: Path) -> None:
    root = pocl.private_folder()
    sub = root / "ZZ" / "TEST" / "k"
    sub.mkdir(parents=True)
    (sub / "k.so").write_bytes(b"code")
    files = pocl.program_files("ZZ/TEST")
    payload = pocl.pack(files, "__kernel ...", ("-DX",))
    (sub / "k.so").unlink()
    assert pocl.unpack(payload) == ({os.path.join("ZZ", "TEST", "k", "k.so")}, "__kernel ...", ("-DX",))
    assert (sub / "k.so").read_bytes() == b"code"
    assert "ZZ/TEST" in pocl.program_folders()


def test_the_environment_goes_back_to_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POCL_CACHE_DIR", raising=False)
    with pocl.environment():
        assert os.environ["POCL_CACHE_DIR"] == str(pocl.private_folder())
    assert "POCL_CACHE_DIR" not in os.environ
    monkeypatch.setenv("POCL_CACHE_DIR", "mine")
    with pytest.raises(ZeroDivisionError), pocl.environment():
        raise ZeroDivisionError
    assert os.environ["POCL_CACHE_DIR"] == "mine"


def test_where_the_private_folder_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the cache folder, unless there is none, it is turned off, or code cannot be loaded from there."""
    elsewhere = Path(tempfile.gettempdir())
    with settings.override(cache=True, cache_dir=tmp_path):
        assert pocl._parent_folder() == tmp_path
        with settings.override(cache=False):
            assert pocl._parent_folder() == elsewhere
        monkeypatch.setattr(pocl, "_may_execute", lambda folder: False)
        assert pocl._parent_folder() == elsewhere
    (tmp_path / "file").touch()
    monkeypatch.setattr(pocl, "_may_execute", lambda folder: True)
    monkeypatch.setattr(cache_folder, "_warned", [])
    told = pytest.warns(RuntimeWarning, match="is not used: it cannot be written")
    with settings.override(cache=True, cache_dir=tmp_path / "file" / "x"), told:
        assert pocl._parent_folder().parent == elsewhere


@pytest.mark.skipif(sys.platform == "win32", reason="no file locks")
def test_stale_folders_go_and_live_ones_stay(tmp_path: Path) -> None:
    dead, live, young = (tmp_path / f"pocl-{name}" for name in ("dead", "live", "young"))
    for folder in (dead, live, young):
        folder.mkdir()
    held = pocl._lock(live)
    for folder in (dead, live):
        os.utime(folder, (1, 1))
    pocl._remove_stale(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pocl-live", "pocl-young"]
    held.close()
    os.utime(live, (1, 1))
    pocl._remove_stale(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["pocl-young"]


def test_large_blocks_are_asked_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    assert host.available_bytes() > 0
    monkeypatch.setattr(host, "available_bytes", lambda: 100)
    assert host.aligned_bytes(host.HUGE).size == host.HUGE
    with pytest.raises(MemoryError, match="has fewer available"):
        host.aligned_bytes(host.LARGE)
    with pytest.raises(OutOfMemoryError, match=r"64\.0 MiB requested"):
        NumpyRuntime().allocate(host.LARGE)


class _Unknown:
    """A PoCL device whose record holds no name, with a compiler that takes it or not."""

    version = "OpenCL 3.0 PoCL HSTR: cpu-x86_64-pc-linux-gnu-generic"
    name = "cpu-new"

    def __init__(self) -> None:
        self.platform = type("Platform", (), {"version": "PoCL 9"})
        self.record = ctypes.create_string_buffer(pocl_device.STRUCT_BYTES)
        self.int_ptr = ctypes.addressof(self.record)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/mem")
def test_a_cpu_that_pocl_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pocl_device.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(pocl_device, "_compiles", lambda cl, device: True)
    assert pocl_device.fix_cpu_name(None, _Unknown()) == ""
    monkeypatch.setattr(pocl_device, "_compiles", lambda cl, device: False)
    with pytest.raises(DeviceError, match=r"does not know this CPU \(cpu-new\).*conda-forge"):
        pocl_device.fix_cpu_name(None, _Unknown())
    monkeypatch.setattr(pocl_device.platform, "machine", lambda: "aarch64")
    assert pocl_device.fix_cpu_name(None, _Unknown()) == ""
