"""Memory and events of the driver that records: the host's memory, and events that end in the order of the calls."""

from __future__ import annotations

import ctypes
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from cuda.bindings import driver as real

from tests.cuda.rules import require

Blocks = dict[int, np.ndarray[Any, Any]]  # by address


@dataclass
class Event:
    timed: bool
    recorded: bool = False
    ended: bool = False


class HostMemory:
    """The functions of a driver for memory and events, without what they return of their success."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.blocks: Blocks = {}
        self._freed = 0  # bytes that the driver's own pool holds until the stream has come there
        self.events: dict[int, Event] = {}
        self._pinned: Blocks = {}
        self._handles = itertools.count(1000)

    @property
    def held(self) -> int:
        return self._freed + sum(block.nbytes for block in self.blocks.values())

    def _cuMemAllocAsync(self, nbytes: int, *stream: Any) -> Any:
        require(nbytes > 0, "INVALID_VALUE")
        require(self.held + nbytes <= self.memory, "OUT_OF_MEMORY")
        block = np.zeros(nbytes + 512, np.uint8)
        aligned = block[-block.ctypes.data % 512 :][:nbytes]
        self.blocks[aligned.ctypes.data] = aligned
        return real.CUdeviceptr(aligned.ctypes.data)

    _cuMemAlloc = _cuMemAllocAsync  # noqa: N815

    def _cuMemFreeAsync(self, address: int, *stream: Any) -> None:
        require(address in self.blocks, "INVALID_VALUE")
        self._freed += self.blocks.pop(address).nbytes

    def _cuMemFree(self, address: int) -> None:
        self._cuMemFreeAsync(address)
        self._freed = 0

    def _cuStreamSynchronize(self, stream: Any) -> None:
        self._freed = 0

    def _cuMemHostAlloc(self, nbytes: int, flags: int) -> int:
        block = np.zeros(nbytes, np.uint8)
        self._pinned[block.ctypes.data] = block
        return int(block.ctypes.data)

    def _cuMemFreeHost(self, address: int) -> None:
        require(address in self._pinned, "INVALID_VALUE")
        del self._pinned[address]

    def _cuMemcpyHtoDAsync(self, to: int, source: int, nbytes: int, stream: Any) -> None:
        _check_inside(self.blocks, to, nbytes)
        _check_inside(self._pinned, source, nbytes)
        ctypes.memmove(to, source, nbytes)

    def _cuMemcpyDtoHAsync(self, to: int, source: int, nbytes: int, stream: Any) -> None:
        _check_inside(self._pinned, to, nbytes)
        _check_inside(self.blocks, source, nbytes)
        ctypes.memmove(to, source, nbytes)

    def _cuMemcpyPeerAsync(self, to: int, _to: Any, source: int, _from: Any, nbytes: int, stream: Any) -> None:
        _check_inside(self.blocks, to, nbytes)
        _check_inside(self.blocks, source, nbytes)
        ctypes.memmove(to, source, nbytes)

    def _cuEventCreate(self, flags: int) -> Any:
        handle = next(self._handles)
        self.events[handle] = Event(not flags & 2)
        return real.CUevent(handle)

    def _event(self, handle: Any) -> Event:
        require(int(handle) in self.events, "INVALID_HANDLE")
        return self.events[int(handle)]

    def _cuEventRecord(self, event: Any, stream: Any) -> None:
        found = self._event(event)
        found.recorded, found.ended = True, False

    def _cuEventSynchronize(self, event: Any) -> None:
        """Commands of a stream end in order: with this one all that was recorded before."""
        self._event(event)
        for each in self.events.values():
            each.ended = each.recorded

    def _cuEventDestroy(self, event: Any) -> None:
        self._event(event)
        del self.events[int(event)]

    def _cuEventElapsedTime(self, start: Any, end: Any) -> float:
        both = (self._event(start), self._event(end))
        require(all(e.timed and e.recorded for e in both), "INVALID_HANDLE")
        require(all(e.ended for e in both), "NOT_READY")
        return 0.25  # ms


def _check_inside(blocks: Blocks, address: int, nbytes: int) -> None:
    whole = ((start, start + block.nbytes) for start, block in blocks.items())
    require(any(start <= int(address) and int(address) + nbytes <= end for start, end in whole), "INVALID_VALUE")
