"""Where PyTorch would keep the elements of a view: what tells a view from a copy, and whether two views overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from lazygrad.index.expr import Dim
from lazygrad.ir.signature import Shape

WORK = 100_000  # steps that NumPy may take to prove that two views are apart


class Memory:
    """One piece of memory; `row_major` where its elements certainly lie in that order."""

    __slots__ = ("row_major",)

    def __init__(self, row_major: bool = True) -> None:
        self.row_major = row_major


class Layout(NamedTuple):
    """Element i of `shape` is at `offset` + sum(i * strides) of the elements of `memory`, counted in row-major order.

    `strides` is None where sizes are not known yet: such a view may touch everything. `way` is what only it and its
    like have, where nobody knows for certain which elements these are.
    """

    memory: Memory
    offset: int
    shape: Shape
    strides: tuple[int, ...] | None
    way: object = None

    @property
    def is_row_major(self) -> bool:
        """Whether the elements certainly follow each other in memory."""
        if self.strides is None or not self.memory.row_major:
            return False
        plain = whole(self.memory, self.shape).strides
        return plain is not None and all(
            n == 1 or stride == step for n, stride, step in zip(self.shape, self.strides, plain)
        )


# Of each dimension (first, step, count), then the dimensions that stay, None for one of size 1.
Slices = tuple[Sequence[tuple[Dim, int, Dim]], Sequence[int | None]]
Change = Callable[[Layout, Any], Layout]  # of a layout with known strides, by what an operation was given


def whole(memory: Memory, shape: Shape) -> Layout:
    """All elements of a memory of their own, in row-major order."""
    strides, step = [], 1
    for n in reversed(shape):
        if not isinstance(n, int):
            return Layout(memory, 0, shape, None)
        strides.append(step)
        step *= max(n, 1)
    return Layout(memory, 0, shape, tuple(reversed(strides)))


def same(layout: Layout, _: None) -> Layout:
    """The same elements, as another type say."""
    return layout


def detached(layout: Layout, _: None) -> Layout:
    """`detach`, `.data` and `copy.copy`: the same elements in a tensor that gradients tell from this one."""
    return layout


def unknown(layout: Layout, shape: Shape) -> Layout:
    """Some of the elements: which, the device alone knows."""
    return layout._replace(shape=shape, strides=None, way=object())


def contiguous(layout: Layout, _: None) -> Layout:
    """`contiguous`: the same memory where the order is row-major already, else a copy."""
    return layout if layout.is_row_major else _copied(layout, layout.shape)


def permuted(layout: Layout, order: Sequence[int]) -> Layout:
    """`permute`."""
    return layout._replace(
        shape=tuple(layout.shape[i] for i in order), strides=tuple(_strides(layout)[i] for i in order)
    )


def expanded(layout: Layout, shape: Shape) -> Layout:
    """`expand`: repeated elements are the same ones."""
    new = len(shape) - len(layout.shape)
    kept = (s if n == m else 0 for s, n, m in zip(_strides(layout), layout.shape, shape[new:]))
    return layout._replace(shape=shape, strides=(0,) * new + tuple(kept))


def taken(layout: Layout, given: Slices) -> Layout:
    """Slices."""
    slices, axes = given
    strides = _strides(layout)
    shape = tuple(1 if a is None else slices[a][2] for a in axes)
    offset = layout.offset
    for (first, _, _), stride in zip(slices, strides):
        if not isinstance(first, int):
            return unknown(layout, shape)
        offset += first * stride
    kept = tuple(0 if a is None else strides[a] * slices[a][1] for a in axes)
    return Layout(layout.memory, offset, shape, kept)


def diagonal(layout: Layout, given: tuple[int, int, int, int]) -> Layout:
    """`diagonal`: that of dimensions `dim1` and `dim2`, of `size` elements, as the last dimension."""
    offset, dim1, dim2, size = given
    strides = _strides(layout)
    kept = [i for i in range(len(strides)) if i not in (dim1, dim2)]
    start = layout.offset + (offset * strides[dim2] if offset > 0 else -offset * strides[dim1])
    shape = (*(layout.shape[i] for i in kept), size)
    return Layout(layout.memory, start, shape, (*(strides[i] for i in kept), strides[dim1] + strides[dim2]), layout.way)


def windows(layout: Layout, given: tuple[int, int, int]) -> Layout:
    """`unfold`: windows of `size` elements along `axis`, `step` apart, whose elements are the last dimension."""
    axis, size, step = given
    strides, n = _strides(layout), layout.shape[axis]
    assert isinstance(n, int)
    shape = (*layout.shape[:axis], (n - size) // step + 1, *layout.shape[axis + 1 :], size)
    steps = (*strides[:axis], strides[axis] * step, *strides[axis + 1 :], strides[axis])
    return layout._replace(shape=shape, strides=steps)


def strided(layout: Layout, given: tuple[Sequence[int], Sequence[int], int]) -> Layout:
    """`as_strided`: the elements of the memory that these sizes, strides and this offset name."""
    shape, strides, offset = given
    return layout._replace(shape=tuple(shape), strides=tuple(strides), offset=offset)


def reshaped(layout: Layout, shape: Shape) -> Layout:
    """`reshape`: other strides where some give that order of the elements, as PyTorch finds them, else a copy."""
    new = [n for n in shape if isinstance(n, int)]
    if len(new) < len(shape):
        return unknown(layout, shape)
    found = [(n, stride) for n, stride in zip(layout.shape, _strides(layout)) if isinstance(n, int) and n != 1]
    if any(n == 0 for n, _ in found):
        return layout._replace(shape=shape, strides=(0,) * len(shape))
    certain = layout.memory.row_major or [n for n, _ in found] == [n for n in new if n != 1]
    strides: list[int] = []
    step, left = 1, 1
    for n in reversed(new):
        if n > 1 and left == 1:
            left, step = found.pop()
            while found and found[-1][1] == step * left:  # dimensions that lie behind each other are as one
                left *= found.pop()[0]
        if left % n:
            return _copied(layout, shape)
        strides.append(step)
        step, left = step * n, left // n
    way = layout.way if certain else object()
    return layout._replace(shape=shape, strides=tuple(reversed(strides)), way=way)


def _copied(layout: Layout, shape: Shape) -> Layout:
    """A copy, where a view would need the elements in another order than they lie in."""
    return whole(Memory(), shape) if layout.memory.row_major else unknown(layout, shape)


def overlap(a: Layout, b: Layout) -> bool:
    """Whether some element is part of both. True where that takes too long to find out."""
    if a.memory is not b.memory:
        return False
    if a.strides is None or b.strides is None:
        return True
    try:
        return np.shares_memory(_bytes_at(a), _bytes_at(b), max_work=WORK)  # type: ignore[arg-type]
    except RuntimeError:  # TooHardError, which older versions of NumPy keep elsewhere
        return True


def alike(a: Layout, b: Layout) -> bool:
    """Whether both certainly are the same elements in the same order, whatever their shapes."""
    if a.memory is not b.memory or a.way is not b.way or a.offset != b.offset:
        return False
    if a.strides is None or b.strides is None:
        return a.strides is b.strides and a.shape == b.shape
    return _runs(a) == _runs(b)


def _runs(layout: Layout) -> list[tuple[Dim, int]]:
    """Sizes and strides of as few dimensions as walk through the elements in the same order."""
    runs: list[tuple[Dim, int]] = []
    for n, stride in zip(layout.shape, _strides(layout)):
        if runs and runs[-1][1] == n * stride:
            runs[-1] = (runs[-1][0] * n, stride)
        elif n != 1:
            runs.append((n, stride))
    return runs


class _Place:
    """A byte for each element of a layout. NumPy compares the addresses; nothing is at them, and nothing reads them."""

    START = 1 << 40

    def __init__(self, layout: Layout) -> None:
        data = (self.START + layout.offset, False)
        self.__array_interface__ = {
            "data": data, "shape": layout.shape, "strides": layout.strides, "typestr": "|u1", "version": 3,
        }  # fmt: skip


def _bytes_at(layout: Layout) -> np.ndarray[Any, Any]:
    return np.asarray(_Place(layout))


def _strides(layout: Layout) -> tuple[int, ...]:
    assert layout.strides is not None, "a change is applied to known strides only"
    return layout.strides
