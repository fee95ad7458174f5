"""Random loads in a register tile, each with a guard over its row, its lane and the turn of a loop around them.

An array has no element that only an unguarded read needs: where one load instruction stands for several elements, its
guard must hold for all of them.
"""

from __future__ import annotations

import itertools
import random

import numpy as np

from lazygrad.dtype import dtypes
from lazygrad.index.expr import Expr, Var, all_of, lift
from lazygrad.ir.op import Combine
from lazygrad.tiling.program import Accumulator, Axis, Kind, Load, Loop, Program, Reduction, Stmt, Store, load, ref

from .harness import Case, array
from .interpreter import Interpreter

LANES = (4, 8, 16)
BESIDE = 77  # what an element holds that no valid load reads


def random_guarded_load(seed: int) -> Case:
    """A program of one guarded load, summed over the turns of a loop or stored in each, and what it gives."""
    rng = random.Random(seed)
    lanes = rng.choice(LANES)
    rows = rng.choice((lanes, lanes, lanes, lanes + 1, 2 * lanes, 3))
    row, lane = Var("row", 0, rows - 1), Var("lane", 0, lanes - 1)
    turn = Var("turn", 0, rng.choice((0, 1, 2, 4)))
    across, along = ((1, rows), (1, rows + 3), (1, 2), (1, 5), (1, -rows)), ((lanes, 1), (lanes, -1), (3, 2), (0, 1))
    steps = rng.choice(across if rng.randrange(3) else along)
    index = row * steps[0] + lane * steps[1] + turn * rng.choice((0, 1, lanes * rows)) + rng.choice((0, 1))
    guard = all_of([_condition(rng, (row, lane, turn)) for _ in range(rng.choice((1, 1, 1, 2, 3)))])
    ranges = {v: range(v.hi + 1) for v in (row, lane, turn)}
    places = [dict(zip(ranges, at)) for at in itertools.product(*ranges.values())]
    read = [index.evaluate(at) for at in places if guard.evaluate(at)] or [0]
    size = max(read) - min(read) + 1 + rng.choice((0, 0, 5))
    source = array("source", dtypes.int32, size)
    value = load(source, index - min(read), None if guard.constant == 1 else guard, rng.randrange(3))
    program = _program(f"guarded_{seed}", value, row, lane, turn, rng)
    given = {source: np.random.default_rng(seed).integers(1, 1 << 20, size).astype(np.int32)}
    given |= {a: np.full(int(str(a.size)), BESIDE, np.int32) for a in program.params if a.written}
    interpreter = Interpreter({a: x.copy() for a, x in given.items()}, {})
    interpreter.run(program)
    return Case(program, given, {a: interpreter.memory[a] for a in program.params if a.written})


def _condition(rng: random.Random, variables: tuple[Var, ...]) -> Expr:
    """One that holds somewhere in the middle of the range of a sum of variables, from somewhere on, or up to there."""
    chosen = rng.sample(variables, rng.choice((1, 1, 1, 2, 3)))
    e = sum((v * rng.choice((1, 1, -1, 2)) for v in chosen), lift(0))
    if rng.randrange(8) == 0:
        e = rng.choice((e // 2, e % 3))
    bound = rng.randint(e.lo, e.hi)
    return rng.choice((e.lt(bound), e.ge(bound), e.lt(bound), e.ge(bound), e.eq(bound)))


def _program(name: str, value: Load, row: Var, lane: Var, turn: Var, rng: random.Random) -> Program:
    """Lanes inside rows or rows inside lanes; all turns in one sum, or one after the other with a store in each."""
    width, height = lane.hi + 1, row.hi + 1
    turns = Axis(turn, turn.hi + 1, unroll=rng.choice((1, 1, 2)))
    at = row * width + lane if rng.randrange(4) else lane * height + row
    body: tuple[Stmt, ...]
    if rng.randrange(3):
        out = array("out", dtypes.int32, width * height, written=True)
        total = Accumulator("total", Combine.ADD, dtypes.int32, value, value.vars - {turn})
        body = (Reduction((turns,), (total,)), Store(out, at, ref(total)))
    else:
        out = array("out", dtypes.int32, width * height * (turn.hi + 1), written=True)
        body = (Store(out, turn * (width * height) + at, value),)
    nest = [_axis(row, Kind.UNROLL, 1, LANES[0], rng), _axis(lane, Kind.VECTOR, width, 1, rng)]
    for axis in rng.sample(nest, 2):
        body = (Loop(axis, body),)
    if out.size != width * height:
        body = (Loop(turns, body),)
    return Program(name, (value.array, out), (), body)


def _axis(var: Var, kind: Kind, lanes: int, unroll: int, rng: random.Random) -> Axis:
    """The whole range of `var` in registers, or a loop over as much of it as `lanes` and `unroll` say."""
    extent = var.hi + 1
    return Axis(var, extent, kind) if rng.randrange(3) else Axis(var, extent, Kind.SERIAL, lanes, unroll)
