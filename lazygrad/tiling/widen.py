"""Machine pass for GPUs: scalar accesses of one work-item to neighbouring elements become one access of several bytes.

Arithmetic stays scalar; vectors only come from memory and go there. Loads move up to the first of their run, stores
down to the last of theirs, within a stretch of instructions that holds no other effect; nothing moves past an access
that may be to the same element.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lazygrad.index.expr import Expr, Sum, dim_max

from .lower_context import Names
from .machine import (
    Branch,
    Code,
    Compute,
    For,
    Identity,
    IndexValue,
    Instruction,
    LoadFrom,
    MachineKernel,
    Register,
    StoreTo,
    memory_dtype,
)
from .program import Array, Scope

_PLAIN = (Compute, Identity, IndexValue, LoadFrom, StoreTo)  # what a stretch is made of
Access = LoadFrom | StoreTo
Moves = dict[int, list[Instruction]]  # what stands in place of instruction number ...


def widened(kernel: MachineKernel, access_bytes: int, names: Names) -> MachineKernel:
    """`kernel`, changed in place, with accesses of up to `access_bytes`."""
    blocks = [kernel.body]
    while blocks:
        body = blocks.pop()
        changed: list[Instruction] = []
        stretch: list[Instruction] = []
        for step in body:
            if isinstance(step, _PLAIN):
                stretch.append(step)
                continue
            changed += _Stretch(stretch, access_bytes, names).widened()
            changed.append(step)
            stretch = []
            if isinstance(step, For):
                blocks.append(step.body)
            elif isinstance(step, Branch):
                blocks += [step.body, step.orelse]
        body[:] = changed + _Stretch(stretch, access_bytes, names).widened()
    return kernel


@dataclass(frozen=True, slots=True)
class _At:
    """Where a scalar access is: element `offset` of `array` from `base` on; `place`: its number in the stretch."""

    place: int
    step: Access
    base: Expr
    offset: int


def _located(place: int, step: Access) -> _At:
    address = step.addresses[0]
    offset = address.offset if isinstance(address, Sum) else address.lo if address.is_constant else 0
    return _At(place, step, address - offset, offset)


class _Stretch:
    def __init__(self, steps: list[Instruction], access_bytes: int, names: Names) -> None:
        self.steps, self.access_bytes, self.names = steps, access_bytes, names
        self.by_array: dict[Array, list[_At]] = {}
        self.vague: set[Array] = set()  # arrays with accesses that are no single scalar
        self.assigned: dict[Register, list[int]] = {}  # where registers are given another value
        for i, step in enumerate(steps):
            if isinstance(step, (LoadFrom, StoreTo)):
                self._note(i, step)
            if isinstance(step, (LoadFrom, Compute)) and not step.declare:
                self.assigned.setdefault(step.dest, []).append(i)

    def _note(self, i: int, step: Access) -> None:
        lanes = step.dest.lanes if isinstance(step, LoadFrom) else step.lanes
        if lanes > 1 or len(step.addresses) > 1 or (isinstance(step, LoadFrom) and not step.declare):
            self.vague.add(step.array)
        self.by_array.setdefault(step.array, []).append(_located(i, step))

    def widened(self) -> list[Instruction]:
        """The steps, with runs of accesses in one."""
        moves: Moves = {}
        for array, accesses in self.by_array.items():
            if array not in self.vague and array.scope is not Scope.PRIVATE:
                for kind in (LoadFrom, StoreTo):
                    self._widen(array, [a for a in accesses if isinstance(a.step, kind)], moves)
        return [new for i, step in enumerate(self.steps) for new in moves.get(i, [step])]

    def _widen(self, array: Array, accesses: Sequence[_At], moves: Moves) -> None:
        """Find the runs among loads, or among stores, of one array."""
        by_base: dict[Expr, dict[int, _At]] = {}
        for a in accesses:
            by_base.setdefault(a.base, {}).setdefault(a.offset, a)
        most = min(self.access_bytes // array.dtype.itemsize, dim_max(array.size))
        for found in by_base.values():
            taken: set[int] = set()
            lanes = 1 << max(most.bit_length() - 1, 0)
            while lanes > 1:
                for offset in sorted(found):
                    run = [found[k] for k in range(offset, offset + lanes) if k in found and k not in taken]
                    aligned = len(run) == lanes and run[0].step.addresses[0].divisible_by(lanes)
                    if aligned and self._may_move(array, run):
                        taken.update(range(offset, offset + lanes))
                        is_load = isinstance(run[0].step, LoadFrom)
                        moves.update(self._loads(array, run) if is_load else self._stores(run))
                lanes //= 2

    def _may_move(self, array: Array, run: Sequence[_At]) -> bool:
        """Whether the accesses of a run can be made at once."""
        first, last = min(a.place for a in run), max(a.place for a in run)
        is_load = isinstance(run[0].step, LoadFrom)
        for a in run:
            passed = range(first, a.place) if is_load else range(a.place + 1, last + 1)
            if any(other.place in passed and self._meet(a, other) for other in self.by_array[array]):
                return False
        return is_load or not any(self._changes(a, last) for a in run)

    def _meet(self, a: _At, other: _At) -> bool:
        """Whether two accesses of one array may be to one element, one of them a store."""
        if isinstance(a.step, LoadFrom) and isinstance(other.step, LoadFrom):
            return False
        return other.base is not a.base or other.offset == a.offset

    def _changes(self, store: _At, last: int) -> bool:
        """Whether what is stored is another value by the end of its run."""
        assert isinstance(store.step, StoreTo)
        if not isinstance(store.step.src, Register):
            return False
        return any(store.place < i < last for i in self.assigned.get(store.step.src, ()))

    def _loads(self, array: Array, run: Sequence[_At]) -> Moves:
        vector = Register(self.names.numbered(f"{array.name}_lanes"), memory_dtype(array.dtype), len(run))
        first = min(run, key=lambda a: a.place).place
        moves: Moves = {a.place: [] for a in run}
        moves[first] = [LoadFrom(vector, array, run[0].step.addresses)]
        for k, a in enumerate(run):
            assert isinstance(a.step, LoadFrom)
            moves[first].append(Compute(a.step.dest, Code.LANE, (vector,), k))
        return moves

    def _stores(self, run: Sequence[_At]) -> Moves:
        step = run[0].step
        assert isinstance(step, StoreTo)
        vector = Register(self.names.numbered("lanes"), memory_dtype(step.array.dtype), len(run))
        parts = tuple(a.step.src for a in run if isinstance(a.step, StoreTo))
        moves: Moves = {a.place: [] for a in run}
        moves[max(moves)] = [
            Compute(vector, Code.PACK, parts),
            StoreTo(step.array, step.addresses, vector, len(run), step.stream),
        ]
        return moves
