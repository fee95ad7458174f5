"""Copies of tiles: 16 bytes by each work-item, boxes by the copy engine, and fragments from local memory."""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.errors import GraphError
from lazygrad.index.expr import Const, Expr, all_of, as_dim, lift, select
from lazygrad.runtime.base import TensorMap

from .array import Array, Scope
from .collective import Copy, Tile
from .layout import CHUNK, PIECE, Fragment, Strided, Swizzled
from .lower_context import Context
from .lower_launch import Launch
from .machine import Intrinsic, Pointer, TensorMapParameter

WORD = 4
MATRICES = 4  # that a warp loads at a time
BOX = 256  # elements of a box along any axis, at most


def fragment_words(array: Array) -> int:
    """32-bit words of one slot of an array in registers."""
    assert isinstance(array.layout, Fragment), array.name
    return array.layout.registers * array.dtype.itemsize // WORD


class Tensors:
    """The tensor maps of a kernel: one for each parameter and way to look at it."""

    def __init__(self, context: Context, memories: Sequence[Array]) -> None:
        self.context, self.memories = context, list(memories)
        self.made: dict[TensorMap, TensorMapParameter] = {}

    def find(self, array: Array, view: Strided, box: tuple[int, int], swizzle: int) -> TensorMapParameter:
        """The parameter for `view` of `array`; `box` and axes innermost first."""
        sizes = [as_dim(view.columns), as_dim(view.rows)]
        steps = [view.column_step, view.row_step]
        if steps[0] != 1:
            sizes.reverse()
            steps.reverse()
        if steps[0] != 1 or not all(isinstance(n, int) for n in sizes):
            raise GraphError(f"the copy engine cannot see {array.name!r} as {view}: one step has to be 1, sizes known")
        size = array.dtype.itemsize
        known = TensorMap(
            self.memories.index(array),
            str(array.dtype),
            (*(int(n) for n in sizes), *(o.size for o in view.outer)),
            (steps[1] * size, *(o.step * size for o in view.outer)),
            (*box, *(1 for _ in view.outer)),
            swizzle,
        )
        if known not in self.made:
            name = self.context.names.exact(f"{self.context.arrays[array].name}_map")
            self.made[known] = TensorMapParameter(name, known)
        return self.made[known]


class Copier:
    """Emits copies."""

    def __init__(self, context: Context, launch: Launch, tensors: Tensors) -> None:
        self.context, self.launch, self.tensors = context, launch, tensors

    def _pointer(self, tile: Tile, row: Expr, column: Expr) -> Pointer:
        """Where element (row, column) of a tile in memory lies."""
        layout = tile.layout
        assert isinstance(layout, (Strided, Swizzled)), tile.array.name
        at = layout.at(tile.at[0] + row, tile.at[1] + column)
        if tile.view is None:
            at = at + tile.slot * layout.size
        return Pointer(self.context.arrays[tile.array], self.context.machine(at, {}))

    # ---- by the work-items ---------------------------------------------------------------------

    def load_chunks(self, s: Copy) -> None:
        """The work-items copy 16 bytes each, in turns; fewer where they do not lie so."""
        view, items, itemsize = _view(s.source), self.launch.sharing, s.dest.array.dtype.itemsize
        along_columns = view.column_step == 1
        assert isinstance(s.dest.layout, (Strided, Swizzled))
        is_turned = _along_columns(s.dest.layout) is not along_columns
        each = min(1, view.chunk(itemsize)) if is_turned else view.chunk(itemsize)
        if not each or each * itemsize < WORD:
            raise GraphError(f"work-items cannot copy {s.source.array.name!r}, seen as {view}, asynchronously")
        per_line = (s.dest.columns if along_columns else s.dest.rows) // each
        chunks = s.dest.elements // each
        for turn in range(-(-chunks // items)):
            chunk = self.launch.local_id % items + turn * items
            line, inside = chunk // per_line, chunk % per_line * each
            row, column = (line, inside) if along_columns else (inside, line)
            with self.context.branch(chunk.lt(chunks)):
                self._load_chunk(s, view, row, column, each * itemsize)

    def _load_chunk(self, s: Copy, view: Strided, row: Expr, column: Expr, nbytes: int) -> None:
        in_view = all_of(((s.source.at[0] + row).lt(view.rows), (s.source.at[1] + column).lt(view.columns)))
        valid = self.context.machine(in_view, {})
        source = self._pointer(s.source, row, column)
        source = Pointer(source.array, select(valid, source.at, lift(0)))
        numbers = () if nbytes == CHUNK else (nbytes,)
        self.context.emit(Intrinsic("lg_copy_async", (self._pointer(s.dest, row, column), source, valid), numbers))

    def load_fragment(self, s: Copy) -> None:
        """A warp loads pieces of 8 rows by 16 bytes of local memory to registers, four at a time. Elements of 32 bits
        are rounded; where a piece has to be turned around, each work-item reads its own ones."""
        layout = s.dest.layout
        if not isinstance(layout, Fragment) or s.source.array.scope not in (Scope.LOCAL, Scope.CLUSTER):
            raise GraphError(f"a copy of {s.source.array.name!r} to {s.dest.array.name!r} has to stand in a Start")
        words = fragment_words(s.dest.array)
        thread = self.launch.local_id % layout.items
        turned = isinstance(s.source.layout, Swizzled) and s.source.layout.transposed
        first = self.context.machine(s.dest.slot * words, {})
        if layout.run == 1 and turned:
            for word in range(words):
                to = Pointer(self.context.arrays[s.dest.array], first + word)
                at = self._pointer(s.source, *layout.element(thread, Const(word)))
                self.context.emit(Intrinsic("lg_load_tf32", (to, at)))
            return
        for word in range(0, words, MATRICES):
            row, column = layout.element(Const(0), (thread // PIECE + word) * layout.run)
            row, column = (row, column + thread % PIECE) if turned else (row + thread % PIECE, column)
            to = Pointer(self.context.arrays[s.dest.array], first + word)
            name, numbers = ("lg_load_matrix_tf32", ()) if layout.run == 1 else ("lg_load_matrix", (int(turned),))
            self.context.emit(Intrinsic(name, (to, self._pointer(s.source, row, column)), numbers))

    # ---- by the copy engine --------------------------------------------------------------------

    def load_box(self, s: Copy, barrier: Pointer) -> None:
        """One work-item starts copies, which tell `barrier` of every byte."""
        is_shared = s.dest.array.scope is Scope.CLUSTER and self.launch.cluster > 1
        mask = (Const((1 << self.launch.cluster) - 1),) if is_shared else ()
        for box, row, column in _boxes(s.dest):
            tensor, coordinates = self._tensor(s.source, s.dest, box, row, column)
            to = self._pointer(s.dest, row, column)
            name = "lg_tensor_load_all" if is_shared else "lg_tensor_load"
            self.context.emit(Intrinsic(name, (to, tensor, barrier, *mask, *coordinates)))

    def store_box(self, s: Copy) -> None:
        """One work-item starts copies from local memory."""
        for box, row, column in _boxes(s.source):
            tensor, coordinates = self._tensor(s.dest, s.source, box, row, column)
            self.context.emit(
                Intrinsic("lg_tensor_store", (tensor, self._pointer(s.source, row, column), *coordinates))
            )

    def _tensor(
        self, far: Tile, near: Tile, box: tuple[int, int], row: Expr, column: Expr
    ) -> tuple[TensorMapParameter, list[Expr]]:
        """The map of the tile in device memory, and where the box is in it."""
        view, layout = _view(far), near.layout
        assert isinstance(layout, Swizzled)
        at = [far.at[1] + column, far.at[0] + row]
        if view.column_step != 1:
            at.reverse()
        if layout.unit != CHUNK:
            raise GraphError(f"{near.array.name!r} is {layout}; the copy engine keeps {CHUNK} bytes together")
        if (view.column_step != 1) is not layout.transposed:
            raise GraphError(f"{near.array.name!r} is {layout}, but {far.array.name!r} runs the other way: {view}")
        coordinates = [self.context.machine(e, {}) for e in (*at, *(o.index for o in view.outer))]
        return self.tensors.find(far.array, view, box, layout.swizzle), coordinates


def _along_columns(layout: Strided | Swizzled) -> bool:
    """Whether neighbours in memory are neighbours in a row."""
    return not layout.transposed if isinstance(layout, Swizzled) else layout.column_step == 1


def _view(tile: Tile) -> Strided:
    if tile.view is None:
        raise GraphError(f"a copy from or to {tile.array.name!r} has to say how that is seen as a matrix")
    return tile.view


def _boxes(tile: Tile) -> list[tuple[tuple[int, int], Expr, Expr]]:
    """A tile in local memory as boxes as wide as its lines: (elements innermost first, row, column)."""
    layout = tile.layout
    if not isinstance(layout, Swizzled):
        raise GraphError(f"{tile.array.name!r} is {layout}; the copy engine needs swizzled local memory")
    along, lines = (tile.rows, tile.columns) if layout.transposed else (tile.columns, tile.rows)
    found: list[tuple[tuple[int, int], Expr, Expr]] = []
    for part in range(0, along, layout.width):
        for line in range(0, lines, BOX):
            at = (part, line) if layout.transposed else (line, part)
            found.append(((min(layout.width, along), min(BOX, lines - line)), Const(at[0]), Const(at[1])))
    return found
