"""What a tile program means, one element at a time in Python: slow, and without any of lowering's decisions.

Integers only. Every axis is a plain loop, whatever its kind.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lazygrad.dtype import DType
from lazygrad.index.expr import Dim, Expr, Var, lift
from lazygrad.ir.op import Combine, Op
from lazygrad.tiling.program import (
    Accumulator,
    Alu,
    Array,
    Barrier,
    Const,
    If,
    Index,
    Load,
    Loop,
    Program,
    Reduction,
    Ref,
    Search,
    Stage,
    Stmt,
    Store,
    Value,
)

from .harness import Data

OPERATIONS: dict[Op, Callable[..., int]] = {
    Op.ADD: lambda a, b: a + b,
    Op.MUL: lambda a, b: a * b,
    Op.MAX: max,
    Op.LT: lambda a, b: int(a < b),
    Op.NE: lambda a, b: int(a != b),
    Op.WHERE: lambda c, a, b: a if c else b,
    Op.IDIV: lambda a, b: a // b if b else 0,
    Op.MOD: lambda a, b: a % b if b else 0,
    Op.CAST: int,
}
COMBINATIONS: dict[Combine, Callable[[int, int], int]] = {
    Combine.ADD: lambda a, b: a + b,
    Combine.MUL: lambda a, b: a * b,
    Combine.MAX: max,
    Combine.SET: lambda a, b: b,
}


def wrapped(value: int, dtype: DType) -> int:
    if dtype.is_bool:
        return int(bool(value))
    value &= (1 << dtype.bits) - 1
    return value - (1 << dtype.bits) if dtype.kind == "int" and value >> (dtype.bits - 1) else value


class Interpreter:
    def __init__(self, memory: Mapping[Array, Data], sizes: Mapping[Var, int]) -> None:
        self.memory = dict(memory)
        self.env: dict[Var, int] = dict(sizes)
        self.found: dict[Accumulator, int] = {}

    def run(self, program: Program) -> None:
        self.body(program.body)

    def body(self, body: Sequence[Stmt]) -> None:
        for s in body:
            self.statement(s)

    def number(self, e: Expr | Dim, extra: Mapping[Var, int] | None = None) -> int:
        return lift(e).evaluate({**self.env, **(extra or {})})

    def statement(self, s: Stmt) -> None:
        if isinstance(s, Loop):
            for k in range(self.number(s.axis.extent)):
                self.env[s.axis.var] = k
                self.body(s.body)
        elif isinstance(s, Reduction):
            self.reduction(s)
        elif isinstance(s, Search):
            for k in range(self.number(s.axis.extent)):
                self.env[s.axis.var] = k
                if self.number(s.where, {var: self.value(v) for var, v in s.bindings}):
                    self.body(s.body)
        elif isinstance(s, If):
            self.body(s.body if self.number(s.condition) else s.orelse)
        elif isinstance(s, Stage):
            self.memory[s.array] = np.zeros(self.number(s.array.size), s.array.dtype.storage)
            self.body(s.body)
        elif isinstance(s, Store):
            self.store(s)
        else:
            assert isinstance(s, Barrier)

    def reduction(self, s: Reduction) -> None:
        identity = {Combine.ADD: 0, Combine.MUL: 1}
        running = {a: identity.get(a.combine, int(a.dtype.min)) for a in s.accumulators}
        for place in itertools.product(*(range(self.number(axis.extent)) for axis in s.axes)):
            self.env.update({axis.var: k for axis, k in zip(s.axes, place)})
            self.body(s.body)
            for a in s.accumulators:
                running[a] = wrapped(COMBINATIONS[a.combine](running[a], self.value(a.value)), a.dtype)
        self.found.update(running)

    def store(self, s: Store) -> None:
        bound = {var: self.value(v) for var, v in s.bindings}
        value = self.value(s.value)
        if s.valid is None or self.number(s.valid, bound):
            array, at = self.memory[s.array], self.place(s.array, s.index, bound)
            array[at] = wrapped(COMBINATIONS[s.combine](int(array[at]), value), s.array.dtype)

    def value(self, v: Value) -> int:
        if isinstance(v, Const):
            return int(v.value)
        if isinstance(v, Ref):
            return self.found[v.acc]
        src = [self.value(s) for s in v.src]
        if isinstance(v, Alu):
            return wrapped(OPERATIONS[v.op](*src), v.dtype)
        assert isinstance(v, (Index, Load))
        bound = dict(zip(v.binds, src))
        if isinstance(v, Index):
            return wrapped(self.number(v.expr, bound), v.dtype)
        if v.valid is not None and not self.number(v.valid, bound):
            return int(v.fill)
        return int(self.memory[v.array][self.place(v.array, v.index, bound)])

    def place(self, array: Array, index: Expr, bound: Mapping[Var, int]) -> int:
        """The element that an access means. IndexError where the array has none there; from the end none is counted."""
        at, size = self.number(index, bound), len(self.memory[array])
        if not 0 <= at < size:
            values = ", ".join(f"{var.name} = {k}" for var, k in {**self.env, **bound}.items() if var in index.vars)
            raise IndexError(f"{array.name}[{index}] is element {at} of {size} where {values}")
        return at
