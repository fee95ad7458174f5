"""Images as columns of patches, and back."""

from __future__ import annotations

from lazygrad.ops.windows import Sizes
from lazygrad.tensor import Tensor


def unfold(input: Tensor, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> Tensor:
    """Every window of an image as a column: (N, C, H, W) gives (N, C * h * w, how many windows).

    Without the batch's dimension, the result lacks it, too. ShapeError where no window fits.

    >>> from lazygrad.nn import functional
    >>> functional.unfold(Tensor([[[[1, 2, 3]]]]), (1, 2)).tolist()
    [[[1, 2], [2, 3]]]
    """
    return input._columns(kernel_size, dilation, padding, stride)


def fold(
    input: Tensor,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Tensor:
    """The sum of the columns of `unfold` where they came from: (N, C * h * w, how many windows) gives (N, C, H, W).

    Without the batch's dimension, the result lacks it, too. ShapeError where the sizes do not fit.

    >>> from lazygrad.nn import functional
    >>> functional.fold(Tensor([[[1, 2], [2, 3]]]), (1, 3), (1, 2)).tolist()
    [[[[1, 4, 3]]]]
    """
    return input._folded(output_size, kernel_size, dilation, padding, stride)
