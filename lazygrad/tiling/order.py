"""In which order the tiles of an output are computed: from a tile's number to its row and column.

Work-groups that run at the same time should share rows and columns, so that what they read is found in the L2 cache.
A persistent program takes tile `turn * groups + group`; the order is the same function of that number.
"""

from __future__ import annotations

from lazygrad.index.expr import Const, Expr, lift, minimum, select


def grouped(number: Expr, rows: int, columns: int, height: int) -> tuple[Expr, Expr]:
    """Bands of `height` rows, each column after column: `height` * w tiles need height + w pieces of the operands.

    >>> [tuple(e.lo for e in grouped(Const(n), 4, 3, 2)) for n in range(4)]
    [(0, 0), (1, 0), (0, 1), (1, 1)]
    """
    if rows <= height:
        return number % rows, number // rows
    band, inside = number // (height * columns), number % (height * columns)
    high = height if rows % height == 0 else minimum(lift(height), rows - band * height)
    return band * height + inside % high, inside // high


def hilbert(number: Expr, bits: int) -> tuple[Expr, Expr]:
    """Along Hilbert's curve through a square of 2**bits by 2**bits tiles: any stretch of it is nearly square.

    Two bits of the number choose a quadrant. Quadrants 0 and 3 hold the curve mirrored at a diagonal, which exchanges
    rows and columns in all finer levels; 3 turns both around too. So how a level is mirrored follows from how many of
    the coarser quadrants were 0 or 3 (D. Hilbert, "Über die stetige Abbildung einer Linie auf ein Flächenstück", 1891).

    >>> [tuple(e.lo for e in hilbert(Const(n), 1)) for n in range(4)]
    [(0, 0), (0, 1), (1, 1), (1, 0)]
    """
    row: Expr = Const(0)
    column: Expr = Const(0)
    exchanged: Expr = Const(0)
    turned: Expr = Const(0)
    for level in reversed(range(bits)):
        quadrant = number // 4**level % 4
        first, second = quadrant // 2, (quadrant // 2 + quadrant % 2) % 2
        swap, turn = exchanged % 2, turned % 2
        row = row + (select(swap.eq(1), second, first) + turn) % 2 * 2**level
        column = column + (select(swap.eq(1), first, second) + turn) % 2 * 2**level
        last = quadrant.eq(3)
        exchanged, turned = exchanged + quadrant.eq(0) + last, turned + last
    return row, column
