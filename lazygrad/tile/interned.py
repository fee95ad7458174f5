"""Objects that are one and the same where they are made of the same parts."""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from typing import Any

from lazygrad import forks


class Interned:
    """Objects by what they are made of, each for as long as somebody holds it; several threads may ask."""

    def __init__(self) -> None:
        self._known: weakref.WeakValueDictionary[Hashable, Any] = weakref.WeakValueDictionary()
        self._lock = forks.lock()

    def find(self, key: Hashable) -> Any:
        """The object of `key`, or None."""
        return self._known.get(key)

    def add(self, key: Hashable, new: Any) -> Any:
        """The object of `key`: `new`, unless there is one by now."""
        with self._lock:
            return self._known.setdefault(key, new)


def comparable(field: Any) -> Hashable:
    """What a part is compared by: 0.0 and -0.0 differ, and so do 1.0 and 1.

    >>> comparable(0.0) == comparable(-0.0), comparable(1.0) == comparable(1)
    (False, False)
    """
    return (type(field), repr(field)) if isinstance(field, float) else field
