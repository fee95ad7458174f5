"""Launching OpenCL kernels whose arguments were set once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain, starmap
from typing import Any

import numpy as np

from lazygrad.errors import BoundsError, CompileError, GraphError

from .base import Launch, Memory, Prepared
from .leaving import in_driver
from .opencl_program import Builder, OpenCLExecutable


class OpenCLPrepared(Prepared):
    """Launches on one in-order queue; each has a kernel object of its own, so that its arguments stay set.

    Args:
        cl: the module pyopencl.
        queue: where launches go.
        profiling_queue: gives a queue that records times.
        builder: told of the programs launched, and counts.
        fail: turns a driver's error into ours.
    """

    def __init__(
        self,
        cl: Any,
        queue: Any,
        profiling_queue: Callable[[], Any],
        builder: Builder,
        fail: Callable[[Exception, str], Exception],
        launches: Sequence[Launch],
    ) -> None:
        self._cl, self._queue, self._profiling_queue = cl, queue, profiling_queue
        self._builder, self._fail = builder, fail
        self._executables: list[OpenCLExecutable] = []
        self._memory_counts = [len(launch.memories) for launch in launches]
        self._calls: list[tuple[Any, tuple[int, ...], tuple[int, ...]]] = []
        for launch in launches:
            self._calls.append(self._call(launch))
        self._bound = [[memory.handle for memory in launch.memories] for launch in launches]
        self._fresh = True
        self._enqueued: list[tuple[Any, ...]] | None = None  # the arguments of every call that runs anything

    @in_driver
    def run(self, profile: bool = False, begun: list[bool] | None = None) -> list[float] | None:
        """See `Prepared.run`. All is enqueued in one call of C's, so that an interrupt finds all of it or nothing."""
        noted: list[bool] = [] if begun is None else begun
        if self._fresh:
            for executable, (_, global_size, local_size) in zip(self._executables, self._calls):
                self._builder.note_launch(executable, global_size, local_size)
            self._fresh = False
        self._builder.stats.launches += len(self._calls)
        if profile:
            seconds = self._profile()
            noted.append(True)
            return seconds
        queue = self._queue
        if self._enqueued is None:
            self._enqueued = [(queue, *call) for call in self._calls if 0 not in call[1]]
        try:
            launches = starmap(self._cl.enqueue_nd_range_kernel, self._enqueued)
            deque(chain(launches, map(noted.append, (True,))), maxlen=0)
            queue.flush()
        except self._cl.Error as error:
            raise self._fail(error, self._names()) from error
        return None

    def rebind(self, launch: int, argument: int, memory: Memory) -> None:
        """See `Prepared.rebind`."""
        if not 0 <= argument < self._memory_counts[launch]:
            raise BoundsError(f"launch {launch} has {self._memory_counts[launch]} memories; there is no {argument}")
        self._calls[launch][0].set_arg(argument, memory.handle)
        self._bound[launch][argument] = memory.handle

    def resize(self, launch: int, scalars: Sequence[int], global_size: tuple[int, ...]) -> None:
        """See `Prepared.resize`."""
        kernel, _, local_size = self._calls[launch]
        _set_scalars(kernel, self._memory_counts[launch], scalars)
        self._calls[launch] = (kernel, tuple(global_size), local_size)
        self._enqueued = None
        self._fresh = True  # PoCL compiles apart for small and large grids

    def __del__(self) -> None:
        for executable, (kernel, _, _) in zip(self._executables, self._calls):
            executable.give_back(kernel)

    def _call(self, launch: Launch) -> tuple[Any, tuple[int, ...], tuple[int, ...]]:
        executable = launch.executable
        if not isinstance(executable, OpenCLExecutable):
            raise GraphError(f"kernel {executable.source.name!r} was built for another device")
        self._executables.append(executable)
        kernel = executable.take(self._cl)
        given = len(launch.memories) + len(launch.scalars)
        if executable.arity != given:
            problem = f"it takes {executable.arity} arguments, and the launch gives {given}"
            raise CompileError(executable.source.name, problem, executable.source.text)
        for i, memory in enumerate(launch.memories):
            kernel.set_arg(i, memory.handle)
        _set_scalars(kernel, len(launch.memories), launch.scalars)
        return kernel, tuple(launch.global_size), tuple(launch.local_size)

    def _profile(self) -> list[float]:
        """Run on a queue that records times, with nothing else in flight."""
        self._queue.finish()
        queue = self._profiling_queue()
        try:
            events = [
                None if 0 in global_size else self._cl.enqueue_nd_range_kernel(queue, kernel, global_size, local_size)
                for kernel, global_size, local_size in self._calls
            ]
            queue.finish()
        except self._cl.Error as error:
            raise self._fail(error, self._names()) from error
        return [0.0 if e is None else (e.profile.end - e.profile.start) * 1e-9 for e in events]

    def _names(self) -> str:
        names = list(dict.fromkeys(executable.source.name for executable in self._executables))
        return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _set_scalars(kernel: Any, first: int, scalars: Sequence[int]) -> None:
    for i, value in enumerate(scalars):
        if not -(1 << 31) <= value < 1 << 31:
            raise BoundsError(f"kernel argument {first + i} is {value}, which does not fit 32 bits")
        kernel.set_arg(first + i, np.int32(value))
