"""Values that the host computes when they are first asked for."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from lazygrad.dtype import DType
from lazygrad.index.expr import dim_max, dim_product
from lazygrad.ir.node import Node, buffer
from lazygrad.ir.signature import Shape
from lazygrad.runtime.base import Memory, Storage
from lazygrad.runtime.registry import open_device

Make = Callable[[], "np.ndarray[Any, Any]"]


class PromisedStorage(Storage):
    """A storage whose elements `make` gives, a new array of its size, the first time that its memory is asked for."""

    __slots__ = ("_made", "_make")

    def __init__(self, device: str, nbytes: int, make: Make) -> None:
        self._make: Make | None = make
        self._made: Memory | None = None
        self.device, self.nbytes = device, nbytes
        waiting.add(self)

    @property
    def memory(self) -> Memory | None:
        """Where the elements are, from now on."""
        if (make := self._make) is not None:
            self._made = open_device(self.device).wrap(make())
            self._made.readonly = True
            self._make = None
            waiting.discard(self)
        return self._made

    @memory.setter
    def memory(self, memory: Memory | None) -> None:
        self._made, self._make = memory, None
        waiting.discard(self)


waiting: weakref.WeakSet[PromisedStorage] = weakref.WeakSet()  # those that nobody has asked for


def promise(make: Make, dtype: DType, shape: Shape, device: str) -> Node:
    """A BUFFER of what `make` will give, once. It may read nothing that can be changed until then."""
    return buffer(PromisedStorage(device, dim_max(dim_product(shape)) * dtype.itemsize, make), dtype, shape)


def keep(storages: Iterable[Storage]) -> None:
    """Ask for those of the promised values that are among these storages."""
    if waiting:
        for s in storages:
            if isinstance(s, PromisedStorage):
                _ = s.memory
