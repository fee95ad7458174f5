"""Pools that are told how large their result is, and pools of powers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lazygrad.dtype import dtypes
from lazygrad.errors import ArgumentError, DTypeError, ShapeError
from lazygrad.ir.build import positions
from lazygrad.ops.arguments import new_shape
from lazygrad.ops.core import fail
from lazygrad.ops.pooling import Pooling
from lazygrad.ops.precision import rounded_once
from lazygrad.ops.taps import Array, even_windows, mixed, taken
from lazygrad.ops.windows import Sizes, each, ints

if TYPE_CHECKING:
    from typing_extensions import Self

Wanted = int | None | Sequence[int | None]


class AdaptivePools(Pooling):
    """Adaptive and power-mean pools."""

    __slots__ = ()

    # ---- adaptive ----

    def _wanted(self, what: str, n: int, output_size: Wanted) -> list[int]:
        """The sizes of the result; None leaves one as it is."""
        if not n + 1 <= self.ndim <= n + 2:
            fail(ShapeError, f"{what}: needs {n + 1} or {n + 2} dimensions, not shape {list(self.shape)}")
        given: list[Any] = list(output_size) if isinstance(output_size, (tuple, list)) else [output_size] * n
        if len(given) != n:
            fail(ArgumentError, f"{what}: {output_size} does not give one size for each of {n} dimensions")
        here = ints(self.shape[-n:])
        sizes = each(what, [have if size is None else size for size, have in zip(given, here)], n)
        if min(sizes) < 0 or 0 in here:
            fail(ShapeError, f"{what}: sizes {list(sizes)} of shape {list(self.shape)}")
        return list(new_shape(sizes, what))  # type: ignore[arg-type]

    def _adaptive_avg(self, n: int, output_size: Wanted) -> Self:
        what = f"adaptive_avg_pool{n}d"
        sizes = self._wanted(what, n, output_size)
        if not self.dtype.is_float:
            fail(DTypeError, f"{what}: means of {self.dtype}; cast first, e.g. .float()")
        if self.dtype.is_half:
            return self.cast(dtypes.float32)._adaptive_avg(n, output_size).cast(self.dtype)
        here = ints(self.shape[-n:])
        if all(size and have % size == 0 for have, size in zip(here, sizes)):
            pairs = [m for have, size in zip(here, sizes) for m in (size, have // size)]
            view = self.reshape(*self.shape[:-n], *pairs)
            return view.mean(tuple(range(self.ndim - n + 1, view.ndim, 2)))
        x = self
        for axis, have, size in zip(range(self.ndim - n, self.ndim), here, sizes):
            if size != have:
                places, lengths = even_windows(have, size)
                same = (places[:, :, None] == places[:, None, :]).sum(2)  # a last element that is repeated is shared
                x = mixed(x, axis, places, 1 / (same * lengths[:, None]))
        return x

    def _adaptive_max(self, n: int, output_size: Wanted, return_indices: bool) -> Any:
        sizes = self._wanted(f"adaptive_max_pool{n}d", n, output_size)
        here = ints(self.shape[-n:])
        windows = [even_windows(have, size)[0] for have, size in zip(here, sizes)]
        return self._largest_of(n, windows, return_indices)

    def _largest_of(self, n: int, windows: Sequence[Array], return_indices: bool) -> Any:
        """The largest element of windows (o, t) along each of the last `n` dimensions, perhaps with their places."""
        if not return_indices:
            return _windows_of(self, windows)._first_largest(n)
        sizes = ints(self.shape[-n:])
        places = self._new(positions((math.prod(sizes),), 0, dtypes.int64)).reshape(sizes)
        places = places.expand(self.shape) if windows[0].ndim > 2 else places
        return _windows_of(self, windows)._largest_and_where(n, _windows_of(places, windows))

    def adaptive_avg_pool1d(self, output_size: Wanted) -> Self:
        """`adaptive_avg_pool2d` over the last dimension.

        >>> Tensor([[1.0, 2.0, 3.0]]).adaptive_avg_pool1d(2).tolist()
        [[1.5, 2.5]]
        """
        return self._adaptive_avg(1, output_size)

    def adaptive_avg_pool2d(self, output_size: Wanted) -> Self:
        """The means of windows of as equal sizes as give a result of `output_size`; None leaves a size as it is. Window
        i of k along n elements goes from floor(i n / k) to ceil((i + 1) n / k).

        >>> Tensor.arange(16).float().reshape(1, 4, 4).adaptive_avg_pool2d(1).tolist()
        [[[7.5]]]
        """
        return self._adaptive_avg(2, output_size)

    def adaptive_avg_pool3d(self, output_size: Wanted) -> Self:
        """`adaptive_avg_pool2d` over the last three dimensions.

        >>> Tensor.ones(1, 3, 4, 5).adaptive_avg_pool3d((None, 2, 1)).shape
        (1, 3, 2, 1)
        """
        return self._adaptive_avg(3, output_size)

    def adaptive_max_pool1d(self, output_size: Wanted, return_indices: bool = False) -> Any:
        """`adaptive_max_pool2d` over the last dimension.

        >>> Tensor([[1.0, 2.0, 3.0]]).adaptive_max_pool1d(2).tolist()
        [[2.0, 3.0]]
        """
        return self._adaptive_max(1, output_size, return_indices)

    def adaptive_max_pool2d(self, output_size: Wanted, return_indices: bool = False) -> Any:
        """The largest elements of the windows of `adaptive_avg_pool2d`; with `return_indices` a pair, as `max_pool2d`.

        >>> Tensor.arange(16).reshape(1, 4, 4).adaptive_max_pool2d(2, True)[1].tolist()
        [[[5, 7], [13, 15]]]
        """
        return self._adaptive_max(2, output_size, return_indices)

    def adaptive_max_pool3d(self, output_size: Wanted, return_indices: bool = False) -> Any:
        """`adaptive_max_pool2d` over the last three dimensions.

        >>> Tensor.ones(1, 3, 4, 5).adaptive_max_pool3d((None, 2, 1)).shape
        (1, 3, 2, 1)
        """
        return self._adaptive_max(3, output_size, return_indices)

    # ---- power means ----

    @rounded_once
    def _lp_pool(self, n: int, norm_type: float, kernel_size: Sizes, stride: Any, ceil_mode: bool) -> Self:
        p, kernel = float(norm_type), each(f"lp_pool{n}d", kernel_size, n)
        mean = (self**p)._avg_pool(n, kernel, stride, 0, ceil_mode, count_include_pad=True)
        size = mean.abs() * math.prod(kernel)
        positive = mean > 0  # of a negative sum of odd powers PyTorch takes sign(mean) * |mean|, and of that the root
        return (positive._choose(size, -size)) ** (1 / p) if p % 2 else size ** (1 / p)

    def lp_pool1d(
        self, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
    ) -> Self:
        """`lp_pool2d` over the last dimension.

        >>> Tensor([[[3.0, 4.0]]]).lp_pool1d(2, 2).tolist()
        [[[5.0]]]
        """
        return self._lp_pool(1, norm_type, kernel_size, stride, ceil_mode)

    def lp_pool2d(
        self, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
    ) -> Self:
        """The root of order p = `norm_type` of the sum of x**p over every window of the last two dimensions.

        >>> Tensor.ones(1, 4, 4).lp_pool2d(2, 2).tolist()
        [[[2.0, 2.0], [2.0, 2.0]]]
        """
        return self._lp_pool(2, norm_type, kernel_size, stride, ceil_mode)

    def lp_pool3d(
        self, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
    ) -> Self:
        """`lp_pool2d` over the last three dimensions.

        >>> Tensor.ones(1, 2, 2, 2).lp_pool3d(3, 2).tolist()
        [[[[2.0]]]]
        """
        return self._lp_pool(3, norm_type, kernel_size, stride, ceil_mode)


def _windows_of(x: Any, windows: Sequence[Array]) -> Any:
    """(..., n0, n1) and windows (o0, t0), (o1, t1) give (..., o0, o1, t0, t1)."""
    n = len(windows)
    first = x.ndim - n
    for i, places in enumerate(windows):
        x = taken(x, first + i, places).movedim(first + i + 1, -1)
    return x
