"""Convolution and pooling layers."""

from __future__ import annotations

import math
from typing import Any

from lazygrad.dtype import DTypeLike
from lazygrad.errors import ArgumentError, fail
from lazygrad.nn.starting import StartsWithin, within
from lazygrad.ops.windows import Sizes, each, either
from lazygrad.tensor import Tensor

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
]

_MODES = ("zeros", "reflect", "replicate", "circular")


class _Conv(StartsWithin):
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
        padding_mode: str = "zeros",
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        if padding_mode not in _MODES:
            fail(ArgumentError, f"padding_mode {padding_mode!r} is none of {', '.join(_MODES)}")
        if groups < 1 or in_channels % groups or out_channels % groups:
            fail(ArgumentError, f"{in_channels} and {out_channels} channels do not divide among {groups} groups")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = each("kernel_size", kernel_size, self._dims)
        self.stride, self.dilation = each("stride", stride, self._dims), each("dilation", dilation, self._dims)
        self.padding = padding if isinstance(padding, str) else either("padding", padding, self._dims)
        self.groups, self.padding_mode = groups, padding_mode
        depth = in_channels // groups
        self.weight = within((out_channels, depth, *self.kernel_size), self._fan_in, dtype, device)
        self.bias = within((out_channels,), self._fan_in, dtype, device) if bias else None

    @property
    def _fan_in(self) -> int:
        return self.in_channels // self.groups * math.prod(self.kernel_size)

    def _window(self, input: Tensor) -> tuple[Tensor, Any]:
        """The input and how it is padded: by zeros in the convolution itself, else before it."""
        if self.padding_mode == "zeros":
            return input, self.padding
        if len(self.padding) == 2 * self._dims and not isinstance(self.padding, str):
            return input.pad(self.padding, self.padding_mode), 0
        before_and_after: list[int] = []
        for i in reversed(range(self._dims)):
            whole = self.dilation[i] * (self.kernel_size[i] - 1)
            size = 0 if self.padding == "valid" else self.padding[i] if isinstance(self.padding, tuple) else None
            before_and_after += [whole // 2, whole - whole // 2] if size is None else [size, size]
        return input.pad(before_and_after, self.padding_mode), 0

    def extra_repr(self) -> str:
        """The settings that differ from the usual ones."""
        return shown_settings(self)


def shown_settings(layer: Any) -> str:
    """The sizes of a convolution, and its settings that differ from the usual ones.

    >>> shown_settings(nn.Conv1d(1, 2, 3, bias=False))
    '1, 2, kernel_size=(3,), stride=(1,), bias=False'
    """
    shown = [f"{layer.in_channels}, {layer.out_channels}, kernel_size={layer.kernel_size}, stride={layer.stride}"]
    for name, usual in (("padding", 0), ("dilation", 1), ("output_padding", 0)):
        sizes = getattr(layer, name, None)
        if sizes is not None and sizes != (usual,) * len(layer.kernel_size):
            shown.append(f"{name}={sizes}")
    if layer.groups != 1:
        shown.append(f"groups={layer.groups}")
    if layer.bias is None:
        shown.append("bias=False")
    if layer.padding_mode != "zeros":
        shown.append(f"padding_mode={layer.padding_mode}")
    return ", ".join(shown)


class Conv1d(_Conv):
    """`Tensor.conv1d` with a weight (out, in / groups, l) and a bias (out,): (N, in, L) to (N, out, L').

    >>> nn.Conv1d(3, 8, 3)(Tensor.ones(2, 3, 5)).shape
    (2, 8, 3)
    """

    _dims = 1

    def forward(self, input: Tensor) -> Tensor:
        """(N, in, L) to (N, out, L')."""
        x, padding = self._window(input)
        return x.conv1d(self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(_Conv):
    """`Tensor.conv2d` with a weight (out, in / groups, h, w) and a bias (out,): (N, in, H, W) to (N, out, H', W').

    >>> layer = nn.Conv2d(3, 8, 3, padding=1)
    >>> layer(Tensor.ones(2, 3, 5, 5)).shape, sum(p.numel() for p in layer.parameters())
    ((2, 8, 5, 5), 224)
    """

    _dims = 2

    def forward(self, input: Tensor) -> Tensor:
        """(N, in, H, W) to (N, out, H', W')."""
        x, padding = self._window(input)
        return x.conv2d(self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv3d(_Conv):
    """`Tensor.conv3d` with a weight (out, in / groups, d, h, w) and a bias (out,).

    >>> nn.Conv3d(3, 8, 3)(Tensor.ones(2, 3, 5, 5, 5)).shape
    (2, 8, 3, 3, 3)
    """

    _dims = 3

    def forward(self, input: Tensor) -> Tensor:
        """(N, in, D, H, W) to (N, out, D', H', W')."""
        x, padding = self._window(input)
        return x.conv3d(self.weight, self.bias, self.stride, padding, self.dilation, self.groups)
