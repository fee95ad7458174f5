"""The pair that `max(dim)` and `min(dim)` give."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


class MinMax(tuple[T, T]):  # a NamedTuple cannot be generic in Python 3.10
    """What `max(dim)` and `min(dim)` give: the extreme values, and the indices of the first of each."""

    __slots__ = ()
    _fields = ("values", "indices")  # what marks a named tuple

    def __new__(cls, values: T, indices: T) -> MinMax[T]:
        return super().__new__(cls, (values, indices))

    @property
    def values(self) -> T:
        """The extreme values."""
        return self[0]

    @property
    def indices(self) -> T:
        """Where the first of each extreme value is."""
        return self[1]
