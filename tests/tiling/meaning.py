"""What a tile program computes, all turns of its loops at once: fast enough for every program that the tests make.

As the interpreter, it has none of lowering's decisions. A statement is carried out for all turns of the loops around
it before the next one; only loops whose turns read what others wrote run one turn after the other. Floats are computed
in float64, so that programs that add in another order give nearly the same. An access outside of an array raises, and
scratch memory holds nothing useful before it is written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazygrad.dtype import DType
from lazygrad.index.expr import Dim, Expr, Var, lift
from lazygrad.index.variable import Variable
from lazygrad.ir.elements import array_type, from_storage, to_storage
from lazygrad.ir.evaluate import _MEANING
from lazygrad.ir.op import Combine, Op
from lazygrad.tiling.array import compute_dtype
from lazygrad.tiling.collective import Let
from lazygrad.tiling.program import (
    Accumulator,
    Alu,
    Array,
    Axis,
    Barrier,
    Const,
    If,
    Index,
    Kind,
    Last,
    Load,
    Loop,
    Program,
    Reduction,
    Ref,
    Scope,
    Search,
    Stage,
    Stmt,
    Store,
    Value,
)
from lazygrad.tiling.values import reads_elsewhere, topological, variables_of
from lazygrad.tiling.walk import flattened

Data = NDArray[Any]
COMBINE = {Combine.ADD: np.add, Combine.MUL: np.multiply, Combine.MAX: np.maximum}
RTOL = 1e-9


class UnsupportedError(Exception):
    """Work-items that act together, or asynchronously: the emulator runs such programs."""


def same_meaning(plain: Program, optimized: Program, seed: int = 0) -> None:
    """Raises AssertionError where two programs with the same parameters do not give the same, and IndexError where one
    of them leaves an array."""
    rng = np.random.default_rng(seed)
    symbolic = sorted(variables_of(plain.body), key=lambda v: v.name)
    sizes = {v: int(rng.integers(max(v.lo, 1), min(v.hi, 40), endpoint=True)) for v in symbolic}
    given = [_numbers(a, _fixed(a.size, sizes), rng) for a in plain.params]
    found = [outputs(p, given, sizes) for p in (plain, optimized)]
    for array, before, after in zip((a for a in plain.params if a.written), *found, strict=True):
        scale = np.abs(before[np.isfinite(before)]).max(initial=0.0)
        message = f"{optimized.name}: {array.name}"
        np.testing.assert_allclose(after, before, RTOL, RTOL * scale, err_msg=message)


def _numbers(array: Array, size: int, rng: np.random.Generator) -> Data:
    """What a parameter holds before; integers are small, so that some of them are positions."""
    if array.dtype.is_float:
        return rng.uniform(-2, 2, size)
    return rng.integers(0, 2 if array.dtype.is_bool else 7, size).astype(_type(array.dtype))


def outputs(program: Program, given: Sequence[Data], sizes: Mapping[Variable, int]) -> list[Data]:
    """What the written parameters hold afterwards, given what all of them hold before."""
    run = _Run(program, sizes)
    run.memory.update((a, x.copy()) for a, x in zip(program.params, given))
    run.memory.update((a, run.useless(a)) for a in program.workspace)
    with np.errstate(all="ignore"):
        run.body(program.body, Frame(1, {v: np.array([n]) for v, n in sizes.items()}))
    return [run.memory[a] for a in program.params if a.written]


def _fixed(size: Dim, sizes: Mapping[Variable, int]) -> int:
    return int(lift(size).evaluate(sizes))


def _type(dtype: DType) -> np.dtype[Any]:
    return np.dtype(np.float64) if dtype.is_float else array_type(dtype)


@dataclass
class Frame:
    """Turns of the loops around a statement, `count` of them, in order; `known` has an array of `count` for each
    variable, accumulator, and scratch array (the number of its copy)."""

    count: int
    known: dict[Var | Accumulator | Array, Data]

    def part(self, turns: Data) -> Frame:
        """The frame of some of the turns; each may be there several times."""
        return Frame(len(turns), {key: values[turns] for key, values in self.known.items()})

    def number(self, e: Expr | Dim, more: Mapping[Var, Data] | None = None) -> Data:
        values = {**self.known, **(more or {})}
        e = lift(e)
        return np.broadcast_to(np.asarray(e.evaluate({v: values[v] for v in e.vars})), self.count)


class _Run:
    def __init__(self, program: Program, sizes: Mapping[Variable, int]) -> None:
        self.program, self.sizes = program, sizes
        self.memory: dict[Array, Data] = {}

    def useless(self, array: Array, copies: int = 1) -> Data:
        """Scratch memory; tickets, which are int32, start at 0."""
        wrong = math.nan if array.dtype.is_float else 0 if array.scope is Scope.GLOBAL else 77
        return np.full(copies * _fixed(array.size, self.sizes), wrong).astype(_type(array.dtype))

    def body(self, body: Sequence[Stmt], frame: Frame) -> None:
        stores: list[Store] = []
        for s in body:
            if stores and not (isinstance(s, Store) and self._joins(s, stores)):
                self._store(stores, frame)
                stores = []
            if isinstance(s, Store):
                stores.append(s)
            else:
                self._statement(s, frame)
        self._store(stores, frame)

    def _joins(self, s: Store, before: Sequence[Store]) -> bool:
        read = {v.array for v in topological([s.value, *(v for _, v in s.bindings)]) if isinstance(v, Load)}
        return read.isdisjoint(b.array for b in before if b.array.scope is not Scope.GLOBAL)

    def _statement(self, s: Stmt, frame: Frame) -> None:
        if isinstance(s, Loop):
            self._loop(s.axis, s.body, frame)
        elif isinstance(s, Reduction):
            self._reduction(s, frame)
        elif isinstance(s, If):
            holds = frame.number(s.condition) != 0
            for body, turns in ((s.body, holds), (s.orelse, ~holds)):
                if body and turns.any():
                    self.body(body, frame.part(np.flatnonzero(turns)))
        elif isinstance(s, Stage):
            self._stage(s, frame)
        elif isinstance(s, Let):
            frame.known[s.var] = frame.number(s.expr)
        elif isinstance(s, (Search, Last)):
            self._search(s, frame) if isinstance(s, Search) else self._last(s, frame)
        elif not isinstance(s, Barrier):
            raise UnsupportedError(type(s).__name__)

    # ---- loops ---------------------------------------------------------------------------------

    def _loop(self, axis: Axis, body: Sequence[Stmt], frame: Frame) -> None:
        if axis.kind in (Kind.GRID, Kind.LOCAL, Kind.CLUSTER) or not _depends(body):
            self.body(body, _along(axis, frame)[0])
            return
        extents = frame.number(axis.extent)
        for k in range(int(extents.max(initial=0))):
            turn = frame.part(np.flatnonzero(extents > k))
            turn.known[axis.var] = np.full(turn.count, k)
            self.body(body, turn)

    def _reduction(self, s: Reduction, frame: Frame) -> None:
        inner, outer = frame, np.arange(frame.count)
        for axis in s.axes:
            inner, turns = _along(axis, inner)
            outer = outer[turns]
        self.body(s.body, inner)
        for acc in s.accumulators:
            start = {Combine.ADD: 0, Combine.MUL: 1}.get(acc.combine, compute_dtype(acc.dtype).min)
            total = np.full(frame.count, start).astype(_type(acc.dtype))
            COMBINE[acc.combine].at(total, outer, self._values([acc.value], inner)[0])
            frame.known[acc] = total

    def _search(self, s: Search, frame: Frame) -> None:
        inner, _ = _along(s.axis, frame)
        found = self._values([v for _, v in s.bindings], inner)
        bound = {var: x.astype(np.int64) for (var, _), x in zip(s.bindings, found)}
        self.body(s.body, inner.part(np.flatnonzero(inner.number(s.where, bound))))

    def _last(self, s: Last, frame: Frame) -> None:
        """For each number the last one, when as many have come as there must be."""
        if s.together:
            raise UnsupportedError("a Last of work-items together")
        numbers = frame.number(s.number)
        last = {int(n): k for k, n in enumerate(numbers)}
        for n, k in last.items():
            wanted = int(frame.number(s.of)[k]) if s.of is not None else frame.count
            assert int((numbers == n).sum()) == wanted, f"{self.program.name}: ticket {n}"
        self.body(s.body, frame.part(np.array(sorted(last.values()))))

    def _stage(self, s: Stage, frame: Frame) -> None:
        if s.array.layout is not None and s.array.scope is Scope.PRIVATE:
            raise UnsupportedError("a tile in registers")
        self.memory[s.array] = self.useless(s.array, frame.count)
        frame.known[s.array] = np.arange(frame.count)
        self.body(s.body, frame)

    # ---- memory --------------------------------------------------------------------------------

    def _places(self, array: Array, at: Data, valid: Data, index: Expr, frame: Frame) -> Data:
        """Where accesses are in `memory`; those that are not valid are at element 0."""
        size = _fixed(array.size, self.sizes)
        outside = valid & ((at < 0) | (at >= size))
        if outside.any():
            turn = int(np.flatnonzero(outside)[0])
            where = ", ".join(f"{v.name} = {x[turn]}" for v, x in frame.known.items() if v in index.vars)
            name = f"{self.program.name}: {array.name}[{index}]"
            raise IndexError(f"{name} is element {at[turn]} of {size} where {where}")
        return np.where(valid, at, 0) + (frame.known[array] * size if array in frame.known else 0)

    def _store(self, stores: Sequence[Store], frame: Frame) -> None:
        ready = []
        for s in stores:
            bound = {var: x for (var, _), x in zip(s.bindings, self._values([v for _, v in s.bindings], frame))}
            bound = {var: x.astype(np.int64) for var, x in bound.items()}
            valid = np.ones(frame.count, bool) if s.valid is None else frame.number(s.valid, bound) != 0
            places = self._places(s.array, frame.number(s.index, bound), valid, s.index, frame)
            ready.append((s, places[valid], self._values([s.value], frame)[0][valid]))
        for s, places, values in ready:
            memory = self.memory[s.array]
            if s.combine is Combine.SET:
                memory[places] = values
            else:
                COMBINE[s.combine].at(memory, places, values.astype(memory.dtype))

    def _values(self, roots: Sequence[Value], frame: Frame) -> list[Data]:
        made: dict[Value, Data] = {}
        for v in topological(roots):
            made[v] = np.broadcast_to(self._value(v, [made[s] for s in v.src], frame), frame.count)
        return [made[r] for r in roots]

    def _value(self, v: Value, src: list[Data], frame: Frame) -> Data:
        if isinstance(v, Const):
            return np.asarray(v.value).astype(_type(v.dtype))
        if isinstance(v, Ref):
            return frame.known[v.acc]
        if isinstance(v, Alu):
            return self._computed(v, src)
        assert isinstance(v, (Index, Load))
        bound = {var: x.astype(np.int64) for var, x in zip(v.binds, src)}
        if isinstance(v, Index):
            return frame.number(v.expr, bound).astype(_type(v.dtype))
        valid = np.ones(frame.count, bool) if v.valid is None else frame.number(v.valid, bound) != 0
        places = self._places(v.array, frame.number(v.index, bound), valid, v.index, frame)
        if not valid.any():
            return np.asarray(v.fill).astype(_type(v.dtype))
        return np.where(valid, self.memory[v.array][places], np.asarray(v.fill).astype(_type(v.dtype)))

    def _computed(self, v: Alu, src: list[Data]) -> Data:
        if v.op is Op.CAST:
            return src[0].astype(_type(v.dtype))
        if v.op is Op.BITCAST:
            kind = v.src[0].dtype
            bits = np.ascontiguousarray(to_storage(src[0].astype(array_type(kind)), kind)).view(v.dtype.storage)
            return from_storage(bits, v.dtype).astype(_type(v.dtype))
        return np.asarray(_MEANING[v.op](v, None, src)).astype(_type(v.dtype))  # type: ignore[arg-type]


def _along(axis: Axis, frame: Frame) -> tuple[Frame, Data]:
    """The frame inside a loop, and which turn outside each of its turns belongs to."""
    extents = np.maximum(frame.number(axis.extent), 0)
    outer = np.repeat(np.arange(frame.count), extents)
    inner = frame.part(outer)
    inner.known[axis.var] = np.arange(len(outer)) - np.repeat(np.cumsum(extents) - extents, extents)
    return inner, outer


def _depends(body: Sequence[Stmt]) -> bool:
    """Whether a turn may read what another one has written."""
    inside = {s.array for s in flattened(body) if isinstance(s, Stage)}
    written = {s.array for s in flattened(body) if isinstance(s, Store)} - inside
    return any(reads_elsewhere(body, array) for array in written)
