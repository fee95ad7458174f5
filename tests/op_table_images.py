"""Rows of transposed convolution and of pools."""

from __future__ import annotations

from torch.nn import functional as theirs

from lazygrad import Tensor
from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.nn import functional as ours
from tests.op_row import FLOATS, In, Row, both

TRANSPOSED = [
    both("conv3d", "plain", In((1, 2, 3, 4, 3)), In((2, 2, 2, 2, 1)), In((2,)), padding=1, stride=(1, 2, 1)),
    both("conv_transpose1d", "strided", In((2, 4, 5)), In((4, 2, 3)), In((4,)), stride=2, groups=2, output_padding=1),
    both("conv_transpose2d", "plain", In((2, 3, 4, 5)), In((3, 2, 3, 2)), In((2,))),
    both(
        "conv_transpose2d", "all", In((1, 4, 3, 3)), In((4, 3, 2, 3)), In((6,)),
        stride=(3, 2), padding=(0, 2), output_padding=(2, 1), groups=2, dilation=(1, 2),
    ),
    both("conv_transpose3d", "plain", In((1, 2, 2, 3, 2)), In((2, 1, 2, 2, 2)), stride=2, padding=1),
    Row(
        "conv_transpose_errors",
        lambda x, w: x.conv_transpose1d(w),
        None,
        (In((1, 2, 3)), In((2, 1, 2))),
        FLOATS[:2],
        torch=theirs.conv_transpose1d,
        errors=(
            (lambda: Tensor.ones(1, 2, 3).conv_transpose1d(Tensor.ones(3, 1, 2)), ShapeError, "channels"),
            (
                lambda: Tensor.ones(1, 2, 3).conv_transpose1d(Tensor.ones(2, 1, 2), output_padding=1),
                ArgumentError,
                "output_padding",
            ),
            (lambda: Tensor.ones(1, 1, 1).conv_transpose1d(Tensor.ones(1, 1, 1), padding=1), ShapeError, "no result"),
        ),
    ),
]  # fmt: skip

_IMAGE, _VOLUME = In((2, 3, 7, 6)), In((1, 2, 5, 4, 4))
POOLS = [
    both("max_pool2d", "ceil", _IMAGE, kernel_size=3, stride=2, padding=1, ceil_mode=True),
    both("max_pool1d", "dilated", In((2, 3, 9)), kernel_size=3, stride=1, dilation=2),
    both("max_pool3d", "plain", _VOLUME, kernel_size=2),
    both("avg_pool2d", "ceil", _IMAGE, kernel_size=(3, 2), stride=2, padding=1, ceil_mode=True),
    both("avg_pool2d", "own", _IMAGE, kernel_size=3, padding=1, ceil_mode=True, count_include_pad=False),
    both("avg_pool2d", "divisor", _IMAGE, kernel_size=2, divisor_override=3),
    both("avg_pool1d", "plain", In((2, 3, 9)), kernel_size=4, stride=3),
    both("avg_pool3d", "ceil", _VOLUME, kernel_size=2, stride=3, ceil_mode=True),
    both("adaptive_avg_pool2d", "uneven", _IMAGE, output_size=(3, 4)),
    both("adaptive_avg_pool2d", "even", In((2, 3, 4, 6)), output_size=(2, None)),
    both("adaptive_avg_pool1d", "more", In((2, 3, 4)), output_size=7),
    both("adaptive_avg_pool3d", "uneven", _VOLUME, output_size=(2, 3, 1)),
    both("adaptive_max_pool2d", "uneven", _IMAGE, output_size=(3, 4), return_indices=True),
    both("adaptive_max_pool3d", "uneven", _VOLUME, output_size=(2, 3, 1)),
    both("lp_pool2d", "cubes", In((2, 3, 7, 6), 0.1, 2.0), norm_type=3, kernel_size=3, stride=2, ceil_mode=True),
    both("lp_pool1d", "squares", In((2, 3, 7)), norm_type=2, kernel_size=2),
    Row(
        "max_unpool2d",
        lambda x: ours.max_unpool2d(*x.max_pool2d(2, return_indices=True), 2, output_size=(7, 6)),
        None,
        (_IMAGE,),
        FLOATS[:2],
        torch=lambda x: theirs.max_unpool2d(*theirs.max_pool2d(x, 2, return_indices=True), 2, output_size=(2, 3, 7, 6)),
        errors=(
            (lambda: Tensor.ones(1, 2, 2).max_unpool2d(Tensor([1]), 2), ShapeError, "indices"),
            (lambda: Tensor.ones(1, 4, 4).max_pool2d(0), ArgumentError, "at least 1"),
            (lambda: Tensor.ones(1, 4, 4).max_pool2d(2, padding=2), ArgumentError, "more than half"),
            (lambda: Tensor.ones(1, 0, 4).max_pool2d(2), ShapeError, "not empty"),
            (lambda: Tensor.ones(1, 4, 4).adaptive_avg_pool2d((1, 2, 3)), ArgumentError, "2 dimensions"),
            (lambda: Tensor.ones(1, 4, 4).avg_pool2d(2, divisor_override=0), ArgumentError, "is 0"),
            (lambda: Tensor.ones(1, 4, 4).fractional_max_pool2d(2), ArgumentError, "output_ratio"),
        ),
    ),
]

_GRID = In((2, 4, 5, 2), -1.3, 1.3)
RESAMPLED = [
    both("interpolate", "nearest", _IMAGE, scale_factor=1.7),
    both("interpolate", "nearest-exact", _IMAGE, size=(4, 9), mode="nearest-exact"),
    both("interpolate", "linear", In((2, 3, 5)), size=8, mode="linear", align_corners=True),
    both("interpolate", "bilinear", _IMAGE, scale_factor=(1.5, 0.6), mode="bilinear"),
    both("interpolate", "smaller", _IMAGE, size=(3, 2), mode="bilinear", antialias=True),
    both("interpolate", "bicubic", _IMAGE, size=(9, 4), mode="bicubic"),
    both("interpolate", "smaller_bicubic", _IMAGE, size=(3, 2), mode="bicubic", antialias=True),
    both("interpolate", "trilinear", _VOLUME, size=(3, 6, 4), mode="trilinear"),
    both("interpolate", "area", _IMAGE, size=(3, 4), mode="area"),
    *(
        both("grid_sample", f"{mode}_{padding}", _IMAGE, _GRID, mode=mode, padding_mode=padding, align_corners=False)
        for mode in ("bilinear", "bicubic")
        for padding in ("zeros", "border", "reflection")
    ),
    both("grid_sample", "nearest", _IMAGE, _GRID, mode="nearest", align_corners=True),
    both("grid_sample", "volume", _VOLUME, In((1, 2, 3, 2, 3), -1.2, 1.2), align_corners=True),
    Row(
        "affine_grid",
        lambda x: ours.affine_grid(x, (2, 1, 3, 4), align_corners=False),
        None,
        (In((2, 2, 3)),),
        FLOATS[:2],
        torch=lambda x: theirs.affine_grid(x, [2, 1, 3, 4], align_corners=False),
        errors=(
            (lambda: ours.affine_grid(Tensor.ones(2, 2, 3), (1, 1, 2, 2)), ShapeError, "theta"),
            (lambda: ours.interpolate(Tensor.ones(1, 1, 2)), ArgumentError, "one of size and scale_factor"),
            (lambda: ours.interpolate(Tensor.ones(1, 1, 2), 3, mode="bilinear"), ShapeError, "bilinear"),
            (lambda: ours.interpolate(Tensor.ones(1, 1, 2), 3, mode="cubic"), ArgumentError, "'cubic'"),
            (lambda: ours.interpolate(Tensor.ones(1, 1, 2), 3, align_corners=True), ArgumentError, "align_corners"),
            (lambda: ours.grid_sample(Tensor.ones(1, 1, 2, 2), Tensor.ones(1, 2, 2)), ShapeError, "do not fit"),
        ),
    ),
    both("local_response_norm", "plain", _IMAGE, size=2, alpha=0.5, k=1.5),
]

IMAGES = [*TRANSPOSED, *POOLS, *RESAMPLED]
