"""Writing elements by integer tensors: `scatter` and its kin, which give a new tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lazygrad.dtype import Scalar, dtypes
from lazygrad.errors import ArgumentError, DTypeError, ShapeError
from lazygrad.ir import node as graph
from lazygrad.ir.build import positions
from lazygrad.ir.node import Node, alu, const, where
from lazygrad.ir.op import Combine, Op
from lazygrad.ir.signature import at_most
from lazygrad.ops.broadcast import broadcast_to
from lazygrad.ops.core import Core, Operand, fail
from lazygrad.ops.inside import from_the_end, inside
from lazygrad.ops.joining import Joining
from lazygrad.ops.minmax import PlacedExtreme

if TYPE_CHECKING:
    from typing_extensions import Self

_REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")
_OF_SCATTER = {"add": "sum", "multiply": "prod"}


class Scattering(Joining):
    """Writing by integer tensors. Equal places: the later stays, or all are combined, in the order of the index."""

    __slots__ = ()

    def scatter(
        self,
        dim: int,
        index: Core,
        src: Operand | None = None,
        *,
        value: Operand | None = None,
        reduce: str | None = None,
    ) -> Self:
        """This tensor with self[i..., index[i..., k, j...], j...] = src[i..., k, j...] along `dim`.

        `src` is a tensor of at least the shape of `index`, or a number (which may be called `value`). Of equal places
        the later stays; with `reduce`, "add" or "multiply", all are combined with what is there. BoundsError, when a
        value is read, for places outside.

        >>> Tensor([0, 0, 0]).scatter(0, Tensor([2]), 7).tolist()
        [0, 0, 7]
        """
        if reduce is not None and reduce not in _OF_SCATTER:
            fail(ArgumentError, f"scatter: reduce {reduce!r} is neither 'add' nor 'multiply'; see scatter_reduce")
        given = value if src is None else src
        if given is None:
            fail(ArgumentError, "scatter: neither src nor value is given")
        return self._scatter("scatter", dim, index, given, "set" if reduce is None else _OF_SCATTER[reduce])

    def scatter_add(self, dim: int, index: Core, src: Operand) -> Self:
        """`scatter` that adds to what is there; equal places accumulate, in the order of `index`.

        >>> Tensor([0, 0, 1]).scatter_add(0, Tensor([2, 2]), Tensor([5, 6])).tolist()
        [0, 0, 12]
        """
        return self._scatter("scatter_add", dim, index, src, "sum")

    def scatter_reduce(self, dim: int, index: Core, src: Core, reduce: str, *, include_self: bool = True) -> Self:
        """`scatter` that combines equal places, and with `include_self` what is there, to their `reduce`.

        Args:
            reduce: "sum", "prod", "mean", "amax" or "amin" (equal extremes share the gradient). "prod" takes time in
                proportion to the places of `dim` times those of the index.

        >>> Tensor([1, 1]).scatter_reduce(0, Tensor([0, 0]), Tensor([2, 6]), "mean", include_self=False).tolist()
        [4, 1]
        """
        _check_reduction("scatter_reduce", reduce)
        return self._scatter("scatter_reduce", dim, index, src, reduce, include_self)

    def _scatter(self, what: str, dim: int, index: Core, src: Operand, reduce: str, include_self: bool = True) -> Self:
        self._check_index(what, index)
        if not self.ndim and index.ndim < 2:
            line: Any = index
            new_line = self._value_for(what, src).reshape(-1)
            return self.reshape(1)._scatter(what, dim, line.reshape(-1), new_line, reduce, include_self).reshape(())
        if isinstance(src, Core) and src.dtype is not self.dtype:
            fail(DTypeError, f"{what}: src is {src.dtype}, the tensor {self.dtype}; cast one of them first")
        axis = self._axis(dim)
        if 0 in index.shape:  # no places: PyTorch does not look at the dimensions
            return self._apart()
        new = self._value_for(what, src)
        if not new.ndim and not (isinstance(src, Core) and index.ndim):
            updates = broadcast_to(new._in(), index.shape)
        elif new.ndim == index.ndim and all(at_most(m, n) for n, m in zip(new.shape, index.shape)):
            updates = graph.shrink(new._in(), [(0, n) for n in index.shape])
        elif not new.ndim or not index.ndim:
            updates = (
                graph.reshape(new._in(), index.shape) if new.shape == (1,) else broadcast_to(new._in(), index.shape)
            )
        else:
            fail(ShapeError, f"{what}: src {list(new.shape)} is smaller than its index {list(index.shape)}")
        places = inside(what, index.node, self.shape[axis])
        return self._scattered(axis, places, new._out(updates), reduce, include_self)

    def _scattered(self, axis: int, places: Node, updates: Self, reduce: str, include_self: bool = True) -> Self:
        """`updates` at `places`, which have one shape, combined by `reduce` ("set": the later stays)."""
        if places.ndim == 0 and self.ndim == 1:
            places, updates = graph.reshape(places, (1,)), updates.reshape(1)
        combine = Combine.SET if reduce == "set" else Combine.ADD
        if reduce in ("amax", "amin"):
            return self._placed_extreme(axis, places, updates, reduce == "amin", include_self)
        base = self
        if not include_self:
            base = self._blank(axis, places, 1 if reduce == "prod" else 0)
        if reduce == "prod":
            return base._multiplied(axis, places, updates)
        value = base._out(graph.scatter(base._in(), places, updates._in(), axis, combine), updates)
        if reduce != "mean":
            return value
        kind = dtypes.int64 if self.dtype.is_int else self.dtype
        ones, zeros = const(1, kind, places.shape), const(0, kind, places.shape)
        own = const(1, kind, self.shape)
        own = own if include_self else graph.scatter(own, places, zeros, axis, Combine.SET)
        count = self._new(graph.scatter(own, places, ones, axis, Combine.ADD))
        return (value.floor_divide(count) if kind is dtypes.int64 else value / count).cast(self.dtype)

    def _blank(self, axis: int, places: Node, identity: Scalar) -> Self:
        """With `identity` at `places`."""
        blank = const(identity, self.dtype, places.shape)
        return self._out(graph.scatter(self._in(), places, blank, axis, Combine.SET))

    def _placed_extreme(self, axis: int, places: Node, updates: Self, least: bool, include_self: bool) -> Self:
        """With the largest, or the `least`, of all `updates` at each of their `places`."""
        given = [t._reversed() if least else t for t in (self.detach(), updates.detach())]
        base = given[0] if include_self else given[0]._blank(axis, places, self.dtype.min)
        largest = base._out(graph.scatter(base._in(), places, given[1]._in(), axis, Combine.MAX))
        value = (largest._reversed() if least else largest)._in()
        if not self.dtype.is_float:
            return self._new(value)
        inputs = (self._in(), updates._in(), value, places)
        return self._out(graph.call(value, inputs, PlacedExtreme(axis, include_self), 0), updates)

    def _multiplied(self, axis: int, places: Node, updates: Self) -> Self:
        """With the product of all `updates` at each of their `places`."""
        sizes = [*places.shape[: axis + 1], self.shape[axis], *places.shape[axis + 1 :]]
        here = broadcast_to(
            graph.reshape(graph.cast(places, dtypes.int64), _with_one(places.shape, axis + 1)), tuple(sizes)
        )
        each = positions(tuple(sizes), axis + 1, dtypes.int64)
        hit = self._new(
            where(alu(Op.NE, here, each), const(False, dtypes.bool, each.shape), const(True, dtypes.bool, each.shape))
        )
        factors = hit._choose(updates.unsqueeze(axis + 1).expand(tuple(sizes)), self._new(const(1, self.dtype)))
        product = factors._reduce(Combine.MUL, axis, False)
        missing = [(0, n - m) for n, m in zip(self.shape, product.shape)]
        return self * product._out(graph.pad(product._in(), missing, 1))

    # ---- along one dimension, by a vector ----

    def index_add(self, dim: int, index: Core, source: Core, *, alpha: float = 1) -> Self:
        """This tensor with alpha * source[k] added to its slice index[k] along `dim`, for every k.

        >>> Tensor([[1, 1], [1, 1]]).index_add(0, Tensor([1, 1]), Tensor([[1, 2], [3, 4]])).tolist()
        [[1, 1], [5, 7]]
        """
        added = source if alpha == 1 or not isinstance(source, Scattering) else source.mul(alpha).cast(source.dtype)
        return self._by_slices("index_add", dim, index, added, "sum")

    def index_copy(self, dim: int, index: Core, source: Core) -> Self:
        """This tensor with source[k] in the place of its slice index[k] along `dim`; of equal places the later stays.

        >>> Tensor([0, 0, 0]).index_copy(0, Tensor([2, 0]), Tensor([5, 6])).tolist()
        [6, 0, 5]
        """
        return self._by_slices("index_copy", dim, index, source, "set")

    def index_reduce(self, dim: int, index: Core, source: Core, reduce: str, *, include_self: bool = True) -> Self:
        """`scatter_reduce` of whole slices: source[k] goes to slice index[k] along `dim`. No "sum": see `index_add`.

        >>> Tensor([1, 5]).index_reduce(0, Tensor([0, 0]), Tensor([2, 3]), "prod").tolist()
        [6, 5]
        """
        _check_reduction("index_reduce", reduce)
        return self._by_slices("index_reduce", dim, index, source, reduce, include_self)

    def index_fill(self, dim: int, index: Core, value: Operand) -> Self:
        """This tensor with `value`, a number, in all slices that `index` names along `dim`, from the end if negative.

        >>> Tensor([1, 2, 3]).index_fill(0, Tensor([0, -1]), 9).tolist()
        [9, 2, 9]
        """
        self._check_index("index_fill", index)
        if isinstance(value, Core) and value.ndim:
            fail(ShapeError, f"index_fill: a value of shape {list(value.shape)}; it is one number")
        axis, n = self._axis(dim), self.shape[self._axis(dim)] if self.ndim else 1
        places = self._new(from_the_end("index_fill", index.node, n))
        filled: Any = self._value_for("index_fill", value) if not isinstance(value, Core) else self._beside(value)
        filled = filled.cast(self.dtype).expand(places.reshape(-1).shape[0])
        return self._by_slices("index_fill", axis, places, filled, "set")

    def _by_slices(
        self, what: str, dim: int, index: Core, source: Core, reduce: str, include_self: bool = True
    ) -> Self:
        """Slices of `source` (or single numbers for them) combined with those that `index` names."""
        self._check_index(what, index)
        self._same_device(what, source)
        if source.dtype is not self.dtype:
            fail(DTypeError, f"{what}: source is {source.dtype}, the tensor {self.dtype}; cast one of them first")
        x = self if self.ndim else self.reshape(1)
        axis = x._axis(dim)
        line, new = x._new(index.node).reshape(-1), x._new(source._in(), source.requires_grad)
        count = line.shape[0]
        wanted = (*x.shape[:axis], count, *x.shape[axis + 1 :])
        column = (*(1 for _ in x.shape[:axis]), count, *(1 for _ in x.shape[axis + 1 :]))
        new = new.reshape(1) if not new.ndim else new
        if index.ndim > 1 or (new.shape != wanted and (what != "index_fill" or new.shape != (count,))):
            shapes = f"index {list(index.shape)} and source {list(source.shape)} for dim {dim} of {list(self.shape)}"
            fail(ShapeError, f"{what}: {shapes}; the source has a slice for each of the index")
        if new.shape != wanted:
            new = new.reshape(column).expand(wanted)
        places = broadcast_to(graph.reshape(inside(what, line.node, x.shape[axis]), column), wanted)
        return x._scattered(axis, places, new, reduce, include_self).reshape(self.shape)

    def put(self, index: Core, source: Core, accumulate: bool = False) -> Self:
        """This tensor with `source` at `index`, counted as if all elements were in a row; negative ones from the end.

        With `accumulate`, they are added to what is there; else of equal places the later stays.

        >>> Tensor([[1, 2], [3, 4]]).put(Tensor([0, -1]), Tensor([8, 9])).tolist()
        [[8, 2], [3, 9]]
        """
        self._check_index("put", index)
        self._same_device("put", source)
        if source.dtype is not self.dtype:
            fail(DTypeError, f"put: source is {source.dtype}, the tensor {self.dtype}; cast one of them first")
        flat, line = self.reshape(-1), self._new(index.node).reshape(-1)
        new = self._new(source._in(), source.requires_grad).reshape(-1)
        if new.shape != line.shape:
            fail(ShapeError, f"put: index {list(index.shape)} and source {list(source.shape)} differ in their numbers")
        places = from_the_end("put", line.node, flat.shape[0])
        return flat._scattered(0, places, new, "sum" if accumulate else "set").reshape(self.shape)._apart()


def _check_reduction(what: str, reduce: Any) -> None:
    if reduce not in _REDUCTIONS:
        fail(ArgumentError, f"{what}: reduce {reduce!r} is none of {', '.join(_REDUCTIONS)}")


def _with_one(shape: Any, axis: int) -> tuple[Any, ...]:
    return (*shape[:axis], 1, *shape[axis:])
