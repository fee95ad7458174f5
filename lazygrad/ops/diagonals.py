"""Diagonals and triangles of matrices: read, made, and written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lazygrad.dtype import dtypes
from lazygrad.errors import ShapeError
from lazygrad.index.expr import Dim
from lazygrad.ir import node as graph
from lazygrad.ir.build import positions
from lazygrad.ir.node import Node, alu, const
from lazygrad.ir.op import Op
from lazygrad.ops import layout
from lazygrad.ops.core import Core, fail
from lazygrad.ops.inplace import InPlace

if TYPE_CHECKING:
    from typing_extensions import Self


class Diagonals(InPlace):
    """Diagonals. `offset` 0 is the main one, 1 the one above it (to the right), -1 the one below."""

    __slots__ = ()

    def diagonal(self, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Self:
        """A diagonal of the matrices that dimensions `dim1` (rows) and `dim2` (columns) are, as the last dimension.

        >>> Tensor([[1, 2, 3], [4, 5, 6]]).diagonal(1).tolist()
        [2, 6]
        """
        rows, columns = self._two_dims("diagonal", dim1, dim2)
        kept = [i for i in range(self.ndim) if i not in (rows, columns)]
        n, m = self._known("diagonal", dim1), self._known("diagonal", dim2)
        k = max(min(n + min(offset, 0), m - max(offset, 0)), 0)
        down, right = min(max(-offset, 0), n), min(max(offset, 0), m)
        outer = tuple(self.shape[i] for i in kept)
        x = graph.permute(self._in(), [*kept, rows, columns])
        x = graph.shrink(x, [*((0, s) for s in outer), (down, down + k), (right, right + k)])
        x = graph.reshape(x, (*outer, k * k))  # every (k + 1)-th element of these is on the diagonal
        x = graph.pad(x, [(0, 0)] * len(outer) + [(0, k)])
        x = graph.reshape(x, (*outer, k, k + 1))
        x = graph.reshape(graph.shrink(x, [*((0, s) for s in outer), (0, k), (0, 1)]), (*outer, k))
        return self._view(x, layout.diagonal, (offset if k else 0, rows, columns, k))

    def _two_dims(self, what: str, dim1: int, dim2: int, extra: int = 0) -> tuple[int, int]:
        """The axes of matrices, which are two."""
        first, second = self._axis(dim1, extra), self._axis(dim2, extra)
        if self.ndim + extra < 2 or first == second:
            shape = list(self.shape)
            fail(ShapeError, f"{what}: dims {dim1} and {dim2} of shape {shape}; matrices have two dimensions")
        return first, second

    def _on_diagonal(self, n: int, m: int, offset: int) -> Self:
        """Matrices (n, m) of zeros with the last dimension on a diagonal, of which it has the size."""
        k = self.shape[-1]
        outer = self.shape[:-1]
        x = graph.reshape(self._in(), (*outer, k, 1))
        x = graph.pad(x, [(0, 0)] * (len(outer) + 1) + [(0, k)])
        x = graph.reshape(x, (*outer, k * (k + 1)))
        x = graph.reshape(graph.shrink(x, [*((0, s) for s in outer), (0, k * k)]), (*outer, k, k))
        down, right = (0, 0) if k == 0 else (max(-offset, 0), max(offset, 0))
        return self._out(graph.pad(x, [(0, 0)] * len(outer) + [(down, n - down - k), (right, m - right - k)]))

    def diag_embed(self, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Self:
        """Square matrices with the last dimension on a diagonal and zeros elsewhere; they lie in `dim1` and `dim2`.

        >>> Tensor([1, 2]).diag_embed().tolist()
        [[1, 0], [0, 2]]
        """
        if not self.ndim:
            fail(ShapeError, "diag_embed: a 0-d tensor has no dimension to put on a diagonal")
        rows, columns = self._two_dims("diag_embed", dim1, dim2, 1)
        n = self._known("diag_embed", -1) + abs(offset)
        order = list(range(self.ndim - 1))
        for axis, source in sorted(((rows, self.ndim - 1), (columns, self.ndim))):
            order.insert(axis, source)
        return self._on_diagonal(n, n, offset).permute(*order)._apart()

    def diag(self, diagonal: int = 0) -> Self:
        """Of a vector the matrix with it on a diagonal; of a matrix a copy of its diagonal.

        >>> Tensor([[1, 2], [3, 4]]).diag().tolist()
        [1, 4]
        """
        if self.ndim not in (1, 2):
            fail(ShapeError, f"diag: needs a vector or a matrix, not shape {list(self.shape)}")
        return self.diag_embed(diagonal) if self.ndim == 1 else self.diagonal(diagonal)._apart()

    def diagflat(self, offset: int = 0) -> Self:
        """The matrix with all elements on a diagonal.

        >>> Tensor([[1], [2]]).diagflat().tolist()
        [[1, 0], [0, 2]]
        """
        return self.flatten().diag_embed(offset)

    def diagonal_scatter(self, src: Core, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Self:
        """This tensor with `src`, of the diagonal's shape, in the place of `diagonal(offset, dim1, dim2)`.

        >>> Tensor.zeros(2, 2).diagonal_scatter(Tensor([1.0, 2.0])).tolist()
        [[1.0, 0.0], [0.0, 2.0]]
        """
        self._same_device("diagonal_scatter", src)
        wanted = self.diagonal(offset, dim1, dim2).shape
        if src.shape != wanted:
            fail(ShapeError, f"diagonal_scatter: src has shape {list(src.shape)}, the diagonal {list(wanted)}")
        n, m = self._known("diagonal_scatter", dim1), self._known("diagonal_scatter", dim2)
        new = self._new(src._in(), src.requires_grad).cast(self.dtype)._on_diagonal(n, m, offset)
        here = self._new(const(True, dtypes.bool, wanted[-1:]))._on_diagonal(n, m, offset)
        return here._choose(new, self.movedim((dim1, dim2), (-2, -1))).movedim((-2, -1), (dim1, dim2))._apart()

    def fill_diagonal_(self, fill_value: float, wrap: bool = False) -> Self:
        """The elements at [i, i, ...] become `fill_value`; with `wrap`, a tall matrix has further diagonals, each a row
        below the end of the last. ShapeError for more than two dimensions of several sizes.

        >>> Tensor.zeros(2, 2).fill_diagonal_(5).tolist()
        [[5.0, 0.0], [0.0, 5.0]]
        """
        shape = [self._known("fill_diagonal_", i) for i in range(self.ndim)]
        if len(shape) < 2 or (len(shape) > 2 and len(set(shape)) > 1):
            fail(ShapeError, f"fill_diagonal_: needs a matrix, or dimensions of one size, not shape {shape}")
        step = sum(np.prod(shape[i + 1 :], dtype=np.int64).item() for i in range(len(shape)))
        count = self.numel()
        assert isinstance(count, int)
        last = count if wrap and len(shape) == 2 else step * (min(shape) - 1) + 1
        place = self._new(positions((count,), 0, dtypes.int64))
        return self._become(self.masked_fill((place.remainder(step).eq(0) & place.lt(last)).reshape(shape), fill_value))

    # ---- triangles ----

    def triu(self, diagonal: int = 0) -> Self:
        """Of the last two dimensions the part on and above a diagonal, zeros elsewhere.

        >>> Tensor.ones(2, 3).triu(1).tolist()
        [[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]
        """
        return self._triangle("triu", diagonal)

    def tril(self, diagonal: int = 0) -> Self:
        """Of the last two dimensions the part on and below a diagonal, zeros elsewhere.

        >>> Tensor.ones(2, 3).tril().tolist()
        [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
        """
        return self._triangle("tril", diagonal)

    def _triangle(self, what: str, diagonal: int) -> Self:
        if self.ndim < 2:
            fail(ShapeError, f"{what}: needs two dimensions or more, not shape {list(self.shape)}")
        kept = self._new(below_diagonal(self.shape[-2:], diagonal if what == "tril" else diagonal - 1))
        zero = self._new(const(0, self.dtype))
        return kept._choose(self, zero) if what == "tril" else kept._choose(zero, self)


_FARTHEST = 1 << 30  # beyond any matrix, and int32 holds more


def below_diagonal(shape: Sequence[Dim], diagonal: int) -> Node:
    """Whether each element of a matrix is on or below a diagonal (0 the main one, 1 the one above it)."""
    rows, columns = (positions(tuple(shape), axis) for axis in (0, 1))
    diagonal = max(-_FARTHEST, min(diagonal, _FARTHEST))
    return alu(Op.LT, columns, alu(Op.ADD, rows, const(diagonal + 1, dtypes.int32, tuple(shape))))
