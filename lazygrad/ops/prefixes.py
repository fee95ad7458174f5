"""Prefix operations along a dimension, differences, and sums over intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lazygrad.dtype import DTypeLike, as_dtype, dtypes
from lazygrad.errors import ArgumentError, DTypeError, ShapeError
from lazygrad.ir import node as graph
from lazygrad.ir.build import positions, shifted
from lazygrad.ir.op import Combine
from lazygrad.ops.core import Core, Operand, fail
from lazygrad.ops.joining import cat
from lazygrad.ops.order import Order
from lazygrad.ops.pairs import Indexed
from lazygrad.ops.precision import in_float

if TYPE_CHECKING:
    from typing_extensions import Self


class Prefixes(Order):
    """Scans, differences and integrals."""

    __slots__ = ()

    def _scan(self, combine: Combine, dim: int, dtype: DTypeLike | None = None) -> Self:
        widened = self.dtype if self.dtype.is_float else dtypes.int64
        x = self if combine is Combine.MAX else self.cast(as_dtype(dtype, widened))
        axis = self._axis(dim)
        return x._out(graph.scan(x._in(), combine, axis)) if self.ndim else x._apart()

    def cumsum(self, dim: int, *, dtype: DTypeLike | None = None) -> Self:
        """The sum of every element and those before it along `dim`; of bools and integers in int64 unless `dtype` is
        given.

        >>> Tensor([1, 2, 3]).cumsum(0).tolist()
        [1, 3, 6]
        """
        return self._scan(Combine.ADD, dim, dtype)

    def cumprod(self, dim: int, *, dtype: DTypeLike | None = None) -> Self:
        """The product of every element and those before it along `dim`; of bools and integers in int64 unless `dtype`
        is given.

        >>> Tensor([1, 2, 3]).cumprod(0).tolist()
        [1, 2, 6]
        """
        return self._scan(Combine.MUL, dim, dtype)

    def cummax(self, dim: int) -> Indexed[Self]:
        """(values, indices) of the largest of every element and those before it along `dim`, of equal ones the last;
        nan from the first nan on.

        >>> values, indices = Tensor([2, 1, 3]).cummax(0)
        >>> values.tolist(), indices.tolist()
        ([2, 2, 3], [0, 0, 2])
        """
        return self._extreme_so_far(self, dim)

    def cummin(self, dim: int) -> Indexed[Self]:
        """(values, indices) of the smallest of every element and those before it along `dim`, of equal ones the last;
        nan from the first nan on.

        >>> values, indices = Tensor([2, 3, 1]).cummin(0)
        >>> values.tolist(), indices.tolist()
        ([2, 2, 1], [0, 0, 2])
        """
        return self._extreme_so_far(self._reversed(), dim)

    def _extreme_so_far(self, size: Self, dim: int) -> Indexed[Self]:
        """The elements of greatest `size` so far."""
        axis = self._axis(dim)
        if not self.ndim:
            return Indexed(self._apart(), self._new(graph.const(0, dtypes.int64)))
        size = size.detach()
        largest = size._scan(Combine.MAX, axis)
        here = size.eq(largest)
        if self.dtype.is_float:
            here = here | size.isnan()
        place = self._new(positions(self.shape, axis))
        places = here._choose(place, 0)._scan(Combine.MAX, axis).cast(dtypes.int64)
        return Indexed(self._at_order(places, axis), places)

    @in_float
    def logcumsumexp(self, dim: int) -> Self:
        """log of the sum of exp of every element and those before it along `dim`, without overflow.

        Twice as many elements are joined in every step, in log2(n) kernels: a sum of exponentials, relative to one
        largest element, would lose those before it.

        >>> Tensor([0.0, 0.0, 1000.0]).logcumsumexp(0).tolist()
        [0.0, 0.6931471824645996, 1000.0]
        """
        axis = self._axis(dim)
        x, by = self, 1
        while self.ndim and by < self._known("logcumsumexp", axis):
            before = x._out(shifted(x._in(), axis, by, -math.inf))
            x, by = x._log_of_sum(before).contiguous(), 2 * by
        return x if x is not self else x._apart()

    def _log_of_sum(self, other: Self) -> Self:
        """log(exp(self) + exp(other)) of floats of one shape."""
        equal = self.eq(other)
        distance = equal._choose(0.0, (self - other).abs())  # inf - inf would be nan
        return self.maximum(other) + (-distance).exp().log1p()

    # ---- differences ----

    def diff(self, n: int = 1, dim: int = -1, prepend: Core | None = None, append: Core | None = None) -> Self:
        """Every element less the one before it along `dim`, `n` times; of bools whether they differ. `prepend` and
        `append` are put before and behind first.

        >>> Tensor([1, 4, 9]).diff().tolist(), Tensor([1, 4, 9]).diff(2).tolist()
        ([3, 5], [2])
        """
        if not self.ndim:
            fail(ShapeError, "diff: a 0-d tensor has no neighbours")
        axis = self._axis(dim)
        if n < 0:
            fail(ArgumentError, f"diff: n = {n}; it is how often neighbours are subtracted, 0 or more")
        if n == 0:
            return self._apart()
        around = [self._end(axis, x) for x in (prepend, append)]
        parts = [x for x in (around[0], self, around[1]) if x is not None]
        x: Self = cat(parts, axis) if len(parts) > 1 else self._apart()
        size = x.shape[axis]
        for _ in range(min(n, size) if isinstance(size, int) else n):
            later, earlier = x._ends(axis)
            x = later.ne(earlier) if x.dtype.is_bool else later - earlier
        return x

    def _end(self, axis: int, x: Core | None) -> Self | None:
        """What is put before or behind: a number fills one place."""
        if x is None:
            return None
        self._same_device("diff", x)
        if x.ndim:
            return x  # type: ignore[return-value]
        return self._beside(x).expand(tuple(1 if i == axis else n for i, n in enumerate(self.shape)))

    def _ends(self, axis: int) -> tuple[Self, Self]:
        """All but the first element along `axis`, and all but the last."""
        n = self.shape[axis]
        if n == 0:
            return self, self
        return self.narrow(axis, 1, n - 1), self.narrow(axis, 0, n - 1)

    # ---- integrals ----

    def trapezoid(self, x: Core | None = None, *, dx: float = 1, dim: int = -1) -> Self:
        """The integral along `dim` of lines between these values, which are `dx` apart, or at the places `x`.

        >>> Tensor([1.0, 3.0, 5.0]).trapezoid().item()
        6.0
        """
        return self._trapezoids("trapezoid", x, dx, dim).sum(dim)

    def cumulative_trapezoid(self, x: Core | None = None, *, dx: float = 1, dim: int = -1) -> Self:
        """The integrals of `trapezoid` up to every value but the first.

        >>> Tensor([1.0, 3.0, 5.0]).cumulative_trapezoid().tolist()
        [2.0, 6.0]
        """
        return self._trapezoids("cumulative_trapezoid", x, dx, dim).cumsum(dim)

    def _trapezoids(self, what: str, x: Core | None, dx: float, dim: int) -> Self:
        """The areas between neighbours."""
        axis = self._axis(dim)
        if not self.ndim:
            fail(ShapeError, f"{what}: a 0-d tensor has no neighbours")
        later, earlier = self._ends(axis)
        if x is None:
            return (later + earlier) * dx / 2
        places = self._beside(x)
        if places.ndim == 1:
            if places.shape[0] != self.shape[axis]:
                fail(ShapeError, f"{what}: {places.shape[0]} places for dim {dim} of shape {list(self.shape)}")
            places = places.reshape(tuple(-1 if i == axis else 1 for i in range(self.ndim)))
        after, before = places._ends(places._axis(axis - self.ndim))
        return (after - before) * (later + earlier) / 2

    def gradient(
        self, *, spacing: Any = None, dim: int | Sequence[int] | None = None, edge_order: int = 1
    ) -> list[Self]:
        """Slopes along each of `dim` (all of them): central differences inside, those of `edge_order` at the ends.

        `spacing`: the distance of neighbours (1), one for each dimension, or for each of them the places as a vector.
        Second order also where places are not evenly apart. ShapeError for less than edge_order + 1 elements.

        >>> [g.tolist() for g in Tensor([1.0, 2.0, 4.0, 8.0]).gradient()]
        [[1.0, 1.5, 3.0, 4.0]]
        """
        if edge_order not in (1, 2):
            fail(ArgumentError, f"gradient: edge_order is {edge_order}; it is 1 or 2")
        if self.dtype is dtypes.uint8:
            fail(DTypeError, "gradient: not defined for uint8; cast first")
        axes = [self._axis(d) for d in ([dim] if isinstance(dim, int) else range(self.ndim) if dim is None else dim)]
        spacing = 1 if spacing is None else spacing
        given = list(spacing) if isinstance(spacing, (list, tuple)) else [spacing] * len(axes)
        if len(given) != len(axes) or len(set(axes)) != len(axes):
            fail(ArgumentError, f"gradient: {len(given)} spacings for dims {axes}; each dim once, with one spacing")
        return [self._slopes(axis, step, edge_order) for axis, step in zip(axes, given)]

    def _slopes(self, axis: int, spacing: Operand, edge_order: int) -> Self:
        n = self._known("gradient", axis)
        if n < edge_order + 1:
            fail(ShapeError, f"gradient: {n} elements along dim {axis}; edge_order {edge_order} needs more")
        steps = self._steps(axis, spacing, n)
        later, earlier = self._ends(axis)
        slope = (later - earlier) / steps  # between neighbours
        ends = [slope.narrow(axis, 0, 1), slope.narrow(axis, n - 2, 1)]
        if n == 2:
            return cat(ends, axis)
        (s1, s0), (h1, h0) = slope._ends(axis), steps._ends(axis)
        if isinstance(spacing, Core) and spacing.ndim:
            inner = (s0 * h1 + s1 * h0) / (h0 + h1)
        else:  # evenly apart: the element between has no part in it
            inner = (self.narrow(axis, 2, n - 2) - self.narrow(axis, 0, n - 2)) / (h0 + h1)
        if edge_order == 2:  # the parabola through three places, at the outer one
            bend = (s1 - s0) / (h0 + h1)
            ends[0] = (s0 - bend * h0).narrow(axis, 0, 1)
            ends[1] = (s1 + bend * h1).narrow(axis, n - 3, 1)
        return cat([ends[0], inner, ends[1]], axis)

    def _steps(self, axis: int, spacing: Operand, n: int) -> Self:
        """The distances of neighbours along `axis`."""
        shape = tuple(n - 1 if i == axis else 1 for i in range(self.ndim))
        if isinstance(spacing, Core) and spacing.ndim:
            if spacing.shape != (n,):
                fail(ShapeError, f"gradient: places of shape {list(spacing.shape)} for {n} elements along dim {axis}")
            return self._beside(spacing).diff().reshape(shape)
        return self._beside(spacing).expand(shape)
