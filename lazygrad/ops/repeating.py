"""Elements repeated as often as numbers say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lazygrad.dtype import dtypes
from lazygrad.engine.run import upload
from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.index.expr import Expr
from lazygrad.ir.build import positions
from lazygrad.ops.core import Core, fail
from lazygrad.ops.host_values import on_host
from lazygrad.ops.operands import not_a_tensor
from lazygrad.ops.selecting import Selecting

if TYPE_CHECKING:
    from typing_extensions import Self


class Repeating(Selecting):
    """Repeating."""

    __slots__ = ()

    def repeat_interleave(
        self, repeats: int | Core | None = None, dim: int | None = None, *, output_size: int | None = None
    ) -> Self:
        """Every element repeated beside itself along `dim` (None: of the flattened tensor).

        A tensor of `repeats` has a number for each place of `dim`, or one for all. It is realized, since the shape
        depends on it, unless `output_size`, their sum, is given. Without `repeats` this tensor is the counts, and the
        result is the places of `Tensor.arange(n)` so repeated.

        >>> Tensor([1, 2]).repeat_interleave(2).tolist(), Tensor([5, 7]).repeat_interleave(Tensor([1, 2])).tolist()
        ([1, 1, 2, 2], [5, 7, 7])
        """
        if repeats is None:
            places = self._new(positions(self.shape, 0, dtypes.int64)) if self.ndim == 1 else self
            return places.repeat_interleave(self, 0, output_size=output_size)
        x = self.flatten() if dim is None else self
        axis = 0 if dim is None else x._axis(dim)
        if isinstance(repeats, Core):
            return x._repeated(self._beside(repeats), axis, output_size)
        if isinstance(repeats, bool) or not isinstance(repeats, (int, np.integer, Expr)):
            not_a_tensor("repeat_interleave", repeats, "an integer or a Tensor of them")
        if repeats < 0:
            fail(ArgumentError, f"repeat_interleave: {repeats} times; that is less than 0")
        x = x.reshape(1) if not x.ndim else x
        shape = x.shape
        wide = (*shape[: axis + 1], repeats, *shape[axis + 1 :])
        repeated = x.unsqueeze(axis + 1).expand(wide)
        return repeated.reshape((*shape[:axis], shape[axis] * repeats, *shape[axis + 1 :]))._apart()

    def _repeated(self, counts: Self, axis: int, output_size: int | None) -> Self:
        """Place i of `axis` counts[i] times."""
        x = self.reshape(1) if not self.ndim else self
        if counts.ndim > 1 or not counts.dtype.is_int or (counts.ndim and counts.shape[0] not in (1, x.shape[axis])):
            what = f"counts of {counts.dtype}{list(counts.shape)} for dim {axis} of shape {list(x.shape)}"
            fail(ShapeError, f"repeat_interleave: {what}; they are a vector of integers, one for each place")
        counts = counts.reshape(-1).expand(x.shape[axis]).cast(dtypes.int64)
        if output_size is None:
            host = on_host(counts)
            if host.size and host.min() < 0:
                fail(ArgumentError, f"repeat_interleave: {int(host.min())} times; that is less than 0")
            places = self._new(upload(np.repeat(np.arange(host.size), host), dtypes.int64, self.device))
            return x.index_select(axis, places)
        ends = counts.cumsum(0)
        place = self._new(positions((output_size,), 0, dtypes.int64))
        return x.index_select(axis, place.unsqueeze(1).ge(ends).sum(1))
