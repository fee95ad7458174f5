"""The state of the random number generator, on the host.

Random numbers are a function of a key (the seed) and a counter. A draw takes as many counters as it has elements, and
the next draw continues behind them. Key and first counter reach the kernel through a small buffer, not through its
code, so that every draw of one shape runs the same kernel. A trace that will be run again is told of that buffer, and
writes the counters of a new draw into it: while it is made, the generator itself stays as it is.

A forked child draws other numbers than its parent and its siblings: its key is made of the parent's key and counter,
and of how many children the parent had before it. So a seed decides the children's numbers too.
"""

from __future__ import annotations

import hashlib
import weakref
from typing import Any

import numpy as np

from lazygrad import forks
from lazygrad.dtype import dtypes
from lazygrad.engine.run import upload
from lazygrad.engine.tracing import watch_here
from lazygrad.ir.node import Node

DRAW_WORDS = 4  # key low, key high, counter low, counter high
_WORD = 1 << 32
_generators: weakref.WeakSet[Generator] = weakref.WeakSet()


class Generator:
    """A key and the next counter. Thread-safe.

    >>> g = Generator(7)
    >>> g.draw(10).tolist(), g.draw(5).tolist()
    ([7, 0, 0, 0], [7, 0, 10, 0])
    """

    def __init__(self, seed: int = 0) -> None:
        self._lock = forks.lock()
        self.reseed(seed)
        _generators.add(self)

    def draw(self, n: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
        """Key and first counter of `n` new numbers, as 4 words. The low counter word never wraps within a draw."""
        with self._lock:
            if self.counter % _WORD + n > _WORD:
                self.counter += _WORD - self.counter % _WORD
            first = self.counter
            self.counter += n
        words = (self.key % _WORD, self.key // _WORD % _WORD, first % _WORD, first // _WORD % _WORD)
        return np.array(words, np.uint32)

    def reseed(self, seed: int) -> None:
        """Start again from `seed` (64 bits of it)."""
        if (watch := watch_here()) is not None:
            watch.reseeded(self, (seed, 0))
            return
        with self._lock:
            self.key, self.counter = seed, 0
            self._forks = forks.count()

    def fork(self) -> None:
        """In a forked child: go on with a key of its own."""
        parts = f"{self.key} {self.counter} {forks.count() - self._forks}"
        self.reseed(int.from_bytes(hashlib.sha256(parts.encode()).digest()[:8], "little"))

    def state(self) -> tuple[int, int]:
        """(seed, counter): what `set_state` takes to continue from here."""
        if (watch := watch_here()) is not None:
            watch.refuse("the state of a random number generator is read")
        return self.key, self.counter

    def set_state(self, state: tuple[int, int]) -> None:
        """Continue where `state` was taken."""
        if (watch := watch_here()) is not None:
            watch.reseeded(self, state)
            return
        with self._lock:
            self.key, self.counter = state


def _fork_generators() -> None:
    for each in list(_generators):
        each.fork()


forks.in_child(_fork_generators)


def draw_buffer(n: int, device: str, source: Generator) -> Node:
    """A BUFFER of shape (4,), uint32, with what `n` new numbers are made from."""
    if (watch := watch_here()) is None:
        return upload(source.draw(n), dtypes.uint32, device)
    words = upload(np.zeros(DRAW_WORDS, np.uint32), dtypes.uint32, device)
    watch.drew(source, n, words)
    return words
