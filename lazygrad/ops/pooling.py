"""Pooling over windows of the last one, two or three dimensions, and what undoes it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lazygrad.dtype import dtypes
from lazygrad.errors import ArgumentError, DTypeError, ShapeError
from lazygrad.ir.build import positions
from lazygrad.ir.node import pad
from lazygrad.ops.core import fail
from lazygrad.ops.joining import Joining
from lazygrad.ops.windows import Sizes, Windows, check_window, ints, sides, steps_of, windows

if TYPE_CHECKING:
    from typing_extensions import Self

_NO_PLACE = (1 << 62) - 1  # of an element that is padding


class Pooling(Joining):
    """Pooling. The dimensions before those that windows go over are all batch dimensions."""

    __slots__ = ()

    def _pool(
        self, what: str, n: int, kernel_size: Sizes, stride: Any, padding: Sizes, dilation: Sizes, ceil_mode: bool
    ) -> Windows:
        """What windows there are in the last `n` dimensions."""
        kernel, apart = steps_of(what, "kernel_size", kernel_size, n), steps_of(what, "dilation", dilation, n)
        given = stride is not None and stride not in ((), [])
        steps, before = steps_of(what, "stride", stride, n) if given else kernel, sides(what, padding, n)
        if self.ndim < n + 1 or 0 in self.shape[-n:]:
            fail(ShapeError, f"{what}: needs {n + 1} dimensions or more, the last not empty: {list(self.shape)}")
        if any(p < 0 or 2 * p > d * (k - 1) + 1 for pair, k, d in zip(before, kernel, apart) for p in pair):
            fail(
                ArgumentError, f"{what}: padding {padding} is negative, or more than half of the window {list(kernel)}"
            )
        return Windows(what, ints(self.shape[-n:]), kernel, steps, before, apart, ceil_mode)

    def _seen_through(self, found: Windows, fill: bool | int | float) -> Self:
        """Every window: (..., o..., k...), with `fill` for padding."""
        x = pad(self._in(), [(0, 0)] * (self.ndim - len(found.kernel)) + found.pads(), fill)
        check_window(found.what, x, found.kernel, found.dilation)
        return self._out(windows(x, found.kernel, found.stride, found.dilation))

    # ---- the largest ----

    def _max_pool(
        self,
        n: int,
        kernel_size: Sizes,
        stride: Any,
        padding: Sizes,
        dilation: Sizes,
        ceil_mode: bool,
        return_indices: bool,
    ) -> Any:
        found = self._pool(f"max_pool{n}d", n, kernel_size, stride, padding, dilation, ceil_mode)
        view = self._seen_through(found, -math.inf if self.dtype.is_float else self.dtype.min)
        if not return_indices:
            return view._first_largest(n)
        places = self._new(positions((math.prod(found.sizes),), 0, dtypes.int64)).reshape(found.sizes)
        return view._largest_and_where(n, places._seen_through(found, _NO_PLACE))

    def _first_largest(self, n: int) -> Self:
        """The largest element over the last `n` dimensions; of equal ones the first one gets the gradient."""
        dims = tuple(range(-n, 0))
        return self._extreme(self.amax(dims), dims, first=True)

    def _largest_and_where(self, n: int, places: Self) -> tuple[Self, Self]:
        """`_largest`, and the number of that element's place; `places` broadcasts."""
        dims = tuple(range(-n, 0))
        x = self.detach()
        most = x.amax(dims, keepdim=True)
        found = x.eq(most) | x.isnan() if self.dtype.is_float else x.eq(most)
        where = found._choose(places.expand(x.shape), _NO_PLACE).amin(dims)
        return self._first_largest(n), where

    def max_pool2d(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        """The largest element of every window over the last two dimensions; `stride` is the window's size unless given.

        With `ceil_mode` also of windows that reach beyond the end. With `return_indices` a pair: also the number of its
        place in the input, counted row by row, int64. Of equal elements the first one gets the gradient.

        >>> Tensor.arange(16).reshape(1, 4, 4).max_pool2d(2).tolist()
        [[[5, 7], [13, 15]]]
        """
        return self._max_pool(2, kernel_size, stride, padding, dilation, ceil_mode, return_indices)

    def max_pool1d(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        """`max_pool2d` over the last dimension.

        >>> Tensor([[1, 4, 2, 3]]).max_pool1d(2).tolist()
        [[4, 3]]
        """
        return self._max_pool(1, kernel_size, stride, padding, dilation, ceil_mode, return_indices)

    def max_pool3d(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        """`max_pool2d` over the last three dimensions.

        >>> Tensor.arange(8).reshape(1, 2, 2, 2).max_pool3d(2).tolist()
        [[[[7]]]]
        """
        return self._max_pool(3, kernel_size, stride, padding, dilation, ceil_mode, return_indices)

    # ---- the mean ----

    def _avg_pool(
        self,
        n: int,
        kernel_size: Sizes,
        stride: Any,
        padding: Sizes,
        ceil_mode: bool,
        count_include_pad: bool,
        divisor_override: int | None = None,
    ) -> Self:
        found = self._pool(f"avg_pool{n}d", n, kernel_size, stride, padding, 1, ceil_mode)
        if self.dtype.is_half:
            wide = self.cast(dtypes.float32)
            return wide._avg_pool(n, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override).cast(
                self.dtype
            )
        if self.dtype.is_bool or (not self.dtype.is_float and self.dtype is not dtypes.int64):
            fail(DTypeError, f"{found.what}: means of {self.dtype}; cast first, e.g. .float()")
        if divisor_override is not None and divisor_override == 0:
            fail(ArgumentError, f"{found.what}: divisor_override is 0")
        dims = tuple(range(-n, 0))
        total = self._seen_through(found, 0).sum(dims)
        size: Any = divisor_override if divisor_override is not None else math.prod(found.kernel)
        if divisor_override is None and found.varies(count_include_pad):
            size = self._new(found.counts(count_include_pad))
        return total / size if self.dtype.is_float else total.div(size, rounding_mode="trunc")

    def avg_pool2d(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Self:
        """The mean of every window over the last two dimensions; `stride` is the window's size unless given.

        With `ceil_mode` also of windows that reach beyond the end, of what they have. Padding counts unless
        `count_include_pad` is false; `divisor_override` is what sums are divided by instead.

        >>> Tensor.arange(16).float().reshape(1, 4, 4).avg_pool2d(2).tolist()
        [[[2.5, 4.5], [10.5, 12.5]]]
        """
        return self._avg_pool(2, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)

    def avg_pool1d(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> Self:
        """`avg_pool2d` over the last dimension.

        >>> Tensor([[1.0, 3.0, 2.0, 4.0]]).avg_pool1d(2).tolist()
        [[2.0, 3.0]]
        """
        return self._avg_pool(1, kernel_size, stride, padding, ceil_mode, count_include_pad)

    def avg_pool3d(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Self:
        """`avg_pool2d` over the last three dimensions.

        >>> Tensor.arange(8).float().reshape(1, 2, 2, 2).avg_pool3d(2).tolist()
        [[[[3.5]]]]
        """
        return self._avg_pool(3, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
