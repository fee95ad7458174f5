"""The order of elements: the one mechanism below sorting, selecting and everything that ranks.

Elements become integers in the order of their size, and these are packed with their places into one int64 each, so
that all are different, and ascending numbers are ascending elements in stable order. Only these are sorted: by NumPy
where the device is a CPU and values can be had now; in the graph where that is replayed, or data is on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lazygrad.dtype import dtypes
from lazygrad.engine.promised import promise
from lazygrad.engine.run import download, elements, realize, upload
from lazygrad.engine.tracing import tracing, watch_here
from lazygrad.index.expr import Dim, dim_max
from lazygrad.ir import node as graph
from lazygrad.ir.build import positions, size_value
from lazygrad.ir.op import Combine
from lazygrad.ir.signature import index_dtype
from lazygrad.ops.host_order import elements_in_order, is_sorted_on_host, places_in_order
from lazygrad.ops.joining import Joining
from lazygrad.ops.mode import mode
from lazygrad.ops.reduce import Reduce
from lazygrad.ops.scan import scan
from lazygrad.runtime.registry import open_device

if TYPE_CHECKING:
    from typing_extensions import Self

_BLOCK = 256  # elements that are ranked by comparing all of them with all others
_WAYS = 4  # sorted blocks that are merged at a time
_MANY = 8192  # elements of a row that a CPU sorts bit by bit
_SPARSE = 1024  # of so many numbers or more for each one that is selected, most are never looked at a second time
_LOW = (1 << 32) - 1


class Order(Joining, Reduce):
    """The order of elements along a dimension."""

    __slots__ = ()

    def _order(self, axis: int, descending: bool = False, first: Dim | None = None) -> Self:
        """The places along `axis`, int64, in the order of their elements, of equal ones as they are; nan is the
        greatest. With `first`, only so many of them."""
        n = self.shape[axis] if self.ndim else 1
        count = n if first is None else first
        if n == 1 or count == 0:
            shape = tuple(count if i == axis else m for i, m in enumerate(self.shape))
            return self._new(graph.const(0, dtypes.int64, shape))
        return self._ranked(axis, descending, lambda numbers: numbers._sorted(first)).narrow(axis, 0, count)

    def _place_of_rank(self, axis: int, rank: int) -> Self:
        """The place along `axis`, with size 1 there, of the element that `_order` puts at `rank`."""
        if not self.ndim or self.shape[axis] == 1:
            return self._new(graph.const(0, dtypes.int64, self.shape))
        return self._ranked(axis, False, lambda numbers: numbers._of_rank(rank))

    def _ranked(self, axis: int, descending: bool, chosen: Callable[[Self], Self]) -> Self:
        """The places along `axis` of the numbers that `chosen` takes of those that stand for the elements."""
        key = self.detach()._sort_key().transpose(axis, -1)
        key = key.bitwise_not() if descending else key
        if key.dtype.itemsize == 8:  # by the lower half first, then by the upper half
            low = ((key & _LOW) - (1 << 31))._packed()._sorted(None) & _LOW
            high = (key >> 32)._of_places(low)
            order = low._of_places(chosen(high._packed()) & _LOW)
        else:
            order = chosen(key.cast(dtypes.int64)._packed()) & _LOW
        return order.transpose(axis, -1)

    def _of_places(self, places: Self) -> Self:
        """The elements at `places` of the last dimension, which lie in it."""
        return self._out(graph.gather(self._in(), places.node, self.ndim - 1))

    def _at_order(self, order: Self, axis: int) -> Self:
        """The elements at places along `axis`, which lie in it; gradients go back to them."""
        return self._out(graph.gather(self._in(), order.node, axis)) if self.ndim else self._apart()

    def _sort_key(self) -> Self:
        """Signed integers of 32 or 64 bits in the order of the elements: equal ones are equal, nan is greatest."""
        kind = self.dtype
        if kind is dtypes.uint64:
            return self.bitcast(dtypes.int64) ^ dtypes.int64.min
        if kind is dtypes.uint32:
            return self.bitcast(dtypes.int32) ^ dtypes.int32.min
        if not kind.is_float:
            return self.cast(dtypes.int64 if kind.itemsize == 8 else dtypes.int32)
        x = self.cast(dtypes.float32) if kind.is_half else self
        integers = dtypes.int64 if x.dtype.itemsize == 8 else dtypes.int32
        bits = x.bitcast(integers)
        ascending = (bits < 0)._choose(bits ^ integers.max, bits)  # negative floats descend with their bits
        return x.isnan()._choose(integers.max, x.eq(0)._choose(0, ascending))

    def _packed(self) -> Self:
        """Of int64 that hold 32 bits: these in the upper half, and places along the last dimension in the lower one."""
        return self * (1 << 32) + self._new(positions(self.shape, self.ndim - 1, dtypes.int64))

    @property
    def _at_hand(self) -> bool:
        """Whether NumPy can have the values now, and is as fast as the device."""
        known = all(isinstance(n, int) for n in self.shape)
        return known and watch_here() is None and not tracing.examples and open_device(self.device).info.kind == "cpu"

    def _sorts_at_once(self, axis: int) -> bool:
        """Whether `_sorted_at_once` may be asked: no gradient has to find its way back to the places."""
        if not self.ndim or self.shape[axis] in (0, 1) or not is_sorted_on_host(self.dtype):
            return False
        return not (self._requires and mode.enabled) and self._at_hand

    def _sorted_at_once(self, axis: int, descending: bool) -> tuple[Self, Self]:
        """The elements in order along `axis`, and their places, which are found when they are asked for."""
        last = self.detach().transpose(axis, -1)
        realize([last.node], self.device)
        held = self._new(last.node)  # while a tensor has these elements, nothing is written over them
        x = download(held.node, share=True)
        values = elements_in_order(x, descending)
        if values is None:
            places = places_in_order(x, descending)
            values = np.take_along_axis(x, places, -1)
            by_place = upload(places, dtypes.int64, self.device, share=True)
        else:
            later = partial(_places_later, held, descending)
            by_place = promise(later, dtypes.int64, values.shape, self.device)
        by_value = upload(values, self.dtype, self.device, share=True)
        return self._new(by_value).transpose(axis, -1), self._new(by_place).transpose(axis, -1)

    def _sorted(self, first: Dim | None) -> Self:
        """Different int64 in ascending order along the last dimension; at least the `first` of them."""
        if self._at_hand:
            return self._sorted_on_host(first)
        return self._smallest(first) if isinstance(first, int) and first <= _BLOCK else self._sorted_in_graph()

    def _of_rank(self, rank: int) -> Self:
        """Of different int64 along the last dimension the one, with size 1 there, that `rank` others are less than."""
        if not self._at_hand:
            return self._sorted(rank + 1).narrow(-1, rank, 1)
        realize([self.node], self.device)
        numbers = download(self.node)
        numbers.partition(rank)
        return self._new(upload(numbers[..., rank : rank + 1].copy(), dtypes.int64, self.device, share=True))

    def _sorted_on_host(self, first: Dim | None) -> Self:
        realize([self.node], self.device)
        n = self.shape[-1]
        if isinstance(first, int) and isinstance(n, int) and 0 < first <= n // _SPARSE:
            shared = download(self.node, share=True)
            rows = [_least(row, first) for row in shared.reshape(-1, n)]
            numbers = np.array(rows, np.int64).reshape(*shared.shape[:-1], first)
        else:
            numbers = download(self.node)
            if isinstance(first, int) and first < numbers.shape[-1]:
                numbers.partition(first - 1)
                numbers = np.ascontiguousarray(numbers[..., :first])
            numbers.sort()
        return self._new(upload(numbers, dtypes.int64, self.device, share=True))

    # ---- in the graph ----

    def _smallest(self, count: int) -> Self:
        """The `count` smallest numbers, in order: those of every block, then of what these leave, and so on."""
        x, size = self, max(_BLOCK, 4 * count)
        while isinstance(n := x.shape[-1], int) and n > 2 * size:
            blocks = x._in_blocks(size)
            x = blocks._by_rank(blocks._rank(), count).flatten(-2)
        return x._sorted_in_graph()

    def _sorted_in_graph(self) -> Self:
        n = self.shape[-1]
        if not isinstance(n, int) or n <= 2 * _BLOCK:
            return self._by_rank(self._rank(), n)
        known = all(isinstance(m, int) for m in self.shape)
        if n >= _MANY and known and open_device(self.device).info.kind == "cpu":
            return self._by_bits()
        blocks = self._in_blocks(_BLOCK)
        blocks = blocks._by_rank(blocks._rank(), _BLOCK)
        while blocks.shape[-2] != 1:
            blocks = blocks._merged()
        return blocks.squeeze(-2).narrow(-1, 0, n)

    def _by_bits(self) -> Self:
        """Sorted by the upper 32 bits, of which equal ones are in order already: by one bit after the other, beginning
        with the lowest, those that have it go behind those that do not. One step, repeated; it needs fast scatters."""
        n = self._known("sort", -1)
        kind = index_dtype(dtypes.int32, n)
        place = self._new(positions(self.shape, self.ndim - 1, kind))
        zeros = graph.const(0, dtypes.int64, self.shape)

        def step(numbers: Self, bit: Self) -> tuple[Self, tuple[()]]:
            has = (numbers >> bit) & 1
            ones = self._new(graph.scan(has.cast(kind).node, Combine.ADD, self.ndim - 1))
            behind = ones + (n - 1) - ones.narrow(-1, n - 1, 1)
            rank = has.eq(0)._choose(place - ones, behind).contiguous()
            return self._new(graph.scatter(zeros, rank.node, numbers.node, self.ndim - 1, Combine.SET)), ()

        bits = self._new(positions((32,), 0, dtypes.int64)) + 32
        made: Self = scan(step, self ^ dtypes.int64.min, bits)[0]
        return made ^ dtypes.int64.min

    def _in_blocks(self, size: int) -> Self:
        """The last dimension cut into blocks of `size`, filled up with the greatest number."""
        return self._filled_up(-1, size).reshape(*self.shape[:-1], -1, size).contiguous()

    def _filled_up(self, axis: int, size: int) -> Self:
        """As many of the greatest number behind `axis` as make its length a multiple of `size`."""
        pads: list[tuple[Dim, Dim]] = [(0, 0)] * self.ndim
        pads[axis] = (0, -self._known("sort", axis) % size)
        return self._new(graph.pad(self.node, pads, dtypes.int64.max))

    def _rank(self) -> Self:
        """How many numbers of the last dimension are less than each. Only those that fill up are equal to others."""
        return (self.unsqueeze(-2) < self.unsqueeze(-1)).cast(dtypes.int32)._reduce(Combine.ADD, -1, keepdim=False)

    def _by_rank(self, rank: Self, count: Dim) -> Self:
        """Numbers put where their rank along the last dimension says; those of rank `count` and above nowhere. What
        fills up has the rank behind all others, and is at the places that are left."""
        base = graph.const(dtypes.int64.max, dtypes.int64, (*self.shape[:-1], count))
        return self._new(graph.scatter(base, rank.contiguous().node, self.node, self.ndim - 1, Combine.SET))

    def _merged(self) -> Self:
        """Sorted blocks (..., how many, n) merged with their neighbours. A number's rank in the whole is its place in
        its own block and, for each other one, how many there are before it."""
        *others, blocks, n = self.shape
        ways = min(_WAYS, int(blocks))
        groups = self._filled_up(-2, ways).reshape(*others, -1, ways, n)
        square = (*groups.shape[:-1], ways, n)  # (..., of, in, place): numbers of a block beside those in another
        mine, other = groups.unsqueeze(-2).expand(square), groups.unsqueeze(-3).expand(square)
        rank = other._count_first(mine, lambda y: y < mine)._reduce(Combine.ADD, -2, keepdim=False)
        return groups.flatten(-2)._by_rank(rank.flatten(-2), ways * int(n)).contiguous()

    def _count_first(self, query: Self, holds: Callable[[Self], Self]) -> Self:
        """For each place of `query` (..., m), how many of the numbers (..., n) `holds` is true of, int32 or int64: the
        first ones, since it is false of all behind one of which it is false. A binary search: log2(n) reads.

        `holds` gets elements (..., m), those compared with the query's.
        """
        n = self.shape[-1]
        kind = index_dtype(dtypes.int32, n)
        size = self._new(size_value(n, kind, query.shape))
        found = self._new(graph.const(0, kind, query.shape))
        for bit in reversed(range(dim_max(n).bit_length())):
            more = found + (1 << bit)
            inside = more <= size
            place = inside._choose(more - 1, 0)
            found = (inside & holds(self._of_places(place)))._choose(more, found)
        return found


def _places_later(t: Order, descending: bool) -> np.ndarray[Any, Any]:
    """The places of realized elements along the last dimension, in their order."""
    return places_in_order(elements(t.node, share=True), descending)


def _least(numbers: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    """The `count` smallest of different numbers, in order. Each of `count` stretches has one that is no larger than the
    bound, so that so many are left at least; and of random numbers few more."""
    width = len(numbers) // (8 * count)
    least = numbers[: width * 8 * count].reshape(-1, width).min(1)
    least.partition(count - 1)
    left: np.ndarray[Any, Any] = numbers[numbers <= least[count - 1]]
    left.sort()
    return left[:count]
