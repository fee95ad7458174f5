"""Images read at any places: `grid_sample`, and the grids of affine maps."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lazygrad.errors import ArgumentError, DTypeError, ShapeError
from lazygrad.ir import node as graph
from lazygrad.ops.autocast import autocasting
from lazygrad.ops.broadcast import broadcast_to
from lazygrad.ops.core import Core, fail
from lazygrad.ops.operands import not_a_tensor
from lazygrad.tensor import Tensor


class _Tap(NamedTuple):
    """Along one dimension: places that are whole numbers, inside; which of them are real; and their weights."""

    place: Tensor
    real: Tensor
    weight: Tensor


@autocasting
def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Elements of images (N, C, H, W) at places `grid` (N, h, w, 2), or of volumes at (N, d, h, w, 3): (N, C, h, w).

    Args:
        grid: x, y (and z), -1 being the left edge and 1 the right one: the outer edges of the elements there, or with
            `align_corners` their centres.
        mode: "bilinear" (for volumes, too), "nearest", or "bicubic" (images only).
        padding_mode: what is outside: "zeros", the "border", or the image mirrored, "reflection".

    >>> grid_sample(Tensor([[[[1.0, 3.0]]]]), Tensor([[[[0.0, 0.0]]]])).item()
    2.0
    """
    _check(input, grid, mode, padding_mode)
    n, align = input.ndim - 2, bool(align_corners)
    sizes = [input._known("grid_sample", d) for d in range(2, 2 + n)]
    axes = []
    for d, size in enumerate(sizes):
        g = grid[..., n - 1 - d]
        x = (g + 1) * ((size - 1) / 2) if align else ((g + 1) * size - 1) / 2
        axes.append(_taps(x, size, mode, padding_mode, align))
    flat = input.flatten(2)
    result: Any = None
    for taps in itertools.product(*axes):
        place: Any = 0
        for tap, size in zip(taps, sizes):
            place = place * size + tap.place
        shape = (*flat.shape[:2], math.prod(grid.shape[1:-1]))
        index = broadcast_to(place.reshape(grid.shape[0], 1, -1).node, shape)
        found = input._out(graph.gather(flat._in(), index, 2)).reshape(*input.shape[:2], *grid.shape[1:-1])
        real = taps[0].real
        weight = taps[0].weight
        for tap in taps[1:]:
            real, weight = real & tap.real, weight * tap.weight
        part = real.unsqueeze(1)._choose(found * weight.unsqueeze(1), 0.0)
        result = part if result is None else result + part
    return result  # type: ignore[no-any-return]


def _check(input: Tensor, grid: Tensor, mode: str, padding_mode: str) -> None:
    for x in (input, grid):
        if not isinstance(x, Core):
            not_a_tensor("grid_sample", x)
    input._same_device("grid_sample", grid)
    n = input.ndim - 2
    shapes = f"grid_sample: an input {list(input.shape)} and a grid {list(grid.shape)}"
    if n not in (2, 3) or grid.ndim != input.ndim or grid.shape[-1] != n or grid.shape[0] != input.shape[0]:
        fail(ShapeError, f"{shapes} do not fit: they are (N, C, H, W) and (N, h, w, 2), or with one dimension more")
    if 0 in input.shape[2:]:
        fail(ShapeError, f"{shapes}: there is nothing to read")
    if input.dtype is not grid.dtype or not input.dtype.is_float:
        fail(DTypeError, f"grid_sample: dtypes {input.dtype} and {grid.dtype}; both must be of one floating dtype")
    if mode not in ("bilinear", "nearest", "bicubic") or (mode == "bicubic" and n == 3):
        fail(ArgumentError, f"grid_sample: mode {mode!r} for {n} dimensions; it is 'bilinear', 'nearest' or 'bicubic'")
    if padding_mode not in ("zeros", "border", "reflection"):
        fail(ArgumentError, f"grid_sample: padding_mode is 'zeros', 'border' or 'reflection', not {padding_mode!r}")


def _taps(x: Tensor, size: int, mode: str, padding_mode: str, align: bool) -> list[_Tap]:
    if mode == "bicubic":  # its places are moved inside one by one
        first = x.floor().detach()
        return [_tap(_inside(first + k, size, padding_mode, align), size, _cubic(x - first - k)) for k in range(-1, 3)]
    x = _inside(x, size, padding_mode, align)
    if mode == "nearest":
        return [_tap(x.detach().round(), size, x.detach() * 0 + 1)]
    first = x.floor().detach()
    return [_tap(first, size, 1 - (x - first)), _tap(first + 1, size, x - first)]


def _tap(place: Tensor, size: int, weight: Tensor) -> _Tap:
    whole = place.detach()
    return _Tap(whole.clamp(0, size - 1).int().clamp(0, size - 1), (whole >= 0) & (whole <= size - 1), weight)


def _inside(x: Tensor, size: int, padding_mode: str, align: bool) -> Tensor:
    """Places moved to where there are elements."""
    if padding_mode == "zeros":
        return x
    if padding_mode == "reflection":
        low, span = (0.0, size - 1.0) if align else (-0.5, float(size))
        if not span:
            return x * 0
        away = (x - low).abs()
        turns = (away / span).floor().detach()
        rest = away - turns * span
        odd = turns.remainder(2).eq(1)
        x = odd._choose(span - rest, rest) + low
    return x.clamp(0, size - 1)


def _cubic(x: Tensor, a: float = -0.75) -> Tensor:
    """Keys' cubic convolution kernel, of distances below 2."""
    x = x.abs()
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return (x <= 1)._choose(near, far)


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The grid for `grid_sample` of the maps `theta`, (N, 2, 3) or (N, 3, 4), for a result of `size`: (N, C, H, W)
    gives (N, H, W, 2), and (N, C, D, H, W) gives (N, D, H, W, 3).

    >>> affine_grid(Tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]), (1, 1, 1, 2)).tolist()
    [[[[-0.5, 0.0], [0.5, 0.0]]]]
    """
    if not isinstance(theta, Core):
        not_a_tensor("affine_grid", theta)
    sizes, n = list(size)[2:], len(size) - 2
    if n not in (2, 3) or min(size) < 1:
        fail(ShapeError, f"affine_grid: size {list(size)} is not (N, C, H, W) or (N, C, D, H, W) of positive sizes")
    if not theta.dtype.is_float:
        fail(DTypeError, f"affine_grid: theta is {theta.dtype}; it must be floating")
    if theta.shape != (size[0], n, n + 1):
        fail(ShapeError, f"affine_grid: theta {list(theta.shape)} is not {[size[0], n, n + 1]}")
    lines = [np.linspace(-1, 1, m) if m > 1 else np.zeros(1) for m in sizes]
    lines = [line if align_corners else line * (m - 1) / m for line, m in zip(lines, sizes)]
    places = np.stack([*reversed(np.meshgrid(*lines, indexing="ij")), np.ones(sizes)], -1).reshape(-1, n + 1)
    base = Tensor(places, dtype=theta.dtype, device=theta.device)
    return base.matmul(theta.mT).reshape(size[0], *sizes, n)
