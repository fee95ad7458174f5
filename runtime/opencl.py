"""The OpenCL runtime, over pyopencl: CPUs through PoCL, and whatever else has an OpenCL driver.

On a device that shares the host's memory, blocks are page-aligned host memory that kernels use in place, so reads,
writes and wrapped NumPy arrays need no transfer; elsewhere blocks live on the device and are copied.
"""

from __future__ import annotations

import atexit
import contextlib
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lazygrad import forks
from lazygrad.errors import DeviceError, LazygradError, OutOfMemoryError
from lazygrad.settings import settings

from . import host, pocl_device, pocl_parallel
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
from .leaving import in_driver, leave
from .lent import Lent
from .numpy import share_bytes
from .opencl_device import GPU_VECTOR_BYTES, choose_device, device_info, load_pyopencl, shares_memory
from .opencl_launch import OpenCLPrepared
from .opencl_program import Builder, OpenCLExecutable, Program
from .pool import Block, Pool

DEVICE_GRANULE = 512  # block sizes on a device with memory of its own


class OpenCLRuntime(Runtime):
    """One OpenCL device.

    Args:
        name: canonical device name.
        indices: (platform, device), (platform,) or (); see `choose_device`.
        cache: where compiled kernels are kept.
    """

    def __init__(self, name: str, indices: tuple[int, ...] = (), cache: ByteCache | None = None) -> None:
        self.name, self._indices = name, indices
        self._cl = cl = load_pyopencl()
        device = choose_device(indices)
        cpu_name = ""
        if pocl_device.is_pocl(device):
            pocl_device.check_linker()
            cpu_name = pocl_device.fix_cpu_name(cl, device)
        own = device_info(device, cpu_name, cache)
        gpu = replace(own, kind="gpu", vector_bytes=GPU_VECTOR_BYTES)
        self._info = {"": own, "cpu": replace(own, kind="cpu"), "gpu": gpu}
        try:
            self._context = cl.Context([device])
            self._queue = cl.CommandQueue(self._context, device)
        except cl.Error as error:
            raise DeviceError(f"{name} ({own.description}) does not start: {error}") from error
        self._lent = Lent(cl, self._queue)
        self._timed_queue: Any = None
        self._unified = shares_memory(device)
        self.place = (1, 0) if self._unified else (4, (*indices, 0, 0)[1])
        # PoCL's kernels run in this very process: its buffers are the host's memory, and mapping changes nothing
        # but costs 30 us. Other CPU drivers are only known to promise the same bytes between a map and an unmap.
        self._in_process = self._unified and pocl_device.is_pocl(device)
        self._counters = RuntimeStats()
        self._builder = Builder(cl, self._context, device, own.fingerprint, self._counters)
        self.cache = cache
        total = host.memory_bytes() if self._unified else device.global_mem_size
        limit = min(total, settings.memory_limit << 20) if settings.memory_limit else total
        granule = host.PAGE if self._unified else DEVICE_GRANULE
        self.pool = Pool(name, self._new_block, self._finish, limit, own.max_alloc, granule)
        atexit.register(_settle, weakref.ref(self))
        weakref.finalize(self, _drain, cl, self._queue).atexit = False  # `_settle` has waited by then

    @property
    def info(self) -> DeviceInfo:  # type: ignore[override]  # read only
        """The device's limits; the kind is what `LAZYGRAD_TARGET` says now, or else the device's own."""
        return self._info[settings.target]

    @property
    def cache(self) -> ByteCache | None:
        """Where compiled kernels are kept."""
        return self._builder.cache

    @cache.setter
    def cache(self, cache: ByteCache | None) -> None:
        self._builder.cache = cache

    def allocate(self, nbytes: int, label: str = "") -> Memory:
        """See `Runtime.allocate`."""
        lease = self.pool.allocate(nbytes, label)
        block = lease.block
        return Memory(block.handle, nbytes, lease, None if block.host is None else block.host[:nbytes])

    def sub(self, memory: Memory, offset: int, nbytes: int) -> Memory:
        """See `Runtime.sub`."""
        check_part(memory, offset, nbytes)
        start = memory.offset + offset
        check_alignment(start, self.info.alignment)
        assert memory.lease is not None, "the memory was released"
        region = memory.lease.block.handle.get_sub_region(start, max(nbytes, 1))  # of the whole: parts have no parts
        view = None if memory.host is None else memory.host[offset : offset + nbytes]
        return Memory(region, nbytes, memory.lease, view, start, memory.readonly)

    @in_driver
    def write(self, memory: Memory, array: npt.NDArray[Any]) -> None:
        """See `Runtime.write`."""
        check_write(memory, array.nbytes)
        if not array.nbytes:
            return
        if not self._unified:
            self._cl.enqueue_copy(self._queue, memory.handle, np.ascontiguousarray(array), is_blocking=True)
            return
        with self._mapped(memory, array.nbytes, self._cl.map_flags.WRITE) as target:
            np.copyto(target.view(array.dtype).reshape(array.shape), array)

    @in_driver
    def read(self, memory: Memory, nbytes: int) -> Bytes:
        """See `Runtime.read`."""
        check_read(memory, nbytes)
        result = np.empty(nbytes, np.uint8)
        if nbytes and self._unified:
            with self._mapped(memory, nbytes, self._cl.map_flags.READ) as source:
                result[:] = source
        elif nbytes:
            self._cl.enqueue_copy(self._queue, result, memory.handle, is_blocking=True)
        self._builder.save()
        return result

    def share(self, memory: Memory, nbytes: int) -> Bytes | None:
        """See `Runtime.share`."""
        if memory.host is None:
            return None
        self.synchronize()
        return share_bytes(memory, nbytes) if nbytes else memory.host[:0]

    def wrap(self, array: npt.NDArray[Any], label: str = "") -> Memory:
        """See `Runtime.wrap`."""
        in_place = self._unified and array.nbytes and array.flags.c_contiguous
        # A CPU reads elements wherever they are; a GPU that shares memory wants them as its driver would place them.
        alignment = max(array.itemsize, 1) if self.info.kind == "cpu" else self.info.alignment
        if not in_place or array.ctypes.data % alignment or array.nbytes > self.info.max_alloc:
            memory = self.allocate(array.nbytes, label)
            self.write(memory, array)
            return memory
        readonly = not array.flags.writeable
        data = array.reshape(-1).view(np.uint8)
        flags = self._cl.mem_flags
        access = flags.READ_ONLY if readonly else flags.READ_WRITE
        buffer = self._cl.Buffer(self._context, access | flags.USE_HOST_PTR, hostbuf=data)
        lease = self._lent.lease(buffer, data, array.nbytes)
        # Launches remember the handle: this one, unlike pyopencl's own, does not keep the array.
        handle = self._cl.Buffer.from_int_ptr(buffer.int_ptr, retain=True)
        return Memory(handle, array.nbytes, lease, data, readonly=readonly)

    @in_driver
    def build(
        self, sources: Sequence[KernelSource], prelude: str = "", options: Sequence[str] = ()
    ) -> list[Executable]:
        """See `Runtime.build`."""
        return self._builder.build(sources, prelude, options)

    @in_driver
    def prepare(self, launches: Sequence[Launch]) -> Prepared:
        """See `Runtime.prepare`."""
        pocl_parallel.precompile(self._indices, launches)
        return OpenCLPrepared(self._cl, self._queue, self._profiling, self._builder, self._failure, launches)

    def synchronize(self) -> None:
        """See `Runtime.synchronize`."""
        self._finish()
        self._builder.save()

    @property
    def stats(self) -> RuntimeStats:
        """See `Runtime.stats`."""
        vars(self._counters).update(self.pool.counters())
        return self._counters

    @in_driver
    def _finish(self) -> None:
        ended = self._lent.ended()
        try:
            self._queue.finish()
        except self._cl.Error as error:
            raise self._failure(error, "earlier commands") from error
        ended.clear()

    def _new_block(self, size: int) -> Block:
        """A block for the pool; MemoryError where the device has no room."""
        flags = self._cl.mem_flags
        try:
            if self._unified:
                data = host.aligned_bytes(size)
                buffer = self._cl.Buffer(self._context, flags.READ_WRITE | flags.USE_HOST_PTR, hostbuf=data)
                return Block(buffer, data, size)
            return Block(self._cl.Buffer(self._context, flags.READ_WRITE, size), None, size)
        except self._cl.Error as error:
            raise MemoryError(str(error)) from error

    @contextlib.contextmanager
    def _mapped(self, memory: Memory, nbytes: int, access: Any) -> Iterator[Bytes]:
        """The first bytes of `memory` for the host's use, after all commands so far and before all later ones."""
        if self._in_process and memory.host is not None:
            self._finish()
            yield memory.host[:nbytes]
            return
        mapped, _ = self._cl.enqueue_map_buffer(
            self._queue, memory.handle, access, 0, (nbytes,), np.uint8, is_blocking=True
        )
        try:
            yield mapped
        finally:
            mapped.base.release(self._queue)

    def _profiling(self) -> Any:
        if self._timed_queue is None:
            properties = self._cl.command_queue_properties.PROFILING_ENABLE
            self._timed_queue = self._cl.CommandQueue(self._context, properties=properties)
        return self._timed_queue

    def _failure(self, error: Exception, what: str) -> Exception:
        """Our error for a driver's: out of memory, or a device that fails."""
        code = getattr(error, "code", None)
        status = self._cl.status_code
        if code in (status.MEM_OBJECT_ALLOCATION_FAILURE, status.OUT_OF_RESOURCES, status.OUT_OF_HOST_MEMORY):
            pool = self.pool
            return OutOfMemoryError(self.name, 0, pool.live_bytes, pool.cached_bytes, pool.largest(), pool.limit)
        return DeviceError(f"{self.name} ({self.info.description}) failed while running {what}: {error}")


def _settle(reference: weakref.ref[OpenCLRuntime]) -> None:
    """At exit: wait for what still runs or compiles, before the folder that PoCL compiles in is removed."""
    leave()
    runtime = reference()
    if runtime is not None and not runtime.lost:
        with contextlib.suppress(LazygradError):
            runtime.synchronize()


def _drain(cl: Any, queue: Any) -> None:
    """Before a runtime's memory goes: wait for the commands that use it."""
    with contextlib.suppress(cl.Error):
        queue.finish()


# What holds pyopencl's objects, directly or not.
forks.hold_drivers(Memory, Block, Pool, Program, OpenCLExecutable, OpenCLPrepared, Builder, Lent, OpenCLRuntime)
