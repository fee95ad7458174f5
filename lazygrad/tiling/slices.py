"""Slices of both factors of a contraction in local memory, each of which arrives ahead of its use.

Step by step along the depth, the work-items of a group multiply one slice while later ones are underway. A factor in
memory comes by asynchronous copies, `stages - 1` steps ahead. One that is computed, or that such copies cannot take, is
computed one step ahead into registers before the present slice is multiplied, and stored afterwards. Either way each
step has one barrier: behind it the present slice is there, and nobody reads the slot that is filled next.
"""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.index.expr import Const, Expr, Var
from lazygrad.tiling.array import Array, Axis, Scope
from lazygrad.tiling.collective import ZERO, Copy, Tile, Token, Wait
from lazygrad.tiling.computed import Computed, Filler
from lazygrad.tiling.layout import Strided, Swizzled
from lazygrad.tiling.operand import Operand
from lazygrad.tiling.program import Barrier, If, Loop, Stage, Start, Stmt
from lazygrad.tiling.workgroups import guarded

Factor = Operand | Computed
SliceLayout = Strided | Swizzled


class Slices:
    """Slices of the factors `a` and `b`.

    Args:
        layouts: of a slice of each factor, rows by depth.
        first: the row of each factor that a slice begins with.
        step: the number of the present slice, from 0 on.
        stages: slots for them; 2 are enough where nothing is copied.
        items: work-items of a group.
        start: the slice of the factors that is number 0 here.
    """

    def __init__(
        self,
        factors: Sequence[Factor],
        layouts: Sequence[SliceLayout],
        first: Sequence[Expr],
        step: Var,
        stages: int,
        items: int,
        start: Expr = ZERO,
    ) -> None:
        self.factors, self.first, self.step, self.stages, self.start = factors, first, step, stages, start
        self.steps = step.hi + 1
        self.arrays = [
            Array(f"{name}_slice", f.dtype, layout.size * stages, Scope.LOCAL, layout=layout)
            for name, f, layout in zip(("a", "b"), factors, layouts)
        ]
        self.fillers = [
            Filler(f"{array.name[0]}_next", f, array, at, items)
            for f, array, at in zip(factors, self.arrays, first)
            if isinstance(f, Computed)
        ]
        self.loads = Token("loads")
        self.is_async = any(isinstance(f, Operand) for f in factors)

    def slot(self, step: Expr) -> Expr:
        """The slot of slice number `step`."""
        return step % self.stages

    def declared(self) -> tuple[Stmt, ...]:
        """The arrays."""
        return tuple(Stage(array, ()) for array in (*self.arrays, *(filler.kept for filler in self.fillers)))

    def run(self, products: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        """`products`, of the slice in `slot(step)`, for every slice."""
        step = self.step
        turn = (*self._begin(step), *self._fetch(step + 1), *products, *self._put(step + 1))
        first = [s for filler in self.fillers for s in (*filler.fetch(self.start), *filler.put(ZERO))]
        end = (Wait(self.loads),) if self.is_async else ()
        return (*self._ahead(), *first, Loop(Axis(step, self.steps), turn), *end)

    def _ahead(self) -> tuple[Stmt, ...]:
        """The copies of the first slices."""
        if not self.is_async:
            return ()
        steps = range(self.stages - 1)
        return tuple(Start(self.loads, self._copies(Const(k)) if k < self.steps else ()) for k in steps)

    def _begin(self, step: Expr) -> tuple[Stmt, ...]:
        """Slice number `step` is there for all; the copies of one further ahead begin."""
        if not self.is_async:
            return (Barrier(),)
        ahead = self.stages - 1
        copies = If((step + ahead).lt(self.steps), self._copies(step + ahead))
        return (Wait(self.loads, ahead - 1), Barrier(), Start(self.loads, (copies,)))

    def _fetch(self, step: Expr) -> tuple[Stmt, ...]:
        fetched = tuple(s for filler in self.fillers for s in filler.fetch(self.start + step))
        return guarded(step.lt(self.steps), fetched) if fetched else ()

    def _put(self, step: Expr) -> tuple[Stmt, ...]:
        put = tuple(s for filler in self.fillers for s in filler.put(self.slot(step)))
        return guarded(step.lt(self.steps), put) if put else ()

    def _copies(self, step: Expr) -> tuple[Stmt, ...]:
        """A slice of each factor in memory into its slot."""
        copies = []
        for f, array, first in zip(self.factors, self.arrays, self.first):
            if isinstance(f, Operand):
                layout = array.layout
                assert layout is not None and isinstance(layout.rows, int) and isinstance(layout.columns, int)
                rows, depth = layout.rows, layout.columns
                source = Tile(f.array, rows, depth, (first, (self.start + step) * depth), view=f.view)
                copies.append(Copy(Tile(array, rows, depth, slot=self.slot(step)), source))
        return tuple(copies)
