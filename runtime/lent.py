"""Arrays of the host's that kernels use where they are: they have to outlive the commands that do.

A command keeps its buffer alive, but not the array whose bytes the buffer is. So when nobody else holds such an array,
it is kept until an event behind all commands so far is complete.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from lazygrad import forks

from .pool import Block, Lease

MOST_WAITING = 16  # events at a time: a loop that only wraps arrays waits for its commands now and then


class Lent:
    """The arrays that kernels on one in-order queue use.

    Args:
        cl: the module pyopencl.
        queue: where commands go.
    """

    def __init__(self, cl: Any, queue: Any) -> None:
        self._cl, self._queue = cl, queue
        self._lock = forks.lock()
        self._returned: deque[Block] = deque()
        self._ending: deque[tuple[Any, list[Block]]] = deque()

    def lease(self, handle: Any, array: Any, nbytes: int) -> Lease:
        """The use of `array` through `handle`; arrays that no command uses any longer are let go of."""
        complete = self._cl.command_execution_status.COMPLETE
        with self._lock:
            if blocks := self._taken():
                self._ending.append((self._cl.enqueue_marker(self._queue), blocks))
                self._queue.flush()
            if len(self._ending) > MOST_WAITING:
                self._ending[0][0].wait()
            while self._ending and self._ending[0][0].command_execution_status == complete:
                self._ending.popleft()
        return Lease(Block(handle, array, nbytes), self._returned)

    def ended(self) -> list[Block]:
        """All that are only kept for commands so far: whoever has waited for these may forget them."""
        with self._lock:
            blocks = self._taken()
            for _, more in self._ending:
                blocks += more
            self._ending.clear()
            return blocks

    def _taken(self) -> list[Block]:
        """What leases have returned; more may come meanwhile, from any thread."""
        return [self._returned.popleft() for _ in range(len(self._returned))]
