"""CUDA kernels that the driver has loaded, and launches of them with their arguments packed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazygrad.errors import BoundsError, CompileError, GraphError

from .base import Executable, KernelSource, Launch, Memory
from .cuda_driver import Context
from .cuda_tensor_map import MAP_BYTES, encode
from .nvrtc import Cubin, Resources

STATIC_SHARED = 48 << 10  # bytes of local memory that a kernel has without asking for more
PORTABLE_CLUSTER = 8  # work-groups of a cluster that every device can run at the same time


class CudaExecutable(Executable):
    """A kernel that the driver has loaded.

    Attributes:
        resources: what ptxas says of it.
        arity: arguments that it takes, beside tensor maps.
    """

    def __init__(self, context: Context, cubin: Cubin) -> None:
        self.source, self.resources = cubin.source, cubin.resources
        self.arity = _arity(cubin.source)
        self._module = context("cuModuleLoadData", cubin.image)
        self.function = context("cuModuleGetFunction", self._module, cubin.source.entry.encode())
        self._allow(context, cubin.source, cubin.resources)

    def _allow(self, context: Context, source: KernelSource, resources: Resources) -> None:
        attribute = context.driver.api.CUfunction_attribute
        asked = source.attributes
        if asked.shared_bytes + resources.shared_bytes > STATIC_SHARED:
            name = attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            context("cuFuncSetAttribute", self.function, name, asked.shared_bytes)
        if asked.cluster > PORTABLE_CLUSTER:
            name = attribute.CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED
            context("cuFuncSetAttribute", self.function, name, 1)


def _arity(source: KernelSource) -> int:
    """How many pointers and scalars a rendered kernel takes."""
    found = re.search(rf"\b{source.entry}\(([^)]*)\)", source.text)
    if found is None:
        raise CompileError(source.name, f"the program has no kernel function {source.entry!r}", source.text)
    given = len(found.group(1).split(",")) if found.group(1).strip() else 0
    return given - len(source.attributes.tensor_maps)


class Call:
    """One launch with its arguments packed: `arguments` is the address of an array of their addresses."""

    def __init__(self, context: Context, launch: Launch) -> None:
        executable = launch.executable
        if not isinstance(executable, CudaExecutable):
            raise GraphError(f"kernel {executable.source.name!r} was built for another device")
        given = len(launch.memories) + len(launch.scalars)
        if executable.arity != given:
            problem = f"it takes {executable.arity} arguments, and the launch gives {given}"
            raise CompileError(executable.source.name, problem, executable.source.text)
        self.context, self.executable = context, executable
        self.attributes = executable.source.attributes
        self.memories = len(launch.memories)
        self._values = np.zeros(given, np.uint64)  # 8 bytes each, of which a scalar uses the first 4
        maps = len(self.attributes.tensor_maps) * MAP_BYTES
        raw = np.zeros(maps + MAP_BYTES, np.uint8)
        self._maps = raw[-raw.ctypes.data % MAP_BYTES :][:maps]
        parts = [self._values.ctypes.data + 8 * i for i in range(given)]
        parts += [self._maps.ctypes.data + at for at in range(0, maps, MAP_BYTES)]
        self._pointers = np.array(parts, np.uint64)
        self.arguments = self._pointers.ctypes.data
        self.block = (*launch.local_size, 1, 1)[:3]
        self._config = self._new_config()
        for i, memory in enumerate(launch.memories):
            self.bind(i, memory)
        self.resize(launch.scalars, launch.global_size)

    def bind(self, argument: int, memory: Memory) -> bool:
        """Give a pointer another value; whether it had a different one."""
        if self._values[argument] == memory.handle:
            return False
        self._values[argument] = memory.handle
        for k, tensor_map in enumerate(self.attributes.tensor_maps):
            if tensor_map.memory == argument:
                encode(self.context, tensor_map, memory, self._maps.ctypes.data + k * MAP_BYTES)
        return True

    def resize(self, scalars: Sequence[int], global_size: tuple[int, ...]) -> None:
        """Other scalars, and as many work-groups as cover `global_size`."""
        if self.memories + len(scalars) != len(self._values):
            raise BoundsError(f"the kernel takes {len(self._values) - self.memories} scalars, not {len(scalars)}")
        for i, value in enumerate(scalars, self.memories):
            if not -(1 << 31) <= value < 1 << 31:
                raise BoundsError(f"kernel argument {i} is {value}, which does not fit 32 bits")
            self._values[i : i + 1].view(np.int32)[0] = value
        whole = (*global_size, 1, 1)[:3]
        self.grid = tuple(n // local for n, local in zip(whole, self.block))
        self._config.gridDimX, self._config.gridDimY, self._config.gridDimZ = self.grid

    def launch(self) -> None:
        """Enqueue it on the stream; nothing where it has no work-group."""
        if 0 not in self.grid:
            self.context("cuLaunchKernelEx", self._config, self.executable.function, self.arguments, 0)

    def _new_config(self) -> Any:
        config = self.context.driver.api.CUlaunchConfig()
        config.blockDimX, config.blockDimY, config.blockDimZ = self.block
        config.sharedMemBytes, config.hStream = self.attributes.shared_bytes, self.context.stream
        config.attrs = [self._launch_attribute(kind, value) for kind, value in self._own_attributes()]
        config.numAttrs = len(config.attrs)
        return config

    def _own_attributes(self) -> list[tuple[Any, Any]]:
        api = self.context.driver.api
        made = self.node_attributes(api.CUlaunchAttributeID, api.CUlaunchAttributeValue)
        if self.attributes.programmatic:
            value = api.CUlaunchAttributeValue()
            value.programmaticStreamSerializationAllowed = 1
            made.append((api.CUlaunchAttributeID.CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION, value))
        return made

    def _launch_attribute(self, kind: Any, value: Any) -> Any:
        attribute = self.context.driver.api.CUlaunchAttribute()
        attribute.id, attribute.value = kind, value
        return attribute

    def node_attributes(self, identity: Any, new_value: Callable[[], Any]) -> list[tuple[Any, Any]]:
        """What launches and nodes of graphs ask for beyond their sizes: (kind, value), as members of the enumeration
        `identity` and objects that `new_value` makes; the driver has types of their own for the two.

        When a programmatic launch may start is no attribute of nodes: a graph says it by an edge (CUlaunchAttributeID).
        """
        asked, made = self.attributes, []
        if asked.cooperative:
            made.append((identity.CU_LAUNCH_ATTRIBUTE_COOPERATIVE, new_value()))
            made[-1][1].cooperative = 1
        if asked.cluster > 1:
            made.append((identity.CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, new_value()))
            dims = made[-1][1].clusterDim
            dims.x, dims.y, dims.z = asked.cluster, 1, 1
        return made

    def node_parameters(self) -> Any:
        """The launch as a node of a graph; the driver copies the arguments out of it."""
        parameters = self.context.driver.api.CUDA_KERNEL_NODE_PARAMS()
        parameters.func = self.executable.function
        parameters.gridDimX, parameters.gridDimY, parameters.gridDimZ = (max(n, 1) for n in self.grid)
        parameters.blockDimX, parameters.blockDimY, parameters.blockDimZ = self.block
        parameters.sharedMemBytes = self.attributes.shared_bytes
        parameters.kernelParams = self.arguments
        return parameters
