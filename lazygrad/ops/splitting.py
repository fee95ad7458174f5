"""Splitting along a dimension: every piece is a view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.index.expr import Dim, as_dim
from lazygrad.ops.arguments import steps
from lazygrad.ops.core import Core, fail
from lazygrad.ops.movement import Movement

if TYPE_CHECKING:
    from typing_extensions import Self


class Splitting(Movement):
    """Splitting."""

    __slots__ = ()

    def split(self, split_size: int | Sequence[Dim], dim: int = 0) -> tuple[Self, ...]:
        """Pieces of `split_size` along `dim` (the last may be smaller), or of the sizes given.

        >>> [x.tolist() for x in Tensor.arange(5).split(2)]
        [[0, 1], [2, 3], [4]]
        """
        if not self.ndim:
            fail(ShapeError, "split: a 0-d tensor has no dimension to cut")
        if isinstance(split_size, int):
            n = self._known("split", dim)
            if split_size < 0 or (split_size == 0 and n):
                fail(ArgumentError, f"split: pieces of size {split_size}")
            step = max(split_size, 1)
            sizes: list[Dim] = [min(step, n - start) for start in range(0, max(n, 1), step)]
        else:
            sizes = list(split_size)
        if any(isinstance(n, int) and n < 0 for n in sizes):
            fail(ArgumentError, f"split: pieces of {sizes}, of which some are less than 0")
        if as_dim(sum(sizes)) != self.shape[self._axis(dim)]:
            fail(ShapeError, f"split: pieces of {sizes} do not add up to dim {dim} of shape {list(self.shape)}")
        return tuple(self.narrow(dim, sum(sizes[:i]), size) for i, size in enumerate(sizes))

    def split_with_sizes(self, split_sizes: Sequence[Dim], dim: int = 0) -> tuple[Self, ...]:
        """Pieces of these sizes along `dim`.

        >>> [x.tolist() for x in Tensor.arange(3).split_with_sizes([1, 2])]
        [[0], [1, 2]]
        """
        return self.split(split_sizes, dim)

    def chunk(self, chunks: int, dim: int = 0) -> tuple[Self, ...]:
        """At most `chunks` pieces of equal size along `dim`, but for the last.

        >>> [x.tolist() for x in Tensor.arange(5).chunk(2)]
        [[0, 1, 2], [3, 4]]
        """
        if not self.ndim:
            fail(ShapeError, "chunk: a 0-d tensor has no dimension to cut")
        if chunks < 1:
            fail(ArgumentError, f"chunk: {chunks} chunks; there is at least 1")
        n = self._known("chunk", dim)
        return self.split(-(-n // chunks), dim) if n else tuple(self.narrow(dim, 0, 0) for _ in range(chunks))

    def tensor_split(self, indices_or_sections: int | Sequence[int] | Core, dim: int = 0) -> tuple[Self, ...]:
        """So many pieces along `dim`, the first ones an element longer where that does not come out even; or the pieces
        between the places given, as slices take them.

        A tensor of places, or of one number, is realized.

        >>> [x.tolist() for x in Tensor.arange(5).tensor_split(2)]
        [[0, 1, 2], [3, 4]]
        >>> [x.tolist() for x in Tensor.arange(5).tensor_split([1])]
        [[0], [1, 2, 3, 4]]
        """
        given: Any = indices_or_sections
        if isinstance(given, Core):
            if given.dtype.is_float or given.dtype.is_bool or given.ndim > 1:
                fail(ArgumentError, f"tensor_split: places are integers, not {given.dtype}{list(given.shape)}")
            given = given.tolist()  # type: ignore[attr-defined]
        if not self.ndim:
            fail(ShapeError, "tensor_split: a 0-d tensor has no dimension to cut")
        n = self._known("tensor_split", dim)
        if isinstance(given, int):
            if given < 1:
                fail(ArgumentError, f"tensor_split: {given} sections; there is at least 1")
            given = steps("tensor_split", "the number of sections", given, 1 << 20)
            longer = n % given
            return self.split([n // given + (i < longer) for i in range(given)], dim)
        ends = [slice(0, int(i)).indices(n)[1] for i in given]
        starts = [0, *(slice(int(i), None).indices(n)[0] for i in given)]
        return tuple(self.narrow(dim, a, max(b - a, 0)) for a, b in zip(starts, [*ends, n]))

    def hsplit(self, indices_or_sections: int | Sequence[int]) -> tuple[Self, ...]:
        """`tensor_split` along the columns (of a vector: its elements); a number of sections has to come out even.

        >>> [x.tolist() for x in Tensor.arange(4).hsplit(2)]
        [[0, 1], [2, 3]]
        """
        return self._even("hsplit", indices_or_sections, min(1, self.ndim - 1), 1)

    def vsplit(self, indices_or_sections: int | Sequence[int]) -> tuple[Self, ...]:
        """`tensor_split` along the rows; a number of sections has to come out even.

        >>> [x.tolist() for x in Tensor([[1], [2]]).vsplit(2)]
        [[[1]], [[2]]]
        """
        return self._even("vsplit", indices_or_sections, 0, 2)

    def dsplit(self, indices_or_sections: int | Sequence[int]) -> tuple[Self, ...]:
        """`tensor_split` along dimension 2; a number of sections has to come out even.

        >>> [x.tolist() for x in Tensor([[[1, 2]]]).dsplit(2)]
        [[[[1]]], [[[2]]]]
        """
        return self._even("dsplit", indices_or_sections, 2, 3)

    def _even(self, what: str, sections: int | Sequence[int], dim: int, dims: int) -> tuple[Self, ...]:
        if self.ndim < dims:
            fail(ShapeError, f"{what}: needs {dims} dimensions or more, not shape {list(self.shape)}")
        if isinstance(sections, int) and (sections < 1 or self._known(what, dim) % sections):
            fail(ArgumentError, f"{what}: dim {dim} of shape {list(self.shape)} is not {sections} equal pieces")
        return self.tensor_split(sections, dim)

    def unbind(self, dim: int = 0) -> tuple[Self, ...]:
        """The slices of `dim`, without it.

        >>> [x.tolist() for x in Tensor([[1, 2], [3, 4]]).unbind(1)]
        [[1, 3], [2, 4]]
        """
        if not self.ndim:
            fail(ShapeError, "unbind: a 0-d tensor has no dimension to take apart")
        if self.shape[self._axis(dim)] == 0:
            return ()
        return tuple(piece.squeeze(dim) for piece in self.split(1, dim))
