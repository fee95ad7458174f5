"""A driver that computes nothing: it notes every call, moves bytes in the host's memory, and fails where it is told to.

It shows that the runtime keeps its books right (arguments, updates, retries, messages), never what a GPU would do.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cuda.bindings import driver as real

from lazygrad.runtime.cuda_driver import is_installed

Arguments = tuple[Any, ...]
HANDLES = {
    "cuStreamCreate": real.CUstream,
    "cuEventCreate": real.CUevent,
    "cuDevicePrimaryCtxRetain": real.CUcontext,
    "cuDeviceGetDefaultMemPool": real.CUmemoryPool,
    "cuModuleLoadData": real.CUmodule,
    "cuGraphCreate": real.CUgraph,
    "cuGraphInstantiate": real.CUgraphExec,
}


def _copied(value: Any) -> Any:
    """A launch attribute's value in memory of its own: the caller's ends with the call."""
    copy = real.CUlaunchAttributeValue()
    ctypes.memmove(copy.getPtr(), value.getPtr(), len(value.pad))
    return copy


ATTRIBUTES = {
    "COMPUTE_CAPABILITY_MAJOR": 9,
    "COMPUTE_CAPABILITY_MINOR": 0,
    "MULTIPROCESSOR_COUNT": 132,
    "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN": 227 << 10,
    "L2_CACHE_SIZE": 60 << 20,
    "MEMORY_CLOCK_RATE": 3_201_000,
    "GLOBAL_MEMORY_BUS_WIDTH": 6144,
    "CLOCK_RATE": 1_980_000,
    "MEMORY_POOLS_SUPPORTED": 1,
}


_checked: set[tuple[str, Arguments]] = set()


def _check_types(name: str, arguments: Arguments) -> None:
    """Have the binding refuse arguments of wrong types, which it does before it finds that there is no driver."""
    key = (name, tuple(map(type, arguments)))
    if key not in _checked and not is_installed():
        with contextlib.suppress(RuntimeError):
            getattr(real, name)(*arguments)
        _checked.add(key)


@dataclass
class Kernel:
    """One launch, or one node of a graph: `values` are the arguments' first 8 bytes."""

    entry: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared: int
    values: list[int]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Node:
    kernel: Kernel
    enabled: bool = True


class Recorder:
    """Answers like `cuda.bindings.driver`, and has that check the types of all arguments where there is no driver.

    Attributes:
        calls: (function, arguments) in order.
        launched: what would have run, in order; replayed graphs included.
        fails: functions and the results that they give from now on instead of working.
    """

    arity = 3  # arguments, tensor maps included, that the kernels of a test take

    def __init__(self, devices: int = 2, memory: int = 1 << 30, version: int = 13000) -> None:
        self.devices, self.memory, self.version = devices, memory, version
        self.calls: list[tuple[str, Arguments]] = []
        self.launched: list[Kernel] = []
        self.fails: dict[str, str] = {}
        self.blocks: dict[int, np.ndarray[Any, Any]] = {}
        self.entries: dict[int, str] = {}
        self.nodes: dict[int, Node] = {}
        self._pinned: list[np.ndarray[Any, Any]] = []
        self._handles = itertools.count(1000)

    def __getattr__(self, name: str) -> Any:
        found = getattr(real, name)
        if not name.startswith("cu") or isinstance(found, type):
            return found
        work: Callable[..., Any] = getattr(type(self), f"_{name}", self._new_handle(name))

        def call(*arguments: Any) -> Arguments:
            self.calls.append((name, arguments))
            _check_types(name, arguments)
            if name in self.fails:
                return (getattr(real.CUresult, f"CUDA_ERROR_{self.fails[name]}"), None)
            try:
                result = work(self, *arguments)
            except MemoryError:
                return (real.CUresult.CUDA_ERROR_OUT_OF_MEMORY, None)
            success = real.CUresult.CUDA_SUCCESS
            return (success,) if result is None else (success, result)

        return call

    def _new_handle(self, name: str) -> Callable[..., Any]:
        """Work that gives a new handle of the type that a function gives."""
        return lambda *_: HANDLES[name](next(self._handles))

    def named(self, name: str) -> list[Arguments]:
        """The arguments of every call of a function."""
        return [arguments for called, arguments in self.calls if called == name]

    @property
    def held(self) -> int:
        return sum(block.nbytes for block in self.blocks.values())

    # ---- functions that do something; those in HANDLES only give a new handle -------------------------

    def _nothing(self, *arguments: Any) -> None:
        return None

    _cuInit = _cuCtxSetCurrent = _cuEventRecord = _cuEventSynchronize = _cuEventDestroy = _nothing  # noqa: N815
    _cuStreamWaitEvent = _cuStreamSynchronize = _cuMemPoolSetAttribute = _cuMemPoolTrimTo = _nothing  # noqa: N815
    _cuFuncSetAttribute = _cuGraphDestroy = _cuGraphExecDestroy = _cuGraphAddDependencies = _nothing  # noqa: N815
    _cuGraphAddDependencies_v2 = _nothing  # noqa: N815

    def _cuDriverGetVersion(self) -> int:
        return self.version

    def _cuDeviceGetCount(self) -> int:
        return self.devices

    def _cuDeviceGet(self, index: int) -> Any:
        return real.CUdevice(index)

    def _cuDeviceGetName(self, length: int, device: int) -> bytes:
        return f"Recorder {int(device)}".encode().ljust(length, b"\0")

    def _cuDeviceTotalMem(self, device: int) -> int:
        return self.memory

    def _cuDeviceGetAttribute(self, attribute: Any, device: int) -> int:
        return ATTRIBUTES[attribute.name.removeprefix("CU_DEVICE_ATTRIBUTE_")]

    def _cuMemAllocAsync(self, nbytes: int, *stream: Any) -> Any:
        if self.held + nbytes > self.memory:
            raise MemoryError
        block = np.zeros(nbytes + 512, np.uint8)
        aligned = block[-block.ctypes.data % 512 :][:nbytes]
        self.blocks[aligned.ctypes.data] = aligned
        return real.CUdeviceptr(aligned.ctypes.data)

    _cuMemAlloc = _cuMemAllocAsync  # noqa: N815

    def _cuMemFreeAsync(self, address: int, *stream: Any) -> None:
        del self.blocks[address]

    _cuMemFree = _cuMemFreeAsync  # noqa: N815

    def _cuMemHostAlloc(self, nbytes: int, flags: int) -> int:
        self._pinned.append(np.zeros(nbytes, np.uint8))
        return int(self._pinned[-1].ctypes.data)

    _cuMemFreeHost = _nothing  # noqa: N815

    def _cuMemcpyHtoDAsync(self, to: int, source: int, nbytes: int, stream: Any) -> None:
        ctypes.memmove(to, source, nbytes)

    _cuMemcpyDtoHAsync = _cuMemcpyHtoDAsync  # noqa: N815

    def _cuMemcpyPeerAsync(self, to: int, _to: Any, source: int, _from: Any, nbytes: int, stream: Any) -> None:
        ctypes.memmove(to, source, nbytes)

    def _cuEventElapsedTime(self, start: Any, end: Any) -> float:
        return 0.25  # ms

    def _cuModuleGetFunction(self, module: Any, name: bytes) -> Any:
        handle = next(self._handles)
        self.entries[handle] = name.decode()
        return real.CUfunction(handle)

    def _kernel(self, function: int, record: Any, pointers: int, count: int) -> Kernel:
        addresses = (ctypes.c_uint64 * count).from_address(pointers)
        values = [ctypes.c_uint64.from_address(a).value for a in addresses]
        grid = (record.gridDimX, record.gridDimY, record.gridDimZ)
        block = (record.blockDimX, record.blockDimY, record.blockDimZ)
        return Kernel(self.entries[int(function)], grid, block, record.sharedMemBytes, values)

    def _cuLaunchKernelEx(self, config: Any, function: int, pointers: int, extra: int) -> None:
        kernel = self._kernel(function, config, pointers, self.arity)
        kernel.attributes = {attribute.id.name: _copied(attribute.value) for attribute in config.attrs}
        self.launched.append(kernel)

    def _cuGraphAddKernelNode(self, graph: int, after: list[Any], count: int, parameters: Any) -> Any:
        assert len(after) == count
        handle = next(self._handles)
        self.nodes[handle] = Node(self._node_kernel(parameters))
        return real.CUgraphNode(handle)

    def _node_kernel(self, parameters: Any) -> Kernel:
        return self._kernel(int(parameters.func), parameters, int(parameters.kernelParams), self.arity)

    def _cuGraphKernelNodeSetAttribute(self, node: Any, kind: Any, value: Any) -> None:
        self.nodes[int(node)].kernel.attributes[kind.name] = _copied(value)

    def _cuGraphExecKernelNodeSetParams(self, executable: int, node: Any, parameters: Any) -> None:
        self.nodes[int(node)].kernel = self._node_kernel(parameters)

    def _cuGraphNodeSetEnabled(self, executable: int, node: Any, enabled: int) -> None:
        self.nodes[int(node)].enabled = bool(enabled)

    def _cuGraphLaunch(self, executable: int, stream: Any) -> None:
        self.launched += [node.kernel for node in self.nodes.values() if node.enabled]

    def _cuTensorMapEncodeTiled(self, *arguments: Any) -> Any:
        packed = real.CUtensorMap()
        ctypes.c_uint64.from_address(int(packed.getPtr())).value = arguments[2]
        return packed
