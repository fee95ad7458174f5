"""Joining, splitting, repeating and cutting triangles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from lazygrad.dtype import dtypes
from lazygrad.errors import ArgumentError, OperandError, ShapeError
from lazygrad.index.expr import Dim, as_dim
from lazygrad.ir import node as graph
from lazygrad.ir.build import positions
from lazygrad.ir.node import Node, alu, cast, const
from lazygrad.ir.op import Op
from lazygrad.ops import layout
from lazygrad.ops.core import Core, fail, promote_shaped
from lazygrad.ops.indexing import Indexing
from lazygrad.ops.movement import as_shape
from lazygrad.ops.operands import not_a_tensor

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T", bound="Joining")


class Joining(Indexing):
    """Joining, splitting, repeating."""

    __slots__ = ()

    def repeat(self, *repeats: Any) -> Self:
        """The whole tensor repeated along each dimension; more numbers than dimensions add dimensions in front.

        >>> Tensor([1, 2]).repeat(2, 2).tolist()
        [[1, 2, 1, 2], [1, 2, 1, 2]]
        """
        times = as_shape(repeats, "repeat")
        if len(times) < self.ndim:
            fail(ShapeError, f"repeat: {list(times)} has fewer numbers than shape {list(self.shape)} has dimensions")
        shape = (1,) * (len(times) - self.ndim) + self.shape
        between = [n for pair in zip((1,) * len(shape), shape) for n in pair]
        expanded = [n for pair in zip(times, shape) for n in pair]
        repeated = self.reshape(between).expand(expanded)
        return repeated.reshape(tuple(t * n for t, n in zip(times, shape)))._apart()

    def tile(self, *dims: Any) -> Self:
        """`repeat`, where fewer numbers than dimensions repeat the last ones.

        >>> Tensor([[1, 2]]).tile(2).tolist()
        [[1, 2, 1, 2]]
        """
        times = as_shape(dims, "tile")
        return self.repeat((1,) * (self.ndim - len(times)) + times)

    def repeat_interleave(self, repeats: int, dim: int | None = None) -> Self:
        """Every element repeated beside itself along `dim` (None: of the flattened tensor).

        >>> Tensor([1, 2]).repeat_interleave(2).tolist()
        [1, 1, 2, 2]
        """
        x = self.flatten() if dim is None else self
        axis = 0 if dim is None else x._axis(dim)
        shape = x.shape
        wide = (*shape[: axis + 1], repeats, *shape[axis + 1 :])
        repeated = x.unsqueeze(axis + 1).expand(wide)
        return repeated.reshape((*shape[:axis], shape[axis] * repeats, *shape[axis + 1 :]))._apart()

    def split(self, split_size: int | Sequence[Dim], dim: int = 0) -> list[Self]:
        """Pieces of `split_size` along `dim` (the last may be smaller), or of the sizes given.

        >>> [x.tolist() for x in Tensor.arange(5).split(2)]
        [[0, 1], [2, 3], [4]]
        """
        if isinstance(split_size, int):
            if split_size < 1:
                fail(ArgumentError, f"split: pieces of size {split_size}")
            n = self._known("split", dim)
            sizes: list[Dim] = [min(split_size, n - start) for start in range(0, max(n, 1), split_size)]
        else:
            sizes = list(split_size)
        if as_dim(sum(sizes)) != self.shape[self._axis(dim)]:
            fail(ShapeError, f"split: pieces of {sizes} do not add up to dim {dim} of shape {list(self.shape)}")
        return [self.narrow(dim, sum(sizes[:i]), size) for i, size in enumerate(sizes)]

    def chunk(self, chunks: int, dim: int = 0) -> list[Self]:
        """At most `chunks` pieces of equal size along `dim`, but for the last.

        >>> [x.tolist() for x in Tensor.arange(5).chunk(2)]
        [[0, 1, 2], [3, 4]]
        """
        return self.split(max(1, -(-self._known("chunk", dim) // chunks)), dim)

    def unbind(self, dim: int = 0) -> list[Self]:
        """The slices of `dim`, without it.

        >>> [x.tolist() for x in Tensor([[1, 2], [3, 4]]).unbind(1)]
        [[1, 3], [2, 4]]
        """
        if not self.ndim:
            fail(ShapeError, "unbind: a 0-d tensor has no dimension to take apart")
        if self.shape[self._axis(dim)] == 0:
            return []
        return [piece.squeeze(dim) for piece in self.split(1, dim)]

    def roll(self, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Self:
        """Elements moved `shifts` places towards the end of `dims`, those that fall off entering at the start.

        >>> Tensor([1, 2, 3, 4]).roll(1).tolist()
        [4, 1, 2, 3]
        """
        distances = (shifts,) if isinstance(shifts, int) else tuple(shifts)
        along = (dims,) if isinstance(dims, int) else () if dims is None else tuple(dims)
        if len(distances) != max(len(along), 1):
            fail(ArgumentError, f"roll: {len(distances)} shifts for {len(along)} dims; each dim needs one")
        if along and not self.ndim:
            fail(ShapeError, f"roll: a 0-d tensor has no dims {list(along)}")
        if not along:
            return self.flatten().roll(distances[0], 0).reshape(self.shape)
        x = self
        for shift, dim in zip(distances, along):
            n = x._known("roll", dim)
            if n and shift % n:
                left = n - shift % n
                x = cat([x.narrow(dim, left, n - left), x.narrow(dim, 0, left)], dim)
        return x._apart()

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

    def diagonal(self) -> Self:
        """The diagonal of a matrix. ShapeError for other tensors.

        >>> Tensor([[1, 2, 3], [4, 5, 6]]).diagonal().tolist()
        [1, 5]
        """
        if self.ndim != 2:
            fail(ShapeError, f"diagonal: needs a matrix, not shape {list(self.shape)}")
        k = min(self._known("diagonal", 0), self._known("diagonal", 1))
        square = self.shrink([(0, k), (0, k)]).flatten().pad((0, k)).reshape(k, k + 1)
        return self._view(square.narrow(1, 0, 1).reshape(k)._in(), layout.diagonal, (0, k))


def below_diagonal(shape: Sequence[Dim], diagonal: int) -> Node:
    """Whether each element of a matrix is on or below a diagonal (0 the main one, 1 the one above it)."""
    rows, columns = (positions(tuple(shape), axis) for axis in (0, 1))
    return alu(Op.LT, columns, alu(Op.ADD, rows, const(diagonal + 1, dtypes.int32, tuple(shape))))


def cat(tensors: Sequence[T], dim: int = 0) -> T:
    """The tensors behind each other along `dim`; their other sizes are equal, their dtypes promote.

    >>> from lazygrad import Tensor
    >>> cat([Tensor([1, 2]), Tensor([3])]).tolist()
    [1, 2, 3]
    """
    _check_tensors("cat", tensors)
    first = tensors[0]
    axis = first._axis(dim)
    parts = [t._in() for t in tensors]
    dtype = parts[0].dtype
    for t, part in zip(tensors, parts):
        first._same_device("cat", t)
        same = len(part.shape) == first.ndim and all(
            a == b for i, (a, b) in enumerate(zip(part.shape, first.shape)) if i != axis
        )
        if not same or not first.ndim:
            shapes = ", ".join(str(list(t.shape)) for t in tensors)
            fail(ShapeError, f"cat: shapes {shapes} differ in more than dim {dim}")
        dtype = promote_shaped(const(0, dtype), const(0, part.dtype))
    sizes = [p.shape[axis] for p in parts]
    total: Dim = sum(sizes)
    padded, offset = [], 0
    for part, size in zip(parts, sizes):
        pads: list[tuple[Dim, Dim]] = [(0, 0)] * part.ndim
        pads[axis] = (offset, total - offset - size)
        padded.append(graph.pad(cast(part, dtype), pads, -0.0 if dtype.is_float else 0))  # x + -0.0 is x, also for -0.0
        offset = offset + size  # type: ignore[assignment]
    return first._out(_sum_of(padded), *tensors[1:])


def _sum_of(nodes: list[Node]) -> Node:
    """A balanced sum, so that its depth grows with the logarithm of the number of terms."""
    while len(nodes) > 1:
        pairs = [alu(Op.ADD, a, b) for a, b in zip(nodes[::2], nodes[1::2])]
        nodes = pairs + nodes[len(pairs) * 2 :]
    return nodes[0]


def _check_tensors(what: str, tensors: Any) -> None:
    """ArgumentError for no tensors, OperandError for one tensor alone and for what is none."""
    if isinstance(tensors, Core):
        fail(OperandError, f"{what} takes a list of Tensors, not one Tensor; put it in a list: [x]")
    if not isinstance(tensors, Sequence):
        not_a_tensor(what, tensors, "a list of Tensors")
    if not tensors:
        fail(ArgumentError, f"{what}: no tensors")
    for t in tensors:
        if not isinstance(t, Core):
            not_a_tensor(what, t, "Tensors")


def stack(tensors: Sequence[T], dim: int = 0) -> T:
    """Tensors of one shape beside each other along a new dimension `dim`.

    >>> from lazygrad import Tensor
    >>> stack([Tensor([1, 2]), Tensor([3, 4])]).tolist()
    [[1, 2], [3, 4]]
    """
    _check_tensors("stack", tensors)
    if any(t.shape != tensors[0].shape for t in tensors):
        fail(ShapeError, f"stack: shapes {', '.join(str(list(t.shape)) for t in tensors)} differ")
    return cat([t.unsqueeze(dim) for t in tensors], dim)


def where(condition: Core, a: T | float, b: T | float) -> T:
    """`a` where `condition` is true, else `b`; all three broadcast, and one of them at least is a tensor.

    >>> from lazygrad import Tensor
    >>> where(Tensor([True, False]), Tensor([1, 2]), 0).tolist()
    [1, 0]
    """
    if not isinstance(condition, Core):
        not_a_tensor("where", condition, "a Tensor as its condition")
    one = a if isinstance(a, Core) else b if isinstance(b, Core) else condition
    assert isinstance(one, Joining)
    mask = one._new(condition.node)
    if not condition.dtype.is_bool:
        fail(ArgumentError, f"where: the condition is {condition.dtype}, not bool")
    return mask._choose(a, b)  # type: ignore[return-value]
