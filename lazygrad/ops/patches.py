"""Windows along dimensions: as views, as columns of a matrix, and put back together; and elements by their strides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lazygrad.dtype import dtypes
from lazygrad.engine.run import upload
from lazygrad.errors import ArgumentError, BoundsError, ShapeError, ViewError
from lazygrad.ir import node as graph
from lazygrad.ops import layout
from lazygrad.ops.core import Core, fail
from lazygrad.ops.rearranging import Rearranging
from lazygrad.ops.windows import Sizes, added_up, each, windows

if TYPE_CHECKING:
    from typing_extensions import Self


class Patches(Rearranging):
    """Windows."""

    __slots__ = ()

    def unfold(self, dimension: int, size: int, step: int) -> Self:
        """Windows of `size` elements along a dimension, `step` apart: their elements are a new last dimension.

        >>> Tensor.arange(5).unfold(0, 3, 2).tolist()
        [[0, 1, 2], [2, 3, 4]]
        """
        x = self if self.ndim else self.reshape(1)
        axis, n = x._axis(dimension), x._known("unfold", dimension)
        if not 0 <= size <= n or step < 1:
            what = f"windows of {size} elements, {step} apart"
            fail(ShapeError, f"unfold: {what}, along dim {dimension} of shape {list(self.shape)}")
        if size == 0:
            shape = (*x.shape[:axis], n // step + 1, *x.shape[axis + 1 :], 0)
            return self._view(graph.const(0, self.dtype, shape), layout.unknown, shape)
        order = [i for i in range(x.ndim) if i != axis] + [axis]
        view = windows(graph.permute(x._in(), order), [size], [step], [1])
        order.append(x.ndim)
        back = graph.permute(view, [order.index(i) for i in range(x.ndim + 1)])
        if not self.ndim:
            return self._view(graph.reshape(back, (size,)), layout.reshaped, (size,))
        return self._view(back, layout.windows, (axis, size, step))

    def _columns(self, kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> Self:
        """`nn.functional.unfold`."""
        kernel, apart, pads, steps = _four("unfold", kernel_size, dilation, padding, stride)
        if self.ndim == 3:
            return self.unsqueeze(0)._columns(kernel_size, dilation, padding, stride).squeeze(0)
        if self.ndim != 4 or 0 in self.shape[1:]:
            fail(ShapeError, f"unfold: needs (N, C, H, W) or (C, H, W), not shape {list(self.shape)}")
        sizes = [self._known("unfold", 2), self._known("unfold", 3)]
        _places("unfold", sizes, kernel, apart, pads, steps)
        x = graph.pad(self._in(), [(0, 0), (0, 0), *((p, p) for p in pads)])
        view = graph.permute(windows(x, kernel, steps, apart), (0, 1, 4, 5, 2, 3))
        n, c, *rest = view.shape
        return self._out(graph.reshape(view, (n, c * math.prod(kernel), math.prod(rest[2:]))))

    def _folded(self, output_size: Sizes, kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> Self:
        """`nn.functional.fold`."""
        kernel, apart, pads, steps = _four("fold", kernel_size, dilation, padding, stride)
        if self.ndim == 2:
            return self.unsqueeze(0)._folded(output_size, kernel_size, dilation, padding, stride).squeeze(0)
        sizes = list(each("fold", output_size, 2))
        counts = _places("fold", sizes, kernel, apart, pads, steps)
        if self.ndim != 3 or self._known("fold", 1) % math.prod(kernel) or self.shape[2] != math.prod(counts):
            wanted = f"(N, C * {math.prod(kernel)}, {math.prod(counts)})"
            fail(ShapeError, f"fold: shape {list(self.shape)} is not {wanted}, which an output {sizes} is made of")
        c = self.shape[1] // math.prod(kernel)
        x = graph.reshape(self._in(), (self.shape[0], c, *kernel, *counts))
        x = added_up(
            graph.permute(x, (0, 1, 4, 5, 2, 3)), [n + 2 * p for n, p in zip(sizes, pads)], kernel, steps, apart
        )
        cut = [(p, p + n) for p, n in zip(pads, sizes)]
        return self._out(graph.shrink(x, [(0, self.shape[0]), (0, c), *cut]))

    # ---- elements by strides ----

    def as_strided(self, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Self:
        """The elements of memory at storage_offset + sum(i * stride), in shape `size`; from where this tensor begins,
        unless an offset is given.

        ViewError for a view of a part of another tensor, whose memory this one does not know; BoundsError outside.

        >>> Tensor.arange(5).as_strided((2, 3), (1, 1)).tolist()
        [[0, 1, 2], [1, 2, 3]]
        """
        flat, places = self._at_strides("as_strided", size, stride, storage_offset)
        read = flat[self._new(upload(places, dtypes.int64, self.device))]
        return self._view(read._in(), layout.strided, (tuple(size), tuple(stride), storage_offset or 0))

    def as_strided_scatter(
        self, src: Core, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
    ) -> Self:
        """This tensor with `src` in the place of `as_strided(size, stride, storage_offset)`.

        >>> Tensor.zeros(4).as_strided_scatter(Tensor([1.0, 2.0]), (2,), (2,), 1).tolist()
        [0.0, 1.0, 0.0, 2.0]
        """
        self._same_device("as_strided_scatter", src)
        if src.shape != tuple(size):
            fail(ShapeError, f"as_strided_scatter: src has shape {list(src.shape)}, not {list(size)}")
        flat, places = self._at_strides("as_strided_scatter", size, stride, storage_offset)
        index = self._new(upload(places, dtypes.int64, self.device))
        return flat.put(index, self._new(src._in(), src.requires_grad).cast(self.dtype)).reshape(self.shape)

    def _at_strides(
        self, what: str, size: Sequence[int], stride: Sequence[int], offset: int | None
    ) -> tuple[Self, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
        """All elements of the memory in a row, and the places in it."""
        if len(size) != len(stride) or any(not 0 <= n < 1 << 63 for n in (*size, *stride, offset or 0)):
            fail(ShapeError, f"{what}: sizes {list(size)}, strides {list(stride)} and offset {offset} do not fit")
        place = self._layout(what)
        if not place.is_row_major or place.offset or (self._alias is not None and _is_part(self)):
            fail(
                ViewError,
                f"{what}: this tensor {list(self.shape)} is a view of a part of another one; .clone() it first",
            )
        places = np.full(tuple(size), offset or 0, np.int64)
        for axis, (n, step) in enumerate(zip(size, stride)):
            places += (np.arange(n) * step).reshape(-1, *(1 for _ in range(len(size) - axis - 1)))
        count = self.numel()
        if places.size and places.max() >= count:
            fail(BoundsError, f"{what}: element {places.max()} of a memory of {count}")
        return self.reshape(-1), places


def _is_part(t: Core) -> bool:
    assert t._alias is not None
    return math.prod(t._alias.family.shape) != math.prod(t.shape)


def _four(what: str, *values: Sizes) -> list[tuple[int, ...]]:
    """Window, dilation, padding and stride of two dimensions."""
    kernel, apart, pads, steps = (each(what, v, 2) for v in values)
    if min(*kernel, *apart, *steps) < 1 or min(pads) < 0:
        fail(ArgumentError, f"{what}: a window {kernel}, dilation {apart}, padding {pads} and stride {steps}")
    return [kernel, apart, pads, steps]


def _places(
    what: str,
    sizes: Sequence[int],
    kernel: Sequence[int],
    apart: Sequence[int],
    pads: Sequence[int],
    steps: Sequence[int],
) -> list[int]:
    """How many windows there are along each dimension."""
    counts = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, p, s in zip(sizes, kernel, apart, pads, steps)]
    if min(counts) < 1:
        fail(ShapeError, f"{what}: a window {list(kernel)} with dilation {list(apart)} is larger than {list(sizes)}")
    return counts
