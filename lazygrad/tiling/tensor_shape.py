"""How a contraction is cut into blocks for warps' matrix units.

Blocks are large, but enough to keep the device busy. Where that makes them small although the depth is long, larger
ones may be added up in parts, if an estimate of the clocks says that this is done much earlier.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lazygrad.dtype import DType
from lazygrad.runtime.base import DeviceInfo
from lazygrad.tiling.contract import Contraction
from lazygrad.tiling.operand import known
from lazygrad.tiling.partial import CACHE_BYTES, HAND_OVER, parts, reading
from lazygrad.tiling.workgroups import power_of_two

BLOCK = 128  # rows and columns of the largest block of a work-group
SMALL_BLOCK = 32
DEPTH_BYTES = 64  # of a slice
STAGES = 4
WORTH = 0.8  # of the time of undivided blocks: the estimate is a rough one
# What a multiprocessor does in a clock ("NVIDIA A100 Tensor Core GPU Architecture", 2020): matrix units multiply so
# many pairs of 16-bit floats, or half as many of 32 bits; the L2 cache brings so many bytes, after so many clocks.
PRODUCTS, SLICE_BYTES, LATENCY = 1024, 40, 700


@dataclass(frozen=True, slots=True)
class Shape:
    """Rows and columns of a work-group's block, how many of its slices there are, and in how many parts the depth is
    added up.
    """

    rows: int
    columns: int
    stages: int = STAGES
    splits: int = 1

    @property
    def local_bytes(self) -> int:
        return self.stages * DEPTH_BYTES * (self.rows + self.columns)


def best_shape(c: Contraction, dtype: DType, info: DeviceInfo) -> Shape:
    """Large blocks, but enough of them; or larger ones in parts."""
    rows, columns = (min(BLOCK, max(SMALL_BLOCK, power_of_two(known(axes) or 1))) for axes in (c.rows, c.columns))
    found = [Shape(rows, columns)]
    while max(rows, columns) > SMALL_BLOCK and blocks(c, found[-1]) < info.units:
        rows, columns = (rows // 2, columns) if rows >= columns else (rows, columns // 2)
        found.append(Shape(rows, columns))
    plain, steps = found[-1], _steps(c, found[-1], dtype)
    divided = [replace(s, splits=n) for s in found for n in parts(steps)] if known(c.batch) is not None else []
    best = min(divided, key=lambda s: clocks(c, s, dtype, info), default=plain)
    return best if clocks(c, best, dtype, info) < WORTH * clocks(c, plain, dtype, info) else plain


def blocks(c: Contraction, shape: Shape) -> int:
    """How many blocks there are."""
    rows, columns, batch = (known(axes) or 1 for axes in (c.rows, c.columns, c.batch))
    return batch * -(-rows // shape.rows) * -(-columns // shape.columns)


def _steps(c: Contraction, shape: Shape, dtype: DType) -> int:
    return -(-(known(c.depth) or 1) * dtype.itemsize // (DEPTH_BYTES * shape.splits))


def clocks(c: Contraction, shape: Shape, dtype: DType, info: DeviceInfo) -> float:
    """Clocks of the multiprocessor that has most to do."""
    groups = -(-blocks(c, shape) * shape.splits // info.units)  # of one multiprocessor,
    turns = -(-groups // max(1, info.local_bytes // shape.local_bytes))  # and how often it takes as many as it can
    area, slices = shape.rows * shape.columns, DEPTH_BYTES * (shape.rows + shape.columns)
    products = area * (DEPTH_BYTES // dtype.itemsize) / (PRODUCTS * 2 / dtype.itemsize)
    step = max(groups * products, groups * slices / SLICE_BYTES, turns * LATENCY / (shape.stages - 1))
    total = _steps(c, shape, dtype) * step
    if shape.splits == 1:
        return total
    there = blocks(c, shape)
    ends = -(-there // info.units)  # blocks that one multiprocessor is the last one for
    return total + groups * 4 * area / CACHE_BYTES + HAND_OVER + ends * reading(4 * area * shape.splits, there, info)
