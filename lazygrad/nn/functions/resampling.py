"""Images at other sizes: interpolation along each dimension by a few weighted elements."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazygrad.dtype import dtypes
from lazygrad.errors import ArgumentError, DTypeError, ModeError, ShapeError
from lazygrad.ops.core import Core, fail
from lazygrad.ops.operands import not_a_tensor
from lazygrad.ops.taps import Array, mixed
from lazygrad.tensor import Tensor

_NEAREST = ("nearest", "nearest-exact")
_DIMS = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}
_MODES = (*_NEAREST, *_DIMS, "area")


def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """(N, C, ...) with its one to three spatial dimensions at another `size`, or at `scale_factor` times their size.

    Args:
        mode: "nearest", "nearest-exact" and "area" for any number of dimensions, "linear" for one, "bilinear" and
            "bicubic" for two, "trilinear" for three.
        align_corners: whether the centres of the first and the last elements stay where they are (else the outer edges
            do); for the linear and cubic modes.
        recompute_scale_factor: take the scale of the rounded sizes, not the one given.
        antialias: of a smaller result, mix all elements that it covers; for "bilinear" and "bicubic".

    >>> interpolate(Tensor([[[1.0, 3.0]]]), scale_factor=2, mode="linear").tolist()
    [[[1.0, 1.5, 2.5, 3.0]]]
    """
    if not isinstance(input, Core):
        not_a_tensor("interpolate", input)
    n = input.ndim - 2
    _check(input, n, mode, align_corners, antialias)
    here = [input._known("interpolate", d) for d in range(2, 2 + n)]
    sizes, scales = _sizes(here, size, scale_factor, bool(recompute_scale_factor))
    if mode == "area":
        pools = (Tensor.adaptive_avg_pool1d, Tensor.adaptive_avg_pool2d, Tensor.adaptive_avg_pool3d)
        return pools[n - 1](input, sizes)
    if mode in ("bilinear", "bicubic") and input.dtype is dtypes.uint8:
        along = [_taps(mode, *sizes_of, bool(align_corners), antialias) for sizes_of in zip(here, sizes, scales)]
        return _mixed_bytes(_mixed_bytes(input, 3, *along[1]), 2, *along[0])  # in PyTorch's order: each is rounded
    if mode not in _NEAREST and not input.dtype.is_float:
        fail(DTypeError, f"interpolate: mixes of {input.dtype}; cast first, e.g. .float()")
    x = input.cast(dtypes.float32) if input.dtype.is_half and mode not in _NEAREST else input
    for axis, (have, want, scale) in enumerate(zip(here, sizes, scales), 2):
        x = mixed(x, axis, *_taps(mode, have, want, scale, bool(align_corners), antialias))
    return x.cast(input.dtype)


def _mixed_bytes(x: Tensor, axis: int, places: Array, weights: Array) -> Tensor:
    """`mixed` of uint8, with weights of 16 bits (as many behind the point as the largest leaves), rounded to uint8."""
    same = places[:, :, None] == places[:, None, :]  # an element at an edge may be taken several times
    first = same.argmax(2) == np.arange(places.shape[1])
    weights = np.where(first, (same * weights[:, None, :]).sum(2), 0)
    bits = next(b for b in range(22) if int(0.5 + weights.max() * (1 << b + 1)) >= 1 << 15)
    fixed = np.trunc(weights * (1 << bits) + np.copysign(0.5, weights))
    total = mixed(x.cast(dtypes.int32), axis, places, fixed)
    rounded: Tensor = (total + (1 << bits - 1)) >> bits
    return rounded.clamp(0, 255).cast(dtypes.uint8)


def _check(input: Tensor, n: int, mode: str, align_corners: bool | None, antialias: bool) -> None:
    if mode not in _MODES:
        fail(ModeError, f"interpolate: mode is one of {', '.join(_MODES)}, not {mode!r}")
    if not 1 <= n <= 3 or n != _DIMS.get(mode, n):
        fail(ShapeError, f"interpolate: mode {mode!r} does not fit the {n} spatial dimensions of {list(input.shape)}")
    if 0 in input.shape[1:]:
        fail(ShapeError, f"interpolate: shape {list(input.shape)} has nothing to mix")
    if align_corners is not None and mode not in _DIMS:
        fail(ArgumentError, f"interpolate: align_corners is for linear and cubic modes, not for {mode!r}")
    if antialias and mode not in ("bilinear", "bicubic"):
        fail(ArgumentError, f"interpolate: antialias is for 'bilinear' and 'bicubic', not for {mode!r}")


def _sizes(here: list[int], size: Any, scale_factor: Any, again: bool) -> tuple[list[int], list[float]]:
    """The sizes of the result, and how far apart its elements are in the input."""
    n = len(here)
    if (size is None) is (scale_factor is None):
        fail(ArgumentError, "interpolate: give one of size and scale_factor")
    given = size if scale_factor is None else scale_factor
    values = list(given) if isinstance(given, (tuple, list)) else [given] * n
    if len(values) != n:
        fail(ArgumentError, f"interpolate: {given} does not give one number for each of {n} dimensions")
    if scale_factor is None and again:
        fail(ArgumentError, "interpolate: recompute_scale_factor goes with scale_factor, not with size")
    sizes = [int(v) if scale_factor is None else math.floor(float(h) * v) for h, v in zip(here, values)]
    if min(sizes) < 1:
        fail(ShapeError, f"interpolate: sizes {sizes}")
    if scale_factor is None or again:
        return sizes, [h / s for h, s in zip(here, sizes)]
    return sizes, [1 / v for v in values]


def _taps(mode: str, n: int, count: int, scale: float, align: bool, antialias: bool) -> tuple[Array, Array]:
    """Which elements of `n` each of `count` results mixes, and their weights."""
    i = np.arange(count)
    if mode in _NEAREST:  # in float32, as in PyTorch
        half = np.float32(0 if mode == "nearest" else 0.5)
        found = np.floor((i.astype(np.float32) + half) * np.float32(scale)).astype(np.int64)
        return np.minimum(found, n - 1)[:, None], np.ones((count, 1))
    kernel, reach = (_cubic(-0.5 if antialias else -0.75), 2) if mode == "bicubic" else (_tent, 1)
    if align:
        scale = (n - 1) / (count - 1) if count > 1 else 0.0
    centre = i * scale if align else (i + 0.5) * scale - 0.5
    if antialias:
        return _smoothed(centre, n, max(scale, 1.0), kernel, reach)
    if mode != "bicubic":
        centre = np.maximum(centre, 0)
    first = np.floor(centre).astype(np.int64) - reach + 1
    places = first[:, None] + np.arange(2 * reach)
    return places.clip(0, n - 1), kernel(centre[:, None] - places)


def _smoothed(centre: Array, n: int, width: float, kernel: Any, reach: int) -> tuple[Array, Array]:
    """All elements within `reach` times `width` of each centre, with weights that add up to 1."""
    middle = centre + 0.5
    first = np.maximum((middle - reach * width + 0.5).astype(np.int64), 0)
    last = np.minimum((middle + reach * width + 0.5).astype(np.int64), n)
    places = first[:, None] + np.arange(int((last - first).max()))
    weights = np.where(places < last[:, None], kernel((places + 0.5 - middle[:, None]) / width), 0)
    return places.clip(0, n - 1), weights / weights.sum(1, keepdims=True)


def _tent(x: Array) -> Array:
    return np.maximum(1 - np.abs(x), 0)  # type: ignore[no-any-return]


def _cubic(a: float) -> Callable[[Array], Array]:
    """Keys' cubic convolution (Cubic convolution interpolation for digital image processing, 1981)."""

    def kernel(x: Array) -> Array:
        x = np.abs(x)
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        return np.where(x <= 1, near, np.where(x < 2, far, 0))

    return kernel


def upsample(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """`interpolate`, by its older name.

    >>> upsample(Tensor([[[1, 2]]]), 4).tolist()
    [[[1, 1, 2, 2]]]
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None
) -> Tensor:
    """`interpolate` with mode "nearest".

    >>> upsample_nearest(Tensor([[[1, 2]]]), 4).tolist()
    [[[1, 1, 2, 2]]]
    """
    return interpolate(input, size, scale_factor)


def upsample_bilinear(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None
) -> Tensor:
    """`interpolate` with mode "bilinear" and aligned corners.

    >>> upsample_bilinear(Tensor([[[[1.0, 3.0]]]]), (1, 3)).tolist()
    [[[[1.0, 2.0, 3.0]]]]
    """
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)


def local_response_norm(input: Tensor, size: int, alpha: float = 0.0001, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """x / (k + alpha * m)**beta, m the mean of the squares over `size` channels (dimension 1) around each.

    >>> local_response_norm(Tensor.ones(1, 4, 2), 2, alpha=1.0, beta=1.0)[0, :, 0].tolist()
    [0.6666666865348816, 0.5, 0.5, 0.5]
    """
    if not isinstance(input, Core):
        not_a_tensor("local_response_norm", input)
    if input.ndim < 3:
        fail(ShapeError, f"local_response_norm: needs 3 dimensions or more, not shape {list(input.shape)}")
    if input.numel() == 0:
        return input
    x = input.cast(dtypes.float32) if input.dtype.is_half else input
    channels_last = x.square().movedim(1, -1).pad((size // 2, (size - 1) // 2))
    mean = channels_last.avg_pool1d(size, 1).movedim(-1, 1)
    result = x / (mean * alpha + k) ** beta
    return result.cast(input.dtype) if input.dtype.is_half else result
