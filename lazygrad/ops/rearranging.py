"""Other orders of dimensions and elements, by the names that PyTorch, NumPy and tinygrad have for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lazygrad.dtype import dtype_named
from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.index.expr import Dim
from lazygrad.ops.core import Core, fail
from lazygrad.ops.diagonals import Diagonals
from lazygrad.ops.movement import as_shape
from lazygrad.ops.operands import not_a_tensor
from lazygrad.ops.padding import Padding
from lazygrad.ops.repeating import Repeating

if TYPE_CHECKING:
    from typing_extensions import Self


class Rearranging(Diagonals, Repeating, Padding):
    """Compositions of reshape, permute, flip and expand."""

    __slots__ = ()

    # ---- dimensions ----

    def view(self, *shape: Any) -> Self:
        """`reshape` (no tensor here has strides that could forbid it), or with a dtype the same bytes read as that.

        The last dimension of a dtype of another size grows or shrinks with it. ShapeError where it does not fit.

        >>> Tensor.arange(4).view(2, 2).shape, Tensor([1.0]).view(dtypes.int32).tolist()
        ((2, 2), [1065353216])
        """
        single = shape[0] if len(shape) == 1 else ()
        kind = None if isinstance(single, (int, tuple, list)) else dtype_named(single)
        return self.reshape(*shape) if kind is None else self._read_as(kind)

    def view_as(self, other: Core) -> Self:
        """`view` in the shape of `other`.

        >>> Tensor.arange(4).view_as(Tensor.zeros(2, 2)).tolist()
        [[0, 1], [2, 3]]
        """
        return self.reshape_as(other)

    def reshape_as(self, other: Core) -> Self:
        """`reshape` to the shape of `other`.

        >>> Tensor.arange(4).reshape_as(Tensor.zeros(2, 2)).tolist()
        [[0, 1], [2, 3]]
        """
        if not isinstance(other, Core):
            not_a_tensor("reshape_as", other)
        return self.reshape(other.shape)

    def ravel(self) -> Self:
        """All elements in one row: `flatten()`.

        >>> Tensor([[1], [2]]).ravel().tolist()
        [1, 2]
        """
        return self.flatten()

    def swapaxes(self, axis0: int, axis1: int) -> Self:
        """`transpose`, by NumPy's name.

        >>> Tensor.zeros(2, 3, 4).swapaxes(0, 2).shape
        (4, 3, 2)
        """
        return self.transpose(axis0, axis1)

    def swapdims(self, dim0: int, dim1: int) -> Self:
        """`transpose`, by another name.

        >>> Tensor.zeros(2, 3, 4).swapdims(0, 2).shape
        (4, 3, 2)
        """
        return self.transpose(dim0, dim1)

    def moveaxis(self, source: int | Sequence[int], destination: int | Sequence[int]) -> Self:
        """`movedim`, by NumPy's name.

        >>> Tensor.zeros(2, 3, 4).moveaxis(0, -1).shape
        (3, 4, 2)
        """
        return self.movedim(source, destination)

    def select(self, dim: int, index: Dim | Core) -> Self:
        """The slice `index` of dimension `dim`, without it. BoundsError where there is none.

        >>> Tensor([[1, 2], [3, 4]]).select(1, -1).tolist()
        [2, 4]
        """
        if not self.ndim:
            fail(ShapeError, "select: a 0-d tensor has no dimension to choose from")
        return self[(slice(None),) * self._axis(dim) + (index,)]

    def select_scatter(self, src: Core, dim: int, index: int) -> Self:
        """This tensor with `src`, of the slice's shape, in the place of `select(dim, index)`.

        >>> Tensor([[1, 2], [3, 4]]).select_scatter(Tensor([8, 9]), 1, 0).tolist()
        [[8, 2], [9, 4]]
        """
        return self._with_slice("select_scatter", dim, index, src)

    def slice_scatter(
        self, src: Core, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
    ) -> Self:
        """This tensor with `src`, of the slice's shape, in the place of elements start:end:step of `dim`.

        >>> Tensor.zeros(4).slice_scatter(Tensor([1.0, 2.0]), start=1, step=2).tolist()
        [0.0, 1.0, 0.0, 2.0]
        """
        if step < 1:
            fail(ArgumentError, f"slice_scatter: steps of {step}; they are at least 1")
        return self._with_slice("slice_scatter", dim, slice(start, end, step), src)

    def _with_slice(self, what: str, dim: int, item: Any, src: Core) -> Self:
        self._same_device(what, src)
        if not self.ndim:
            fail(ShapeError, f"{what}: a 0-d tensor has no dimension to choose from")
        plan = self._plan((slice(None),) * self._axis(dim) + (item,))
        if src.shape != plan.shape():
            fail(ShapeError, f"{what}: src has shape {list(src.shape)}, the slice {list(plan.shape())}")
        return self._with(plan, self._value_for(what, src))._apart()

    def sum_to_size(self, *size: Any) -> Self:
        """The sum over the dimensions that `size`, which broadcasts to this shape, lacks or has once; see `sum`.

        >>> Tensor.ones(2, 3).sum_to_size(1, 3).tolist()
        [[2.0, 2.0, 2.0]]
        """
        wanted = as_shape(size, "sum_to_size")
        new = self.ndim - len(wanted)
        if new < 0 or any(m not in (1, n) for n, m in zip(self.shape[new:], wanted)):
            fail(ShapeError, f"sum_to_size: {list(wanted)} does not broadcast to shape {list(self.shape)}")
        summed = [i for i, n in enumerate(self.shape) if i < new or (wanted[i - new] == 1 and n != 1)]
        return self.sum(summed).reshape(wanted) if summed or not wanted else self

    # ---- elements in another order ----

    def fliplr(self) -> Self:
        """Columns in reverse order. ShapeError for vectors.

        >>> Tensor([[1, 2]]).fliplr().tolist()
        [[2, 1]]
        """
        if self.ndim < 2:
            fail(ShapeError, f"fliplr: needs two dimensions or more, not shape {list(self.shape)}")
        return self.flip(1)

    def flipud(self) -> Self:
        """Rows in reverse order.

        >>> Tensor([1, 2]).flipud().tolist()
        [2, 1]
        """
        if not self.ndim:
            fail(ShapeError, "flipud: a 0-d tensor has no rows")
        return self.flip(0)

    def rot90(self, k: int = 1, dims: Sequence[int] = (0, 1)) -> Self:
        """Turned by `k` right angles in the plane of two `dims`, from the first one towards the second.

        >>> Tensor([[1, 2], [3, 4]]).rot90().tolist()
        [[2, 4], [1, 3]]
        """
        if len(dims) != 2 or self.ndim < 2 or self._axis(dims[0]) == self._axis(dims[1]):
            fail(ShapeError, f"rot90: dims {list(dims)} of shape {list(self.shape)}; a plane has two dimensions")
        first, second = dims
        turned = (self, self.flip(second).transpose(first, second), self.flip(first, second))
        return turned[k % 4]._apart() if k % 4 < 3 else self.flip(first).transpose(first, second)._apart()

    # ---- images: (..., C, H, W) ----

    def pixel_shuffle(self, upscale_factor: int) -> Self:
        """Channels as pixels: (..., C * r * r, H, W) gives (..., C, H * r, W * r), r being `upscale_factor`.

        >>> Tensor([[[1]], [[2]], [[3]], [[4]]]).pixel_shuffle(2).tolist()
        [[[1, 2], [3, 4]]]
        """
        r = upscale_factor
        if self.ndim < 3 or r < 1 or self._known("pixel_shuffle", -3) % (r * r):
            shape = list(self.shape)
            fail(ShapeError, f"pixel_shuffle: shape {shape} does not have a multiple of {r} * {r} channels at dim -3")
        (*outer, c, h, w), n = self.shape, self.ndim - 3
        x = self.reshape(*outer, c // (r * r), r, r, h, w)
        order = [*range(n), n, n + 3, n + 1, n + 4, n + 2]
        return x.permute(*order).reshape(*outer, c // (r * r), h * r, w * r)._apart()

    def pixel_unshuffle(self, downscale_factor: int) -> Self:
        """Pixels as channels: (..., C, H * r, W * r) gives (..., C * r * r, H, W), r being `downscale_factor`.

        >>> Tensor([[[1, 2], [3, 4]]]).pixel_unshuffle(2).tolist()
        [[[1]], [[2]], [[3]], [[4]]]
        """
        r = downscale_factor
        if self.ndim < 3 or r < 1 or any(self._known("pixel_unshuffle", d) % r for d in (-2, -1)):
            fail(
                ShapeError, f"pixel_unshuffle: the last two sizes of shape {list(self.shape)} are not multiples of {r}"
            )
        (*outer, c, h, w), n = self.shape, self.ndim - 3
        x = self.reshape(*outer, c, h // r, r, w // r, r)
        order = [*range(n), n, n + 2, n + 4, n + 1, n + 3]
        return x.permute(*order).reshape(*outer, c * r * r, h // r, w // r)._apart()

    def channel_shuffle(self, groups: int) -> Self:
        """Channels (N, C, ...) of equal `groups` taken in turn: the first of each, the second of each, ...

        >>> Tensor([[[1], [2], [3], [4]]]).channel_shuffle(2).tolist()
        [[[1], [3], [2], [4]]]
        """
        if self.ndim < 3 or groups < 1 or self._known("channel_shuffle", 1) % groups:
            fail(ShapeError, f"channel_shuffle: shape {list(self.shape)} is not (N, C, ...) of {groups} equal groups")
        n, c, *rest = self.shape
        return self.reshape(n, groups, c // groups, *rest).transpose(1, 2).reshape(self.shape)._apart()
