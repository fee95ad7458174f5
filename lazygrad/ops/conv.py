"""Convolution and pooling: windows are views, so no buffer of patches is made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lazygrad.errors import ArgumentError, DTypeError, ShapeError
from lazygrad.index.expr import Dim
from lazygrad.ir.build import mul, total
from lazygrad.ir.node import Node, cast, const, expand, pad, permute, reshape, shrink
from lazygrad.ops.core import Core, fail
from lazygrad.ops.matmul import Matmul, accumulation
from lazygrad.ops.movement import as_shape

if TYPE_CHECKING:
    from typing_extensions import Self

Sizes = int | Sequence[int]


def each(what: str, value: Sizes, n: int) -> tuple[int, ...]:
    """One number for each of `n` spatial dimensions."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * n
    if len(values) != n:
        fail(ArgumentError, f"{what}: {list(values)} does not give one number for each of {n} dimensions")
    return as_shape(values, what)  # type: ignore[return-value]


def _steps(what: str, name: str, value: Sizes, n: int) -> tuple[int, ...]:
    """As `each`, for distances: at least 1."""
    values = each(what, value, n)
    if min(values) < 1:
        fail(ArgumentError, f"{what}: {name} {list(values)} must be at least 1")
    return values


def windows(x: Node, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Node:
    """Every window over the last dimensions of `x`: (..., n0, n1) gives (..., o0, o1, k0, k1)."""
    outer = x.ndim - len(kernel)
    for i, (k, s, d) in enumerate(zip(kernel, stride, dilation)):
        x = _windows_along(x, outer + i, k, s, d)  # the window of each dimension goes last
    return x


def _windows_along(x: Node, axis: int, k: int, s: int, d: int) -> Node:
    """(..., n, ...) gives (..., o, ..., k): element [o, k] is x[o * s + k * d].

    `x` repeated end to end and cut into rows of n + d elements shifts by d from each row to the next, so that the
    windows are columns: row k, column o * s is x[(k * (n + d) + o * s) % n].
    """
    n = x.shape[axis]
    assert isinstance(n, int)
    count = (n - d * (k - 1) - 1) // s + 1
    if count * s > n + d:  # room behind the last window, never read
        x = pad(x, [(0, count * s - n - d if i == axis else 0) for i in range(x.ndim)])
        n = count * s - d
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    whole, everything = [(0, m) for m in before], [(0, m) for m in after]
    times = -(-k * (n + d) // n)
    x = expand(reshape(x, (*before, 1, n, *after)), (*before, times, n, *after))
    x = shrink(reshape(x, (*before, times * n, *after)), [*whole, (0, k * (n + d)), *everything])
    x = shrink(reshape(x, (*before, k, n + d, *after)), [*whole, (0, k), (0, count * s), *everything])
    x = reshape(x, (*before, k, count, s, *after))
    x = reshape(shrink(x, [*whole, (0, k), (0, count), (0, 1), *everything]), (*before, k, count, *after))
    order = [i for i in range(x.ndim) if i != axis] + [axis]
    return permute(x, order)


class Conv(Matmul):
    """Convolution and pooling over the last one or two dimensions."""

    __slots__ = ()

    def conv2d(
        self,
        weight: Core,
        bias: Core | None = None,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
    ) -> Self:
        """Cross-correlation: (N, C, H, W) with a weight (O, C / groups, h, w) gives (N, O, H', W').

        An input (C, H, W) is a batch of one, without its dimension in the result. `padding` may be 'valid' or 'same'.
        ShapeError where the sizes do not fit.

        >>> Tensor.ones(1, 1, 3, 3).conv2d(Tensor.ones(1, 1, 2, 2), padding=1)[0, 0, 0].tolist()
        [1.0, 2.0, 2.0, 1.0]
        """
        return self._conv(2, weight, bias, stride, padding, dilation, groups)

    def conv1d(
        self,
        weight: Core,
        bias: Core | None = None,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
    ) -> Self:
        """`conv2d` over one dimension: (N, C, L) with a weight (O, C / groups, l) gives (N, O, L').

        >>> Tensor([[[1.0, 2.0, 3.0]]]).conv1d(Tensor([[[1.0, 1.0]]])).tolist()
        [[[3.0, 5.0]]]
        """
        return self._conv(1, weight, bias, stride, padding, dilation, groups)

    def _conv(
        self, n: int, weight: Core, bias: Core | None, stride: Sizes, padding: Sizes | str, dilation: Sizes, groups: int
    ) -> Self:
        what = f"conv{n}d"
        if self.ndim == n + 1:
            return self.unsqueeze(0)._conv(n, weight, bias, stride, padding, dilation, groups).squeeze(0)
        self._check_conv(what, n, weight, bias, groups)
        kernel = _ints(weight.shape[2:])
        steps, apart = _steps(what, "stride", stride, n), _steps(what, "dilation", dilation, n)
        pads = _padding(what, padding, kernel, steps, apart)
        x = pad(self._in(), [(0, 0), (0, 0), *pads])
        _check_window(what, x, kernel, apart)
        wide = accumulation(self.dtype)
        view = windows(cast(x, wide), kernel, steps, apart)  # (N, C, o..., k...)
        batch, places = view.shape[0], view.shape[2 : 2 + n]
        outputs, depth = weight.shape[0] // groups, weight.shape[1]
        view = reshape(view, (batch, groups, depth, *view.shape[2:]))
        order = [0, 1, *range(3, 3 + n), 2, *range(3 + n, 3 + 2 * n)]
        view = permute(view, order)  # (N, g, o..., C/g, k...)
        size = depth * math.prod(kernel)
        left = reshape(cast(weight._in(), wide), (1, groups, outputs, 1, size))
        right = reshape(view, (batch, groups, 1, math.prod(_ints(places)), size))
        product = mul(*(expand(v, (batch, groups, outputs, right.shape[3], size)) for v in (left, right)))
        value = reshape(total(product, (4,)), (batch, groups * outputs, *places))
        result = self._out(value, weight)
        if bias is not None:  # before 16 bits are rounded to
            result = result + self._new(bias.node, bias.requires_grad).cast(wide).reshape((-1,) + (1,) * n)
        return result.cast(self.dtype)

    def _check_conv(self, what: str, n: int, weight: Core, bias: Core | None, groups: int) -> None:
        self._same_device(what, weight, *(() if bias is None else (bias,)))
        shapes = f"an input {list(self.shape)} does not fit a weight {list(weight.shape)} in {groups} groups"
        if self.ndim != n + 2 or weight.ndim != n + 2 or groups < 1:
            fail(ShapeError, f"{what}: {shapes}; they are (N, C, ...) and (O, C / groups, ...) of {n + 2} dimensions")
        if self.shape[1] != weight.shape[1] * groups or weight.shape[0] % groups:
            fail(ShapeError, f"{what}: {shapes}: {self.shape[1]} channels are not groups * {weight.shape[1]}")
        for other in (weight,) if bias is None else (weight, bias):
            if self.dtype is not other.dtype:
                fail(DTypeError, f"{what}: dtypes {self.dtype} and {other.dtype} differ; cast one of them first")
        if bias is not None and bias.shape != weight.shape[:1]:
            fail(ShapeError, f"{what}: a bias {list(bias.shape)} does not fit {weight.shape[0]} output channels")

    def max_pool2d(
        self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, dilation: Sizes = 1
    ) -> Self:
        """The largest element of every window over the last two dimensions; `stride` is the window's size unless given.

        Of equal elements of a window the first one gets the gradient.

        >>> Tensor.arange(16).reshape(1, 4, 4).max_pool2d(2).tolist()
        [[[5, 7], [13, 15]]]
        """
        view, _ = self._pool("max_pool2d", 2, kernel_size, stride, padding, dilation, self.dtype.min)
        return view._extreme(view.amax((-2, -1)), (-2, -1), first=True)

    def avg_pool2d(
        self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, count_include_pad: bool = True
    ) -> Self:
        """The mean of every window over the last two dimensions; `stride` is the window's size unless given.

        >>> Tensor.arange(16).float().reshape(1, 4, 4).avg_pool2d(2).tolist()
        [[[2.5, 4.5], [10.5, 12.5]]]
        """
        view, size = self._pool("avg_pool2d", 2, kernel_size, stride, padding, 1, 0)
        if not self.dtype.is_float:
            fail(DTypeError, f"avg_pool2d: means of {self.dtype}; cast first, e.g. .float()")
        if count_include_pad:
            return view.sum((-2, -1)) / size
        ones = self._new(const(1, self.dtype, (1,) * (self.ndim - 2) + self.shape[-2:]))
        counts, _ = ones._pool("avg_pool2d", 2, kernel_size, stride, padding, 1, 0)
        return view.sum((-2, -1)) / counts.sum((-2, -1))

    def _pool(
        self, what: str, n: int, kernel_size: Sizes, stride: Sizes | None, padding: Sizes, dilation: Sizes, fill: float
    ) -> tuple[Self, int]:
        """Every window in the last `n` dimensions, and how many elements it has."""
        kernel, apart = each(what, kernel_size, n), _steps(what, "dilation", dilation, n)
        steps = kernel if stride is None else _steps(what, "stride", stride, n)
        if self.ndim < n + 1:
            fail(ShapeError, f"{what}: needs {n + 1} dimensions or more, not shape {list(self.shape)}")
        pads = [(p, p) for p in each(what, padding, n)]
        if any(2 * p > k for (p, _), k in zip(pads, kernel)):
            fail(ArgumentError, f"{what}: padding {padding} is more than half of the window {list(kernel)}")
        x = pad(self._in(), [(0, 0)] * (self.ndim - n) + pads, fill)
        _check_window(what, x, kernel, apart)
        return self._out(windows(x, kernel, steps, apart)), math.prod(kernel)


def _ints(shape: Sequence[Dim]) -> tuple[int, ...]:
    sizes = tuple(n for n in shape if isinstance(n, int))
    if len(sizes) != len(shape):
        fail(ShapeError, f"convolution over the symbolic sizes {list(shape)} is not supported")
    return sizes


def _padding(
    what: str, padding: Sizes | str, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[tuple[int, int]]:
    """(before, after) of each spatial dimension."""
    if not isinstance(padding, str):
        return [(p, p) for p in each(what, padding, len(kernel))]
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if padding != "same" or any(s != 1 for s in stride):
        fail(ArgumentError, f"{what}: padding {padding!r} with stride {list(stride)}: 'same' needs stride 1")
    missing = [d * (k - 1) for k, d in zip(kernel, dilation)]
    return [(m // 2, m - m // 2) for m in missing]


def _check_window(what: str, x: Node, kernel: Sequence[int], dilation: Sequence[int]) -> None:
    sizes = _ints(x.shape[-len(kernel) :])
    if any(k < 1 or d * (k - 1) + 1 > n for n, k, d in zip(sizes, kernel, dilation)):
        fail(
            ShapeError,
            f"{what}: a window {list(kernel)} with dilation {list(dilation)} is larger than the input {list(sizes)}",
        )
