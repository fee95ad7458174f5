"""Which tensors exist."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator
from typing import Any

from lazygrad.engine.tracing import watch_here, watched


class Live:
    """Every Tensor that exists, in the order they were made, so that a store knows who still reads the old value.

    The order makes equal programs equal plans. What is made while a function is traced exists for its thread alone.
    """

    def __init__(self) -> None:
        self._tensors: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self._number = itertools.count()

    def add(self, tensor: Any) -> None:
        if watched and (watch := watch_here()) is not None:
            watch.made(tensor)
        else:
            self._tensors[next(self._number)] = tensor

    def __iter__(self) -> Iterator[Any]:
        # Copied at once: other threads may make tensors meanwhile.
        references: list[weakref.ref[Any]] = [*self._tensors.valuerefs()]
        if (watch := watch_here()) is not None:
            references += watch.tensors()
        return iter([t for r in references if (t := r()) is not None])

    def __len__(self) -> int:
        return len(self._tensors)
