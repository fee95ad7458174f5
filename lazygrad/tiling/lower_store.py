"""Statements of stores: values first, then writes, for each element of the register tile."""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.errors import GraphError
from lazygrad.index.expr import Const, Var
from lazygrad.ir.op import Op

from .lower_access import Place
from .lower_context import Context, Element
from .lower_launch import Launch
from .lower_value import Values
from .machine import Operand
from .program import Alu, Scope, Store, Value, compute_dtype


class Storer:
    """Lowers stores that follow each other."""

    def __init__(self, context: Context, values: Values, launch: Launch) -> None:
        self.context, self.values, self.launch = context, values, launch

    def joins(self, s: Store, before: Sequence[Store]) -> bool:
        """Whether a store computes its value before the stores in front of it write: unless that is what it reads. Of
        memory that is changed in place every store wants the old value."""
        arrays = {a for v in (s.value, *(v for _, v in s.bindings)) for a in self.values.facts[v].arrays}
        return arrays.isdisjoint(b.array for b in before if b.array.scope is not Scope.GLOBAL)

    def store(self, stores: Sequence[Store]) -> None:
        """First every value, then every write, for each element of the register tile."""
        context = self.context
        for s in stores:
            self._check(s)
        used = [_used(s) for s in stores]
        done: set[object] = set()
        for element in context.elements(frozenset().union(*used)):
            ready: list[tuple[Store, Place, Operand]] = []
            for s, own in zip(stores, used):
                key = (s, *(element[axis.var] for axis in context.tile_axes(own)))
                if key not in done:
                    done.add(key)
                    ready.append((s, *self._prepared(s, own, element)))
            for s, place, operand in ready:
                self._write(s, place, operand)

    def _check(self, s: Store) -> None:
        """Scratch memory is shared by the elements of a register tile: each must have a place of its own."""
        for axis in self.context.tile_axes(s.value.vars):
            if s.array.scope is not Scope.GLOBAL and axis.count * axis.lanes > 1 and axis.var not in s.index.vars:
                raise GraphError(
                    f"scratch array {s.array.name!r} is stored at one place for every {axis.var.name} "
                    "of a register tile; index it by that variable too"
                )

    def _prepared(self, s: Store, used: frozenset[Var], element: Element) -> tuple[Place, Operand]:
        bound = {var: self.values.operand(v, element) for var, v in s.bindings}
        operand = self.values.operand(_unrounded(s), element)
        place = self.values.access.place(s.index, s.valid, element, bound, used)
        if operand.lanes > 1 and place.lanes == 1:  # every lane to one element: the last one stays
            axis = self.context.lane_axis(used)
            place = Place(place.index, place.valid, axis.lane if axis else None, operand.lanes, {})
        return place, operand

    def _write(self, s: Store, place: Place, operand: Operand) -> None:
        own = s.array.scope is Scope.PRIVATE
        with self.context.branch(Const(1) if own else self.launch.is_first):
            self.values.access.store(s.array, place, operand, s.combine, s.stream)
        if s.array in self.values.mutable:
            self.context.writes[s.array] += 1


def _unrounded(s: Store) -> Value:
    """The value of a store, without the cast that the store itself makes: to the 16-bit float that memory holds."""
    v, dtype = s.value, s.array.dtype
    if isinstance(v, Alu) and v.op is Op.CAST and v.dtype is dtype and dtype.is_half:
        return v.src[0] if compute_dtype(v.src[0].dtype) is compute_dtype(dtype) else v
    return v


def _used(s: Store) -> frozenset[Var]:
    """The loop variables that a store depends on."""
    exprs = s.index.vars | (s.valid.vars if s.valid is not None else frozenset())
    return (exprs - {var for var, _ in s.bindings}).union(s.value.vars, *(v.vars for _, v in s.bindings))
