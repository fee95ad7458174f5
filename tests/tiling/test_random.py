"""Random tile programs of every construction, lowered and run, against their plain interpretation."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np
import pytest

from lazygrad.dtype import DType, dtypes
from lazygrad.index.expr import Expr, Var, all_of, dim_product, lift, scaled_sum
from lazygrad.ir.op import Combine, Op
from lazygrad.tiling.program import (
    Accumulator,
    Array,
    Axis,
    If,
    Kind,
    Loop,
    Program,
    Reduction,
    Scope,
    Stage,
    Stmt,
    Store,
    Value,
    alu,
    const,
    index,
    load,
    ref,
)

from .harness import Case, Data, check, run
from .interpreter import Interpreter

COUNT = 40
MOST_TURNS = 600  # of the innermost statements
DTYPES = (dtypes.int32, dtypes.int64, dtypes.int16, dtypes.uint8)


@dataclass
class Maker:
    """Draws one program. `loops` are the axes around the current statement, `accs` what reductions have found there."""

    rng: random.Random
    dtype: DType
    loops: list[Axis] = field(default_factory=list)
    reduced: list[Axis] = field(default_factory=list)
    accs: list[Accumulator] = field(default_factory=list)
    staged: list[Array] = field(default_factory=list)
    inputs: list[Array] = field(default_factory=list)
    outputs: list[Array] = field(default_factory=list)
    count: int = 0

    def name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    # ---- axes ------------------------------------------------------------------------------

    @property
    def in_lanes(self) -> bool:
        return any(a.lanes > 1 or a.kind is Kind.VECTOR for a in (*self.loops, *self.reduced))

    def axis(self, kinds: tuple[Kind, ...]) -> Axis:
        kind = self.rng.choice([k for k in kinds if k is not Kind.VECTOR or not self.in_lanes])
        turns = int(np.prod([a.var.hi + 1 for a in (*self.loops, *self.reduced)]))
        extent = self.rng.choice([n for n in (1, 2, 3, 5, 9, 16, 19, 37) if n * turns <= MOST_TURNS] or [1])
        if kind in (Kind.UNROLL, Kind.LOCAL):
            extent = self.rng.choice((1, 2, 3, 4))
        if kind is Kind.VECTOR:
            extent = self.rng.choice((4, 8, 16))
        lanes = unroll = 1
        if kind is Kind.SERIAL:
            lanes = 1 if self.in_lanes else self.rng.choice((1, 4, 8, 16))
            unroll = self.rng.choice((1, 1, 2, 3))
        return Axis(Var(self.name("v"), 0, extent - 1), extent, kind, lanes, unroll)

    # ---- expressions -----------------------------------------------------------------------

    def expression(self) -> Expr:
        """Something over the variables of the loops here."""
        variables = [a.var for a in (*self.loops, *self.reduced)]
        e: Expr = lift(self.rng.randrange(-3, 4))
        for v in self.rng.sample(variables, self.rng.randint(0, len(variables))):
            e = e + v * self.rng.choice((1, 1, 1, 2, -1, 5))
        choice = self.rng.randrange(6)
        divisor = self.rng.choice((2, 3, 4, 16))
        return e // divisor if choice == 0 else e % divisor if choice == 1 else e

    def condition(self) -> Expr:
        e, bound = self.expression(), self.rng.randrange(0, 12)
        return self.rng.choice(
            (e.lt(bound), e.ge(bound - 3), e.eq(bound), all_of((e.ge(1), self.expression().lt(bound))))
        )

    # ---- values ----------------------------------------------------------------------------

    def value(self, depth: int = 3) -> Value:
        kind = self.rng.randrange(10)
        if depth == 0 or kind < 5:
            return self.leaf(depth)
        a, b = self.value(depth - 1), self.value(depth - 1)
        if kind == 9:
            test = alu(self.rng.choice((Op.LT, Op.NE)), dtypes.bool, a, b)
            return alu(Op.WHERE, self.dtype, test, self.value(depth - 1), a)
        return alu(self.rng.choice((Op.ADD, Op.ADD, Op.MUL, Op.MAX, Op.IDIV, Op.MOD)), self.dtype, a, b)

    def leaf(self, depth: int) -> Value:
        kind = self.rng.randrange(8)
        if kind == 0:
            return const(self.rng.randrange(0, 5), self.dtype)
        if kind == 1:
            return index(self.expression(), self.dtype)
        if kind == 2:
            return alu(Op.CAST, self.dtype, index(self.condition(), dtypes.bool))
        if kind == 3 and self.accs:
            return ref(self.rng.choice(self.accs))
        if kind == 4 and self.staged:
            array = self.rng.choice(self.staged)
            return load(array, self.expression() % int(dim_product((array.size,))))  # type: ignore[call-overload]
        return self.load(depth)

    def load(self, depth: int) -> Value:
        e = self.expression()
        bindings: dict[Var, Value] = {}
        if depth > 1 and self.rng.randrange(4) == 0:
            number = alu(Op.MOD, self.dtype, self.value(depth - 2), const(7, self.dtype))
            var = Var(self.name("k"), 0, 6)
            bindings[var] = number
            e = e + var * self.rng.choice((1, 3))
        low = self.rng.choice((0, 0, 2))
        size = max(1, e.hi - e.lo + 1 - self.rng.choice((0, 0, 3)))
        at = e - e.lo - low
        array = Array(self.name("x"), self.dtype, size)
        self.inputs.append(array)
        valid = all_of((at.ge(0), at.lt(size)))
        fill = self.rng.randrange(0, 9)
        return load(array, at, None if valid.constant == 1 else valid, fill, bindings)

    # ---- statements ------------------------------------------------------------------------

    def nest(self, depth: int, kinds: tuple[Kind, ...]) -> tuple[Stmt, ...]:
        if depth == 0:
            return self.body()
        axis = self.axis(kinds)
        self.loops.append(axis)
        inner = self.nest(depth - 1, kinds if axis.kind is Kind.GRID else tuple(k for k in kinds if k is not Kind.GRID))
        self.loops.pop()
        return (Loop(axis, inner),)

    def body(self) -> tuple[Stmt, ...]:
        accs, staged = list(self.accs), list(self.staged)
        statements: list[Stmt] = []
        for _ in range(self.rng.randint(1, 3)):
            kind = self.rng.randrange(6)
            if kind < 2:
                statements.append(self.reduction())
            elif kind == 2:
                statements.append(self.stage())
            elif kind == 3 and self.loops:
                yes = tuple(self.store() for _ in range(self.rng.randint(1, 2)))
                statements.append(If(self.condition(), yes, (self.store(),) if self.rng.randrange(2) else ()))
            elif kind == 4 and len(self.loops) < 3:
                statements.extend(self.nest(1, (Kind.SERIAL, Kind.UNROLL, Kind.VECTOR)))
            statements.append(self.store())
        self.accs, self.staged = accs, staged
        return tuple(statements)

    def reduction(self) -> Reduction:
        axes = []
        for _ in range(self.rng.choice((1, 1, 2))):
            axis = self.axis((Kind.SERIAL,))
            axes.append(axis)
            self.reduced.append(axis)
        found = []
        for _ in range(self.rng.randint(1, 2)):
            value = self.value()
            combine = self.rng.choice((Combine.ADD, Combine.MAX, Combine.MUL))
            outer = value.vars - {a.var for a in axes}
            found.append(Accumulator(self.name("acc"), combine, self.dtype, value, outer))
        self.reduced.clear()
        self.accs.extend(found)
        return Reduction(tuple(axes), tuple(found))

    def stage(self) -> Stage:
        """Scratch memory that does not depend on axes in registers, whose elements share it."""
        axis = self.axis((Kind.SERIAL,))
        array = Array(self.name("scratch"), self.dtype, axis.extent, Scope.PRIVATE)
        outside, accs = self.loops, self.accs
        self.loops = [a for a in outside if a.kind not in (Kind.UNROLL, Kind.VECTOR) and a.lanes * a.unroll == 1]
        in_registers = {a.var for a in outside} - {a.var for a in self.loops}
        self.accs = [a for a in accs if a.vars.isdisjoint(in_registers)]
        self.loops.append(axis)
        fill = Loop(axis, (Store(array, axis.var, self.value(2)),))
        self.loops, self.accs = outside, accs
        self.staged.append(array)
        return Stage(array, (fill,))

    def store(self) -> Store:
        """To an array of its own, with an element for every turn of the loops here."""
        offset, size = [], 1
        for axis in reversed(self.loops):
            offset.append((axis.var, size))
            size *= axis.var.hi + 1
        array = Array(self.name("out"), self.dtype, size, written=True)
        self.outputs.append(array)
        valid = self.condition() if self.rng.randrange(5) == 0 else None
        combine = self.rng.choice((Combine.SET, Combine.SET, Combine.ADD, Combine.MAX))
        return Store(array, scaled_sum(offset), self.value(), combine=combine, valid=valid)


def random_program(seed: int, maker: type[Maker] = Maker) -> tuple[Program, dict[Array, Data]]:
    """A program and what its arrays hold before."""
    rng = random.Random(seed)
    made = maker(rng, rng.choice(DTYPES))
    body = made.nest(rng.randint(1, 3), (Kind.GRID, Kind.SERIAL, Kind.SERIAL, Kind.UNROLL, Kind.VECTOR))
    program = Program(f"random_{seed}", (*made.inputs, *made.outputs), (), body)
    data = np.random.default_rng(seed)
    return program, {a: data.integers(0, 9, int(str(a.size))).astype(a.dtype.storage) for a in program.params}


def random_case(seed: int) -> Case:
    program, given = random_program(seed)
    interpreter = Interpreter({a: x.copy() for a, x in given.items()}, {})
    interpreter.run(program)
    return Case(program, given, {a: interpreter.memory[a] for a in program.params if a.written})


CASES = [random_case(seed) for seed in range(COUNT)]


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Data]]:
    return run(CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_random_program(case: Case, results: dict[str, dict[str, Data]]) -> None:
    check(case, results[case.program.name])
