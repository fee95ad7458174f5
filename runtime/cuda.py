"""The CUDA runtime: one GPU of NVIDIA through its driver, kernels compiled by NVRTC."""

from __future__ import annotations

import atexit
import contextlib
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt

from lazygrad.errors import DeviceError, LazygradError
from lazygrad.settings import settings

from .base import (
    ByteCache,
    Bytes,
    DeviceInfo,
    Executable,
    KernelSource,
    Launch,
    Memory,
    Prepared,
    Runtime,
    RuntimeStats,
)
from .bounds import check_alignment, check_part, check_read, check_write
from .cuda_device import ALIGNMENT, MODELS, Model, architecture, describe
from .cuda_driver import Context, Driver, load_driver, version_text
from .cuda_graph import CudaPrepared
from .cuda_launch import CudaExecutable
from .cuda_memory import Staging, as_bytes, new_block, new_block_in_stream
from .nvrtc import Compiler, Cubin
from .pool import Pool

GRANULE = 512  # block sizes; what the driver aligns allocations to


class CudaRuntime(Runtime):
    """One GPU. Commands run in one stream, in the order of the calls.

    Args:
        name: canonical device name.
        index: which of the driver's devices.
        cache: where compiled kernels are kept.
        driver: gives the started driver; it raises DeviceError where there is none.
    """

    def __init__(
        self,
        name: str,
        index: int = 0,
        cache: ByteCache | None = None,
        driver: Callable[[], Driver] = load_driver,
    ) -> None:
        self.name = name
        self.context = context = Context(driver(), name, index)
        self.place = (2, index)
        self.info = device_info(context)
        self._counters = RuntimeStats()
        self._compiler = Compiler(self.info.arch, self._counters)
        self.cache = cache
        self._executables: dict[KernelSource, CudaExecutable] = {}
        self._staging = Staging(context)
        total = self.info.max_alloc
        limit = min(total, settings.memory_limit << 20) if settings.memory_limit else total
        make = new_block_in_stream if context.attribute("MEMORY_POOLS_SUPPORTED") else new_block
        self.pool = Pool(name, lambda size: make(context, size), self.synchronize, limit, total, GRANULE)
        atexit.register(_finish, weakref.ref(context))

    @property
    def cache(self) -> ByteCache | None:
        """Where compiled kernels are kept."""
        return self._compiler.cache

    @cache.setter
    def cache(self, cache: ByteCache | None) -> None:
        self._compiler.cache = cache

    def allocate(self, nbytes: int, label: str = "") -> Memory:
        """See `Runtime.allocate`."""
        self.context.enter()
        lease = self.pool.allocate(nbytes, label)
        return Memory(lease.block.handle.address, nbytes, lease)

    def sub(self, memory: Memory, offset: int, nbytes: int) -> Memory:
        """See `Runtime.sub`."""
        check_part(memory, offset, nbytes)
        start = memory.offset + offset
        check_alignment(start, ALIGNMENT)
        assert memory.lease is not None, "the memory was released"
        return Memory(memory.handle + offset, nbytes, memory.lease, None, start, memory.readonly)

    def write(self, memory: Memory, array: npt.NDArray[Any]) -> None:
        """See `Runtime.write`."""
        check_write(memory, array.nbytes)
        self.context.enter()
        self._staging.write(memory.handle, as_bytes(array))

    def read(self, memory: Memory, nbytes: int) -> Bytes:
        """See `Runtime.read`."""
        check_read(memory, nbytes)
        self.context.enter()
        return self._staging.read(memory.handle, nbytes)

    def share(self, memory: Memory, nbytes: int) -> None:
        """See `Runtime.share`: the host cannot address the device's memory."""

    def wrap(self, array: npt.NDArray[Any], label: str = "") -> Memory:
        """See `Runtime.wrap`: always a copy."""
        memory = self.allocate(array.nbytes, label)
        self.write(memory, array)
        return memory

    def receive(self, source: Runtime, memory: Memory, nbytes: int) -> Memory | None:
        """See `Runtime.receive`; GPUs copy from each other, whether or not they see each other's memory."""
        if not isinstance(source, CudaRuntime):
            return None
        target = self.allocate(nbytes)
        ours, theirs = self.context, source.context
        _follow(ours, theirs)
        ours.enter()
        ours("cuMemcpyPeerAsync", target.handle, ours.handle, memory.handle, theirs.handle, nbytes, ours.stream)
        _follow(theirs, ours)
        return target

    def build(
        self, sources: Sequence[KernelSource], prelude: str = "", options: Sequence[str] = ()
    ) -> list[Executable]:
        """See `Runtime.build`; each kernel is a program of its own."""
        self.context.enter()
        made: list[Executable] = []
        for source, cubin in zip(sources, self._compiler.build(sources, prelude, options)):
            if source not in self._executables:
                self._executables[source] = self._loaded(cubin)
            made.append(self._executables[source])
        return made

    def _loaded(self, cubin: Cubin) -> CudaExecutable:
        try:
            return CudaExecutable(self.context, cubin)
        except DeviceError as error:
            compiler = f"NVRTC {self._compiler.version} compiled it"
            raise DeviceError(
                f"{error}. This is the kernel {cubin.source.name!r}; {compiler}, and a driver for an older CUDA cannot "
                "load that: update the driver, or install an older nvidia-cuda-nvrtc"
            ) from error

    def prepare(self, launches: Sequence[Launch]) -> Prepared:
        """See `Runtime.prepare`."""
        self.context.enter()
        return CudaPrepared(self.context, launches, self._counters)

    def synchronize(self) -> None:
        """See `Runtime.synchronize`."""
        self.context.enter()
        self.context("cuStreamSynchronize", self.context.stream)

    @property
    def lost(self) -> str:
        """See `Runtime`; of this context, for whatever reason."""
        return self.context.lost

    @lost.setter
    def lost(self, reason: str) -> None:
        self.context.lost = reason

    @property
    def stats(self) -> RuntimeStats:
        """See `Runtime.stats`."""
        vars(self._counters).update(self.pool.counters())
        return self._counters


def device_info(context: Context) -> DeviceInfo:
    """The device's limits, asked of the driver; what it does not say is its architecture's usual figure."""
    arch = architecture(context.attribute("COMPUTE_CAPABILITY_MAJOR"), context.attribute("COMPUTE_CAPABILITY_MINOR"))
    known = MODELS.get(arch)
    # kHz, and bits that are sent at both edges of the clock
    bandwidth = context.attribute("MEMORY_CLOCK_RATE") * context.attribute("GLOBAL_MEMORY_BUS_WIDTH") * 2 / 8 / 1e6
    units, clock = context.attribute("MULTIPROCESSOR_COUNT"), context.attribute("CLOCK_RATE") / 1e6
    version = version_text(int(context("cuDriverGetVersion")))
    model = Model(
        context.description,
        units,
        context.attribute("MAX_SHARED_MEMORY_PER_BLOCK_OPTIN"),
        context.attribute("L2_CACHE_SIZE"),
        int(context("cuDeviceTotalMem", context.device)),
        bandwidth or (known.bandwidth_gbs if known else 10.0 * units),
        clock or (known.clock_ghz if known else 1.5),
    )
    return describe(model, arch, f"{context.description} ({arch}, driver for CUDA {version})")


def list_devices() -> list[tuple[str, str]]:
    """(name, description) of every GPU; DeviceError where there is none."""
    driver = load_driver()
    names = [f"CUDA:{i}" if i else "CUDA" for i in range(int(driver("cuDeviceGetCount")))]
    rows = []
    for i, name in enumerate(names):
        device = driver("cuDeviceGet", i)
        text = bytes(driver("cuDeviceGetName", 256, device)).split(b"\0")[0].decode(errors="replace")
        rows.append((name, f"{text}, {int(driver('cuDeviceTotalMem', device)) >> 30} GiB"))
    return rows


def _follow(later: Context, earlier: Context) -> None:
    """What `later` does from here on comes after what `earlier` was given so far."""
    earlier.enter()
    event = earlier.event()
    earlier("cuEventRecord", event, earlier.stream)
    later.enter()
    later("cuStreamWaitEvent", later.stream, event, 0)
    earlier("cuEventDestroy", event)


def _finish(reference: weakref.ref[Context]) -> None:
    """At exit: wait for what still runs, before the memory that it uses goes."""
    context = reference()
    if context is not None:
        with contextlib.suppress(LazygradError):
            context.enter()
            context("cuStreamSynchronize", context.stream)
        context.ending = True
