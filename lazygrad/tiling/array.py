"""Axes and arrays: how loops run, and where memory lies."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from lazygrad.dtype import DType, dtypes
from lazygrad.index.expr import Dim, Var

from .layout import Layout


class Kind(Enum):
    GRID = auto()
    CLUSTER = auto()
    LOCAL = auto()
    SERIAL = auto()
    UNROLL = auto()
    VECTOR = auto()


class Scope(Enum):
    """Where an array lives."""

    GLOBAL = auto()  # device memory
    CLUSTER = auto()  # LOCAL memory that copies of every group of the cluster fill, in all groups at once
    LOCAL = auto()  # shared by the work-items of a group
    PRIVATE = auto()  # one per work-item: registers, where every index is known


@dataclass(frozen=True, slots=True)
class Axis:
    """A loop variable and how it runs over [0, extent).

    `lanes` and `unroll` strip-mine a SERIAL axis: it advances `lanes * unroll` elements a turn, `lanes` of them as one
    vector and `unroll` such vectors side by side; what is left over at the end runs one element at a time. `copies`:
    how often its body should stand in the code of a GPU; 0 leaves that to others.
    """

    var: Var
    extent: Dim
    kind: Kind = Kind.SERIAL
    lanes: int = 1
    unroll: int = 1
    copies: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """A typed, flat array: a kernel parameter (GLOBAL) or scratch memory that the kernel declares.

    `layout`: how statements on tiles see scratch memory. An array of several times the layout's size has so many slots,
    one behind the other.
    """

    name: str
    dtype: DType
    size: Dim
    scope: Scope = Scope.GLOBAL
    written: bool = False  # by this kernel; a written parameter is read again only at the element being written
    layout: Layout | None = None

    @property
    def slots(self) -> int:
        assert self.layout is not None and isinstance(self.size, int), self.name
        return self.size // self.layout.size


def compute_dtype(dtype: DType) -> DType:
    """The type that arithmetic on `dtype` is done in: 16-bit floats are only stored as such."""
    return dtypes.float32 if dtype in (dtypes.float16, dtypes.bfloat16) else dtype
