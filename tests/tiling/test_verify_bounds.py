"""The verifier refuses exactly the programs that read or write outside of an array when they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from lazygrad.dtype import dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Const, Var, minimum
from lazygrad.index.variable import Variable
from lazygrad.ir.op import Combine
from lazygrad.tiling.program import (
    Accumulator,
    Axis,
    If,
    Kind,
    Load,
    Loop,
    Program,
    Reduction,
    Search,
    Stmt,
    Store,
    Value,
    index,
    load,
    ref,
)
from lazygrad.tiling.verify import verify

from .harness import array
from .interpreter import Interpreter
from .test_random import Maker, random_program


class Careless(Maker):
    """Now and then an index is one off, a guard is forgotten or lets through one element too many.

    Not where it is loaded: of such an index every value within its bounds is looked at, and few of them occur.
    """

    def load(self, depth: int) -> Value:
        v = cast(Load, super().load(depth))
        mistake = self.rng.randrange(16)
        if v.binds:
            return v
        if mistake == 0 and v.valid is not None:
            return load(v.array, v.index, None, v.fill)
        if mistake == 1 and v.valid is not None:
            return load(v.array, v.index, v.index.ge(-1).and_(v.index.lt(cast(int, v.array.size))), v.fill)
        return load(v.array, v.index + {2: 1, 3: -1}.get(mistake, 0), v.valid, v.fill)

    def store(self) -> Store:
        s = super().store()
        return replace(s, index=s.index + {0: 1, 1: -1}.get(self.rng.randrange(24), 0))


def is_refused(program: Program) -> bool:
    try:
        verify(program)
    except GraphError as error:
        if "may be element" in str(error):
            return True
        raise
    return False


def leaves_an_array(seed: int) -> tuple[bool, bool]:
    """Whether a careless program does when it runs, and whether its verification says so."""
    program, given = random_program(seed, Careless)
    refused = is_refused(program)
    try:
        Interpreter(given, {}).run(program)
    except IndexError:
        return True, refused
    return False, refused


def test_what_is_refused_is_what_leaves_an_array(seeds: Callable[[int], range]) -> None:
    found = {seed: leaves_an_array(seed) for seed in seeds(150)}
    assert not [seed for seed, (leaves, refused) in found.items() if leaves != refused]
    assert len(found) // 4 < sum(leaves for leaves, _ in found.values()) < len(found) * 3 // 4


# ---- more points than are looked at one by one -----------------------------------------------------

N = 1 << 22
SOURCE, OUT = array("source", dtypes.float32, N), array("out", dtypes.float32, N, written=True)
CHUNK = N // 60 + 1  # of a task: nothing is left for the last ones
TASK, TURN = Var("task", 0, 63), Var("turn", 0, CHUNK - 1)


def copy(at: int = 0, to: int = 0, size: int = N, turns: int = CHUNK, valid: bool = False) -> Program:
    """A copy of N elements in 64 tasks, the last of which have fewer turns or none."""
    i = TASK * CHUNK + TURN
    source = replace(SOURCE, size=size)
    value = load(source, i + at, (i + at).lt(size) if valid else None)
    extent = minimum(turns, Const(N) - TASK * CHUNK)
    body: tuple[Stmt, ...] = (Loop(Axis(TURN, extent), (Store(OUT, i + to, value),)),)
    return Program("copy", (source, OUT), (), (Loop(Axis(TASK, 64, Kind.GRID), body),))


RIGHT: dict[str, Callable[[], Program]] = {
    "stretches": copy,
    "a guard at the end": lambda: copy(at=3, valid=True),
    "a symbolic size": lambda: symbolic(0),
    "a search": lambda: searched(0),
    "a branch that nothing reaches": lambda: branch(N),
}
WRONG: dict[str, tuple[Callable[[], Program], str]] = {
    "one too far": (lambda: copy(at=1), f"element {N} of {N}"),
    "one before the first": (lambda: copy(at=-1), "element -1 of"),
    "a store one too far": (lambda: copy(to=1), r"copy: out\[.*element"),
    "a store before the first": (lambda: copy(to=-1), r"copy: out\[.*element -1"),
    "a smaller source": (lambda: copy(size=N - 1), "may be element"),
    "longer turns": (lambda: copy(turns=CHUNK + 1), f"the loop over turn in 0..{CHUNK - 1} has"),
    "a symbolic size, one too far": (lambda: symbolic(1), "may be element"),
    "a search that looks before the first": (lambda: searched(-1), "element -1 of"),
    "the other side of a branch": (lambda: branch(N // 2), "may be element"),
}


def symbolic(off: int) -> Program:
    """The sum of T rows of T elements."""
    t = Variable("T", 1, 4096)
    row, column = Var("row", 0, 4095, below=t), Var("column", 0, 4095, below=t)
    source, out = array("source", dtypes.float32, t * t), array("out", dtypes.float32, t, written=True)
    value = load(source, row * t + column + off)
    total = Accumulator("total", Combine.ADD, dtypes.float32, value, frozenset({row}))
    body = (Reduction((Axis(column, t),), (total,)), Store(out, row, ref(total)))
    return Program("symbolic", (source, out), (t,), (Loop(Axis(row, t, Kind.GRID), body),))


def searched(off: int) -> Program:
    """The elements whose position is even, moved together in pairs."""
    turn = Var("turn", 0, N - 1)
    store = Store(OUT, turn // 2, load(SOURCE, turn + off))
    body = (Search(Axis(turn, N), (turn % 2).eq(0), (), (store,)),)
    return Program("searched", (SOURCE, OUT), (), body)


def branch(limit: int) -> Program:
    """A vector at a time; where one would end behind `limit`, elements of another array."""
    lane, strip = Var("lane", 0, 7), Var("strip", 0, N // 512 - 1)
    first = TASK * (N // 64) + strip * 8
    short = array("short", dtypes.float32, 8)
    store, other = (Store(OUT, first + lane, v) for v in (load(SOURCE, first + lane), load(short, first + lane - N)))
    inner = Loop(Axis(lane, 8, Kind.VECTOR), (If(first.le(limit - 8), (store,), (other,)),))
    nest = Loop(Axis(TASK, 64, Kind.GRID), (Loop(Axis(strip, N // 512), (inner,)),))
    return Program("branch", (SOURCE, short, OUT), (), (nest,))


@pytest.mark.parametrize("name", RIGHT)
def test_large_programs_that_stay_inside(name: str) -> None:
    verify(RIGHT[name]())


@pytest.mark.parametrize("name", WRONG)
def test_large_programs_that_do_not(name: str) -> None:
    make, message = WRONG[name]
    with pytest.raises(GraphError, match=message):
        verify(make())


def test_a_value_that_is_no_access_may_be_anything() -> None:
    store = Store(OUT, TASK, index(TASK - 100, dtypes.float32))
    verify(Program("numbers", (OUT,), (), (Loop(Axis(TASK, 64, Kind.GRID), (store,)),)))
