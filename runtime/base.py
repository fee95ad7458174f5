"""What every device offers: memory, kernels, launches. One `Runtime` per device.

The compiler above hands kernels over as text (`KernelSource`) and gets `Executable`s back; launches are prepared
once (`Prepared`) and then run many times at the driver's own cost.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from .pool import Lease, Pool

Bytes = npt.NDArray[np.uint8]


class ByteCache(Protocol):
    """A persistent map from keys to bytes; every failure of it is a miss, never an error."""

    def key(self, *parts: str | bytes) -> str:
        """A key that is unique to these parts."""

    def get(self, key: str) -> bytes | None:
        """What `put` stored under `key`, or None."""

    def put(self, key: str, payload: bytes) -> None:
        """Store `payload` under `key`."""


@dataclass(frozen=True)
class DeviceInfo:
    """What the cost model and the renderer may assume of a device; sizes in bytes, counts per device.

    Args:
        kind: the kind of code to generate; `LAZYGRAD_TARGET` overrides the device's own.
        units: compute units (CPU cores that run work-groups, or GPU multiprocessors).
        vector_bytes: width of the native vector registers; 16 bytes on a GPU (its widest load).
        fp16, fp64: whether kernels may compute in these types.
        local_bytes: work-group local memory.
        max_alloc: largest single buffer.
        max_group: most work-items in a work-group.
        alignment: byte offsets of `Runtime.sub` must be multiples of this.
        bandwidth_gbs: memory bandwidth, read plus write, in 1e9 bytes/s.
        peak_gflops: fp32 multiply-adds counted as two, in 1e9/s; an upper estimate from the clock.
        fingerprint: text that changes whenever compiled kernels of another build would not do.
        language: what kernels are written in.
        arch: the architecture to compile for, where the language's compiler has to be told ("sm_90a").
        warp: how many neighbouring work-items run in step and can read each other's registers; 1 where none do.
    """

    kind: Literal["cpu", "gpu"]
    units: int
    vector_bytes: int
    fp16: bool
    fp64: bool
    local_bytes: int
    max_alloc: int
    max_group: int
    alignment: int
    l1_bytes: int
    l2_bytes: int
    bandwidth_gbs: float
    peak_gflops: float
    description: str
    fingerprint: str
    language: Literal["opencl", "cuda"] = "opencl"
    arch: str = ""
    warp: int = 1


class Memory:
    """Bytes on a device: a whole block, or a part of one.

    The block returns to its pool when the last Memory on it dies, so parts keep their whole alive.

    Attributes:
        handle: what the device's launch call wants as an argument.
        nbytes: size.
        offset: where in its block it starts.
        host: the same bytes as a NumPy array where the host can address them, else None. Reading and writing
            through it is only right after `Runtime.synchronize`.
        readonly: kernels must not write here (a wrapped read-only array).
    """

    __slots__ = ("handle", "nbytes", "offset", "host", "lease", "readonly")

    def __init__(
        self,
        handle: Any,
        nbytes: int,
        lease: Lease | None,
        host: Bytes | None = None,
        offset: int = 0,
        readonly: bool = False,
    ) -> None:
        self.handle, self.nbytes, self.lease = handle, nbytes, lease
        self.host, self.offset, self.readonly = host, offset, readonly

    def __repr__(self) -> str:
        return f"Memory({self.nbytes} bytes at {self.offset}{', readonly' if self.readonly else ''})"


class Storage:
    """The identity behind a BUFFER node: so many bytes on a device, allocated when first needed.

    When the Storage dies so does its Memory, and the block returns to the device's pool.
    """

    __slots__ = ("device", "nbytes", "memory", "__weakref__")

    def __init__(self, device: str, nbytes: int, memory: Memory | None = None) -> None:
        self.device, self.nbytes, self.memory = device, nbytes, memory

    def __repr__(self) -> str:
        return f"Storage({self.device}, {self.nbytes} bytes{'' if self.memory else ', not allocated'})"


@dataclass(frozen=True)
class TensorMap:
    """How a matrix unit's copy engine (TMA) sees one memory argument: a tensor of up to five axes, innermost first.

    Args:
        memory: which memory argument of the kernel.
        dtype: name of the element type in memory.
        sizes: elements along each axis.
        strides: bytes from one element to the next along every axis but the innermost; multiples of 16.
        box: elements that one copy moves along each axis, at most 256.
        swizzle: bytes of the pattern (0, 32, 64 or 128) by which rows are permuted in local memory.
    """

    memory: int
    dtype: str
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    box: tuple[int, ...]
    swizzle: int = 0


@dataclass(frozen=True)
class LaunchAttributes:
    """What a kernel's launch needs beyond its sizes.

    Args:
        shared_bytes: local memory to reserve beside what the kernel declares itself.
        cluster: neighbouring work-groups that run at the same time and share their local memory.
        cooperative: all work-groups run at the same time.
        programmatic: it may start before the launch before it has ended, and waits in its own code for what it needs.
        tensor_maps: parameters that follow the scalars.
    """

    shared_bytes: int = 0
    cluster: int = 1
    cooperative: bool = False
    programmatic: bool = False
    tensor_maps: tuple[TensorMap, ...] = ()


@dataclass(frozen=True)
class KernelSource:
    """One kernel as text.

    Args:
        name: what people read in reports.
        text: the whole function, `__kernel void entry(...) { ... }`, with what it needs.
        entry: the function's name in `text`; unique among the kernels that are built together.
        attributes: of its launches.
    """

    name: str
    text: str
    entry: str
    attributes: LaunchAttributes = LaunchAttributes()


class Executable(ABC):
    """A compiled kernel. Owned by the runtime that built it."""

    source: KernelSource


@dataclass(frozen=True)
class Launch:
    """One launch: arguments are the memories, then the scalars as 32-bit ints, in the kernel's parameter order.

    Args:
        global_size: work-items per axis (1 to 3 axes); every entry a multiple of `local_size`'s. With a 0 nothing runs.
        local_size: work-items of a work-group per axis.
    """

    executable: Executable
    memories: tuple[Memory, ...]
    scalars: tuple[int, ...]
    global_size: tuple[int, ...]
    local_size: tuple[int, ...]


class Prepared(ABC):
    """Launches in order with their arguments set, to be run many times."""

    @abstractmethod
    def run(self, profile: bool = False, begun: list[bool] | None = None) -> list[float] | None:
        """Enqueue every launch, noted in `begun`; with `profile`, wait and return each one's seconds on the device."""

    @abstractmethod
    def rebind(self, launch: int, argument: int, memory: Memory) -> None:
        """Give memory argument number `argument` of launch number `launch` another memory."""

    @abstractmethod
    def resize(self, launch: int, scalars: Sequence[int], global_size: tuple[int, ...]) -> None:
        """Give launch number `launch` other scalars and another global size."""


@dataclass
class RuntimeStats:
    """Counters since the device was opened.

    `built` programs went through the compiler's front end, `loaded` came from the cache; `compiled` counts the
    kernels that were turned into machine code. Bytes are those of the pool.
    """

    built: int = 0
    loaded: int = 0
    compiled: int = 0
    build_seconds: float = 0.0
    launches: int = 0
    live_bytes: int = 0
    peak_bytes: int = 0
    cached_bytes: int = 0
    allocations: int = 0
    reuses: int = 0


class Runtime(ABC):
    """One device. Commands run in the order of the calls; only `read` and `synchronize` wait for them."""

    name: str
    info: DeviceInfo
    pool: Pool
    cache: ByteCache | None = None
    place: tuple[int, int] = (1, 0)  # DLPack's kind and number of where its memory is: the host
    lost: str = ""  # why it cannot be used any more: this process was forked

    @abstractmethod
    def allocate(self, nbytes: int, label: str = "") -> Memory:
        """Uninitialized memory; `label` says whose it is in an out-of-memory report."""

    def release(self, memory: Memory) -> None:
        """Give `memory` up early; its block returns to the pool once no part of it is in use."""
        memory.handle = memory.host = memory.lease = None

    @abstractmethod
    def sub(self, memory: Memory, offset: int, nbytes: int) -> Memory:
        """A part of `memory`; `offset` is a multiple of `info.alignment`."""

    @abstractmethod
    def write(self, memory: Memory, array: npt.NDArray[Any]) -> None:
        """Copy `array`'s bytes, in C order, to the start of `memory`, after all commands so far."""

    @abstractmethod
    def read(self, memory: Memory, nbytes: int) -> Bytes:
        """A fresh copy of the first `nbytes` bytes, after all commands so far."""

    @abstractmethod
    def share(self, memory: Memory, nbytes: int) -> Bytes | None:
        """The first `nbytes` bytes without a copy, after all commands so far; None where that is impossible. The array
        keeps the memory from being reused; later commands on it show through."""

    @abstractmethod
    def wrap(self, array: npt.NDArray[Any], label: str = "") -> Memory:
        """The bytes of `array` as Memory: shared where alignment and layout allow it, else a copy."""

    def receive(self, source: Runtime, memory: Memory, nbytes: int) -> Memory | None:
        """A copy of the first `nbytes` bytes of `memory`, which is on `source`, made without the host and after all
        commands so far on both; None where these two devices cannot."""
        return None

    @abstractmethod
    def build(
        self, sources: Sequence[KernelSource], prelude: str = "", options: Sequence[str] = ()
    ) -> list[Executable]:
        """Compile every kernel, as one program that starts with `prelude`."""

    @abstractmethod
    def prepare(self, launches: Sequence[Launch]) -> Prepared:
        """Set the launches' arguments once."""

    @abstractmethod
    def synchronize(self) -> None:
        """Wait until every command so far has ended."""

    @property
    @abstractmethod
    def stats(self) -> RuntimeStats:
        """The counters now."""
