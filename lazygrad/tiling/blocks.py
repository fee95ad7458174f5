"""The output of a contraction in blocks, one for each work-group."""

from __future__ import annotations

from lazygrad.index.expr import Expr, Var, index_variable
from lazygrad.tiling.array import Axis, Kind
from lazygrad.tiling.collective import ZERO, Let
from lazygrad.tiling.contract import Contraction
from lazygrad.tiling.operand import Block, known
from lazygrad.tiling.order import grouped
from lazygrad.tiling.program import Loop, Stmt
from lazygrad.tiling.walk import on_grid

BAND = 8  # rows of blocks that are computed column by column


class Grid:
    """Blocks of `rows` by `columns` in an order in which neighbours in time share what they read.

    Attributes:
        block: where this work-group's block is.
        split: which of the `splits` parts of the depth it adds up.
    """

    def __init__(self, c: Contraction, rows: int, columns: int, splits: int = 1) -> None:
        self.c, self.splits, self.split = c, splits, index_variable("split", splits)
        high, wide = known(c.rows), known(c.columns)
        assert high is not None and wide is not None
        blocks = -(-high // rows), -(-wide // columns)
        self.number = Var("block", 0, blocks[0] * blocks[1] - 1)
        places = zip(("row", "column"), grouped(self.number, *blocks, BAND))
        self.lets = tuple(Let(Var(f"block_{name}", e.lo, e.hi), e) for name, e in places)
        at = self.lets[0].var * rows, self.lets[1].var * columns
        self.block = Block(at, (high % rows == 0, wide % columns == 0), {})

    def run(self, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        """`body` for every block."""
        body = (Loop(Axis(self.number, self.number.hi + 1, Kind.GRID), (*self.lets, *body)),)
        body = on_grid(self.c.batch, body)
        return (Loop(Axis(self.split, self.splits, Kind.GRID), body),) if isinstance(self.split, Var) else body

    @property
    def each(self) -> Expr:
        """The number of the block among those of all batches."""
        number: Expr = ZERO
        for axis in self.c.batch:
            number = number * axis.extent + axis.var
        return number * (self.number.hi + 1) + self.number
