"""Layouts and orders, every element of each."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from lazygrad.index.expr import Const, Expr, Var
from lazygrad.tiling.layout import Fragment, Layout, Spread, Strided, Swizzled, bank_turns, is_bijective
from lazygrad.tiling.order import grouped, hilbert

SWIZZLED = [
    Swizzled(rows, columns, itemsize, swizzle, transposed)
    for swizzle in (32, 64, 128)
    for itemsize in (1, 2, 4)
    for rows, columns, transposed in ((8, 128, False), (128, 8, True), (128, 256, False), (256, 128, True))
]
FRAGMENTS = [
    Fragment(16, 8), Fragment(64, 32), Fragment(16, 16), Fragment(64, 16, halves=1), Fragment(16, 8, run=1),
    Fragment(8, 8, run=1, halves=1), Fragment(64, 8, 128), Fragment(64, 256, 128), Fragment(128, 192, 128),
]  # fmt: skip
SPREAD = [
    Spread(128, 128, 16, 16, 4, 4), Spread(128, 128, 16, 16, 1, 4), Spread(128, 64, 16, 16, 2, 1), Spread(16, 8, 16, 8),
    Spread(64, 4, 16, 4, 4, 1), Spread(2, 128, 2, 16, 1, 4), Spread(128, 2, 16, 2, 1, 1),
]  # fmt: skip


@pytest.mark.parametrize("layout", [*SWIZZLED, *FRAGMENTS, *SPREAD, Strided(7, 5, 6, 1), Strided(7, 5, 1, 9)], ids=str)
def test_every_element_has_a_place_of_its_own(layout: Layout) -> None:
    assert is_bijective(layout)


@pytest.mark.parametrize("layout", [Strided(4, 4, 3, 1), Strided(4, 4, 4, 2)], ids=str)
def test_elements_at_one_place_are_noticed(layout: Layout) -> None:
    assert not is_bijective(layout)


@pytest.mark.parametrize("layout", [s for s in SWIZZLED if s.unit == 16], ids=str)
def test_eight_chunks_of_neighbouring_lines_lie_in_different_banks(layout: Swizzled) -> None:
    each = 16 // layout.itemsize
    for first in range(0, layout.lines, 8):
        for along in range(0, layout.rows if layout.transposed else layout.columns, each):
            lines = range(first, first + 8)
            places = [layout.place(along, n) if layout.transposed else layout.place(n, along) for n in lines]
            assert bank_turns([p * layout.itemsize for p in places], 16) == 1
            assert all(p * layout.itemsize % 16 == 0 for p in places)


@pytest.mark.parametrize("layout", [s for s in SWIZZLED if s.unit > 16], ids=str)
def test_pieces_that_are_read_by_elements_lie_in_different_banks(layout: Swizzled) -> None:
    """4 lines of 8 neighbours, each work-item of a warp one element; and whole chunks of lines stay together."""
    assert layout.transposed and layout.itemsize == 4
    piece = Fragment(8, 4, run=1, halves=1)
    for row in range(0, layout.rows, 8):
        for column in range(0, layout.columns, 4):
            held_at = [held(piece, item, 0) for item in range(32)]
            places = [layout.place(row + r, column + c) for r, c in held_at]
            assert bank_turns([p * 4 for p in places], 4) == 1
            first = layout.place(row, column)
            assert first % 4 == 0 and [layout.place(row + r, column) - first for r in range(4)] == [0, 1, 2, 3]


@pytest.mark.parametrize("line", [128, 132])
def test_warps_read_slices_without_conflicts(line: int) -> None:
    """16 bytes for each item, from different banks or the same; pairs of neighbours read the same ones."""
    layout, part = Spread(128, 128, 16, 16, 4, 4), Strided(128, 16, 1, line)
    for register, side in ((0, 0), (32, 0), (0, 1), (4, 1)):
        for first in range(0, 256, 32):
            rows = [held(layout, first + item, register)[side] for item in range(32)]
            places = [part.at(Const(row), Const(7)).lo * 4 for row in rows]
            assert bank_turns(places, 16) == 4 and all(place % 16 == 0 for place in places)
            distance = 1 if side else 2
            assert all(places[i] == places[i ^ distance] for i in range(32))


def test_rows_without_a_swizzle_share_banks() -> None:
    assert bank_turns([row * 128 for row in range(8)], 16) == 8


@pytest.mark.parametrize("swizzle", [32, 64, 128])
def test_a_swizzle_permutes_the_chunks_of_a_line(swizzle: int) -> None:
    """The copy engine exchanges bits 4.. of a byte address with bits 7..: address ^ (address >> 3 & mask)."""
    layout = Swizzled(64, swizzle // 2, 2, swizzle)
    mask = {32: 0x10, 64: 0x30, 128: 0x70}[swizzle]
    for row in range(64):
        for column in range(layout.columns):
            address = row * swizzle + column * 2
            assert layout.place(row, column) * 2 == address ^ (address >> 3 & mask)


def held(fragment: Fragment | Spread, item: int, register: int) -> tuple[int, int]:
    row, column = fragment.element(Const(item), Const(register))
    return row.lo, column.lo


def test_fragments_are_those_of_mma_m16n8k16() -> None:
    """PTX ISA, "Matrix Fragments for mma.m16n8k16": groupID = lane >> 2, threadID_in_group = lane % 4."""
    for lane in range(32):
        group, thread = lane >> 2, lane % 4
        for i in range(8):  # A
            row = group if i in (0, 1, 4, 5) else group + 8
            assert held(Fragment(16, 16), lane, i) == (row, thread * 2 + (i & 1) + (8 if i >= 4 else 0))
        for i in range(4):  # B: depth by column, here column by depth
            depth = thread * 2 + (i & 1) + (8 if i >= 2 else 0)
            assert held(Fragment(8, 16, halves=1), lane, i) == (group, depth)
        for i in range(4):  # C
            assert held(Fragment(16, 8), lane, i) == (group if i < 2 else group + 8, thread * 2 + (i & 1))


def test_fragments_are_those_of_mma_m16n8k8() -> None:
    """PTX ISA, "Matrix Fragments for mma.m16n8k8", for .tf32."""
    for lane in range(32):
        group, thread = lane >> 2, lane % 4
        for i in range(4):  # A
            where = group + (8 if i in (1, 3) else 0), thread + (4 if i >= 2 else 0)
            assert held(Fragment(16, 8, run=1), lane, i) == where
        for i in range(2):  # B: depth by column, here column by depth
            assert held(Fragment(8, 8, run=1, halves=1), lane, i) == (group, thread + 4 * i)


def test_fragments_are_those_of_wgmma() -> None:
    """PTX ISA, "Register Fragments for wgmma.mma_async.m64nNk16", D: each warp of the group has 16 rows."""
    for item in range(128):
        for i in range(128):
            row = item // 32 * 16 + item % 32 // 4 + (8 if i % 4 >= 2 else 0)
            assert held(Fragment(64, 256, 128), item, i) == (row, i // 4 * 8 + item % 4 * 2 + (i & 1))


# ---- orders ----------------------------------------------------------------------------------------


def tiles(order: tuple[Expr, Expr], number: Var) -> list[tuple[int, int]]:
    n = np.arange(number.hi + 1)
    row, column = (np.broadcast_to(e.evaluate({number: n}), n.shape) for e in order)
    return [(int(r), int(c)) for r, c in zip(row, column)]


@pytest.mark.parametrize("rows", [1, 5, 8, 12, 16])
@pytest.mark.parametrize("columns", [1, 3, 8])
@pytest.mark.parametrize("height", [1, 4, 8])
def test_grouped_order_visits_every_tile(rows: int, columns: int, height: int) -> None:
    number = Var("n", 0, rows * columns - 1)
    every = sorted((r, c) for r in range(rows) for c in range(columns))
    assert sorted(tiles(grouped(number, rows, columns, height), number)) == every


def test_grouped_order_needs_few_operands_at_a_time() -> None:
    number = Var("n", 0, 32 * 32 - 1)
    at_once = tiles(grouped(number, 32, 32, 8), number)[:64]
    assert len({r for r, _ in at_once}) + len({c for _, c in at_once}) == 16


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_hilberts_curve_goes_from_neighbour_to_neighbour(bits: int) -> None:
    number = Var("n", 0, 4**bits - 1)
    found = tiles(hilbert(number, bits), number)
    assert len(set(found)) == 4**bits
    assert all(abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1 for a, b in pairwise(found))
