"""Extremes: the pair that `max(dim)` and `min(dim)` give, and what they need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from lazygrad.engine.tracing import watch_here
from lazygrad.errors import ShapeError, fail
from lazygrad.index.expr import Expr
from lazygrad.index.variable import variables
from lazygrad.ir.signature import Shape

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


def need_elements(what: str, shape: Shape, axes: Iterable[int]) -> None:
    """ShapeError where there is nothing along one of `axes`; for variables without a value, once a replay has 0."""
    for i in axes:
        n = shape[i]
        if isinstance(n, Expr) and any(v.bound is None for v in variables(n)):
            if n.lo < 1 and (watch := watch_here()) is not None:
                watch.needs(n, what, i)
        elif int(n) == 0:
            fail(ShapeError, f"{what}: shape {list(shape)} has no elements along dim {i}")
