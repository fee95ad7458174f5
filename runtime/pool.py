"""A pool of device blocks that stay warm between uses.

Fresh pages from the system cost several times more than using a page again, so blocks are kept by size and handed
out again; they go back to the system only when memory runs out.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Callable
from typing import Any

from lazygrad import forks
from lazygrad.errors import OutOfMemoryError

CLASSES_PER_DOUBLING = 8  # bounds the bytes lost to rounding at 1/8 of a block
REUSE_SLACK = 1.25  # a free block may serve a request that is smaller by this factor


class Block:
    """One allocation of the device: `handle` for its launch calls, `host` the bytes where addressable."""

    __slots__ = ("handle", "host", "size")

    def __init__(self, handle: Any, host: Any, size: int) -> None:
        self.handle, self.host, self.size = handle, host, size


class Lease:
    """The use of a block; the block returns to its pool, if it has one, when the lease dies."""

    __slots__ = ("_returned", "block")

    def __init__(self, block: Block | None, returned: deque[Block] | None) -> None:
        self.block: Any = block  # None only while its pool looks for one
        self._returned = returned

    def __del__(self) -> None:
        # Only an append, which is atomic: this may run inside the pool's own code, in any thread, or at exit.
        try:
            block, returned = self.block, self._returned
        except AttributeError:  # an interrupt came while it was made
            return
        if returned is not None and block is not None:
            returned.append(block)


def size_class(nbytes: int, granule: int) -> int:
    """The block size that serves `nbytes`: a multiple of `granule`, at most 1/8 larger for large sizes.

    >>> size_class(1, 4096), size_class(5000, 4096), size_class(1_100_000, 4096)
    (4096, 8192, 1179648)
    """
    size = max(nbytes, 1)
    step = max(granule, 1 << max(size.bit_length() - 1, 0) >> (CLASSES_PER_DOUBLING.bit_length() - 1))
    return -(-size // step) * step


class Pool:
    """Blocks of one device.

    Args:
        device: canonical name, for error reports.
        create: makes a block of exactly so many bytes; raises MemoryError when the device has none.
        settle: called before blocks go back to the system; must wait until no command uses them.
        limit: the most bytes to hold at once.
        max_block: the largest single block.
        granule: every block size is a multiple of it.
    """

    def __init__(
        self,
        device: str,
        create: Callable[[int], Block],
        settle: Callable[[], None],
        limit: int,
        max_block: int,
        granule: int,
    ) -> None:
        self.device, self.limit, self.max_block, self.granule = device, limit, max_block, granule
        self._create, self._settle = create, settle
        self._lock = forks.lock()
        self._returned: deque[Block] = deque()
        self._free: dict[int, list[Block]] = {}
        self._free_sizes: list[int] = []  # the sizes that have a list in _free, sorted
        self._live: dict[Block, tuple[int, str]] = {}
        self._live_bytes = self._live_size = self._cached_size = 0
        self.peak_bytes = self.allocations = self.reuses = 0

    @property
    def live_bytes(self) -> int:
        """Bytes asked for and not yet given back."""
        with self._lock:
            self._collect()
            return self._live_bytes

    @property
    def cached_bytes(self) -> int:
        """Bytes held warm for reuse."""
        with self._lock:
            self._collect()
            return self._cached_size

    def counters(self) -> dict[str, int]:
        """What `RuntimeStats` says of memory."""
        return {
            "live_bytes": self.live_bytes,
            "peak_bytes": self.peak_bytes,
            "cached_bytes": self.cached_bytes,
            "allocations": self.allocations,
            "reuses": self.reuses,
        }

    def reset_peak(self) -> None:
        """Count the peak from what is live now."""
        self.peak_bytes = self.live_bytes

    def allocate(self, nbytes: int, label: str = "") -> Lease:
        """The use of a block of at least `nbytes`; OutOfMemoryError when there is none even after a trim."""
        with self._lock:
            self._collect()
            size, lease = size_class(nbytes, self.granule), Lease(None, self._returned)
            blocks = self._fitting(size)
            block = blocks[-1] if blocks else self._new(size, nbytes)
            # From here on nothing is called, so that no interrupt can come: a block is free or live, and never lost
            # while commands use it.
            if blocks:
                del blocks[-1]
                self._cached_size -= block.size
                self.reuses += 1
            lease.block = block
            self._live[block] = (nbytes, label)
            self._live_size += block.size
            self._live_bytes += nbytes
            self.allocations += 1
            if self._live_bytes > self.peak_bytes:
                self.peak_bytes = self._live_bytes
        return lease

    def trim(self) -> int:
        """Give every cached block back to the system; returns their bytes."""
        with self._lock:
            self._collect()
            return self._trim()

    def largest(self, count: int = 5) -> list[tuple[int, str]]:
        """(bytes, label) of the largest live blocks, largest first; equal ones are counted together."""
        groups: dict[tuple[int, str], int] = {}
        for held in list(self._live.values()):
            groups[held] = groups.get(held, 0) + 1
        top = sorted(((nbytes * many, nbytes, many, label) for (nbytes, label), many in groups.items()), reverse=True)
        return [
            (total, f"{label or 'unnamed'}{f' ({many} blocks)' if many > 1 else ''}")
            for total, _, many, label in top[:count]
        ]

    def _collect(self) -> None:
        """Move blocks whose lease has died to the free lists."""
        while self._returned:
            block = self._returned[0]
            if block.size not in self._free:
                bisect.insort(self._free_sizes, block.size)
                self._free[block.size] = []
            if block in self._live:  # else an interrupt came at the last line; none comes at the next ones
                nbytes, _ = self._live[block]
                del self._live[block]
                self._live_bytes -= nbytes
                self._live_size -= block.size
                self._cached_size += block.size
                self._free[block.size] += [block]
            self._returned.popleft()

    def _fitting(self, size: int) -> list[Block] | None:
        """The free blocks, the most recently used one last, of the smallest size that fits without much waste."""
        sizes = self._free_sizes
        at = bisect.bisect_left(sizes, size)
        while at < len(sizes) and sizes[at] <= size * REUSE_SLACK:
            if blocks := self._free.get(sizes[at]):
                return blocks
            self._free.pop(sizes[at], None)  # all are in use
            del sizes[at]
        return None

    def _new(self, size: int, nbytes: int) -> Block:
        if size > self.max_block:
            raise self._report(nbytes, self.max_block)
        if self._live_size + self._cached_size + size > self.limit:
            self._trim()
            if self._live_size + size > self.limit:
                raise self._report(nbytes, self.limit)
        try:
            return self._create(size)
        except MemoryError:
            self._trim()
        try:
            return self._create(size)
        except MemoryError as error:
            raise self._report(nbytes, self.limit) from error

    def _trim(self) -> int:
        freed = self._cached_size
        if freed:
            self._settle()
            self._free.clear()
            self._free_sizes.clear()
            self._cached_size = 0
        return freed

    def _report(self, nbytes: int, limit: int) -> OutOfMemoryError:
        return OutOfMemoryError(self.device, nbytes, self._live_bytes, self._cached_size, self.largest(), limit)
