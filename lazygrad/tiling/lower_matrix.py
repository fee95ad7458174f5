"""Products of tiles on matrix units: which registers and which pieces of local memory each instruction takes."""

from __future__ import annotations

from lazygrad.dtype import DType, dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Const

from .collective import Mma, Tile
from .layout import Fragment, Swizzled
from .lower_context import Context
from .machine import Intrinsic, Pointer

KINDS: dict[DType, str] = {dtypes.bfloat16: "bf16", dtypes.float16: "f16", dtypes.float32: "tf32"}
ROWS, COLUMNS, BYTES = 16, 8, 32  # of mma.m16n8: the depth of both factors is so many bytes
GROUP_ROWS = 64  # of wgmma
PIECE_LINES = 8  # of a swizzle's pattern


def multiply(context: Context, s: Mma) -> None:
    """By one warp, all operands in registers."""
    acc, a, b = (_fragment(tile) for tile in (s.acc, s.a, s.b))
    deep = a.columns // a.block_columns
    slots = [context.machine(tile.slot * tile.array.layout.size, {}) for tile in (s.a, s.b) if tile.array.layout]
    words = [slot // (4 // tile.array.dtype.itemsize) for slot, tile in zip(slots, (s.a, s.b))]
    for k in range(0, deep, 2):
        for i in range(acc.rows // ROWS):
            for j in range(acc.columns // COLUMNS):
                args = (
                    Pointer(context.arrays[s.acc.array], Const((i * (acc.columns // COLUMNS) + j) * 4)),
                    Pointer(context.arrays[s.a.array], words[0] + (i * deep + k) * a.halves),
                    Pointer(context.arrays[s.b.array], words[1] + (j * deep + k) * b.halves),
                )
                context.emit(Intrinsic(f"lg_mma_{_kind(s)}", args))


def start_multiply(context: Context, s: Mma) -> None:
    """By a warp group, `a` and `b` in local memory."""
    acc = _fragment(s.acc)
    registers = GROUP_ROWS * acc.columns // acc.items
    for k in range(0, s.a.columns, BYTES // s.a.array.dtype.itemsize):
        for i in range(acc.rows // GROUP_ROWS):
            at = Pointer(context.arrays[s.acc.array], Const(i * registers))
            args = (at, _matrix(context, s.a, i * GROUP_ROWS, k), _matrix(context, s.b, 0, k))
            turned = tuple(int(_swizzled(tile).transposed) for tile in (s.a, s.b))
            context.emit(Intrinsic(f"lg_wgmma_{_kind(s)}_n{acc.columns}", args, turned))


def _matrix(context: Context, tile: Tile, row: int, k: int) -> Intrinsic:
    """The part of a tile in local memory from (row, k) on."""
    layout = _swizzled(tile)
    at = layout.at(tile.at[0] + row, tile.at[1] + k) + tile.slot * layout.size
    lead = layout.lines * layout.swizzle if layout.transposed else layout.swizzle
    pointer = Pointer(context.arrays[tile.array], context.machine(at, {}))
    return Intrinsic("lg_matrix", (pointer, Const(lead), Const(PIECE_LINES * layout.swizzle)), (layout.swizzle,))


def _kind(s: Mma) -> str:
    if s.a.array.dtype not in KINDS or s.a.array.dtype is not s.b.array.dtype:
        raise GraphError(f"no matrix unit multiplies {s.a.array.dtype} and {s.b.array.dtype}")
    return KINDS[s.a.array.dtype]


def _fragment(tile: Tile) -> Fragment:
    layout = tile.layout
    if not isinstance(layout, Fragment):
        raise GraphError(f"{tile.array.name!r} is {layout}; here a matrix unit needs a fragment in registers")
    return layout


def _swizzled(tile: Tile) -> Swizzled:
    layout = tile.layout
    if not isinstance(layout, Swizzled):
        raise GraphError(f"{tile.array.name!r} is {layout}; a warp group's matrix unit reads swizzled local memory")
    return layout
