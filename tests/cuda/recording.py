"""A driver that computes nothing: it notes every call, moves bytes in the host's memory, and fails where it is told to.

It shows that the runtime keeps its books right (arguments, updates, retries, messages), never what a GPU would do. What
the real driver refuses it refuses too (`rules`): calls without a context, handles that are gone, copies out of bounds,
launches and tensor maps beyond the limits.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cuda.bindings import driver as real

from lazygrad.runtime.cuda_driver import DIRECT, is_installed
from tests.cuda.recorded_memory import HostMemory
from tests.cuda.rules import Refused, check_launch, check_node_attribute, check_shared, check_tensor_map, require

Arguments = tuple[Any, ...]
HANDLES = {
    "cuStreamCreate": real.CUstream,
    "cuDevicePrimaryCtxRetain": real.CUcontext,
    "cuDeviceGetDefaultMemPool": real.CUmemoryPool,
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


# What may be called before `cuInit`, and by a thread that no context is current on.
WITHOUT_START = ("cuInit", "cuDriverGetVersion", "cuGetProcAddress")
WITHOUT_CONTEXT = (*WITHOUT_START, "cuDevice", "cuCtxSetCurrent", "cuMemPool", "cuTensorMapEncode")
_checked: set[tuple[str, Arguments]] = set()


def _check_types(name: str, arguments: Arguments) -> None:
    """Have the binding refuse arguments of wrong types, which it does before it finds that there is no driver."""
    if name in DIRECT:
        return
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
    graph: int
    kernel: Kernel
    enabled: bool = True


@dataclass
class Function:
    """A loaded kernel, and what it was allowed."""

    entry: str
    allowed: dict[str, int] = field(default_factory=dict)


class Recorder(HostMemory):
    """Answers like `cuda.bindings.driver`, and has that check the types of all arguments where there is no driver.

    Attributes:
        calls: (function, arguments) in order.
        launched: what would have run, in order; replayed graphs included.
        fails: functions and the results that they give from now on instead of working.
    """

    arity = 3  # arguments, tensor maps included, that the kernels of a test take

    def __init__(self, devices: int = 2, memory: int = 1 << 30, version: int = 13000) -> None:
        super().__init__(memory)
        self.devices, self.version = devices, version
        self.calls: list[tuple[str, Arguments]] = []
        self.launched: list[Kernel] = []
        self.fails: dict[str, str] = {}
        self.functions: dict[int, Function] = {}
        self.modules: dict[int, bytes] = {}
        self.nodes: dict[int, Node] = {}
        self.started = False
        self._graphs: dict[int, int] = {}  # and executable ones: of which graph each is made
        self._current = threading.local()
        self._encode = DIRECT["cuTensorMapEncodeTiled"](self._encode_tiled)

    def __getattr__(self, name: str) -> Any:
        found = getattr(real, name)
        if not name.startswith("cu") or isinstance(found, type):
            return found
        work: Callable[..., Any] = getattr(type(self), f"_{name}", self._new_handle(name))

        def call(*arguments: Any) -> Arguments:
            self.calls.append((name, arguments))
            _check_types(name, arguments)
            try:
                require(name not in self.fails, self.fails.get(name, ""))
                self._check_state(name)
                result = work(self, *arguments)
            except Refused as refused:
                return (getattr(real.CUresult, f"CUDA_ERROR_{refused}"), None)
            success = real.CUresult.CUDA_SUCCESS
            return (success,) if result is None else (success, *result) if type(result) is tuple else (success, result)

        return call

    def _check_state(self, name: str) -> None:
        require(self.started or name in WITHOUT_START, "NOT_INITIALIZED")
        has_context = getattr(self._current, "context", 0) != 0
        require(has_context or name.startswith(WITHOUT_CONTEXT), "INVALID_CONTEXT")

    def _new_handle(self, name: str) -> Callable[..., Any]:
        """Work that gives a new handle of the type that a function gives."""

        return lambda *_: HANDLES[name](next(self._handles))

    def _cuGraphCreate(self, flags: int) -> Any:
        handle = next(self._handles)
        self._graphs[handle] = handle
        return real.CUgraph(handle)

    def _cuGraphInstantiate(self, graph: Any, flags: int) -> Any:
        require(int(graph) in self._graphs, "INVALID_VALUE")
        handle = next(self._handles)
        self._graphs[handle] = int(graph)
        return real.CUgraphExec(handle)

    def named(self, name: str) -> list[Arguments]:
        """The arguments of every call of a function."""
        return [arguments for called, arguments in self.calls if called == name]

    # ---- functions that do something; those in HANDLES only give a new handle -------------------------

    def _nothing(self, *arguments: Any) -> None:
        return None

    _cuStreamWaitEvent = _cuMemPoolTrimTo = _nothing  # noqa: N815

    def _cuInit(self, flags: int) -> None:
        self.started = True

    def _cuCtxSetCurrent(self, context: Any) -> None:
        self._current.context = int(context)

    def _cuGetProcAddress(self, name: bytes, version: int, flags: int) -> tuple[int, Any]:
        require(name == b"cuTensorMapEncodeTiled" and version >= 12000, "NOT_FOUND")
        address = ctypes.cast(self._encode, ctypes.c_void_p).value
        return address or 0, real.CUdriverProcAddressQueryResult.CU_GET_PROC_ADDRESS_SUCCESS

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

    def _cuModuleLoadData(self, image: bytes) -> Any:
        require(image.startswith(b"\x7fELF"), "INVALID_IMAGE")
        handle = next(self._handles)
        self.modules[handle] = image
        return real.CUmodule(handle)

    def _cuModuleGetFunction(self, module: Any, name: bytes) -> Any:
        require(name in self.modules[int(module)], "NOT_FOUND")
        handle = next(self._handles)
        self.functions[handle] = Function(name.decode())
        return real.CUfunction(handle)

    def _cuFuncSetAttribute(self, function: Any, attribute: Any, value: int) -> None:
        name = attribute.name.removeprefix("CU_FUNC_ATTRIBUTE_")
        if name == "MAX_DYNAMIC_SHARED_SIZE_BYTES":
            require(0 <= value <= ATTRIBUTES["MAX_SHARED_MEMORY_PER_BLOCK_OPTIN"], "INVALID_VALUE")
        self.functions[int(function)].allowed[name] = value

    def _kernel(self, function: int, record: Any, pointers: int, count: int) -> Kernel:
        addresses = (ctypes.c_uint64 * count).from_address(pointers)
        values = [ctypes.c_uint64.from_address(a).value for a in addresses]
        grid = (record.gridDimX, record.gridDimY, record.gridDimZ)
        block = (record.blockDimX, record.blockDimY, record.blockDimZ)
        found = self.functions[int(function)]
        check_shared(record.sharedMemBytes, found.allowed)
        kernel = Kernel(found.entry, grid, block, record.sharedMemBytes, values)
        check_launch(grid, block, {}, found.allowed)
        return kernel

    def _cuLaunchKernelEx(self, config: Any, function: int, pointers: int, extra: int) -> None:
        require(config.numAttrs == len(config.attrs), "INVALID_VALUE")
        kernel = self._kernel(function, config, pointers, self.arity)
        kernel.attributes = {attribute.id.name: _copied(attribute.value) for attribute in config.attrs}
        check_launch(kernel.grid, kernel.block, kernel.attributes, self.functions[int(function)].allowed)
        self.launched.append(kernel)

    def _cuGraphAddKernelNode(self, graph: int, after: list[Any], count: int, parameters: Any) -> Any:
        require(int(graph) in self._graphs and len(after) == count, "INVALID_VALUE")
        require(all(int(node) in self.nodes for node in after), "INVALID_VALUE")
        handle = next(self._handles)
        self.nodes[handle] = Node(int(graph), self._node_kernel(parameters))
        return real.CUgraphNode(handle)

    def _cuGraphAddDependencies(
        self, graph: int, before: list[Any], after: list[Any], edges: list[Any], count: int
    ) -> None:
        require(len(before) == len(after) == len(edges) == count, "INVALID_VALUE")
        require(all(int(node) in self.nodes for node in (*before, *after)), "INVALID_VALUE")

    _cuGraphAddDependencies_v2 = _cuGraphAddDependencies  # noqa: N815

    def _cuGraphDestroy(self, graph: Any) -> None:
        require(int(graph) in self._graphs, "INVALID_VALUE")
        del self._graphs[int(graph)]

    _cuGraphExecDestroy = _cuGraphDestroy  # noqa: N815

    def _node_kernel(self, parameters: Any) -> Kernel:
        return self._kernel(int(parameters.func), parameters, int(parameters.kernelParams), self.arity)

    def _cuGraphKernelNodeSetAttribute(self, node: Any, kind: Any, value: Any) -> None:
        check_node_attribute(kind.name)
        self.nodes[int(node)].kernel.attributes[kind.name] = _copied(value)

    def _cuGraphExecKernelNodeSetParams(self, executable: int, node: Any, parameters: Any) -> None:
        require(int(executable) in self._graphs, "INVALID_VALUE")
        attributes = dict(self.nodes[int(node)].kernel.attributes)
        attributes.pop("CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION", None)  # as reported of graphs that are updated
        self.nodes[int(node)].kernel = self._node_kernel(parameters)
        self.nodes[int(node)].kernel.attributes = attributes

    def _cuGraphNodeSetEnabled(self, executable: int, node: Any, enabled: int) -> None:
        require(int(executable) in self._graphs, "INVALID_VALUE")
        self.nodes[int(node)].enabled = bool(enabled)

    def _cuGraphLaunch(self, executable: int, stream: Any) -> None:
        require(int(executable) in self._graphs, "INVALID_VALUE")
        graph = self._graphs[int(executable)]
        enabled = [node.kernel for node in self.nodes.values() if node.graph == graph and node.enabled]
        for kernel in enabled:
            (function,) = (f for f in self.functions.values() if f.entry == kernel.entry)
            check_launch(kernel.grid, kernel.block, kernel.attributes, function.allowed)
        self.launched += enabled

    def _encode_tiled(self, target: int, *arguments: Any) -> int:
        """What C calls: a map packed at `target`, of which the address of the memory is to be seen afterwards."""
        try:
            tensor_map = check_tensor_map(target, *arguments)
        except Refused as refused:
            return int(getattr(real.CUresult, f"CUDA_ERROR_{refused}"))
        self.calls.append(("cuTensorMapEncodeTiled", (tensor_map,)))
        ctypes.c_uint64.from_address(target).value = tensor_map.address
        return 0
