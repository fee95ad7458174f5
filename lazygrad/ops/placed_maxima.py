"""Maxima of windows at random places (fractional pools), and maxima put back at their places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.ir.node import const
from lazygrad.ops.adaptive_pools import AdaptivePools
from lazygrad.ops.core import Core, fail
from lazygrad.ops.function import Function
from lazygrad.ops.random import Random
from lazygrad.ops.taps import Array
from lazygrad.ops.windows import Sizes, each, ints

if TYPE_CHECKING:
    from typing_extensions import Self

Wanted = int | None | Sequence[int | None]


class _Unpool(Function):
    """Elements at their places in a longer row; each gets its place's gradient, also where another one took that."""

    @staticmethod
    def forward(ctx: Any, x: Any, places: Any, size: int) -> Any:
        ctx.save_for_backward(places)
        return x._new(const(0, x.dtype, (*x.shape[:-1], size))).scatter(-1, places, x)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (places,) = ctx.saved_tensors
        return g.gather(-1, places), None, None


class PlacedMaxima(AdaptivePools, Random):
    """Fractional pools, and `max_unpool`."""

    __slots__ = ()

    # ---- fractional ----

    def _fractional(
        self,
        n: int,
        kernel_size: Sizes,
        output_size: Any,
        output_ratio: Any,
        return_indices: bool,
        samples: Core | None,
    ) -> Any:
        what = f"fractional_max_pool{n}d"
        if not n + 1 <= self.ndim <= n + 2:
            fail(ShapeError, f"{what}: needs {n + 1} or {n + 2} dimensions, not shape {list(self.shape)}")
        if (output_size is None) is (output_ratio is None):
            fail(ArgumentError, f"{what}: give one of output_size and output_ratio")
        here, kernel = ints(self.shape[-n:]), each(what, kernel_size, n)
        if output_size is None:
            ratios = output_ratio if isinstance(output_ratio, (tuple, list)) else [output_ratio] * n
            output_size = [int(have * ratio) for have, ratio in zip(here, ratios)]
        sizes = each(what, output_size, n)
        if any(size < 1 or size + k - 1 > have for size, k, have in zip(sizes, kernel, here)):
            fail(ShapeError, f"{what}: windows {list(kernel)} for sizes {list(sizes)} do not fit in {list(here)}")
        batch = self if self.ndim == n + 2 else self.unsqueeze(0)
        drawn = _drawn(batch, n, samples)  # PyTorch takes those of two dimensions in reverse
        found = batch._largest_of(
            n,
            [_starts(drawn[..., 1 - i if n == 2 else i], *fit) for i, fit in enumerate(zip(here, sizes, kernel))],
            True,
        )
        found = found if self.ndim == n + 2 else tuple(x.squeeze(0) for x in found)
        return found if return_indices else found[0]

    def fractional_max_pool2d(
        self,
        kernel_size: Sizes,
        output_size: Sizes | None = None,
        output_ratio: float | Sequence[float] | None = None,
        return_indices: bool = False,
        _random_samples: Core | None = None,
    ) -> Any:
        """The largest elements of windows at random places that give `output_size`, or that ratio of the size here
        (Graham, Fractional max-pooling, 2014). The random numbers, (N, C, 2), are drawn, and read, at once.

        >>> Tensor.arange(16).reshape(1, 1, 4, 4).fractional_max_pool2d(2, 3).shape
        (1, 1, 3, 3)
        """
        return self._fractional(2, kernel_size, output_size, output_ratio, return_indices, _random_samples)

    def fractional_max_pool3d(
        self,
        kernel_size: Sizes,
        output_size: Sizes | None = None,
        output_ratio: float | Sequence[float] | None = None,
        return_indices: bool = False,
        _random_samples: Core | None = None,
    ) -> Any:
        """`fractional_max_pool2d` over the last three dimensions.

        >>> Tensor.ones(1, 1, 4, 4, 4).fractional_max_pool3d(2, 3).shape
        (1, 1, 3, 3, 3)
        """
        return self._fractional(3, kernel_size, output_size, output_ratio, return_indices, _random_samples)

    # ---- maxima put back ----

    def _max_unpool(
        self, n: int, indices: Core, kernel_size: Sizes, stride: Any, padding: Sizes, output_size: Any
    ) -> Self:
        what = f"max_unpool{n}d"
        kernel, before = each(what, kernel_size, n), each(what, padding, n)
        steps = kernel if stride is None or stride in ((), []) else each(what, stride, n)
        if not n + 1 <= self.ndim <= n + 2:
            fail(ShapeError, f"{what}: needs {n + 1} or {n + 2} dimensions, not shape {list(self.shape)}")
        self._check_index(what, indices)
        if indices.shape != self.shape:
            fail(ShapeError, f"{what}: indices {list(indices.shape)} are not of the shape {list(self.shape)}")
        default = [(i - 1) * s + k - 2 * p for i, s, k, p in zip(ints(self.shape[-n:]), steps, kernel, before)]
        sizes = each(what, default if output_size is None else list(output_size)[-n:], n)
        if any(abs(size - d) >= s for size, d, s in zip(sizes, default, steps)):
            fail(ShapeError, f"{what}: output_size {list(sizes)} is not within a stride of {default}")
        outer = self.shape[:-n]
        flat: Self = _Unpool.apply(self.flatten(-n), self._beside(indices).flatten(-n), math.prod(sizes))
        return flat.reshape(*outer, *sizes)

    def max_unpool1d(
        self,
        indices: Core,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        output_size: Any = None,
    ) -> Self:
        """`max_unpool2d` over the last dimension.

        >>> Tensor([[4.0]]).max_unpool1d(Tensor([[1]]), 2).tolist()
        [[0.0, 4.0]]
        """
        return self._max_unpool(1, indices, kernel_size, stride, padding, output_size)

    def max_unpool2d(
        self,
        indices: Core,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        output_size: Any = None,
    ) -> Self:
        """The elements at the places that `max_pool2d` gave as `indices`, zeros elsewhere: its input's shape, or
        `output_size`, of the sizes that pool to this one.

        >>> Tensor([[[5]]]).max_unpool2d(Tensor([[[3]]]), 2).tolist()
        [[[0, 0], [0, 5]]]
        """
        return self._max_unpool(2, indices, kernel_size, stride, padding, output_size)

    def max_unpool3d(
        self,
        indices: Core,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        output_size: Any = None,
    ) -> Self:
        """`max_unpool2d` over the last three dimensions.

        >>> Tensor.ones(1, 1, 1, 1).max_unpool3d(Tensor([[[[7]]]]), 2).sum().item()
        1.0
        """
        return self._max_unpool(3, indices, kernel_size, stride, padding, output_size)


def _drawn(batch: Any, n: int, samples: Core | None) -> Any:
    """Random numbers in [0, 1), (N, C, n), on the host."""
    shape = (*ints(batch.shape[:2]), n)
    if samples is None:
        return type(batch).rand(*shape, device=batch.device).numpy()
    if samples.shape != shape:
        fail(ShapeError, f"fractional_max_pool{n}d: random samples {list(samples.shape)} are not {list(shape)}")
    return samples.numpy()  # type: ignore[attr-defined]


def _starts(u: Array, n: int, count: int, k: int) -> Array:
    """The elements (..., count, k) of windows of size `k` in `n`, at places that go on by a fraction."""
    step = (n - k) / (count - 1) if count > 1 else 0.0
    u = u[..., None].astype(np.float64)
    starts = ((np.arange(count) + u) * step).astype(np.int64) - (u * step).astype(np.int64)
    starts[..., -1] = n - k
    return starts[..., None] + np.arange(k)
