"""What NVIDIA's driver would refuse is an error here too: launches, tensor maps, threads without a context."""

from __future__ import annotations

import gc
import threading
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cuda.bindings", reason="cuda-python is not installed: no wheel for this platform")

from cuda.bindings import driver as real

from lazygrad.errors import DeviceError
from lazygrad.runtime import cuda_driver
from lazygrad.runtime.base import KernelSource, Launch, LaunchAttributes, Memory, TensorMap
from lazygrad.runtime.cuda import CudaRuntime
from lazygrad.runtime.cuda_driver import start
from tests.cuda.recording import Recorder

TEXT = """extern "C" __global__ void k(const float *a, float *b, const int n{more}) {{
  if (threadIdx.x < n) b[threadIdx.x] = a[threadIdx.x];
}}"""
MAP = {"memory": 1, "dtype": "bfloat16", "sizes": (64, 32), "strides": (128,), "box": (64, 8), "swizzle": 128}


def source(more: str = "", **attributes: Any) -> KernelSource:
    return KernelSource("k", TEXT.format(more=more), "k", LaunchAttributes(**attributes))


def mapped(**options: Any) -> KernelSource:
    return source(", const __grid_constant__ int map", tensor_maps=(TensorMap(**{**MAP, **options}),))


@pytest.fixture
def api() -> Recorder:
    return Recorder()


@pytest.fixture
def runtime(api: Recorder) -> CudaRuntime:
    return CudaRuntime("CUDA", driver=lambda: start(api))


def launch(runtime: CudaRuntime, kernel: KernelSource, a: Memory, b: Memory, size: int = 512) -> Launch:
    (executable,) = runtime.build([kernel])
    return Launch(executable, (a, b), (5,), (size,), (256,))


@pytest.mark.parametrize(
    ("options", "size", "code"),
    [
        ({"cluster": 8}, 512, "INVALID_CLUSTER_SIZE"),
        ({"cluster": 32}, 32 * 256, "INVALID_CLUSTER_SIZE"),
        ({"shared_bytes": 228 << 10}, 512, "INVALID_VALUE"),
        ({}, 256 << 31, "INVALID_VALUE"),
    ],
    ids=["part of a cluster", "large cluster", "shared memory", "large grid"],
)
def test_launches(runtime: CudaRuntime, options: dict[str, int], size: int, code: str) -> None:
    a, b = runtime.allocate(64), runtime.allocate(64)
    with pytest.raises(DeviceError, match=f"CUDA_ERROR_{code}"):
        runtime.prepare([launch(runtime, source(**options), a, b, size=size)]).run()
    runtime.synchronize()


@pytest.mark.parametrize(
    "wrong",
    [
        {"strides": (120,)},
        {"strides": (1 << 40,)},
        {"box": (64, 512)},
        {"box": (128, 8)},
        {"box": (4, 8), "swizzle": 0},
        {"sizes": (64, 0)},
        {"sizes": (1,) * 6, "strides": (16,) * 5, "box": (8,) * 6},
    ],
    ids=str,
)
def test_tensor_maps(runtime: CudaRuntime, wrong: dict[str, Any]) -> None:
    a = runtime.allocate(4096)
    runtime.prepare([launch(runtime, mapped(), a, a)])
    with pytest.raises(DeviceError, match="cuTensorMapEncodeTiled: CUDA_ERROR_INVALID_VALUE"):
        runtime.prepare([launch(runtime, mapped(**wrong), a, a)])


def test_kernels_of_one_text_keep_what_their_launches_need(runtime: CudaRuntime) -> None:
    sources = [source(), source(shared_bytes=100), source(cluster=2), mapped(), mapped(swizzle=0)]
    assert [kernel.source for kernel in runtime.build(sources)] == sources


def test_what_loses_a_device_is_what_the_driver_says_does() -> None:
    """The newer bindings carry the documentation of every result."""
    assert {name for name in cuda_driver.STICKY if not hasattr(real.CUresult, name)} == set()
    words = ("inconsistent state", "must be terminated")
    documented = {r.name for r in real.CUresult if any(word in " ".join((r.__doc__ or "").split()) for word in words)}
    assert documented <= cuda_driver.STICKY
    assert documented or not real.CUresult.CUDA_SUCCESS.__doc__.startswith("The API call"), "the words have changed"


def test_any_thread_may_use_and_drop_a_device(runtime: CudaRuntime, api: Recorder) -> None:
    """The driver refuses nearly every call of a thread that no context is current on."""
    made: list[Any] = []

    def work() -> None:
        data = runtime.wrap(np.arange(64, dtype=np.uint8))
        prepared = runtime.prepare([launch(runtime, source(), data, data)] * 2)
        prepared.run()
        prepared.run()
        made.extend([runtime.read(data, 64).tolist(), prepared, data])

    def drop() -> None:
        made.clear()
        gc.collect()
        runtime.pool.trim()

    for each in (work, drop):
        thread = threading.Thread(target=each)
        thread.start()
        thread.join()
    assert len(api.named("cuGraphDestroy")) == len(api.named("cuMemFreeAsync")) == 1
    assert not api.blocks
