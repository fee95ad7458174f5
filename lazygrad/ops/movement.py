"""Views: reshape, permute, expand and what is made of them. None of them copies; a view is a value, not an alias."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lazygrad.errors import ArgumentTypeError, BoundsError, ShapeError
from lazygrad.index.expr import Dim, Expr, as_dim, dim_product
from lazygrad.index.variable import integer
from lazygrad.ir import node as graph
from lazygrad.ir.signature import Shape
from lazygrad.ops import layout
from lazygrad.ops.broadcast import broadcast_to
from lazygrad.ops.core import Core, fail
from lazygrad.ops.operands import not_a_tensor
from lazygrad.ops.signatures import are_integers, described
from lazygrad.ops.sizes import Sizes

if TYPE_CHECKING:
    from typing_extensions import Self


def as_shape(sizes: Sequence[Any], what: str) -> Shape:
    """`f(2, 3)` and `f((2, 3))` mean the same: the shape, checked to hold sizes."""
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = sizes[0]
    return tuple(as_dim(n) if isinstance(n, Expr) else _integer(n, what) for n in sizes)


def _integer(n: Any, what: str) -> int:
    if (value := integer(n)) is None:
        fail(ShapeError, f"{what}: sizes are integers, not {described(n)}")
    return value


class Movement(Sizes):
    """Views."""

    __slots__ = ()

    def _known(self, what: str, dim: int) -> int:
        """The size of dimension `dim`. ShapeError for one with variables: what `what` makes depends on it."""
        n = self.shape[self._axis(dim)]
        if isinstance(n, Expr):
            fail(ShapeError, f"{what}: dim {dim} of shape {list(self.shape)} must be a number; {n} is not known yet")
        return n

    # ---- other sizes for the same elements ----

    def reshape(self, *shape: Any) -> Self:
        """The elements in row-major order under another shape; one size may be -1 (what is left); None keeps one.

        >>> Tensor.arange(6).reshape(2, -1)
        tensor([[0, 1, 2],
                [3, 4, 5]])
        """
        if None in shape or (len(shape) == 1 and isinstance(shape[0], (tuple, list)) and None in shape[0]):
            given = shape[0] if isinstance(shape[0], (tuple, list)) else shape
            shape = tuple(self.shape[self._axis(i)] if n is None else n for i, n in enumerate(given))
        new = self._fill_in(as_shape(shape, "reshape"))
        return self._view(graph.reshape(self._in(), new), layout.reshaped, new)

    def _fill_in(self, shape: Shape) -> Shape:
        """`shape` with its -1 replaced; ShapeError when the elements do not fit."""
        have = dim_product(self.shape)
        if -1 in shape:
            known = dim_product(n for n in shape if n != -1)
            if isinstance(known, Expr) and known.lo < 1:
                fail(ShapeError, f"reshape: {list(shape)} leaves what is left open where {known} is 0; say all sizes")
            if shape.count(-1) > 1 or known == 0 or (isinstance(have, int) and isinstance(known, int) and have % known):
                fail(ShapeError, f"reshape: {have} elements cannot have shape {list(shape)}; at most one size is -1")
            shape = tuple(have // known if n == -1 else n for n in shape)
        if any(isinstance(n, int) and n < 0 for n in shape):
            fail(ShapeError, f"reshape: {list(shape)} holds a negative size")
        return shape

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Self:
        """Dimensions `start_dim` to `end_dim` (both included) as one.

        >>> Tensor.zeros(2, 3, 4).flatten(1).shape
        (2, 12)
        """
        first, last = self._axis(start_dim), self._axis(end_dim)
        if first > last:
            fail(ShapeError, f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
        return self.reshape(*self.shape[:first], dim_product(self.shape[first : last + 1]), *self.shape[last + 1 :])

    def unflatten(self, dim: int, sizes: Sequence[int]) -> Self:
        """Dimension `dim` as several of `sizes`, of which one may be -1.

        >>> Tensor.zeros(2, 12).unflatten(1, (3, -1)).shape
        (2, 3, 4)
        """
        axis = self._axis(dim)
        n, known = self.shape[axis], dim_product(s for s in sizes if s != -1)
        if -1 in sizes and known != 0:
            sizes = [n // known if s == -1 else s for s in sizes]  # type: ignore[misc]
        if dim_product(sizes) != n:
            fail(ShapeError, f"unflatten: dim {dim} of shape {list(self.shape)} cannot be split into {list(sizes)}")
        return self.reshape(*self.shape[:axis], *sizes, *self.shape[axis + 1 :])

    def squeeze(self, dim: int | Sequence[int] | None = None) -> Self:
        """Without the dimensions of size 1 (those of `dim` only, if given; other sizes stay).

        >>> Tensor.zeros(1, 3, 1).squeeze().shape, Tensor.zeros(1, 3, 1).squeeze(0).shape
        ((3,), (3, 1))
        """
        axes = self._axes(dim)
        return self.reshape(tuple(n for i, n in enumerate(self.shape) if not (i in axes and n == 1)))

    def unsqueeze(self, dim: int) -> Self:
        """With a dimension of size 1 at `dim`.

        >>> Tensor.zeros(3).unsqueeze(-1).shape
        (3, 1)
        """
        axis = self._axis(dim, 1)
        return self.reshape((*self.shape[:axis], 1, *self.shape[axis:]))

    # ---- another order ----

    def permute(self, *dims: Any) -> Self:
        """Dimension k of the result is dimension dims[k] of this tensor.

        >>> Tensor.zeros(2, 3, 4).permute(2, 0, 1).shape
        (4, 2, 3)
        """
        order = [self._axis(d) for d in as_shape(dims, "permute")]  # type: ignore[arg-type]
        if sorted(order) != list(range(self.ndim)):
            fail(ShapeError, f"permute: {list(order)} is not an order of the {self.ndim} dimensions {list(self.shape)}")
        return self._view(graph.permute(self._in(), order), layout.permuted, order)

    def transpose(self, dim0: int = 1, dim1: int = 0) -> Self:
        """With two dimensions exchanged.

        >>> Tensor.zeros(2, 3, 4).transpose(-1, -2).shape
        (2, 4, 3)
        """
        a, b = self._axis(dim0), self._axis(dim1)
        order = list(range(self.ndim))
        if order:
            order[a], order[b] = order[b], order[a]
        return self._view(graph.permute(self._in(), order), layout.permuted, order)

    def t(self) -> Self:
        """The transpose of a matrix; vectors and scalars as they are. ShapeError for more dimensions.

        >>> Tensor([[1, 2]]).t().tolist()
        [[1], [2]]
        """
        if self.ndim > 2:
            fail(ShapeError, f"t: {self.ndim} dimensions {list(self.shape)}; use .mT or .transpose(dim0, dim1)")
        return self.permute(*range(self.ndim)[::-1])

    @property
    def T(self) -> Self:  # noqa: N802 - PyTorch's name
        """Dimensions in reverse order.

        >>> Tensor.zeros(2, 3).T.shape
        (3, 2)
        """
        order = range(self.ndim)[::-1]
        return self._view(graph.permute(self._in(), order), layout.permuted, order)

    @property
    def mT(self) -> Self:  # noqa: N802 - PyTorch's name
        """The last two dimensions exchanged.

        >>> Tensor.zeros(5, 2, 3).mT.shape
        (5, 3, 2)
        """
        if self.ndim < 2:
            fail(ShapeError, f"mT: needs two dimensions or more, not shape {list(self.shape)}")
        return self.transpose(-1, -2)

    def movedim(self, source: int | Sequence[int], destination: int | Sequence[int]) -> Self:
        """With dimensions `source` moved to places `destination`; the others keep their order.

        >>> Tensor.zeros(2, 3, 4).movedim(0, -1).shape, Tensor.zeros(2, 3, 4).movedim((0, 1), (1, 0)).shape
        ((3, 4, 2), (3, 2, 4))
        """
        pair = [(d,) if isinstance(d, int) else tuple(d) for d in (source, destination)]
        moved, places = ([self._axis(d) for d in dims] for dims in pair)
        if len(moved) != len(places) or len({*moved}) < len(moved) or len({*places}) < len(places):
            fail(ShapeError, f"movedim: from {source} to {destination}; each dim goes to a place of its own")
        rest = iter([i for i in range(self.ndim) if i not in moved])
        order = [moved[places.index(i)] if i in places else next(rest) for i in range(self.ndim)]
        return self._view(graph.permute(self._in(), order), layout.permuted, order)

    def flip(self, *dims: Any) -> Self:
        """Elements in reverse order along `dims`.

        >>> Tensor([1, 2, 3]).flip(0).tolist()
        [3, 2, 1]
        """
        return self._out(graph.flip(self._in(), self._axes(as_shape(dims, "flip"))))  # type: ignore[arg-type]

    # ---- more elements, or fewer ----

    def expand(self, *sizes: Any) -> Self:
        """Dimensions of size 1 repeated to `sizes` (-1: as it is), new ones in front. ShapeError for other sizes.

        >>> Tensor([[1], [2]]).expand(-1, 3).tolist()
        [[1, 1, 1], [2, 2, 2]]
        """
        wanted = as_shape(sizes, "expand")
        new = len(wanted) - self.ndim
        if new < 0:
            fail(ShapeError, f"expand: {list(wanted)} has fewer dimensions than shape {list(self.shape)}")
        shape = tuple(self.shape[i - new] if n == -1 and i >= new else n for i, n in enumerate(wanted))
        if any(have not in (1, n) for have, n in zip(self.shape, shape[new:])) or -1 in shape:
            fail(ShapeError, f"expand: shape {list(self.shape)} cannot become {list(wanted)}: only size 1 repeats")
        return self._view(broadcast_to(self._in(), shape), layout.expanded, shape)

    def expand_as(self, other: Core) -> Self:
        """`expand` to the shape of `other`.

        >>> Tensor([1]).expand_as(Tensor.zeros(2, 2)).tolist()
        [[1, 1], [1, 1]]
        """
        if not isinstance(other, Core):
            not_a_tensor("expand_as", other)
        return self.expand(other.shape)

    def broadcast_to(self, *shape: Any) -> Self:
        """`expand`, by NumPy's name.

        >>> Tensor([1]).broadcast_to(3).tolist()
        [1, 1, 1]
        """
        return self.expand(*shape)

    def shrink(self, bounds: Sequence[tuple[Dim, Dim]]) -> Self:
        """Elements start to stop (not included) of every dimension.

        >>> Tensor.arange(6).shrink([(1, 4)]).tolist()
        [1, 2, 3]
        """
        if len(bounds) != self.ndim:
            fail(ShapeError, f"shrink: {len(bounds)} bounds for shape {list(self.shape)}")
        if not all(are_integers(bound) and len(bound) == 2 for bound in bounds):
            fail(ArgumentTypeError, f"shrink: bounds are pairs of integers (start, stop), not {described(bounds)}")
        slices = [(start, 1, stop - start) for start, stop in bounds]
        return self._view(graph.shrink(self._in(), list(bounds)), layout.taken, (slices, range(self.ndim)))

    def narrow(self, dim: int, start: Dim | Core, length: Dim) -> Self:
        """`length` elements of dimension `dim` from `start`. BoundsError where they do not exist.

        A tensor as `start` is read at once; a `Variable` is not.

        >>> Tensor.arange(6).narrow(0, 2, 3).tolist()
        [2, 3, 4]
        """
        if not self.ndim:
            fail(ShapeError, "narrow: a 0-d tensor has no dimension to cut")
        axis = self._axis(dim)
        n = self.shape[axis]
        if isinstance(start, Core):
            if start.ndim or not start.dtype.is_int:
                fail(ShapeError, f"narrow: the start is one integer, not {start.dtype}{list(start.shape)}")
            start = _integer(start, "narrow")
        first = start + n if isinstance(start, int) and start < 0 else start
        known = isinstance(n, int) and isinstance(first, int) and isinstance(length, int)
        if known and not 0 <= first <= first + length <= n:  # type: ignore[operator]
            fail(BoundsError, f"narrow: {length} elements from {start} are not in dim {dim} of {list(self.shape)}")
        bounds: list[tuple[Dim, Dim]] = [(0, size) for size in self.shape]
        bounds[axis] = (first, first + length)
        return self.shrink(bounds)

    def contiguous(self, memory_format: Any = None) -> Self:
        """The same values, which will be stored: what is computed from them reads them instead of computing again.

        `memory_format` is accepted: a tensor's elements are always in row-major order.

        >>> Tensor([1, 2]).contiguous().tolist()
        [1, 2]
        """
        return self._view(graph.contiguous(self._in()), layout.contiguous)
