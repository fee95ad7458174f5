"""What `t[index]` means, worked out on shapes: a slice for each dimension, then the result's dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any

import numpy as np

from lazygrad.errors import BoundsError, ShapeError
from lazygrad.index.expr import Dim, Expr, as_dim, dim_max
from lazygrad.ir.node import Node, flip, pad, reshape, shrink
from lazygrad.ir.signature import Shape
from lazygrad.ops.core import Core, fail
from lazygrad.ops.layout import Slices
from lazygrad.ops.operands import describe, not_a_tensor

_INDICES = "integers, slices, None, '...', lists, arrays and Tensors"


@dataclass(frozen=True, slots=True)
class Steps:
    """The elements first, first + step, ... of a dimension of size `size`, `count` of them."""

    size: Dim
    first: Dim
    step: int
    count: Dim

    @property
    def is_everything(self) -> bool:
        return self.step == 1 and self.first == 0 and self.count == self.size


@dataclass(slots=True)
class Plan:
    """How an index is applied.

    Attributes:
        steps: for each dimension of the tensor, the elements taken.
        layout: for each dimension of the result before arrays are applied, the tensor's own, or None for a new one.
        arrays: dimension of the layout -> integer index into it.
    """

    steps: list[Steps] = field(default_factory=list)
    layout: list[int | None] = field(default_factory=list)
    arrays: dict[int, Any] = field(default_factory=dict)

    def shape(self) -> Shape:
        """The result's shape before arrays are applied."""
        return tuple(1 if axis is None else self.steps[axis].count for axis in self.layout)

    def slices(self) -> Slices:
        """The elements taken before arrays are applied, as layouts know them."""
        return [(s.first, s.step, s.count) for s in self.steps], self.layout

    @property
    def is_everything(self) -> bool:
        return all(s.is_everything for s in self.steps)


@dataclass(frozen=True, slots=True)
class Added:
    """A dimension of size 1 that an array goes into: what a mask without dimensions stands for."""

    array: np.ndarray[Any, Any]


def is_mask(item: Any) -> bool:
    """Whether an item of an index is boolean: a tensor, an array, nested lists, or True and False."""
    if isinstance(item, Core):
        return item.dtype.is_bool
    if isinstance(item, (list, np.ndarray)):
        return bool(np.asarray(item).dtype == np.bool_)
    return isinstance(item, (bool, np.bool_))


def consumed(item: Any) -> int:
    """How many dimensions an item of an index is about; 0 for `...`."""
    if is_mask(item):
        return int(np.ndim(item))
    return 0 if item is None or isinstance(item, (EllipsisType, Added)) else 1


def spelled_out(index: Any, shape: Shape) -> list[Any]:
    """The items of `index`, of which there is one for each dimension of `shape` (masks are for several), and further
    ones for new dimensions. BoundsError where there are too many."""
    items = [list(i) if isinstance(i, (tuple, range)) else i for i in (index if isinstance(index, tuple) else (index,))]
    count = sum(consumed(item) for item in items)
    if count > len(shape):
        fail(BoundsError, f"index: {count} indices for the {len(shape)} dimensions of shape {list(shape)}")
    dots = [i for i, item in enumerate(items) if isinstance(item, EllipsisType)]
    if len(dots) > 1:
        fail(BoundsError, "index: more than one '...'")
    at = dots[0] if dots else len(items)
    return [*items[:at], *[slice(None)] * (len(shape) - count), *items[at + 1 :]]


def plan_index(items: Sequence[Any], shape: Shape) -> Plan:
    """The plan of an index that is `spelled_out`, without masks, for `shape`; BoundsError where it does not fit."""
    plan = Plan()
    for item in items:
        _add_item(plan, item, shape)
    return plan


def _add_item(plan: Plan, item: Any, shape: Shape) -> None:
    if item is None or isinstance(item, Added):
        if isinstance(item, Added):
            plan.arrays[len(plan.layout)] = item.array
        plan.layout.append(None)
        return
    axis = len(plan.steps)
    size = shape[axis]
    if isinstance(item, slice):
        plan.layout.append(axis)
        plan.steps.append(_slice(item, size, axis, shape))
    elif isinstance(item, (list, np.ndarray, Core)):
        plan.arrays[len(plan.layout)] = item
        plan.layout.append(axis)
        plan.steps.append(Steps(size, 0, 1, size))
    elif isinstance(item, Expr):
        plan.steps.append(Steps(size, _from_end(item, size), 1, 1))
    elif hasattr(item, "__index__"):
        try:
            place = int(item.__index__())
        except TypeError:
            not_a_tensor("index", item, _INDICES)
        if isinstance(size, int) and not -size <= place < size:
            fail(BoundsError, f"index {place} is not inside dim {axis} of shape {list(shape)}")
        plan.steps.append(Steps(size, place + size if place < 0 else place, 1, 1))
    else:
        name, remedy = describe(item)
        fail(BoundsError, f"index takes {_INDICES}, not {name}; {remedy}")


def _slice(item: slice, size: Dim, axis: int, shape: Shape) -> Steps:
    parts = (item.start, item.stop, item.step)
    if isinstance(size, Expr) or any(isinstance(p, Expr) for p in parts):
        if item.step not in (None, 1):
            fail(ShapeError, f"index: a step needs known sizes, not those of dim {axis} of shape {list(shape)}")
        first = 0 if item.start is None else item.start
        last = size if item.stop is None else item.stop
        first, last = _from_end(first, size), _from_end(last, size)
        return Steps(size, first, 1, as_dim(last - first))
    if any(p is not None and not hasattr(p, "__index__") for p in parts):
        fail(BoundsError, f"index: the bounds of a slice are integers, not {item}")
    first, last, step = item.indices(size)
    return Steps(size, first, step, len(range(first, last, step)))


def _from_end(place: Dim, size: Dim) -> Dim:
    """A position or bound, counted from the end where it is negative: as an expression, for all values of variables."""
    return as_dim(size + place) if dim_max(place) < 0 else as_dim(place)


def take(x: Node, steps: Sequence[Steps]) -> Node:
    """The elements of `x` that `steps` name."""
    x = flip(x, [i for i, s in enumerate(steps) if s.step < 0])
    bounds: list[tuple[Dim, Dim]] = []
    for s in steps:
        first = s.size - 1 - s.first if s.step < 0 else s.first
        length = s.count if abs(s.step) == 1 else _stretch(s)
        bounds.append((first if s.count != 0 else 0, first + length if s.count != 0 else 0))
    x = shrink(x, bounds)
    for i, s in enumerate(steps):
        stride = abs(s.step)
        if stride > 1:
            missing = s.count * stride - x.shape[i]
            x = pad(x, [(0, missing if j == i else 0) for j in range(x.ndim)])
            split = reshape(x, (*x.shape[:i], s.count, stride, *x.shape[i + 1 :]))
            first_of_each = shrink(split, [(0, 1 if j == i + 1 else n) for j, n in enumerate(split.shape)])
            x = reshape(first_of_each, (*x.shape[:i], s.count, *x.shape[i + 1 :]))
    return x


def put(x: Node, steps: Sequence[Steps]) -> Node:
    """The inverse of `take`: the elements of `x` where they came from, and zeros elsewhere."""
    for i, s in enumerate(steps):
        stride = abs(s.step)
        if stride > 1:
            apart = reshape(x, (*x.shape[: i + 1], 1, *x.shape[i + 1 :]))
            apart = pad(apart, [(0, stride - 1 if j == i + 1 else 0) for j in range(apart.ndim)])
            x = reshape(apart, (*x.shape[:i], s.count * stride, *x.shape[i + 1 :]))
            x = shrink(x, [(0, _stretch(s) if j == i else n) for j, n in enumerate(x.shape)])
    pads: list[tuple[Dim, Dim]] = []
    for i, s in enumerate(steps):
        first = 0 if s.count == 0 else s.size - 1 - s.first if s.step < 0 else s.first
        pads.append((first, s.size - first - x.shape[i]))
    return flip(pad(x, pads), [i for i, s in enumerate(steps) if s.step < 0])


def _stretch(s: Steps) -> Dim:
    """The length from the first to the last element taken."""
    return (s.count - 1) * abs(s.step) + 1 if s.count != 0 else 0
