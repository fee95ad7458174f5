"""Objects that are one and the same where they are made of the same parts.

There is no lock: every step on the table is one call of a function written in C. An exception that a signal raises
while a lock is taken can leave it taken (a profiler is called before `lock.__exit__` is), and all that follows waits.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar
from weakref import _remove_dead_weakref  # type: ignore[attr-defined]  # what WeakValueDictionary removes with

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class _Entry(weakref.ref[T]):
    """A reference that knows where it is in the table."""

    __slots__ = ("key",)
    key: Hashable

    def __new__(cls, value: T, removed: Callable[[Any], object], key: Hashable) -> _Entry[T]:
        made = super().__new__(cls, value, removed)
        made.key = key
        return made

    def __init__(self, value: T, removed: Callable[[Any], object], key: Hashable) -> None:
        super().__init__(value, removed)  # type: ignore[call-arg]  # it takes what __new__ takes


class Interned(Generic[K, T]):
    """Objects by what they are made of, each for as long as somebody holds it; several threads may ask."""

    def __init__(self) -> None:
        entries: dict[K, _Entry[T]] = {}

        def removed(entry: Any, remove: Callable[[Any, Any], None] = _remove_dead_weakref) -> None:
            remove(entries, entry.key)  # unless another thread has put a living one there

        self._entries, self._removed = entries, removed

    def find(self, key: K) -> T | None:
        """The object of `key`, or None."""
        entry = self._entries.get(key)
        return None if entry is None else entry()

    def add(self, key: K, new: T) -> T:
        """The object of `key`: `new`, unless there is one by now."""
        entry = _Entry(new, self._removed, key)
        while True:
            there = self._entries.setdefault(key, entry)
            if there is entry:
                return new
            if (found := there()) is not None:
                return found
            _remove_dead_weakref(self._entries, key)  # its removal is late, or was interrupted

    def __len__(self) -> int:
        return len(self._entries)


def comparable(field: Any) -> Hashable:
    """What a part is compared by: 0.0 and -0.0 differ, and so do 1.0 and 1.

    >>> comparable(0.0) == comparable(-0.0), comparable(1.0) == comparable(1)
    (False, False)
    """
    return (type(field), repr(field)) if isinstance(field, float) else field
