"""Reductions over work-items: each has partial results, all of them get the combination."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lazygrad.dtype import dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Const, Expr

from . import arithmetic
from .lower_context import Context, Registers
from .machine import Code, LoadFrom, Meet, Operand, Register, StoreTo
from .program import Accumulator, Array, Scope


@dataclass(frozen=True, slots=True)
class Items:
    """The work-items that a LOCAL axis spreads a reduction over: `count` neighbours, of which this is number `item`."""

    id: Expr  # of this work-item in its group
    item: Expr
    count: int
    group_size: int


Totals = tuple[Accumulator, dict[Registers, Register]]  # of one accumulator, for each element of the register tile
Shared = tuple[Array, Accumulator, Register]  # local memory with each work-item's total, and this one's


class Across:
    """Combines what neighbouring work-items have found."""

    def __init__(self, context: Context, items: Items) -> None:
        self.context, self.items = context, items

    def combine(self, totals: Sequence[Totals]) -> None:
        """Replace every total by its combination over neighbouring work-items, given to all of them.

        In local memory, the first few work-items combine what the others have; then each combines what these few
        found. All totals pass between the same three barriers, which every work-item reaches.
        """
        context, items = self.context, self.items
        if context.parted:
            name = totals[0][0].name
            raise GraphError(f"accumulator {name!r} is reduced over work-items inside an If; barriers must be uniform")
        if self._fills_warps(totals):
            self._across_warps(totals)
            return
        few = min(items.count, 1 << (items.count.bit_length() + 1) // 2)
        shared = [self._shared(acc, mine) for acc, total in totals for mine in total.values()]
        context.emit(Meet())
        if few < items.count:
            with context.branch(items.item.lt(few)):
                stop = items.item.lt(items.count % few) + items.count // few
                for (array, _, mine), found in zip(shared, self._combined(shared, items.id, few, stop)):
                    self._put(array, items.id * mine.lanes, found)
            context.emit(Meet())
        combined = iter(self._combined(shared, items.id - items.item, 1, Const(few)))
        for _, total in totals:
            total.update((key, next(combined)) for key in total)
        context.emit(Meet())

    def _fills_warps(self, totals: Sequence[Totals]) -> bool:
        """Whether neighbours of a reduction are those that can read each other's registers."""
        items, warp = self.items, self.context.device.warp
        scalars = all(mine.lanes == 1 for _, total in totals for mine in total.values())
        return warp > 1 and scalars and items.group_size % warp == 0 and items.count & (items.count - 1) == 0

    def _across_warps(self, totals: Sequence[Totals]) -> None:
        """As `combine`, from register to register within warps, and through local memory between them only."""
        context, items, warp = self.context, self.items, self.context.device.warp
        mine = [(acc, register) for acc, total in totals for register in total.values()]
        found = [self._exchanged(acc, register, min(items.count, warp)) for acc, register in mine]
        if items.count > warp:
            warps, own = items.group_size // warp, items.count // warp
            arrays = [self._local(acc, register, warps) for acc, register in mine]
            with context.branch((items.id % warp).eq(0)):
                for array, register in zip(arrays, found):
                    self._put(array, items.id // warp, register)
            context.emit(Meet())
            at = items.id // items.count * own + items.id % own
            parts = [self._get(array, at, register) for array, register in zip(arrays, found)]
            found = [self._exchanged(acc, part, own) for (acc, _), part in zip(mine, parts)]
            if context.here:  # the next turn of a loop writes there again
                context.emit(Meet())
        combined = iter(found)
        for _, total in totals:
            total.update((key, next(combined)) for key in total)

    def _exchanged(self, acc: Accumulator, mine: Register, count: int) -> Register:
        """The combination over `count` neighbours, in every one of them: pairs, then pairs of pairs, ..."""
        context = self.context
        distance = 1
        while distance < count:
            other = context.compute(Code.EXCHANGE, mine.dtype, mine, detail=distance)
            combined = arithmetic.combine(context, acc.combine, mine.dtype, mine, other)
            assert isinstance(combined, Register)
            mine = combined
            distance *= 2
        return mine

    def _combined(self, shared: Sequence[Shared], first: Expr, step: int, stop: Expr) -> list[Register]:
        """The combination of the elements first, first + step, ... of each array, `stop` of them."""
        found = [self._get(array, first * mine.lanes, mine) for array, _, mine in shared]
        if stop.constant == 1:
            return found
        with self.context.loop("part", Const(1), stop) as part:
            for (array, acc, mine), register in zip(shared, found):
                other = self._get(array, (first + part * step) * mine.lanes, mine)
                arithmetic.combine_into(self.context, acc.combine, register, other)
        return found

    def _shared(self, acc: Accumulator, mine: Register) -> Shared:
        """Local memory where each work-item has put its own total."""
        array = self._local(acc, mine, self.items.group_size)
        self._put(array, self.items.id * mine.lanes, mine)
        return array, acc, mine

    def _local(self, acc: Accumulator, like: Register, count: int) -> Array:
        dtype = dtypes.int32 if like.dtype.is_bool else like.dtype
        return self.context.declare(Array(f"{acc.name}_items", dtype, count * like.lanes, Scope.LOCAL))

    def _put(self, array: Array, at: Expr, value: Operand) -> None:
        self.context.emit(StoreTo(array, (at,), value, value.lanes))

    def _get(self, array: Array, at: Expr, like: Register) -> Register:
        register = self.context.register(like.dtype, like.lanes, array.name)
        self.context.emit(LoadFrom(register, array, (at,)))
        return register
