"""Choosing elements by masks. How many there are, the values decide: those forms realize; `size=` fixes it instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazygrad.dtype import Scalar, dtypes
from lazygrad.errors import ArgumentError, DTypeError
from lazygrad.index.expr import dim_product
from lazygrad.ir import node as graph
from lazygrad.ir.build import positions
from lazygrad.ops.arguments import number
from lazygrad.ops.broadcast import broadcast_shape, broadcast_to
from lazygrad.ops.core import Core, fail
from lazygrad.ops.host_values import mask_values
from lazygrad.ops.inside import inside
from lazygrad.ops.prefixes import Prefixes
from lazygrad.ops.scattering import Scattering

if TYPE_CHECKING:
    from typing_extensions import Self


class Selecting(Scattering, Prefixes):
    """Elements where a mask is true."""

    __slots__ = ()

    def nonzero(self, *, as_tuple: bool = False, size: int | None = None, fill_value: int = 0) -> Any:
        """The places of the elements that are not zero, (how many, ndim); realizes this tensor.

        Args:
            as_tuple: a vector for each dimension instead, as an index takes them.
            size: how many rows there are: further ones are dropped, missing ones are `fill_value`. Nothing is
                realized, and it works under `jit`.

        >>> Tensor([[0, 5], [7, 0]]).nonzero().tolist(), Tensor([0, 5]).nonzero(size=2, fill_value=-1).tolist()
        ([[0, 1], [1, 0]], [[1], [-1]])
        """
        x = self.reshape(1) if as_tuple and not self.ndim else self
        if size is None:
            found = x._from_host(np.argwhere(mask_values(x.bool())).astype(np.int64))
        else:
            found = x.nonzero_static(size=size, fill_value=fill_value)
        return found.unbind(1) if as_tuple else found

    def nonzero_static(self, *, size: int, fill_value: int = -1) -> Self:
        """The places of the first `size` elements that are not zero, (size, ndim); rows of `fill_value` behind them.

        >>> Tensor([0, 5]).nonzero_static(size=2).tolist()
        [[1], [-1]]
        """
        if size < 0:
            fail(ArgumentError, f"nonzero_static: a size of {size}; it is at least 0")
        missing = -1
        flat = self._new(positions((self._count(None),), 0, dtypes.int64))._first_where(self.bool(), size, missing)
        steps = [dim_product(self.shape[i + 1 :]) for i in range(self.ndim)]
        columns = [flat.floor_divide(max(s, 1)).remainder(max(n, 1)) for s, n in zip(steps, self.shape)]  # type: ignore[type-var]
        if not columns:
            return self._new(graph.const(0, dtypes.int64, (size, 0)))
        return type(self).stack(*columns, dim=1).masked_fill(flat.eq(missing).unsqueeze(1), fill_value)

    def _first_where(self, mask: Self, size: int, fill_value: Scalar) -> Self:
        """A vector of the first `size` elements of this one where `mask`, of any shape, is true; else `fill_value`."""
        chosen = mask.flatten()
        rank = chosen.cumsum(0) - 1
        rank = rank.masked_fill(chosen.logical_not() | rank.ge(size), size)  # one place more, for what is not asked for
        places = self._new(graph.const(0, self.dtype, (size + 1,))).add(fill_value).cast(self.dtype)
        return places._scattered(0, rank.node, self.flatten(), "set").narrow(0, 0, size)

    def argwhere(self) -> Self:
        """`nonzero`: the places of the elements that are not zero, (how many, ndim); realizes this tensor.

        >>> Tensor([0, 5]).argwhere().tolist()
        [[1]]
        """
        found: Self = self.nonzero()
        return found

    def masked_select(self, mask: Core, size: int | None = None, fill_value: Scalar = 0) -> Self:
        """A vector of the elements where `mask` is true, both broadcast; realizes the mask.

        With `size`, there are so many: further ones are dropped, missing ones are `fill_value`, nothing is realized.

        >>> Tensor([1, 2, 3]).masked_select(Tensor([True, False, True])).tolist()
        [1, 3]
        """
        self._check_mask("masked_select", mask)
        fill_value = number("masked_select", fill_value)
        shape = broadcast_shape("masked_select", self.shape, mask.shape)
        chosen = self._new(mask.node).expand(shape)
        if size is None:
            return self.expand(shape)[chosen]
        if size < 0:
            fail(ArgumentError, f"masked_select: a size of {size}; it is at least 0")
        return self.expand(shape)._first_where(chosen, size, fill_value)

    def masked_scatter(self, mask: Core, source: Core) -> Self:
        """This tensor with the elements of `source`, one after the other, where `mask` is true; both broadcast.

        BoundsError, when a value is read, where `source` has too few.

        >>> Tensor([0, 0, 0]).masked_scatter(Tensor([True, False, True]), Tensor([5, 6])).tolist()
        [5, 0, 6]
        """
        self._check_mask("masked_scatter", mask)
        self._same_device("masked_scatter", source)
        if source.dtype is not self.dtype:
            fail(
                DTypeError, f"masked_scatter: source is {source.dtype}, the tensor {self.dtype}; cast one of them first"
            )
        shape = broadcast_shape("masked_scatter", self.shape, mask.shape)
        chosen = self._new(broadcast_to(mask.node, shape))
        taken = self._new(source._in(), source.requires_grad).flatten()
        rank = (chosen.flatten().cumsum(0) - 1).masked_fill(chosen.flatten().logical_not(), -1)
        places = inside("masked_scatter", rank.node, taken.shape[0], exempt=-1)
        new = taken._out(graph.gather(taken._in(), places, 0)).reshape(shape)
        return chosen._choose(new, self)

    def _check_mask(self, what: str, mask: Core) -> None:
        self._same_device(what, mask)
        if not mask.dtype.is_bool:
            fail(DTypeError, f"{what}: the mask is {mask.dtype}, not bool")
