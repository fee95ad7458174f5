"""Kernels, memory and launches on a real OpenCL device."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lazygrad.engine.cache import DiskCache
from lazygrad.errors import BoundsError, CompileError, DeviceError, GraphError, OutOfMemoryError
from lazygrad.runtime import host, opencl, pocl_device, pocl_parallel
from lazygrad.runtime.base import Executable, KernelSource, Launch, Storage
from lazygrad.runtime.opencl import OpenCLRuntime
from lazygrad.runtime.registry import open_device
from lazygrad.settings import settings

N = 256
ONE = "__attribute__((reqd_work_group_size(1, 1, 1)))"
SOURCES = [
    KernelSource(
        "add",
        f"__kernel {ONE} void add(__global float* o, __global const float* a, __global const float* b)"
        " { int i = get_global_id(0); o[i] = a[i] + b[i]; }",
        "add",
    ),
    KernelSource(
        "scale",
        f"__kernel {ONE} void scale(__global float* o, __global const float* a, int m, int c)"
        " { int i = get_global_id(0); if (i < m) o[i] = a[i] * FACTOR + c; }",
        "scale",
    ),
    KernelSource(
        "reverse in groups",
        "__kernel __attribute__((reqd_work_group_size(8, 1, 1)))"
        " void turn(__global float* o, __global const float* a) {"
        " __local float t[8]; int l = get_local_id(0), i = get_global_id(0);"
        " t[l] = a[i]; barrier(CLK_LOCAL_MEM_FENCE); o[i] = t[7 - l]; }",
        "turn",
    ),
]
PRELUDE = "#define FACTOR 2.0f"


def own_device() -> OpenCLRuntime:
    try:
        opened = open_device("OPENCL")
    except DeviceError as error:
        pytest.skip(str(error))
    assert isinstance(opened, OpenCLRuntime)
    return opened


@pytest.fixture(scope="module", params=["own", "mapped", "discrete"])
def runtime(request: pytest.FixtureRequest) -> Iterator[OpenCLRuntime]:
    """The machine's device: as it is, as another vendor's CPU, and as if it had memory of its own."""
    opened = own_device()
    if request.param == "own":
        yield opened
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pocl_device, "is_pocl", lambda device: False)
        if request.param == "discrete":
            patch.setattr(opencl, "shares_memory", lambda device: False)
        yield OpenCLRuntime("OPENCL", cache=DiskCache(None))


@pytest.fixture(scope="module")
def kernels(runtime: OpenCLRuntime) -> list[Executable]:
    return runtime.build(SOURCES, PRELUDE)


def put(runtime: OpenCLRuntime, array: np.ndarray) -> Storage:
    storage = Storage(runtime.name, array.nbytes, runtime.allocate(array.nbytes))
    assert storage.memory is not None
    runtime.write(storage.memory, array)
    return storage


def floats(runtime: OpenCLRuntime, storage: Storage) -> np.ndarray:
    assert storage.memory is not None
    return runtime.read(storage.memory, storage.nbytes).view(np.float32)


def test_the_description(runtime: OpenCLRuntime) -> None:
    info = runtime.info
    assert info.units >= 1
    assert info.vector_bytes in (4, 8, 16, 32, 64)
    assert info.alignment & (info.alignment - 1) == 0
    assert 1 << 10 <= info.l1_bytes <= info.l2_bytes
    assert 0.1 < info.bandwidth_gbs < 20_000
    assert info.peak_gflops > 1
    assert info.max_alloc >= 1 << 27  # what OpenCL promises
    assert info.fingerprint.count("|") >= 8


def test_the_target_can_be_forced(runtime: OpenCLRuntime) -> None:
    with settings.override(target="gpu"):
        assert (runtime.info.kind, runtime.info.vector_bytes) == ("gpu", 16)
    with settings.override(target="cpu"):
        assert runtime.info.kind == "cpu"


def test_launches_run_in_order(runtime: OpenCLRuntime, kernels: list[Executable]) -> None:
    a, b = np.arange(N, dtype=np.float32), np.full(N, 10, np.float32)
    one, two, out = put(runtime, a), put(runtime, b), put(runtime, np.zeros(N, np.float32))
    x, y, z = one.memory, two.memory, out.memory
    assert x and y and z
    add, scale, turn = kernels
    launches = [
        Launch(add, (z, x, y), (), (N,), (1,)),
        Launch(scale, (x, z), (N, 3), (N,), (1,)),
        Launch(turn, (z, x), (), (N,), (8,)),
    ]
    expected = ((a + b) * 2 + 3).reshape(-1, 8)[:, ::-1].reshape(-1)
    assert runtime.prepare(launches).run() is None
    np.testing.assert_array_equal(floats(runtime, out), expected)
    np.testing.assert_array_equal(floats(runtime, one), (a + b) * 2 + 3)


def test_profile_gives_seconds(runtime: OpenCLRuntime, kernels: list[Executable]) -> None:
    x, o = put(runtime, np.ones(N, np.float32)), put(runtime, np.zeros(N, np.float32))
    assert x.memory and o.memory
    prepared = runtime.prepare([Launch(kernels[0], (o.memory, x.memory, x.memory), (), (N,), (1,))] * 3)
    seconds = prepared.run(profile=True)
    assert seconds is not None
    assert len(seconds) == 3
    assert all(0 < s < 1 for s in seconds)
    np.testing.assert_array_equal(floats(runtime, o), np.full(N, 2, np.float32))


def test_rebind_and_resize(runtime: OpenCLRuntime, kernels: list[Executable]) -> None:
    a = np.arange(N, dtype=np.float32)
    x, o, other = put(runtime, a), put(runtime, np.zeros_like(a)), put(runtime, np.zeros_like(a))
    assert x.memory and o.memory and other.memory
    prepared = runtime.prepare([Launch(kernels[1], (o.memory, x.memory), (N, 1), (N,), (1,))])
    prepared.run()
    prepared.rebind(0, 0, other.memory)
    prepared.resize(0, (5, -1), (8,))
    prepared.run()
    np.testing.assert_array_equal(floats(runtime, o), a * 2 + 1)
    np.testing.assert_array_equal(floats(runtime, other), np.where(a < 5, a * 2 - 1, 0))
    with pytest.raises(BoundsError, match="has 2 memories"):
        prepared.rebind(0, 2, x.memory)
    with pytest.raises(BoundsError, match="does not fit 32 bits"):
        prepared.resize(0, (1 << 31, 0), (8,))


def test_a_prepared_list_keeps_its_arguments_from_others(runtime: OpenCLRuntime, kernels: list[Executable]) -> None:
    """Kernel objects are handed from dead lists of launches to new ones; live ones never share."""
    x = put(runtime, np.ones(N, np.float32))
    outs = [put(runtime, np.zeros(N, np.float32)) for _ in range(3)]
    made = []
    for i, out in enumerate(outs):
        assert x.memory and out.memory
        made.append(runtime.prepare([Launch(kernels[1], (out.memory, x.memory), (N, i), (N,), (1,))]))
    del made[1]
    gc.collect()
    assert outs[1].memory and x.memory
    again = runtime.prepare([Launch(kernels[1], (outs[1].memory, x.memory), (N, 40), (N,), (1,))])
    for prepared in (*made, again):
        prepared.run()
    assert [float(floats(runtime, out)[0]) for out in outs] == [2, 42, 4]


def test_parts_of_memory(runtime: OpenCLRuntime, kernels: list[Executable]) -> None:
    align = runtime.info.alignment
    whole = runtime.allocate(4 * align)
    runtime.write(whole, np.zeros(4 * align, np.uint8))
    middle = runtime.sub(whole, align, 2 * align)
    inner = runtime.sub(middle, align, align)
    runtime.write(middle, np.ones(align // 2, np.float32))
    runtime.write(inner, np.full(align // 4, 5, np.float32))
    got = runtime.read(whole, whole.nbytes).view(np.float32).reshape(4, -1)
    assert [row[0] for row in got] == [0, 1, 5, 0]
    count = align // 4
    runtime.prepare([Launch(kernels[0], (middle, inner, inner), (), (count,), (1,))]).run()
    got = runtime.read(whole, whole.nbytes).view(np.float32).reshape(4, -1)
    assert [row[-1] for row in got] == [0, 10, 5, 0]
    with pytest.raises(BoundsError, match=f"multiple of {align}"):
        runtime.sub(whole, 4, 8)
    with pytest.raises(BoundsError, match="not inside"):
        runtime.sub(middle, 0, 2 * align + 1)


def test_a_part_keeps_its_block(runtime: OpenCLRuntime) -> None:
    before = runtime.stats.live_bytes
    whole = runtime.allocate(100_000)
    part = runtime.sub(whole, 0, 10)
    del whole
    assert runtime.stats.live_bytes == before + 100_000
    runtime.release(part)
    assert runtime.stats.live_bytes == before


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint16, np.float16, np.float64, np.int64])
def test_write_and_read(runtime: OpenCLRuntime, dtype: type) -> None:
    array = np.arange(60).reshape(3, 4, 5).astype(dtype)
    memory = runtime.allocate(array.nbytes)
    for each in (array, array.transpose(2, 0, 1), array[::-1, ::2], np.asfortranarray(array), array[0, 0, 0]):
        runtime.write(memory, each)
        got = runtime.read(memory, each.nbytes).view(dtype)
        np.testing.assert_array_equal(got, np.asarray(each).reshape(-1))


def test_nothing_is_a_size(runtime: OpenCLRuntime) -> None:
    memory = runtime.allocate(0)
    runtime.write(memory, np.zeros((0, 3), np.float32))
    assert runtime.read(memory, 0).nbytes == 0
    shared = runtime.share(memory, 0)
    assert shared is None or shared.nbytes == 0
    assert runtime.wrap(np.zeros((0,), np.float32)).nbytes == 0


def test_too_much_is_refused(runtime: OpenCLRuntime) -> None:
    memory = runtime.allocate(16)
    with pytest.raises(BoundsError, match="32 bytes do not fit"):
        runtime.write(memory, np.zeros(4, np.float64))
    with pytest.raises(BoundsError, match="17 bytes cannot be read"):
        runtime.read(memory, 17)


def test_sharing_is_no_copy_and_keeps_the_block(runtime: OpenCLRuntime) -> None:
    memory = runtime.allocate(4 * N)
    shared = runtime.share(memory, 4 * N)
    if shared is None:
        assert memory.host is None  # a device with memory of its own
        return
    runtime.write(memory, np.arange(N, dtype=np.float32))
    values = shared.view(np.float32)
    assert values[7] == 7
    before = runtime.stats.live_bytes
    del memory, shared
    other = runtime.allocate(4 * N)  # does not get the block that `values` still shows
    runtime.write(other, np.zeros(N, np.float32))
    assert values[7] == 7
    assert runtime.stats.live_bytes == before + 4 * N
    del values
    assert runtime.stats.live_bytes == before


def test_wrapping_is_no_copy_where_alignment_allows(runtime: OpenCLRuntime, kernels: list[Executable]) -> None:
    raw = np.zeros(4 * N + 4096, np.uint8)
    start = -raw.ctypes.data % 4096
    array = raw[start : start + 4 * N].view(np.float32)
    array[:] = np.arange(N)
    before = runtime.stats.allocations
    memory = runtime.wrap(array)
    shifted = runtime.wrap(raw[start + 1 : start + 1 + 4 * N].view(np.float32))
    in_place = memory.host is not None
    assert runtime.stats.allocations - before == (1 if in_place else 2)  # the second one cannot be used in place
    out = runtime.allocate(4 * N)
    runtime.prepare([Launch(kernels[0], (out, memory, memory), (), (N,), (1,))]).run()
    np.testing.assert_array_equal(runtime.read(out, 4 * N).view(np.float32), array * 2)
    assert bytes(runtime.read(shifted, 8)) == bytes(raw[start + 1 : start + 9])
    array.flags.writeable = False
    assert runtime.wrap(array).readonly == in_place


def test_nothing_is_built_twice(runtime: OpenCLRuntime, kernels: list[Executable]) -> None:
    before = runtime.stats.built + runtime.stats.loaded
    assert runtime.build([SOURCES[1], SOURCES[0], SOURCES[1]], PRELUDE) == [kernels[1], kernels[0], kernels[1]]
    assert runtime.stats.built + runtime.stats.loaded == before


def test_a_kernel_that_does_not_compile(runtime: OpenCLRuntime) -> None:
    good = KernelSource("good", "__kernel void good(__global int* o) {\n o[0] = 1;\n}", "good")
    bad = KernelSource("softmax_7", "__kernel void bad(__global int* o) {\n o[0] = missing;\n}", "bad")
    with pytest.raises(CompileError, match="'softmax_7' does not compile") as caught:
        runtime.build([good, bad], "// prelude")
    text = str(caught.value)
    assert ">  6 |  o[0] = missing;" in text
    assert "undeclared identifier 'missing'" in text
    assert "(options" not in text
    assert caught.value.__cause__ is not None


def test_a_kernel_name_that_is_missing(runtime: OpenCLRuntime) -> None:
    source = KernelSource("mine", "__kernel void yours(__global int* o) { o[0] = 2; }", "mine")
    (executable,) = runtime.build([source])
    with pytest.raises(CompileError, match="no kernel function 'mine'; it has yours"):
        runtime.prepare([Launch(executable, (runtime.allocate(4),), (), (1,), (1,))])


def test_two_kernels_of_one_name(runtime: OpenCLRuntime) -> None:
    sources = [KernelSource("k", f"__kernel void same(__global int* o) {{ o[0] = {i}; }}", "same") for i in range(2)]
    with pytest.raises(GraphError, match="'same'; rename one"):
        runtime.build(sources)


def test_the_wrong_number_of_arguments(runtime: OpenCLRuntime, kernels: list[Executable]) -> None:
    with pytest.raises(CompileError, match="takes 3 arguments, and the launch gives 2"):
        runtime.prepare([Launch(kernels[0], (runtime.allocate(4),), (1,), (1,), (1,))])


def test_a_kernel_of_another_device(runtime: OpenCLRuntime) -> None:
    class Other(Executable):
        source = SOURCES[0]

    with pytest.raises(GraphError, match="'add' was built for another device"):
        runtime.prepare([Launch(Other(), (), (), (1,), (1,))])


def test_a_group_that_is_too_large(runtime: OpenCLRuntime, kernels: list[Executable]) -> None:
    memory = runtime.allocate(4 * N)
    prepared = runtime.prepare([Launch(kernels[0], (memory, memory, memory), (), (N,), (2,))])
    with pytest.raises(DeviceError, match="failed while running add"):
        prepared.run()


def test_out_of_memory(runtime: OpenCLRuntime) -> None:
    with settings.override(memory_limit=8):
        small = OpenCLRuntime(runtime.name)
    held = [small.allocate(3 << 20, "weights"), small.allocate(2 << 20, "batch")]
    cached = small.allocate(2 << 20)
    del cached
    kept = small.allocate(3 << 20, "more")  # the cached block has to go for this one
    assert small.stats.cached_bytes == 0
    with pytest.raises(OutOfMemoryError, match="weights") as caught:
        small.allocate(1 << 20)
    assert caught.value.live == 8 << 20
    assert caught.value.limit == 8 << 20
    del held[0]
    small.allocate(1 << 20)
    with pytest.raises(OutOfMemoryError):
        runtime.allocate(runtime.info.max_alloc * 2)
    del kept


def test_blocks_stay_warm(runtime: OpenCLRuntime) -> None:
    first = runtime.allocate(5 << 20)
    handle = first.handle
    del first
    reuses = runtime.stats.reuses
    second = runtime.allocate(5 << 20)
    assert second.handle is handle
    assert runtime.stats.reuses == reuses + 1
    assert second.host is None or second.host.ctypes.data % 4096 == 0


def test_binaries_of_other_platforms_are_kept(tmp_path: Path) -> None:
    """Where PoCL's folder is of no use, a program's own binary goes to the cache."""
    own_device()
    source = KernelSource("kept", "__kernel void kept(__global int* o) { o[0] = 3; }", "kept")
    counts = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pocl_device, "is_pocl", lambda device: False)
        for _ in range(3):
            fresh = OpenCLRuntime("OPENCL", cache=DiskCache(tmp_path))
            out = fresh.allocate(4)
            fresh.prepare([Launch(fresh.build([source])[0], (out,), (), (1,), (1,))]).run()
            assert fresh.read(out, 4).view(np.int32)[0] == 3
            counts.append((fresh.stats.built, fresh.stats.loaded))
            if len(counts) == 2:  # the binary becomes one that the driver refuses
                cache = DiskCache(tmp_path)
                for path in tmp_path.rglob("*.entry"):
                    if len(cache.get(path.stem) or b"") > 64:  # longer than a name or a number
                        cache.put(path.stem, b"not a binary")
    assert counts == [(1, 0), (0, 1), (1, 0)]


@pytest.mark.parametrize("interpreter", [sys.executable, "/nowhere/python", "/apps/editor"])
def test_workers_compile(interpreter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes leave nothing to compile; where they cannot run, the launch compiles as ever."""
    own = own_device()
    real = interpreter == sys.executable
    monkeypatch.setattr(host, "usable_cores", lambda: 2)
    monkeypatch.setattr(pocl_parallel, "WORTH_SECONDS", -10.0)
    tag = Path(interpreter).parent.name
    text = "__kernel void {0}(__global int* o, __global int* i, int n) {{ o[get_global_id(0)] = i[0] + n + {1}; }}"
    sources = [KernelSource(f"w{n}", text.format(f"{tag}_{n}", n), f"{tag}_{n}") for n in range(2)]
    out, one = own.allocate(4 * N), own.allocate(4)
    own.write(one, np.array([100], np.int32))
    launches = [Launch(built, (out, one), (10,), (N,), (4,)) for built in own.build(sources)]
    monkeypatch.setattr(sys, "executable", interpreter)
    prepared = own.prepare(launches)
    assert len(pocl_parallel.missing(launches)) == (0 if real else 2)
    prepared.run()
    np.testing.assert_array_equal(own.read(out, 4 * N).view(np.int32), np.full(N, 111))
    assert not pocl_parallel.missing(launches)
