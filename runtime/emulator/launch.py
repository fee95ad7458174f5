"""Launching emulated kernels: the structures that the C++ part reads, filled once for each launch."""

from __future__ import annotations

import ctypes
import math
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from lazygrad.errors import BoundsError, CompileError, GraphError
from lazygrad.settings import settings

from ..base import Executable, KernelSource, Launch, Memory, Prepared, RuntimeStats
from .tensor_map import MAP_BYTES, encode
from .translate import Parameter

REPORT_BYTES = 4096
MOST_THREADS = 1024  # of a block
MOST_AT_ONCE = 4096  # of a cluster, or of all blocks of a cooperative launch: `most_threads` of machine.hpp
_BOUNDS = re.compile(r"__launch_bounds__\((\d+)")
MAP_ALIGNMENT = 64


class EmuArray(ctypes.Structure):
    """An array argument, as `interface.hpp` declares it."""

    _fields_ = [
        ("home", ctypes.c_void_p),
        ("bytes", ctypes.c_uint64),
        ("name", ctypes.c_char_p),
        ("element", ctypes.c_uint32),
    ]


class EmuLaunch(ctypes.Structure):
    """A launch, as `interface.hpp` declares it."""

    _fields_ = [
        ("entry", ctypes.c_void_p),
        ("grid", ctypes.c_uint32 * 3),
        ("shape", ctypes.c_uint32 * 3),
        ("cluster", ctypes.c_uint32),
        ("dynamic_bytes", ctypes.c_uint32),
        ("shared_limit", ctypes.c_uint32),
        ("workers", ctypes.c_uint32),
        ("checks", ctypes.c_uint32),
        ("arrays", ctypes.c_uint32),
        ("others", ctypes.c_uint32),
        ("maps", ctypes.c_uint32),
        ("seed", ctypes.c_uint64),
        ("array", ctypes.POINTER(EmuArray)),
        ("other", ctypes.POINTER(ctypes.c_void_p)),
        ("map", ctypes.POINTER(ctypes.c_void_p)),
    ]


class EmulatedExecutable(Executable):
    """A compiled kernel.

    Args:
        entry: address of its entry.
        parameters, elements: its parameters, and the size in bytes of what each one points to.
        options: `checks` and `workers` of its launches.
        locate: turns the address of an instruction into a line of its text; 0 where it cannot be told.
    """

    def __init__(
        self,
        source: KernelSource,
        entry: int,
        parameters: Sequence[Parameter],
        elements: Sequence[int],
        options: dict[str, int],
        locate: Callable[[int], int],
    ) -> None:
        self.source, self.entry, self.options, self.locate = source, entry, options, locate
        self.parameters, self.elements = list(parameters), list(elements)


class _Call:
    """One launch with its structures; everything that they point to is kept here."""

    def __init__(self, launch: Launch, shared_limit: int) -> None:
        executable = launch.executable
        if not isinstance(executable, EmulatedExecutable):
            raise GraphError(f"kernel {executable.source.name!r} was built for another device")
        self.executable = executable
        self.source = source = executable.source
        maps = source.attributes.tensor_maps
        given = len(launch.memories) + len(launch.scalars) + len(maps)
        if given != len(executable.parameters):
            problem = f"it takes {len(executable.parameters)} arguments, and the launch gives {given}"
            raise CompileError(source.name, problem, source.text)
        self.local_size = tuple(launch.local_size)
        self.arrays = (EmuArray * max(1, len(launch.memories)))()
        self.bound: list[Memory | None] = [None] * len(launch.memories)
        self.scalars = (ctypes.c_int32 * max(1, len(launch.scalars)))()
        self.maps = ctypes.create_string_buffer(MAP_BYTES * len(maps) + MAP_ALIGNMENT)
        self.first_map = -(-ctypes.addressof(self.maps) // MAP_ALIGNMENT) * MAP_ALIGNMENT
        self.other = (ctypes.c_void_p * max(1, len(launch.scalars) + len(maps)))()
        self.map = (ctypes.c_void_p * max(1, len(maps)))()
        self.structure = EmuLaunch(
            entry=executable.entry,
            cluster=source.attributes.cluster,
            dynamic_bytes=source.attributes.shared_bytes,
            shared_limit=shared_limit,
            arrays=len(launch.memories),
            others=len(launch.scalars) + len(maps),
            maps=len(maps),
            array=self.arrays,
            other=self.other,
            map=self.map,
            **executable.options,
        )
        for i, tensor_map in enumerate(maps):
            ctypes.memmove(self.first_map + i * MAP_BYTES, encode(tensor_map, source.name), MAP_BYTES)
        for i, memory in enumerate(launch.memories):
            self.bind(i, memory)
        self.resize(launch.scalars, launch.global_size)

    def bind(self, argument: int, memory: Memory) -> None:
        assert memory.host is not None, "the memory was released"
        array, names = self.arrays[argument], self.executable.parameters
        array.home, array.bytes = memory.host.ctypes.data, memory.nbytes
        array.name = names[argument].name.encode()
        array.element = max(1, self.executable.elements[argument])
        self.bound[argument] = memory

    def resize(self, scalars: Sequence[int], global_size: Sequence[int]) -> None:
        for i, value in enumerate(scalars):
            self.scalars[i] = value
            self.other[i] = ctypes.addressof(self.scalars) + 4 * i
        for i in range(self.structure.maps):
            self.other[len(scalars) + i] = self.map[i] = self.first_map + i * MAP_BYTES
        shape = (*self.local_size, 1, 1)[:3]
        items = (*global_size, 1, 1)[:3]
        grid = tuple(n // s for n, s in zip(items, shape))
        attributes = self.source.attributes
        count, cluster = math.prod(grid), attributes.cluster
        if grid[0] % cluster:
            raise GraphError(f"{self.source.name}: {grid} work-groups cannot be taken {cluster} at a time")
        self.structure.grid[:], self.structure.shape[:] = grid, shape
        self.structure.cluster = max(1, count) if attributes.cooperative else cluster
        self._check_size(math.prod(shape))

    def _check_size(self, threads: int) -> None:
        """GraphError where a GPU would refuse so many threads, or the emulator has no room for them."""
        name, bound = self.source.name, _BOUNDS.search(self.source.text)
        most = min(MOST_THREADS, int(bound[1]) if bound else MOST_THREADS)
        if threads > most:
            raise GraphError(f"{name}: {threads} work-items in a work-group, and it may have {most}")
        at_once = threads * self.structure.cluster
        if at_once > MOST_AT_ONCE:
            raise GraphError(f"{name}: {at_once} work-items at the same time, and the emulator runs {MOST_AT_ONCE}")


class EmulatedPrepared(Prepared):
    """Launches that run when they are asked for, one after the other, in this very process.

    Args:
        library: the emulator.
        fail: raises the error of a kernel's report.
        shared_limit: bytes of shared memory that a block may have.
    """

    def __init__(
        self,
        library: Any,
        stats: RuntimeStats,
        fail: Callable[[EmulatedExecutable, str, int], NoReturn],
        shared_limit: int,
        launches: Sequence[Launch],
    ) -> None:
        self._library, self._stats, self._fail = library, stats, fail
        self._calls = [_Call(launch, shared_limit) for launch in launches]
        self._report = ctypes.create_string_buffer(REPORT_BYTES)

    def run(self, profile: bool = False, begun: list[bool] | None = None) -> list[float] | None:
        """See `Prepared.run`."""
        seconds = []
        for call in self._calls:
            start = time.perf_counter()
            fault = ctypes.c_void_p()
            call.structure.seed = settings.emulated_seed
            if 0 not in call.structure.grid[:] and self._library.emu_launch(
                ctypes.byref(call.structure), self._report, REPORT_BYTES, ctypes.byref(fault)
            ):
                self._fail(call.executable, self._report.value.decode(), fault.value or 0)
            seconds.append(time.perf_counter() - start)
        self._stats.launches += len(self._calls)
        if begun is not None:
            begun.append(True)
        return seconds if profile else None

    def rebind(self, launch: int, argument: int, memory: Memory) -> None:
        """See `Prepared.rebind`."""
        call = self._calls[launch]
        if not 0 <= argument < len(call.bound):
            raise BoundsError(f"launch {launch} has {len(call.bound)} memories; there is no {argument}")
        call.bind(argument, memory)

    def resize(self, launch: int, scalars: Sequence[int], global_size: tuple[int, ...]) -> None:
        """See `Prepared.resize`."""
        self._calls[launch].resize(scalars, global_size)
