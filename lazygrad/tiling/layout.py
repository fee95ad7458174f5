"""Where the elements of a tile lie: from (row, column) to a place in memory, or from a register to its element.

`Strided` and `Swizzled` say at which element of an array the element (row, column) of a tile lies; `Fragment`
and `Spread` say which element of a tile each register of each work-item holds. All of them are index expressions:
nothing else in the compiler knows a layout, and a test goes through every element of each.

Matrix units read a tile in pieces of 8 rows by 16 bytes, whose rows should lie in different banks of local memory (32
banks of 4 bytes). A swizzle sees to that: the number of each 16-byte chunk in its row is combined by exclusive or with
the row's own number. The patterns are those of CUDA's tensor maps ("CUDA C++ Programming Guide", section "Tensor Memory
Access", swizzle modes), the fragments those of `mma.sync` and `wgmma` ("PTX ISA", sections "Matrix Fragments for
mma.m16n8k16", those for mma.m16n8k8 with .tf32, and "Register Fragments for wgmma.mma_async.m64nNk16").

A piece of a transposed tile is 4 * `run` lines of 8 neighbours. Loads of matrices turn it around for 16-bit elements;
wider ones are read one by one, each work-item of a warp at once, so 8 neighbours stay together in a swizzle and the
lines of a piece lie in different banks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lazygrad.index.expr import Const, Dim, Expr, Var, lift

CHUNK = 16  # bytes that swizzles keep together
PERIOD = 128  # bytes: one row of all banks
WARP = 32
PIECE = 8  # rows of the smallest piece of a fragment, each in the hands of four work-items
BANK = 4  # bytes


@dataclass(frozen=True, slots=True)
class Outer:
    """A further axis of a strided matrix: which of its `size` members is meant, and how far apart they lie."""

    index: Expr
    size: int
    step: int


@dataclass(frozen=True, slots=True)
class Strided:
    """Element (row, column) lies at start + row * row_step + column * column_step, and the outer axes' steps.

    >>> row, column = Var("row", 0, 7), Var("column", 0, 3)
    >>> print(Strided(8, 4, 5, 1).at(row, column))
    row*5 + column
    """

    rows: Dim
    columns: Dim
    row_step: int
    column_step: int
    outer: tuple[Outer, ...] = ()

    def at(self, row: Expr, column: Expr) -> Expr:
        """The element of the array where (row, column) lies."""
        inside = row * self.row_step + column * self.column_step
        return sum((o.index * o.step for o in self.outer), inside)

    def chunk(self, itemsize: int) -> int:
        """Elements that one asynchronous copy can take, 16, 8 or 4 bytes: aligned neighbours; 0 where there are none.

        >>> [Strided(4, n, n, 1).chunk(4) for n in (8, 6, 7)], Strided(4, 7, 7, 1).chunk(2)
        ([4, 2, 1], 0)
        """
        along = (self.columns, self.row_step) if self.column_step == 1 else (self.rows, self.column_step)
        if 1 not in (self.row_step, self.column_step) or min(self.row_step, self.column_step) < 1:
            return 0
        sizes = [*along, *(o.step for o in self.outer)]
        counts = (nbytes // itemsize for nbytes in (CHUNK, 8, 4) if nbytes >= itemsize)
        return next((each for each in counts if all(isinstance(n, int) and n % each == 0 for n in sizes)), 0)

    @property
    def size(self) -> int:
        """Elements from the first to the last, the padding after the last row included."""
        sizes = (self.rows, self.columns)
        assert all(isinstance(n, int) for n in sizes), sizes
        return max(int(n) * step for n, step in zip(sizes, (self.row_step, self.column_step)))

    def __str__(self) -> str:
        across = "".join(f", {o.index} of {o.size} by {o.step}" for o in self.outer)
        return f"{self.rows} x {self.columns} by ({self.row_step}, {self.column_step}){across}"


@dataclass(frozen=True, slots=True)
class Swizzled:
    """Lines of `swizzle` bytes (32, 64 or 128), whose chunks of `unit` bytes are permuted.

    A line holds neighbours of one row (`transposed`: of one column). Rows longer than a line are cut: all rows' first
    parts lie together, then all rows' second parts.

    >>> Swizzled(8, 64, 2, 128).place(0, 8), Swizzled(8, 64, 2, 128).place(1, 8)
    (8, 64)
    """

    rows: int
    columns: int
    itemsize: int
    swizzle: int
    transposed: bool = False

    @property
    def width(self) -> int:
        """Elements of a line."""
        return self.swizzle // self.itemsize

    @property
    def unit(self) -> int:
        """Bytes that stay together: 16, or where elements of transposed pieces are read one by one, 8 of them."""
        return max(CHUNK, PIECE * self.itemsize) if self.transposed else CHUNK

    @property
    def lines(self) -> int:
        """Lines of a part."""
        return self.columns if self.transposed else self.rows

    @property
    def size(self) -> int:
        return self.rows * self.columns

    def at(self, row: Expr, column: Expr) -> Expr:
        """The element of the array where (row, column) lies."""
        line, along = (column, row) if self.transposed else (row, column)
        part, inside = along // self.width, along % self.width
        each = self.unit // self.itemsize
        chunks = self.swizzle // self.unit
        chunk = xor(inside // each, line // (PERIOD // self.swizzle) % chunks, chunks.bit_length() - 1)
        return part * (self.lines * self.width) + line * self.width + chunk * each + inside % each

    def place(self, row: int, column: int) -> int:
        """`at` of numbers."""
        return self.at(Const(row), Const(column)).lo

    def __str__(self) -> str:
        return f"{self.rows} x {self.columns} swizzled {self.swizzle}{' transposed' * self.transposed}"


@dataclass(frozen=True, slots=True)
class Fragment:
    """A tile in the registers of `items` work-items, as matrix units hold it.

    The smallest piece is 8 rows by 4 * `run` columns: work-item t of a warp holds the `run` elements of row t // 4 from
    column t % 4 * run on. `halves` (1 or 2) such pieces lie under each other in a block, blocks beside each other until
    the columns are full, then under each other. Each warp has its own blocks: those of a warp group take turns.

    run = 2, halves = 2, items = 32: accumulators of mma.m16n8; with 16-bit elements also its first operand.
    run = 2, halves = 1, items = 32, 16-bit elements: its second operand, rows and columns exchanged.
    run = 1 instead: the operands with 32-bit elements.
    run = 2, halves = 2, items = 128: accumulators of wgmma.m64.

    >>> row, column = Fragment(16, 8, 32, 2).element(Const(5), Const(3))
    >>> print(row, column)
    9 3
    """

    rows: int
    columns: int
    items: int = WARP
    run: int = 2
    halves: int = 2

    @property
    def block_rows(self) -> int:
        """Rows that all work-items together hold in one row of blocks."""
        return PIECE * self.halves * (self.items // WARP)

    @property
    def block_columns(self) -> int:
        return 4 * self.run

    @property
    def registers(self) -> int:
        """Elements of one work-item."""
        return self.rows * self.columns // self.items

    @property
    def size(self) -> int:
        return self.registers

    def element(self, item: Expr, register: Expr) -> tuple[Expr, Expr]:
        """(row, column) of what work-item `item` holds in its element number `register`."""
        warp, thread = item // WARP, item % WARP
        inside, piece = register % self.run, register // self.run
        half, block = piece % self.halves, piece // self.halves
        across = self.columns // self.block_columns
        row = block // across * self.block_rows + warp * (PIECE * self.halves) + half * PIECE + thread // 4
        return row, block % across * self.block_columns + thread % 4 * self.run + inside

    def __str__(self) -> str:
        return f"{self.rows} x {self.columns} in registers of {self.items} items, {self.registers} each"


@dataclass(frozen=True, slots=True)
class Spread:
    """A tile in the registers of `down` x `across` work-items, whole warps, with as many rows and columns each.

    An item has `height` rows together, the next item the next ones, then the first one again, and so on; `run` columns
    likewise. A warp is 4 items high and 8 wide, so that it reads few rows and columns of slices in local memory. Items
    2k and 2k + 1 share their columns, k and k + 2 their rows: where such pairs read the same 16 bytes, local memory
    serves 16 items at a time rather than 8.

    >>> row, column = Spread(128, 128, 16, 16, 4, 4).element(Const(35), Const(12))
    >>> print(row, column)
    5 100
    """

    rows: int
    columns: int
    down: int
    across: int
    height: int = 1
    run: int = 1

    @property
    def items(self) -> int:
        return self.down * self.across

    @property
    def each(self) -> tuple[int, int]:
        """Rows and columns of one work-item."""
        return self.rows // self.down, self.columns // self.across

    @property
    def registers(self) -> int:
        """Elements of one work-item."""
        return self.rows * self.columns // self.items

    @property
    def size(self) -> int:
        return self.registers

    def element(self, item: Expr, register: Expr) -> tuple[Expr, Expr]:
        """(row, column) of what work-item `item` holds in its element number `register`."""
        down = min(self.down, max(4, WARP // self.across))  # of a warp
        across, pair = WARP // down, min(2, down)
        warp, lane = item // WARP, item % WARP
        row = warp // (self.across // across) * down + lane // (pair * across) * pair + lane % pair
        column = warp % (self.across // across) * across + lane // pair % across
        i, j = register // self.each[1], register % self.each[1]
        row = (i // self.height * self.down + row) * self.height + i % self.height
        return row, (j // self.run * self.across + column) * self.run + j % self.run

    def __str__(self) -> str:
        return f"{self.rows} x {self.columns} in registers of {self.down} x {self.across} items"


Layout = Strided | Swizzled | Fragment | Spread


def xor(a: Expr, b: Expr, bits: int) -> Expr:
    """The exclusive or of two expressions in 0..2**bits-1.

    >>> xor(Const(6), Const(5), 3).lo
    3
    """
    terms = ((a // (1 << i) + b // (1 << i)) % 2 * (1 << i) for i in range(bits))
    return sum(terms, lift(0))


def is_bijective(layout: Layout) -> bool:
    """Whether every element of the tile has exactly one place, and no two have the same.

    >>> is_bijective(Swizzled(64, 64, 2, 128)), is_bijective(Strided(4, 4, 3, 1))
    (True, False)
    """
    if isinstance(layout, (Fragment, Spread)):
        item, register = Var("item", 0, layout.items - 1), Var("register", 0, layout.registers - 1)
        row, column = layout.element(item, register)
        i, r = np.mgrid[: layout.items, : layout.registers].reshape(2, -1)
        found = np.stack(np.broadcast_arrays(*(e.evaluate({item: i, register: r}) for e in (row, column))))
        inside = (found >= 0).all() and (found[0] < layout.rows).all() and (found[1] < layout.columns).all()
        return bool(inside and len(np.unique(found, axis=1).T) == layout.rows * layout.columns == i.size)
    assert isinstance(layout.rows, int) and isinstance(layout.columns, int)
    row, column = Var("row", 0, layout.rows - 1), Var("column", 0, layout.columns - 1)
    i, j = np.mgrid[: layout.rows, : layout.columns].reshape(2, -1)
    places = np.broadcast_to(layout.at(row, column).evaluate({row: i, column: j}), i.shape)
    return bool(len(np.unique(places)) == i.size and places.min() >= 0 and places.max() < layout.size)


def bank_turns(addresses: Sequence[int] | NDArray[np.int64], nbytes: int) -> int:
    """How often local memory has to be asked when work-items access `nbytes` each at these byte addresses at once.

    Accesses of the same word cost nothing extra; so many work-items as fill all banks are served at a time.

    >>> bank_turns([128 * row for row in range(8)], 16), bank_turns([144 * row for row in range(8)], 16)
    (8, 1)
    """
    at_once = PERIOD // nbytes
    turns = 0
    for start in range(0, len(addresses), at_once):
        words = {int(a) // BANK + k for a in addresses[start : start + at_once] for k in range(-(-nbytes // BANK))}
        banks = np.bincount([word % (PERIOD // BANK) for word in words])
        turns += int(banks.max())
    return turns
