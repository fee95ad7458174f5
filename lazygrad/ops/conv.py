"""Convolution and its transpose over any number of dimensions: windows are views, so no buffer of patches is made."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lazygrad.errors import ArgumentError, DTypeError, ShapeError
from lazygrad.index.expr import Dim
from lazygrad.ir.build import mul, total
from lazygrad.ir.node import Node, cast, expand, pad, permute, reshape, shrink
from lazygrad.ops.core import Core, fail
from lazygrad.ops.matmul import Matmul, accumulation
from lazygrad.ops.windows import Sizes, added_up, check_window, each, ints, padding_of, steps_of, windows

if TYPE_CHECKING:
    from typing_extensions import Self


class Conv(Matmul):
    """Convolution over the last one, two or three dimensions."""

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

    def conv3d(
        self,
        weight: Core,
        bias: Core | None = None,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
    ) -> Self:
        """`conv2d` over three dimensions: (N, C, D, H, W) with a weight (O, C / groups, d, h, w).

        >>> Tensor.ones(1, 2, 3, 3, 3).conv3d(Tensor.ones(4, 2, 2, 2, 2)).shape
        (1, 4, 2, 2, 2)
        """
        return self._conv(3, weight, bias, stride, padding, dilation, groups)

    def _conv(
        self, n: int, weight: Core, bias: Core | None, stride: Sizes, padding: Sizes | str, dilation: Sizes, groups: int
    ) -> Self:
        what = f"conv{n}d"
        if self.ndim == n + 1:
            return self.unsqueeze(0)._conv(n, weight, bias, stride, padding, dilation, groups).squeeze(0)
        self._check_conv(what, n, weight, bias, groups)
        kernel = ints(weight.shape[2:])
        steps, apart = steps_of(what, "stride", stride, n), steps_of(what, "dilation", dilation, n)
        pads = padding_of(what, padding, kernel, steps, apart)
        x = pad(self._in(), [(0, 0), (0, 0), *pads])
        check_window(what, x, kernel, apart)
        wide = accumulation(self.dtype)
        view = windows(cast(x, wide), kernel, steps, apart)  # (N, C, o..., k...)
        batch, places = view.shape[0], view.shape[2 : 2 + n]
        outputs, depth = weight.shape[0] // groups, weight.shape[1]
        view = reshape(view, (batch, groups, depth, *view.shape[2:]))
        order = [0, 1, *range(3, 3 + n), 2, *range(3 + n, 3 + 2 * n)]
        view = permute(view, order)  # (N, g, o..., C/g, k...)
        size = depth * math.prod(kernel)
        left = reshape(cast(weight._in(), wide), (1, groups, outputs, 1, size))
        right = reshape(view, (batch, groups, 1, math.prod(ints(places)), size))
        value = reshape(_summed_products(left, right), (batch, groups * outputs, *places))
        return self._with_bias(n, value, weight, bias)

    def _with_bias(self, n: int, value: Node, weight: Core, bias: Core | None) -> Self:
        """The result of a convolution over `n` dimensions, with its bias added before 16 bits are rounded to."""
        result = self._out(value, weight)
        if bias is not None:
            result = result + self._new(bias.node, bias.requires_grad).cast(result.dtype).reshape((-1,) + (1,) * n)
        return result.cast(self.dtype)

    def _check_conv(self, what: str, n: int, weight: Core, bias: Core | None, groups: int) -> None:
        self._same_device(what, weight, *(() if bias is None else (bias,)))
        shapes = f"an input {list(self.shape)} does not fit a weight {list(weight.shape)} in {groups} groups"
        if self.ndim != n + 2 or weight.ndim != n + 2 or groups < 1:
            fail(ShapeError, f"{what}: {shapes}; they are (N, C, ...) and (O, C / groups, ...) of {n + 2} dimensions")
        if self.shape[1] != weight.shape[1] * groups or weight.shape[0] % groups:
            fail(ShapeError, f"{what}: {shapes}: {self.shape[1]} channels are not groups * {weight.shape[1]}")
        self._check_factors(what, weight, bias, weight.shape[0])

    def conv_transpose2d(
        self,
        weight: Core,
        bias: Core | None = None,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        dilation: Sizes = 1,
    ) -> Self:
        """The gradient of `conv2d` by its input, as an operation: (N, C, H, W) with a weight (C, O / groups, h, w)
        gives (N, O, (H - 1) * stride - 2 * padding + dilation * (h - 1) + output_padding + 1, ...).

        ShapeError where the sizes do not fit.

        >>> Tensor([[[[1.0, 2.0]]]]).conv_transpose2d(Tensor([[[[1.0, 10.0]]]]), stride=(1, 2)).tolist()
        [[[[1.0, 10.0, 2.0, 20.0]]]]
        """
        return self._conv_transpose(2, weight, bias, stride, padding, output_padding, groups, dilation)

    def conv_transpose1d(
        self,
        weight: Core,
        bias: Core | None = None,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        dilation: Sizes = 1,
    ) -> Self:
        """`conv_transpose2d` over one dimension: (N, C, L) with a weight (C, O / groups, l).

        >>> Tensor([[[1.0, 2.0]]]).conv_transpose1d(Tensor([[[1.0, 1.0]]])).tolist()
        [[[1.0, 3.0, 2.0]]]
        """
        return self._conv_transpose(1, weight, bias, stride, padding, output_padding, groups, dilation)

    def conv_transpose3d(
        self,
        weight: Core,
        bias: Core | None = None,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        dilation: Sizes = 1,
    ) -> Self:
        """`conv_transpose2d` over three dimensions: (N, C, D, H, W) with a weight (C, O / groups, d, h, w).

        >>> Tensor.ones(1, 2, 3, 3, 3).conv_transpose3d(Tensor.ones(2, 4, 2, 2, 2)).shape
        (1, 4, 4, 4, 4)
        """
        return self._conv_transpose(3, weight, bias, stride, padding, output_padding, groups, dilation)

    def _conv_transpose(
        self,
        n: int,
        weight: Core,
        bias: Core | None,
        stride: Sizes,
        padding: Sizes,
        output_padding: Sizes,
        groups: int,
        dilation: Sizes,
    ) -> Self:
        what = f"conv_transpose{n}d"
        if self.ndim == n + 1:
            batch_of_one = self.unsqueeze(0)
            return batch_of_one._conv_transpose(
                n, weight, bias, stride, padding, output_padding, groups, dilation
            ).squeeze(0)
        self._check_conv_transpose(what, n, weight, bias, groups)
        kernel, (batch, channels, *image) = ints(weight.shape[2:]), ints(self.shape)
        steps, apart = steps_of(what, "stride", stride, n), steps_of(what, "dilation", dilation, n)
        pads, more = each(what, padding, n), each(what, output_padding, n)
        if any(m < 0 or m >= max(s, d) for m, s, d in zip(more, steps, apart)):
            fail(ArgumentError, f"{what}: output_padding {list(more)} must be below stride or dilation")
        whole = [(i - 1) * s + d * (k - 1) + 1 for i, s, d, k in zip(image, steps, apart, kernel)]
        ends = [w - p + m for w, p, m in zip(whole, pads, more)]
        if any(end <= p for end, p in zip(ends, pads)):
            fail(ShapeError, f"{what}: an input {list(self.shape)} with padding {list(pads)} leaves no result")
        wide, depth, outputs = accumulation(self.dtype), channels // groups, int(weight.shape[1])
        size, places = outputs * math.prod(kernel), math.prod(image)
        left = permute(reshape(cast(weight._in(), wide), (1, groups, depth, size, 1)), [0, 1, 3, 4, 2])
        right = permute(reshape(cast(self._in(), wide), (batch, groups, 1, depth, places)), [0, 1, 2, 4, 3])
        view = reshape(_summed_products(left, right), (batch, groups * outputs, *kernel, *image))
        view = permute(view, [0, 1, *range(2 + n, 2 + 2 * n), *range(2, 2 + n)])
        value = added_up(view, whole, kernel, steps, apart)
        value = pad(value, [(0, 0), (0, 0), *((0, max(0, end - w)) for end, w in zip(ends, whole))])
        value = shrink(value, [(0, batch), (0, groups * outputs), *zip(pads, ends)])
        return self._with_bias(n, value, weight, bias)

    def _check_conv_transpose(self, what: str, n: int, weight: Core, bias: Core | None, groups: int) -> None:
        self._same_device(what, weight, *(() if bias is None else (bias,)))
        shapes = f"an input {list(self.shape)} does not fit a weight {list(weight.shape)} in {groups} groups"
        if self.ndim != n + 2 or weight.ndim != n + 2 or groups < 1:
            fail(ShapeError, f"{what}: {shapes}; they are (N, C, ...) and (C, O / groups, ...) of {n + 2} dimensions")
        if self.shape[1] != weight.shape[0] or int(ints(weight.shape)[0]) % groups:
            fail(ShapeError, f"{what}: {shapes}: {self.shape[1]} channels are not the weight's, or not whole groups")
        self._check_factors(what, weight, bias, ints(weight.shape)[1] * groups)

    def _check_factors(self, what: str, weight: Core, bias: Core | None, outputs: Dim) -> None:
        """That weight and bias are of this tensor's dtype, and the bias one number for each output channel."""
        for other in (weight,) if bias is None else (weight, bias):
            if self.dtype is not other.dtype:
                fail(DTypeError, f"{what}: dtypes {self.dtype} and {other.dtype} differ; cast one of them first")
        if bias is not None and bias.shape != (outputs,):
            fail(ShapeError, f"{what}: a bias {list(bias.shape)} does not fit {outputs} output channels")


def _summed_products(left: Node, right: Node) -> Node:
    """(1, g, m, 1, k) and (N, g, 1, p, k) give (N, g, m, p): the sums of products over k."""
    shape = (right.shape[0], right.shape[1], left.shape[2], right.shape[3], right.shape[4])
    return total(mul(expand(left, shape), expand(right, shape)), (4,))
