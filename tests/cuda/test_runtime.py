"""The CUDA runtime's books, kept against a driver that records: arguments, graphs, memory, errors. No GPU is needed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cuda.bindings", reason="cuda-python is not installed: no wheel for this platform")

from lazygrad import Tensor
from lazygrad.errors import BoundsError, CompileError, DeviceError, GraphError, OutOfMemoryError
from lazygrad.runtime import cuda_driver, cuda_memory, registry
from lazygrad.runtime.base import KernelSource, Launch, LaunchAttributes, Memory, TensorMap
from lazygrad.runtime.cuda import CudaRuntime
from lazygrad.runtime.cuda_driver import start
from lazygrad.runtime.cuda_launch import CudaExecutable
from tests.cuda.recording import ATTRIBUTES, Kernel, Recorder
from tests.cuda.rules import PackedMap

TEXT = """extern "C" __global__ void {name}(const float *a, float *b, const int n) {{
  if (threadIdx.x < n) b[threadIdx.x] = a[threadIdx.x];
}}"""


def source(name: str = "copy", **attributes: Any) -> KernelSource:
    return KernelSource(name, TEXT.format(name=name), name, LaunchAttributes(**attributes))


@pytest.fixture
def api() -> Recorder:
    return Recorder()


@pytest.fixture
def runtime(api: Recorder) -> Iterator[CudaRuntime]:
    made = CudaRuntime("CUDA", driver=lambda: start(api))
    yield made
    assert not made.context.lost or "start again" in made.context.lost


def launch(runtime: CudaRuntime, kernel: KernelSource, a: Memory, b: Memory, n: int = 5, size: int = 512) -> Launch:
    (executable,) = runtime.build([kernel])
    return Launch(executable, (a, b), (n,), (size,), (256,))


def summary(kernels: list[Kernel]) -> list[tuple[str, int, list[int]]]:
    return [(k.entry, k.grid[0], k.values) for k in kernels]


# ---- devices ---------------------------------------------------------------------------------------


def test_the_description_comes_from_the_driver(runtime: CudaRuntime) -> None:
    info = runtime.info
    assert (info.language, info.arch, info.units, info.warp) == ("cuda", "sm_90a", 132, 32)
    assert info.local_bytes == 227 << 10
    assert info.bandwidth_gbs == pytest.approx(4917, rel=1e-3)
    assert info.peak_gflops == pytest.approx(2 * 128 * 132 * 1.98)
    assert info.description == "Recorder 0 (sm_90a, driver for CUDA 13.0)"


@pytest.mark.parametrize(
    ("options", "fails", "words"),
    [
        ({}, {"cuInit": "NO_DEVICE"}, "finds no GPU"),
        ({}, {"cuInit": "SYSTEM_DRIVER_MISMATCH"}, "of different versions"),
        ({}, {"cuInit": "INVALID_DEVICE"}, "does not start .cuInit: CUDA_ERROR_INVALID_DEVICE"),
        ({"devices": 0}, {}, "finds no GPU"),
        ({"version": 11080}, {}, "too old: it offers CUDA 11.8, and at least 12.0 is needed"),
    ],
    ids=["no device", "mismatch", "other", "none counted", "old"],
)
def test_a_driver_that_does_not_start(options: dict[str, int], fails: dict[str, str], words: str) -> None:
    api = Recorder(**options)
    api.fails = fails
    with pytest.raises(DeviceError, match=words):
        start(api)
    assert api.calls[0][0] == "cuInit", "nothing is asked of the driver before it started"


def test_an_index_that_is_not_there(api: Recorder) -> None:
    with pytest.raises(DeviceError, match=r"there is no device CUDA:2; NVIDIA's driver finds CUDA, CUDA:1"):
        CudaRuntime("CUDA:2", 2, driver=lambda: start(api))


@pytest.mark.skipif(cuda_driver.is_installed(), reason="NVIDIA's driver is installed")
def test_a_machine_without_the_driver() -> None:
    with pytest.raises(DeviceError, match="CUDA needs NVIDIA's driver, which is not installed here"):
        registry.open_device("CUDA")
    (row,) = [text for name, text in registry.available_devices() if name == "CUDA"]
    assert row.startswith("not usable: CUDA needs NVIDIA's driver")


# ---- memory ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("nbytes", [0, 1, 99, 100, 101, 250, 300])
def test_copies_pass_through_pinned_memory(
    runtime: CudaRuntime, api: Recorder, nbytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_memory, "CHUNK", 100)
    data = np.random.default_rng(nbytes).integers(0, 256, nbytes).astype(np.uint8)
    memory = runtime.wrap(data)
    assert runtime.read(memory, nbytes).tobytes() == data.tobytes()
    assert len(api.named("cuMemcpyHtoDAsync")) == len(api.named("cuMemcpyDtoHAsync")) == -(-nbytes // 100)
    assert len(api.named("cuMemHostAlloc")) == (2 if nbytes else 0)


def test_strided_arrays_arrive_in_order(runtime: CudaRuntime) -> None:
    data = np.arange(24, dtype=np.int32).reshape(4, 6).T[::2]
    memory = runtime.wrap(data)
    assert np.array_equal(runtime.read(memory, data.nbytes).view(np.int32).reshape(data.shape), data)


def test_parts_of_memory(runtime: CudaRuntime) -> None:
    whole = runtime.wrap(np.arange(1024, dtype=np.uint8))
    part = runtime.sub(runtime.sub(whole, 256, 512), 256, 256)
    assert part.handle == whole.handle + 512
    assert runtime.read(part, 2).tolist() == [0, 1]
    for offset, nbytes in ((1, 1), (256, 1024), (-256, 1)):
        with pytest.raises(BoundsError):
            runtime.sub(whole, offset, nbytes)
    with pytest.raises(BoundsError):
        runtime.read(whole, 1025)
    with pytest.raises(BoundsError):
        runtime.write(part, np.zeros(257, np.uint8))


@pytest.mark.parametrize("in_stream", [True, False])
def test_out_of_memory_frees_what_is_cached_and_tries_again(in_stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ATTRIBUTES, "MEMORY_POOLS_SUPPORTED", int(in_stream))
    api = Recorder(memory=4 << 20)
    runtime = CudaRuntime("CUDA", driver=lambda: start(api))
    runtime.pool.limit = runtime.pool.max_block = 1 << 40  # the driver says no, not the pool
    first = runtime.allocate(3 << 20, "first")
    with pytest.raises(OutOfMemoryError, match=r"(?s)2.0 MiB requested, 3.0 MiB live.*first"):
        runtime.allocate(2 << 20)
    del first
    gc.collect()
    assert runtime.pool.cached_bytes == 3 << 20
    second = runtime.allocate(2 << 20)
    assert second.handle in api.blocks
    assert runtime.pool.cached_bytes == 0
    names = [name for name, _ in api.calls]
    freed = names.index("cuMemFreeAsync" if in_stream else "cuMemFree")
    assert "cuStreamSynchronize" in names[:freed], "nothing uses it any more"
    assert ("cuMemPoolTrimTo" in names[freed:]) is in_stream, "and the driver's own pool does not keep it"


def test_devices_copy_from_each_other(api: Recorder) -> None:
    first, second = (CudaRuntime(f"CUDA:{i}", i, driver=lambda: start(api)) for i in (0, 1))
    data = np.arange(300, dtype=np.uint8)
    held = first.wrap(data)
    api.calls.clear()
    target = second.receive(first, held, 300)
    assert target is not None
    assert second.read(target, 300).tolist() == data.tolist()
    order = [name for name, _ in api.calls if name in ("cuEventRecord", "cuStreamWaitEvent", "cuMemcpyPeerAsync")]
    assert order[:5] == [
        "cuEventRecord", "cuStreamWaitEvent", "cuMemcpyPeerAsync", "cuEventRecord", "cuStreamWaitEvent",
    ]  # fmt: skip
    waits = api.named("cuStreamWaitEvent")
    assert [w[0] for w in waits] == [second.context.stream, first.context.stream]
    assert second.receive(registry.open_device("NUMPY"), held, 300) is None


# ---- launches --------------------------------------------------------------------------------------


def test_arguments_are_packed_once(runtime: CudaRuntime, api: Recorder) -> None:
    a, b, c = (runtime.allocate(4096) for _ in range(3))
    prepared = runtime.prepare([launch(runtime, source(), a, b, n=-7)])
    prepared.run()
    prepared.rebind(0, 1, c)
    prepared.run()
    assert summary(api.launched) == [
        ("copy", 2, [a.handle, b.handle, 0xFFFFFFF9]),
        ("copy", 2, [a.handle, c.handle, 0xFFFFFFF9]),
    ]
    assert not api.named("cuGraphCreate"), "one kernel is launched as fast as a graph"
    assert api.launched[0].block == (256, 1, 1)
    assert runtime.stats.launches == 2


def test_plans_replay_as_graphs(runtime: CudaRuntime, api: Recorder) -> None:
    a, b, c, d = (runtime.allocate(4096) for _ in range(4))
    prepared = runtime.prepare([launch(runtime, source("one"), a, b), launch(runtime, source("two"), b, c)])
    prepared.run()
    assert not api.named("cuGraphCreate"), "what runs once is no graph"
    prepared.run()
    nodes = api.named("cuGraphAddKernelNode")
    assert [len(after) for _, after, _, _ in nodes] == [0, 1], "each after the one before it"
    before = len(api.calls)
    prepared.run()
    assert [name for name, _ in api.calls[before:]] == ["cuCtxSetCurrent", "cuGraphLaunch"]
    prepared.rebind(1, 1, d)
    prepared.rebind(0, 0, a)
    prepared.run()
    assert len(api.named("cuGraphExecKernelNodeSetParams")) == 1, "only what changed"
    one, two = ("one", 2, [a.handle, b.handle, 5]), ("two", 2, [b.handle, c.handle, 5])
    assert summary(api.launched) == [one, two] * 3 + [one, ("two", 2, [b.handle, d.handle, 5])]
    assert len(api.named("cuGraphInstantiate")) == 1
    del prepared
    gc.collect()
    assert len(api.named("cuGraphExecDestroy")) == len(api.named("cuGraphDestroy")) == 1


def test_sizes_change_between_runs(runtime: CudaRuntime, api: Recorder) -> None:
    a, b = runtime.allocate(4096), runtime.allocate(4096)
    prepared = runtime.prepare([launch(runtime, source("one"), a, b, size=0), launch(runtime, source("two"), b, a)])
    seen = []
    for n, size in ((0, 0), (0, 0), (9, 1024), (0, 0), (3, 256)):
        prepared.resize(0, (n,), (size,))
        api.launched.clear()
        prepared.run()
        seen.append([(k.entry, k.grid[0], k.values[2]) for k in api.launched])
    two = ("two", 2, 5)
    assert seen == [[two], [two], [("one", 4, 9), two], [two], [("one", 1, 3), two]]
    with pytest.raises(BoundsError, match="takes 1 scalars, not 2"):
        prepared.resize(0, (1, 2), (256,))
    with pytest.raises(BoundsError, match="does not fit 32 bits"):
        prepared.resize(0, (1 << 31,), (256,))


def test_times_come_from_events(runtime: CudaRuntime, api: Recorder) -> None:
    a, b = runtime.allocate(64), runtime.allocate(64)
    prepared = runtime.prepare([launch(runtime, source("one"), a, b), launch(runtime, source("two"), b, a)])
    assert prepared.run(profile=True) == [0.25e-3, 0.25e-3]
    assert len(api.named("cuEventDestroy")) >= 3


@pytest.mark.parametrize("in_graph", [False, True])
def test_launch_attributes(runtime: CudaRuntime, api: Recorder, in_graph: bool) -> None:
    kernel = source("grouped", cluster=16, cooperative=True, programmatic=True, shared_bytes=100 << 10)
    a, b = runtime.allocate(64), runtime.allocate(64)
    prepared = runtime.prepare([launch(runtime, kernel, a, b, size=16 * 256)] * 2)
    for _ in range(2 if in_graph else 1):
        api.launched.clear()
        prepared.run()
    last = api.launched[-1]
    names = {name.removeprefix("CU_LAUNCH_ATTRIBUTE_"): value for name, value in last.attributes.items()}
    assert names["CLUSTER_DIMENSION"].clusterDim.x == 16
    assert names["COOPERATIVE"].cooperative == 1
    assert ("PROGRAMMATIC_STREAM_SERIALIZATION" in names) is not in_graph, "a graph says it by an edge"
    assert last.shared == 100 << 10
    allowed = {attribute.name: value for _, attribute, value in api.named("cuFuncSetAttribute")}
    assert allowed == {
        "CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES": 100 << 10,
        "CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED": 1,
    }
    if in_graph:
        (edges,) = [arguments for name, arguments in api.calls if name.startswith("cuGraphAddDependencies")]
        assert (edges[3][0].from_port, edges[3][0].type) == (1, 1), "starts when its forerunner lets it"


def test_clusters_stay_when_arguments_change(runtime: CudaRuntime, api: Recorder) -> None:
    a, b, c = (runtime.allocate(4096) for _ in range(3))
    prepared = runtime.prepare(
        [launch(runtime, source("grouped", cluster=2), a, b), launch(runtime, source("k"), b, a)]
    )
    for n in range(4):
        if n == 3:
            prepared.rebind(0, 1, c)
        api.launched.clear()
        prepared.run()
        first, second = api.launched
        assert [name.rpartition("_")[0] for name in first.attributes] == ["CU_LAUNCH_ATTRIBUTE_CLUSTER"]
        assert not second.attributes
    assert first.values == [a.handle, c.handle, 5]
    assert len(api.named("cuGraphInstantiate")) == 2
    assert len(api.named("cuGraphExecDestroy")) == 1


def test_tensor_maps_follow_their_memory(runtime: CudaRuntime, api: Recorder) -> None:
    tensor_map = TensorMap(1, "bfloat16", (64, 32), (128,), (64, 8), swizzle=128)
    text = TEXT.replace("const int n)", "const int n, const __grid_constant__ int map)")
    kernel = KernelSource("m", text.format(name="m"), "m", LaunchAttributes(tensor_maps=(tensor_map,)))
    api.arity = 4
    a, b, c = (runtime.allocate(4096) for _ in range(3))
    prepared = runtime.prepare([launch(runtime, kernel, a, b)])
    prepared.run()
    prepared.rebind(0, 1, c)
    prepared.run()
    assert [k.values for k in api.launched] == [[a.handle, m.handle, 5, m.handle] for m in (b, c)]
    packed = [m for (m,) in api.named("cuTensorMapEncodeTiled")]
    assert packed == [PackedMap("BFLOAT16", m.handle, [64, 32], [128], [64, 8], [1, 1], 128) for m in (b, c)]


def test_wrong_launches(runtime: CudaRuntime) -> None:
    a = runtime.allocate(64)
    (executable,) = runtime.build([source()])
    assert isinstance(executable, CudaExecutable)
    assert executable.arity == 3
    with pytest.raises(CompileError, match="it takes 3 arguments, and the launch gives 2"):
        runtime.prepare([Launch(executable, (a, a), (), (1,), (1,))])
    with pytest.raises(BoundsError, match="launch 0 has 2 memories"):
        runtime.prepare([launch(runtime, source(), a, a)]).rebind(0, 2, a)
    with pytest.raises(CompileError, match="the program has no kernel function 'other'"):
        runtime.build([KernelSource("x", TEXT.format(name="x"), "other")])
    with pytest.raises(GraphError, match="was built for another device"):
        runtime.prepare([Launch(_Foreign(), (), (), (1,), (1,))])


class _Foreign(CudaExecutable.__bases__[0]):  # type: ignore[misc]
    source = source("foreign")


# ---- failures --------------------------------------------------------------------------------------


def test_a_lost_device_says_so_from_then_on(runtime: CudaRuntime, api: Recorder) -> None:
    a = runtime.wrap(np.zeros(64, np.uint8))
    prepared = runtime.prepare([launch(runtime, source(), a, a)])
    prepared.run()
    api.fails["cuStreamSynchronize"] = "ILLEGAL_ADDRESS"
    with pytest.raises(DeviceError, match=r"CUDA \(Recorder 0\) failed: cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADD"):
        runtime.synchronize()
    api.fails.clear()
    for use in (prepared.run, runtime.synchronize, partial(runtime.read, a, 1), partial(runtime.allocate, 1)):
        with pytest.raises(DeviceError, match="The device is lost for this process"):
            use()
    del a, prepared, use
    gc.collect()  # what it held goes without a word


def test_other_failures_leave_the_device_in_use(runtime: CudaRuntime, api: Recorder) -> None:
    api.fails["cuModuleLoadData"] = "INVALID_IMAGE"
    with pytest.raises(DeviceError, match=r"CUDA_ERROR_INVALID_IMAGE. This is the kernel 'copy'; NVRTC .* compiled it"):
        runtime.build([source()])
    api.fails.clear()
    runtime.build([source()])
    runtime.synchronize()


def test_tensors_move_between_gpus_without_the_host(api: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    for i, name in enumerate(("CUDA", "CUDA:1")):
        monkeypatch.setitem(registry._open, name, CudaRuntime(name, i, driver=lambda: start(api)))
    x = Tensor(np.arange(12, dtype=np.float32).reshape(3, 4), device="CUDA")
    there = x.to("CUDA:1").realize()
    assert len(api.named("cuMemcpyPeerAsync")) == 1
    assert not api.named("cuMemcpyDtoHAsync")
    assert there.tolist() == x.tolist()
