"""Loads and stores: scalars, vectors of consecutive elements, or lanes one by one; masked where parts are not valid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lazygrad.dtype import DType, dtypes
from lazygrad.index.expr import And, Const, Expr, Less, Sum, Var, all_of, lift, select
from lazygrad.ir.elements import array_type, to_storage
from lazygrad.ir.op import Combine

from . import arithmetic
from .lower_context import Context, Element, integer_type
from .lower_index import VectorIndex
from .lower_strided import FEWEST, LONGEST, strided
from .machine import (
    Branch,
    Code,
    Compute,
    Immediate,
    IndexValue,
    Instruction,
    LoadFrom,
    Operand,
    Register,
    StoreTo,
    memory_dtype,
)
from .program import Array, Load, compute_dtype


@dataclass(frozen=True, slots=True)
class Place:
    """Addresses of one access. `lane`: the lane variable in them; `vectors`: their variables that are vectors."""

    index: Expr
    valid: Expr
    lane: Var | None
    lanes: int
    vectors: dict[Var, Register]

    @property
    def uniform_mask(self) -> bool:
        return (self.lane is None or self.lane not in self.valid.vars) and self.valid.vars.isdisjoint(self.vectors)

    @property
    def step(self) -> int | None:
        """How far apart the elements of neighbouring lanes are, if that is always the same."""
        if not self.index.vars.isdisjoint(self.vectors):
            return None
        return 0 if self.lane is None else self.index.coefficient(self.lane)

    def at(self, e: Expr, k: int) -> Expr:
        """An expression of this place in lane k."""
        values: dict[Var, Expr] = {}
        for var in e.vars:
            if var is self.lane:
                values[var] = Const(k)
            elif var in self.vectors:
                values[var] = Var(f"{var.name}.s{k:x}", var.lo, var.hi)
        return e.substitute(values) if values else e

    def all_valid(self) -> Expr | None:
        """Where every lane is valid, as one condition; None where the lanes are no interval."""
        if not self.valid.vars.isdisjoint(self.vectors):
            return None
        parts = self.valid.conditions if isinstance(self.valid, And) else (self.valid,)
        for part in parts:
            if self.lane in part.vars:
                assert self.lane is not None
                if not isinstance(part, Less) or (part.left - part.right).coefficient(self.lane) is None:
                    return None
        return all_of((self.at(self.valid, 0), self.at(self.valid, self.lanes - 1)))


class Access:
    """Emits loads and stores in a Context."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def as_index(self, var: Var, operand: Operand) -> tuple[Expr, Register]:
        """A run-time integer as a variable of index expressions, and the register that it names."""
        context = self.context
        if isinstance(operand, Immediate):
            return lift(int(operand.value)), Register("", dtypes.int32)
        wanted = integer_type(var)
        if operand.dtype not in (wanted, dtypes.int32):
            converted = arithmetic.cast(context, operand, operand.dtype, wanted)
            assert isinstance(converted, Register)
            operand = converted
        return Var(operand.name, var.lo, var.hi), operand

    def place(
        self, index: Expr, valid: Expr | None, element: Element, bound: dict[Var, Operand], lane_vars: frozenset[Var]
    ) -> Place:
        """The machine addresses of an access for one element of the register tile."""
        context = self.context
        registers = {var: self.as_index(var, operand) for var, operand in bound.items()}
        extra = {var: e for var, (e, _) in registers.items()}
        at = context.machine(index, element, extra)
        mask = Const(1) if valid is None else context.machine(valid, element, extra)
        vectors = {e: r for e, r in registers.values() if isinstance(e, Var) and r.lanes > 1}
        axis = context.lane_axis(lane_vars)
        used = at.vars | mask.vars
        lane = axis.lane if axis is not None and axis.lane in used else None
        vectors = {v: r for v, r in vectors.items() if v in used}
        lanes = max([r.lanes for r in vectors.values()] + [axis.lanes if axis is not None and lane is not None else 1])
        return Place(at, mask, lane, lanes, vectors)

    # ---- loads ---------------------------------------------------------------------------------

    def load(self, v: Load, element: Element, bound: dict[Var, Operand]) -> Operand:
        """`v` in its compute type."""
        place = self.place(v.index, v.valid, element, bound, v.vars)
        if place.valid.constant == 0:
            return arithmetic.constant(v.fill, compute_dtype(v.dtype))
        raw = self._masked(v.array, place, stored_constant(v.fill, v.dtype))
        return arithmetic.from_storage(self.context, raw, v.dtype)

    def _masked(self, array: Array, place: Place, fill: Immediate) -> Operand:
        """The stored elements at `place`, or `fill` where it is not valid."""
        context = self.context
        if place.valid.constant == 1:
            return self._elements(array, place)
        if place.lanes == 1:
            guarded = Place(self._in_bounds(array, place), Const(1), None, 1, {})
            return self._choose(self._elements(array, guarded), place, fill)
        inside = place.valid if place.uniform_mask else place.all_valid()
        if inside is None or place.step not in (1, -1, *range(2, LONGEST + 1)):
            return self._choose(self._listed(array, place), place, fill)
        dest = context.register(memory_dtype(array.dtype), place.lanes, array.name)
        context.emit(Compute(dest, Code.COPY, (fill,)))
        whole, parts = self._both_ways(array, place, dest, fill)
        context.emit(Branch(inside, whole, parts))
        return dest

    def _in_bounds(self, array: Array, place: Place) -> Expr:
        """An element that can be read: the one of `place`, or where that is not valid, one of the first few.

        Neighbours have neighbouring ones even there, so that they can be read in one access (`widen`).
        """
        index, most = place.index, self.context.device.access_bytes
        offset = index.offset if isinstance(index, Sum) else 0
        rest = offset % most if most else 0
        return (
            select(place.valid, index - rest, 0) + rest if lift(array.size).lo > rest else select(place.valid, index, 0)
        )

    def _both_ways(
        self, array: Array, place: Place, dest: Register, fill: Immediate
    ) -> tuple[list[Instruction], list[Instruction]]:
        """Instructions that fill `dest` when every lane is valid, and when some may not be."""
        context = self.context
        with context.scope() as whole:
            context.emit(Compute(dest, Code.COPY, (self._elements(array, place),), declare=False))
        with context.scope() as parts:
            if not place.uniform_mask:
                chosen = self._choose(self._listed(array, place), place, fill)
                context.emit(Compute(dest, Code.COPY, (chosen,), declare=False))
        return whole, parts

    def _choose(self, loaded: Operand, place: Place, fill: Immediate) -> Operand:
        """`loaded` where valid, else `fill`."""
        context = self.context
        if place.uniform_mask:
            condition = context.register(dtypes.bool, 1, "valid")
            context.emit(IndexValue(condition, place.valid))
            return arithmetic.select(context, condition, loaded, fill)
        mask = VectorIndex(context, place.lane, place.lanes, place.vectors).value(place.valid, dtypes.bool)
        return arithmetic.select(context, mask, loaded, fill)

    def _elements(self, array: Array, place: Place) -> Operand:
        """The elements at `place`, all of them valid."""
        context, step = self.context, place.step
        dtype = memory_dtype(array.dtype)
        if place.lanes == 1 or step == 0:
            return self._read(array, (place.index,), dtype, 1)
        if step == 1:
            return self._read(array, (place.at(place.index, 0),), dtype, place.lanes)
        if step == -1:
            backwards = self._read(array, (place.at(place.index, place.lanes - 1),), dtype, place.lanes)
            return context.compute(Code.REVERSE, dtype, backwards)
        if step is not None and 1 < step <= LONGEST and place.lanes >= FEWEST:
            return strided(context, context.arrays[array], place.at(place.index, 0), step, place.lanes, dtype)
        return self._read(array, tuple(place.at(place.index, k) for k in range(place.lanes)), dtype, place.lanes)

    def _listed(self, array: Array, place: Place) -> Operand:
        """Lane by lane; lanes that are not valid read element 0 instead."""
        addresses = [select(place.at(place.valid, k), place.at(place.index, k), 0) for k in range(place.lanes)]
        return self._read(array, tuple(addresses), memory_dtype(array.dtype), place.lanes)

    def _read(self, array: Array, addresses: tuple[Expr, ...], dtype: DType, lanes: int) -> Register:
        own = self.context.arrays[array]
        dest = self.context.register(dtype, lanes, own.name)
        self.context.emit(LoadFrom(dest, own, addresses))
        return dest

    # ---- stores --------------------------------------------------------------------------------

    def store(self, array: Array, place: Place, value: Operand, combine: Combine, stream: bool) -> None:
        """`value`, in the compute type, to the elements at `place` where it is valid."""
        context = self.context
        if place.valid.constant == 0:
            return
        if place.valid.constant == 1:
            self._store_all(array, place, value, combine, stream)
        elif place.lanes == 1:
            with context.branch(place.valid):
                self._store_all(array, place, value, combine, stream)
        else:
            inside = place.valid if place.uniform_mask else place.all_valid()
            if inside is None or place.step != 1:
                self._store_listed(array, place, value, combine)
                return
            with context.scope() as whole:
                self._store_all(array, place, value, combine, stream)
            with context.scope() as parts:
                if not place.uniform_mask:
                    self._store_listed(array, place, value, combine)
            context.emit(Branch(inside, whole, parts))

    def _store_all(self, array: Array, place: Place, value: Operand, combine: Combine, stream: bool) -> None:
        context, step = self.context, place.step
        if place.lanes > 1 and step == 0:  # every lane to one element: the last one stays
            value = arithmetic.lane(context, value, place.lanes - 1, array.dtype)
            place = Place(place.index, Const(1), None, 1, {})
        if place.lanes > 1 and step != 1:
            if combine is not Combine.SET:
                self._store_listed(array, place, value, combine)
                return
            stored = arithmetic.to_storage(context, value, array.dtype)
            addresses = tuple(place.at(place.index, k) for k in range(place.lanes))
            context.emit(
                StoreTo(context.arrays[array], addresses, arithmetic.splat(context, stored, place.lanes), place.lanes)
            )
            return
        self._write(array, place.at(place.index, 0), value, place.lanes, combine, stream)

    def _store_listed(self, array: Array, place: Place, value: Operand, combine: Combine) -> None:
        """Lane by lane, in order, each where it is valid."""
        for k in range(place.lanes):
            with self.context.branch(place.at(place.valid, k)):
                if place.at(place.valid, k).constant != 0:
                    one = arithmetic.lane(self.context, value, k, array.dtype)
                    self._write(array, place.at(place.index, k), one, 1, combine, False)

    def _write(self, array: Array, address: Expr, value: Operand, lanes: int, combine: Combine, stream: bool) -> None:
        context = self.context
        if combine is not Combine.SET:
            raw = self._read(array, (address,), memory_dtype(array.dtype), lanes)
            old = arithmetic.from_storage(context, raw, array.dtype)
            value = arithmetic.combine(context, combine, compute_dtype(array.dtype), old, value)
        stored = arithmetic.to_storage(context, value, array.dtype)
        context.emit(
            StoreTo(
                context.arrays[array], (address,), stored, lanes, stream and lanes > 1 and address.divisible_by(lanes)
            )
        )


def stored_constant(value: bool | int | float, dtype: DType) -> Immediate:
    """A constant as a load from an array of `dtype` gives it."""
    with np.errstate(over="ignore"):
        held = to_storage(np.asarray(value, array_type(dtype)), dtype)
    return arithmetic.constant(held.item(), memory_dtype(dtype))
