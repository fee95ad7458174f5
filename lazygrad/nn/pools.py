"""Pooling layers, by PyTorch's names, arguments and defaults."""

from __future__ import annotations

from typing import Any

from lazygrad.nn import functional
from lazygrad.nn.applied import Applied
from lazygrad.ops.windows import Sizes, each

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]

_MAX = "kernel_size={kernel_size}, stride={stride}, padding={padding}, dilation={dilation}, ceil_mode={ceil_mode}"
_AVG = "kernel_size={kernel_size}, stride={stride}, padding={padding}"
_LP = "norm_type={norm_type}, kernel_size={kernel_size}, stride={stride}, ceil_mode={ceil_mode}"
_MAX_ORDER = ("kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode")


class _Pool(Applied):
    """What pools share: windows lie side by side unless there is a `stride`."""

    kernel_size: Sizes
    stride: Sizes | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.stride is None:
            self.stride = self.kernel_size


class MaxPool1d(_Pool, of=functional.max_pool1d, shows=_MAX, order=_MAX_ORDER):
    """`functional.max_pool1d`.

    >>> nn.MaxPool1d(2)(Tensor.ones(1, 3, 8)).shape
    (1, 3, 4)
    """


class MaxPool2d(_Pool, of=functional.max_pool2d, shows=_MAX, order=_MAX_ORDER):
    """`functional.max_pool2d`.

    >>> nn.MaxPool2d(2)(Tensor.ones(1, 3, 8, 8)).shape
    (1, 3, 4, 4)
    """


class MaxPool3d(_Pool, of=functional.max_pool3d, shows=_MAX, order=_MAX_ORDER):
    """`functional.max_pool3d`.

    >>> nn.MaxPool3d(2)(Tensor.ones(1, 3, 8, 8, 8)).shape
    (1, 3, 4, 4, 4)
    """


class AvgPool1d(_Pool, of=functional.avg_pool1d, shows=_AVG):
    """`functional.avg_pool1d`.

    >>> nn.AvgPool1d(2)(Tensor.ones(1, 3, 8)).shape
    (1, 3, 4)
    """

    padding: Sizes

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kernel_size, self.padding = each("kernel_size", self.kernel_size, 1), each("padding", self.padding, 1)
        self.stride = each("stride", self.kernel_size if self.stride is None else self.stride, 1)


class AvgPool2d(_Pool, of=functional.avg_pool2d, shows=_AVG):
    """`functional.avg_pool2d`.

    >>> nn.AvgPool2d(2)(Tensor.ones(1, 3, 8, 8)).shape
    (1, 3, 4, 4)
    """


class AvgPool3d(_Pool, of=functional.avg_pool3d, shows=_AVG):
    """`functional.avg_pool3d`.

    >>> nn.AvgPool3d(2)(Tensor.ones(1, 3, 8, 8, 8)).shape
    (1, 3, 4, 4, 4)
    """


class LPPool1d(Applied, of=functional.lp_pool1d, shows=_LP):
    """`functional.lp_pool1d`.

    >>> nn.LPPool1d(2, 2)(Tensor.ones(1, 3, 8)).shape
    (1, 3, 4)
    """


class LPPool2d(Applied, of=functional.lp_pool2d, shows=_LP):
    """`functional.lp_pool2d`.

    >>> nn.LPPool2d(2, 2)(Tensor.ones(1, 3, 8, 8)).shape
    (1, 3, 4, 4)
    """


class LPPool3d(Applied, of=functional.lp_pool3d, shows=_LP):
    """`functional.lp_pool3d`.

    >>> nn.LPPool3d(2, 2)(Tensor.ones(1, 3, 8, 8, 8)).shape
    (1, 3, 4, 4, 4)
    """


class AdaptiveAvgPool1d(Applied, of=functional.adaptive_avg_pool1d, shows="output_size={output_size}"):
    """`functional.adaptive_avg_pool1d`.

    >>> nn.AdaptiveAvgPool1d(3)(Tensor.ones(1, 3, 8)).shape
    (1, 3, 3)
    """


class AdaptiveAvgPool2d(Applied, of=functional.adaptive_avg_pool2d, shows="output_size={output_size}"):
    """`functional.adaptive_avg_pool2d`.

    >>> nn.AdaptiveAvgPool2d(3)(Tensor.ones(1, 3, 8, 8)).shape
    (1, 3, 3, 3)
    """


class AdaptiveAvgPool3d(Applied, of=functional.adaptive_avg_pool3d, shows="output_size={output_size}"):
    """`functional.adaptive_avg_pool3d`.

    >>> nn.AdaptiveAvgPool3d(3)(Tensor.ones(1, 3, 8, 8, 8)).shape
    (1, 3, 3, 3, 3)
    """


class AdaptiveMaxPool1d(Applied, of=functional.adaptive_max_pool1d, shows="output_size={output_size}"):
    """`functional.adaptive_max_pool1d`.

    >>> nn.AdaptiveMaxPool1d(3)(Tensor.ones(1, 3, 8)).shape
    (1, 3, 3)
    """


class AdaptiveMaxPool2d(Applied, of=functional.adaptive_max_pool2d, shows="output_size={output_size}"):
    """`functional.adaptive_max_pool2d`.

    >>> nn.AdaptiveMaxPool2d(3)(Tensor.ones(1, 3, 8, 8)).shape
    (1, 3, 3, 3)
    """


class AdaptiveMaxPool3d(Applied, of=functional.adaptive_max_pool3d, shows="output_size={output_size}"):
    """`functional.adaptive_max_pool3d`.

    >>> nn.AdaptiveMaxPool3d(3)(Tensor.ones(1, 3, 8, 8, 8)).shape
    (1, 3, 3, 3, 3)
    """


class FractionalMaxPool2d(Applied, of=functional.fractional_max_pool2d):
    """`functional.fractional_max_pool2d`.

    >>> nn.FractionalMaxPool2d(2, output_size=3)(Tensor.ones(1, 3, 8, 8)).shape
    (1, 3, 3, 3)
    """


class FractionalMaxPool3d(Applied, of=functional.fractional_max_pool3d):
    """`functional.fractional_max_pool3d`.

    >>> nn.FractionalMaxPool3d(2, output_size=3)(Tensor.ones(1, 3, 8, 8, 8)).shape
    (1, 3, 3, 3, 3)
    """


class MaxUnpool1d(_Pool, of=functional.max_unpool1d, shows=_AVG, without=("output_size",)):
    """`functional.max_unpool1d`; the size of the output may be told at each call.

    >>> pooled, places = nn.MaxPool1d(2, return_indices=True)(Tensor.ones(1, 3, 8))
    >>> nn.MaxUnpool1d(2)(pooled, places).shape
    (1, 3, 8)
    """


class MaxUnpool2d(_Pool, of=functional.max_unpool2d, shows=_AVG, without=("output_size",)):
    """`functional.max_unpool2d`; the size of the output may be told at each call.

    >>> pooled, places = nn.MaxPool2d(2, return_indices=True)(Tensor.ones(1, 3, 8, 8))
    >>> nn.MaxUnpool2d(2)(pooled, places).shape
    (1, 3, 8, 8)
    """


class MaxUnpool3d(_Pool, of=functional.max_unpool3d, shows=_AVG, without=("output_size",)):
    """`functional.max_unpool3d`; the size of the output may be told at each call.

    >>> pooled, places = nn.MaxPool3d(2, return_indices=True)(Tensor.ones(1, 3, 8, 8, 8))
    >>> nn.MaxUnpool3d(2)(pooled, places).shape
    (1, 3, 8, 8, 8)
    """
