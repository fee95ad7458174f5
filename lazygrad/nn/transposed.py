"""Transposed convolutions, by PyTorch's names, arguments, parameters and initial values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from lazygrad.dtype import DTypeLike
from lazygrad.errors import ArgumentError, ShapeError, fail
from lazygrad.nn.convolution import shown_settings
from lazygrad.nn.starting import StartsWithin, within
from lazygrad.ops.windows import Sizes, each
from lazygrad.tensor import Tensor

__all__ = [
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
]


class _ConvTranspose(StartsWithin):
    """What transposed convolutions over `_dims` dimensions share. ArgumentError where channels do not divide."""

    _dims: ClassVar[int] = 0

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        if padding_mode != "zeros":
            fail(ArgumentError, f"{type(self).__name__}: padding_mode is 'zeros', not {padding_mode!r}")
        if groups < 1 or in_channels % groups or out_channels % groups:
            fail(ArgumentError, f"{in_channels} and {out_channels} channels do not divide among {groups} groups")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.padding_mode, n = padding_mode, self._dims
        self.kernel_size, self.stride = each("kernel_size", kernel_size, n), each("stride", stride, n)
        self.padding, self.dilation = each("padding", padding, n), each("dilation", dilation, n)
        self.output_padding = each("output_padding", output_padding, n)
        self.weight = within((in_channels, out_channels // groups, *self.kernel_size), self._fan_in, dtype, device)
        self.bias = within((out_channels,), self._fan_in, dtype, device) if bias else None

    @property
    def _fan_in(self) -> int:  # PyTorch's: of the second size of the weight
        return self.out_channels // self.groups * math.prod(self.kernel_size)

    def _more(self, input: Tensor, output_size: Sequence[int] | None) -> Sequence[int]:
        """The output padding with which the result has the last sizes `output_size`."""
        if output_size is None:
            return self.output_padding
        wanted = tuple(output_size)[-self._dims :]
        least = [
            (size - 1) * step - 2 * pad + apart * (kernel - 1) + 1
            for size, step, pad, apart, kernel in zip(
                input.shape[-self._dims :], self.stride, self.padding, self.dilation, self.kernel_size
            )
        ]
        more = [int(n - m) for n, m in zip(wanted, least)]
        if len(wanted) != self._dims or any(not 0 <= n < step for n, step in zip(more, self.stride)):
            fail(ShapeError, f"{type(self).__name__}: output_size {list(output_size)} is out of reach from {least} on")
        return more

    def extra_repr(self) -> str:
        """The settings that differ from the usual ones."""
        return shown_settings(self)


class ConvTranspose1d(_ConvTranspose):
    """`Tensor.conv_transpose1d` with a weight (in, out / groups, l) and a bias (out,): (N, in, L) to (N, out, L').

    `output_size` chooses among the sizes that `stride` leaves open; ShapeError for one that is none of them.

    >>> nn.ConvTranspose1d(3, 8, 3, stride=2)(Tensor.ones(2, 3, 5)).shape
    (2, 8, 11)
    """

    _dims = 1

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """(N, in, L) to (N, out, L')."""
        more = self._more(input, output_size)
        return input.conv_transpose1d(
            self.weight, self.bias, self.stride, self.padding, more, self.groups, self.dilation
        )


class ConvTranspose2d(_ConvTranspose):
    """`Tensor.conv_transpose2d` with a weight (in, out / groups, h, w) and a bias (out,).

    `output_size` chooses among the sizes that `stride` leaves open; ShapeError for one that is none of them.

    >>> nn.ConvTranspose2d(3, 8, 3, stride=2)(Tensor.ones(2, 3, 5, 5)).shape
    (2, 8, 11, 11)
    """

    _dims = 2

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """(N, in, H, W) to (N, out, H', W')."""
        more = self._more(input, output_size)
        return input.conv_transpose2d(
            self.weight, self.bias, self.stride, self.padding, more, self.groups, self.dilation
        )


class ConvTranspose3d(_ConvTranspose):
    """`Tensor.conv_transpose3d` with a weight (in, out / groups, d, h, w) and a bias (out,).

    `output_size` chooses among the sizes that `stride` leaves open; ShapeError for one that is none of them.

    >>> nn.ConvTranspose3d(3, 8, 3, stride=2)(Tensor.ones(2, 3, 5, 5, 5)).shape
    (2, 8, 11, 11, 11)
    """

    _dims = 3

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """(N, in, D, H, W) to (N, out, D', H', W')."""
        more = self._more(input, output_size)
        return input.conv_transpose3d(
            self.weight, self.bias, self.stride, self.padding, more, self.groups, self.dilation
        )
