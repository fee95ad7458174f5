"""Memory of a CUDA device, and pinned memory of the host that copies pass through."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from lazygrad import forks

from .base import Bytes
from .cuda_driver import Context
from .pool import Block

CHUNK = 8 << 20  # bytes of pinned memory that one step of a copy passes through


class DeviceBlock:
    """An allocation of the device, given back when the object dies; MemoryError where there is no room.

    Args:
        in_stream: allocate in the order of the stream, from the driver's own pool; else at once, for all streams.
    """

    def __init__(self, context: Context, nbytes: int, in_stream: bool) -> None:
        self._context, self._in_stream = context, in_stream
        self.address = 0
        arguments = (nbytes, context.stream) if in_stream else (nbytes,)
        self.address = int(context("cuMemAllocAsync" if in_stream else "cuMemAlloc", *arguments))

    def __del__(self) -> None:
        if self.address and self._in_stream:
            self._context.give_back(("cuMemFreeAsync", self.address, self._context.stream))
        elif self.address:
            self._context.give_back(("cuMemFree", self.address))


def new_block(context: Context, nbytes: int) -> Block:
    """A block for the pool, allocated at once."""
    return Block(DeviceBlock(context, nbytes, False), None, nbytes)


def new_block_in_stream(context: Context, nbytes: int) -> Block:
    """A block for the pool, allocated in the order of the stream.

    What was freed in that order belongs to the driver's own pool until the stream has come there; where that is what is
    missing, it is waited for.
    """
    try:
        return Block(DeviceBlock(context, nbytes, True), None, nbytes)
    except MemoryError:
        context("cuStreamSynchronize", context.stream)
        context("cuMemPoolTrimTo", context("cuDeviceGetDefaultMemPool", context.device), 0)
    return Block(DeviceBlock(context, nbytes, True), None, nbytes)


class Staging:
    """Copies between the host's arrays and a device, through two chunks of pinned memory in turn.

    While one chunk travels, the other one is filled or emptied.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = forks.lock()
        self._chunks: list[tuple[int, Bytes, Any]] = []  # address, the same as an array, event of its last use

    def write(self, address: int, data: Bytes) -> None:
        """Copy `data` to the device; it may change as soon as this returns."""
        with self._lock:
            self._write(address, data)

    def read(self, address: int, nbytes: int) -> Bytes:
        """A fresh copy of `nbytes` of the device, after all commands so far."""
        with self._lock:
            return self._read(address, nbytes)

    def _write(self, address: int, data: Bytes) -> None:
        for turn, start in enumerate(range(0, data.nbytes, CHUNK)):
            pinned, view, event = self._chunk(turn)
            part = data[start : start + CHUNK]
            self._context("cuEventSynchronize", event)
            view[: part.nbytes] = part
            self._context("cuMemcpyHtoDAsync", address + start, pinned, part.nbytes, self._context.stream)
            self._context("cuEventRecord", event, self._context.stream)

    def _read(self, address: int, nbytes: int) -> Bytes:
        result = np.empty(nbytes, np.uint8)
        starts = range(0, nbytes, CHUNK)
        for turn, start in enumerate(starts):
            self._fetch(turn, address + start, min(CHUNK, nbytes - start))
            if turn:
                self._empty(turn - 1, result, starts[turn - 1])
        if nbytes:
            self._empty(len(starts) - 1, result, starts[-1])
        return result

    def _fetch(self, turn: int, address: int, nbytes: int) -> None:
        pinned, _, event = self._chunk(turn)
        self._context("cuMemcpyDtoHAsync", pinned, address, nbytes, self._context.stream)
        self._context("cuEventRecord", event, self._context.stream)

    def _empty(self, turn: int, result: Bytes, start: int) -> None:
        _, view, event = self._chunk(turn)
        self._context("cuEventSynchronize", event)
        part = result[start : start + CHUNK]
        part[:] = view[: part.nbytes]

    def _chunk(self, turn: int) -> tuple[int, Bytes, Any]:
        while len(self._chunks) < 2:
            address = int(self._context("cuMemHostAlloc", CHUNK, 0))
            view = np.ctypeslib.as_array((ctypes.c_uint8 * CHUNK).from_address(address))
            self._chunks.append((address, view, self._context.event()))
        return self._chunks[turn % 2]

    def __del__(self) -> None:
        for address, _, event in self._chunks:
            self._context.give_back(("cuEventDestroy", event), ("cuMemFreeHost", address))


def as_bytes(array: npt.NDArray[Any]) -> Bytes:
    """The bytes of `array` in C order, without a copy where they lie so."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)
