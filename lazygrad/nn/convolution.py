"""Convolution and pooling layers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lazygrad.dtype import DTypeLike, dtypes
from lazygrad.errors import ArgumentError, fail
from lazygrad.nn.linear import within
from lazygrad.nn.module import Module
from lazygrad.ops.windows import Sizes, each
from lazygrad.tensor import Tensor


class _Conv(Module):
    """What convolutions over `_dims` dimensions share. ArgumentError where channels do not divide among groups."""

    _dims = 0

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        device: str | None = None,
        dtype: DTypeLike = dtypes.float32,
    ) -> None:
        super().__init__()
        if groups < 1 or in_channels % groups or out_channels % groups:
            fail(ArgumentError, f"{in_channels} and {out_channels} channels do not divide among {groups} groups")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = each("kernel_size", kernel_size, self._dims)
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        depth = in_channels // groups
        fan_in = depth * math.prod(self.kernel_size)
        self.weight = within((out_channels, depth, *self.kernel_size), fan_in, dtype, device)
        self.bias = within((out_channels,), fan_in, dtype, device) if bias else None

    def extra_repr(self) -> str:
        """The sizes."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding!r}, dilation={self.dilation}, groups={self.groups}, bias={self.bias is not None}"
        )


class Conv2d(_Conv):
    """`Tensor.conv2d` with a weight (out, in / groups, h, w) and a bias (out,): (N, in, H, W) to (N, out, H', W').

    >>> layer = nn.Conv2d(3, 8, 3, padding=1)
    >>> layer(Tensor.ones(2, 3, 5, 5)).shape, sum(p.numel() for p in layer.parameters())
    ((2, 8, 5, 5), 224)
    """

    _dims = 2

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) to (N, out, H', W')."""
        return x.conv2d(self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class Conv1d(_Conv):
    """`Tensor.conv1d` with a weight (out, in / groups, l) and a bias (out,): (N, in, L) to (N, out, L').

    >>> nn.Conv1d(3, 8, 3)(Tensor.ones(2, 3, 5)).shape
    (2, 8, 3)
    """

    _dims = 1

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, L) to (N, out, L')."""
        return x.conv1d(self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class MaxPool2d(Module):
    """The largest element of every window over the last two dimensions.

    >>> nn.MaxPool2d(2)(Tensor.ones(1, 3, 8, 8)).shape
    (1, 3, 4, 4)
    """

    def __init__(
        self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, dilation: Sizes = 1
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation

    def forward(self, x: Tensor) -> Tensor:
        """(..., H, W) to (..., H', W')."""
        return x.max_pool2d(self.kernel_size, self.stride, self.padding, self.dilation)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """The window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride or self.kernel_size}, padding={self.padding}"


class AvgPool2d(Module):
    """The mean of every window over the last two dimensions.

    >>> nn.AvgPool2d(2)(Tensor.ones(1, 3, 8, 8)).shape
    (1, 3, 4, 4)
    """

    def __init__(
        self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, count_include_pad: bool = True
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.count_include_pad = count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        """(..., H, W) to (..., H', W')."""
        return x.avg_pool2d(self.kernel_size, self.stride, self.padding, count_include_pad=self.count_include_pad)

    def extra_repr(self) -> str:
        """The window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride or self.kernel_size}, padding={self.padding}"


class Flatten(Module):
    """Dimensions `start_dim` to `end_dim` as one.

    >>> nn.Flatten()(Tensor.ones(2, 3, 4)).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        """The dimensions joined."""
        return x.flatten(self.start_dim, self.end_dim)


class Unflatten(Module):
    """Dimension `dim` as several of `unflattened_size`.

    >>> nn.Unflatten(1, (3, 4))(Tensor.ones(2, 12)).shape
    (2, 3, 4)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.axis, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, x: Tensor) -> Tensor:
        """The dimension split."""
        return x.unflatten(self.axis, self.unflattened_size)
