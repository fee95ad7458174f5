"""The device NUMPY: memory only. It has no kernels; the engine evaluates graphs instead of compiling them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from lazygrad.errors import DeviceError
from lazygrad.settings import settings

from . import host
from .base import Bytes, DeviceInfo, Executable, KernelSource, Launch, Memory, Prepared, Runtime, RuntimeStats
from .bounds import check_alignment, check_part, check_read, check_write
from .pool import Block, Lease, Pool

ALIGNMENT = 64


class NumpyRuntime(Runtime):
    """The host's memory as a device."""

    def __init__(self, name: str = "NUMPY") -> None:
        self.name = name
        total = host.memory_bytes()
        limit = min(total, settings.memory_limit << 20) if settings.memory_limit else total
        l1, l2 = host.cache_sizes()
        self.info = DeviceInfo(
            kind="cpu",
            units=1,
            vector_bytes=16,
            fp16=True,
            fp64=True,
            local_bytes=0,
            max_alloc=total,
            max_group=1,
            alignment=ALIGNMENT,
            l1_bytes=l1,
            l2_bytes=l2,
            bandwidth_gbs=10.0,
            peak_gflops=10.0,
            description=f"NumPy {np.__version__}",
            fingerprint=f"NumPy {np.__version__}",
        )
        self.pool = Pool(name, _new_block, self.synchronize, limit, total, ALIGNMENT)

    def allocate(self, nbytes: int, label: str = "") -> Memory:
        """See `Runtime.allocate`."""
        lease = self.pool.allocate(nbytes, label)
        view = lease.block.host[:nbytes]
        return Memory(view, nbytes, lease, view)

    def sub(self, memory: Memory, offset: int, nbytes: int) -> Memory:
        """See `Runtime.sub`."""
        assert memory.host is not None, "the memory was released"
        check_part(memory, offset, nbytes)
        check_alignment(offset, ALIGNMENT)
        view = memory.host[offset : offset + nbytes]
        return Memory(view, nbytes, memory.lease, view, memory.offset + offset, memory.readonly)

    def write(self, memory: Memory, array: npt.NDArray[Any]) -> None:
        """See `Runtime.write`."""
        check_write(memory, array.nbytes)
        assert memory.host is not None, "the memory was released"
        np.copyto(memory.host[: array.nbytes].view(array.dtype).reshape(array.shape), array)

    def read(self, memory: Memory, nbytes: int) -> Bytes:
        """See `Runtime.read`."""
        return np.array(self._bytes(memory, nbytes))

    def share(self, memory: Memory, nbytes: int) -> Bytes:
        """See `Runtime.share`."""
        return share_bytes(memory, nbytes) if nbytes else self._bytes(memory, 0)

    def wrap(self, array: npt.NDArray[Any], label: str = "") -> Memory:
        """See `Runtime.wrap`."""
        if not array.flags.c_contiguous or array.ctypes.data % max(array.itemsize, 1):
            memory = self.allocate(array.nbytes, label)
            self.write(memory, array)
            return memory
        data = array.reshape(-1).view(np.uint8)
        lease = Lease(Block(data, data, array.nbytes), None)
        return Memory(data, array.nbytes, lease, data, readonly=not array.flags.writeable)

    def build(
        self, sources: Sequence[KernelSource], prelude: str = "", options: Sequence[str] = ()
    ) -> list[Executable]:
        """Not offered: DeviceError."""
        self._no_kernels()

    def prepare(self, launches: Sequence[Launch]) -> Prepared:
        """Not offered: DeviceError."""
        self._no_kernels()

    def synchronize(self) -> None:
        """See `Runtime.synchronize`; nothing runs behind the caller's back here."""

    @property
    def stats(self) -> RuntimeStats:
        """See `Runtime.stats`."""
        return RuntimeStats(**self.pool.counters())

    def _bytes(self, memory: Memory, nbytes: int) -> Bytes:
        check_read(memory, nbytes)
        assert memory.host is not None, "the memory was released"
        return memory.host[:nbytes]

    def _no_kernels(self) -> NoReturn:
        raise DeviceError(f"{self.name} runs no kernels; graphs on it are evaluated with NumPy")


class _Held:
    """What an array is made on where its memory is another's, which it keeps alive."""

    def __init__(self, address: int, shape: tuple[int, ...], dtype: np.dtype[Any], keeper: object) -> None:
        self._keeper = keeper
        self.__array_interface__ = {"data": (address, False), "shape": shape, "typestr": dtype.str, "version": 3}


def array_at(address: int, shape: tuple[int, ...], dtype: np.dtype[Any], keeper: object) -> npt.NDArray[Any]:
    """The array in C order that starts at `address`; it keeps the `keeper` of its memory alive."""
    return np.asarray(_Held(address, shape, dtype, keeper))


def share_bytes(memory: Memory, nbytes: int) -> Bytes:
    """The first `nbytes` (at least one) of a Memory that the host can address, as an array that keeps it alive."""
    assert memory.host is not None, "the memory was released"
    shared: Bytes = array_at(memory.host.ctypes.data, (nbytes,), np.dtype(np.uint8), memory.lease)
    if not memory.host.flags.writeable:
        shared.flags.writeable = False
    return shared


def _new_block(size: int) -> Block:
    data = host.aligned_bytes(size)
    return Block(data, data, size)
