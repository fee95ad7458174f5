"""Every simplification rule keeps the value, also of nan, infinities and -0.0, and is known to apply somewhere."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

from lazygrad.dtype import ALL, DType, dtypes
from lazygrad.errors import ShapeError
from lazygrad.ir import rules_alu as on_alu
from lazygrad.ir import rules_movement as on_moves
from lazygrad.ir.build import filled_like
from lazygrad.ir.elements import Array, array_type
from lazygrad.ir.evaluate import evaluate
from lazygrad.ir.node import (
    Node,
    alu,
    bitcast,
    call,
    cast,
    const,
    const_arg,
    copy,
    detach,
    expand,
    flip,
    node,
    pad,
    permute,
    reduce,
    reshape,
    scan,
    scatter,
    shrink,
    topological,
    where,
)
from lazygrad.ir.op import ELEMENTWISE, AxesArg, BoundsArg, Combine, Op, PadArg, ReduceArg, ShapeArg
from lazygrad.ir.rewrite import CLOSE, RULES, simplify
from lazygrad.ir.verify import verify
from tests.programs import random_program, read_stored, stored

INTS = tuple(d for d in ALL if d.is_int)
FLOATS = tuple(d for d in ALL if d.is_float)
EXACT = (*INTS, dtypes.bool)
WIDE = (dtypes.float32, dtypes.float64)
HALVES = (dtypes.float16, dtypes.bfloat16)
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -1.5, 3.0, 60000.0, -7e-5, 2.0**-14, 100.25, 7.0]


def numbers(dtype: DType, seed: int = 0, shape: tuple[int, ...] = (3, 4, 5)) -> Node:
    """Random elements among which all the special ones occur."""
    rng = np.random.default_rng(seed)
    if dtype.is_float:
        return stored(rng.choice(SPECIAL, shape), dtype)
    edges = np.array([int(dtype.min), int(dtype.max), 0, 1, 2, 5], object)
    return stored(rng.choice(edges, shape).astype(array_type(dtype)), dtype)


def same(a: Array, b: Array, close: bool = False) -> bool:
    """Equal with the sign of zeros, any nan equal to any; `close`: within a few roundings, and any sign of zero."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if close and a.dtype.kind == "f":
        return bool(np.allclose(a, b, rtol=64 * float(np.finfo(a.dtype).eps), atol=0, equal_nan=True))
    if not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
        return False
    return a.dtype.kind != "f" or bool(np.all((np.signbit(a) == np.signbit(b)) | np.isnan(a)))


def fill(x: Node, value: float) -> Node:
    return filled_like(x, value)


def bits(dtype: DType) -> DType:
    return {2: dtypes.uint16, 4: dtypes.uint32, 8: dtypes.uint64}[dtype.itemsize]


def repeated(x: Node) -> Node:
    return expand(reshape(x, (3, 1, 4, 1, 5)), (3, 6, 4, 2, 5))


# rule, dtypes, graphs that it must simplify, each made from x, y (numbers) and c (bool), all of one shape
Make = Callable[[Node, Node, Node], Node]
C = dtypes.bool
USERS = SimpleNamespace(name="users")
CASES: list[tuple[on_alu.Rule, tuple[DType, ...], list[Make]]] = [
    (on_alu.fold_constants, ALL, [
        lambda x, y, c: alu(Op.ADD, fill(x, 1), fill(x, 3)), lambda x, y, c: alu(Op.LT, fill(x, 1), fill(x, 3)),
        lambda x, y, c: where(fill(c, 0), fill(x, 1), fill(x, 0)),
        lambda x, y, c: node(Op.CAST, (fill(c, 1),), None, x.dtype),
    ]),
    (on_alu.fold_constants, FLOATS, [
        lambda x, y, c, v=v, w=w: alu(Op.DIV, fill(x, v), fill(x, w))  # type: ignore[misc]
        for v, w in product([np.nan, -0.0, np.inf, 0.1], repeat=2)
    ]),
    (on_alu.constant_right, ALL, [
        lambda x, y, c: alu(Op.ADD, fill(x, 3), x), lambda x, y, c: alu(Op.MUL, fill(x, 3), x),
    ]),
    (on_alu.add_zero, EXACT, [lambda x, y, c: alu(Op.ADD, x, fill(x, 0))]),
    (on_alu.add_zero, FLOATS, [lambda x, y, c: alu(Op.ADD, x, fill(x, -0.0))]),
    (on_alu.mul_one, ALL, [lambda x, y, c: alu(Op.MUL, x, fill(x, 1))]),
    (on_alu.mul_zero, EXACT, [lambda x, y, c: alu(Op.MUL, x, fill(x, 0))]),
    (on_alu.double_negation, FLOATS, [lambda x, y, c: alu(Op.MUL, alu(Op.MUL, x, fill(x, -1)), fill(x, -1))]),
    (on_alu.join_constants, EXACT, [
        lambda x, y, c: alu(Op.ADD, alu(Op.ADD, x, fill(x, 100)), fill(x, 99)),
        lambda x, y, c: alu(Op.XOR, alu(Op.XOR, x, fill(x, 6)), fill(x, 11)),
    ]),
    (on_alu.div_one, FLOATS, [lambda x, y, c: alu(Op.DIV, x, fill(x, 1))]),
    (on_alu.div_one, INTS, [lambda x, y, c: alu(Op.IDIV, x, fill(x, 1))]),
    (on_alu.div_power_of_two, FLOATS, [
        lambda x, y, c: alu(Op.DIV, x, fill(x, 8)), lambda x, y, c: alu(Op.DIV, x, fill(x, -2.0**-12)),
    ]),
    (on_alu.mod_one, INTS, [lambda x, y, c: alu(Op.MOD, x, fill(x, 1))]),
    (on_alu.with_itself, ALL, [lambda x, y, c: alu(Op.MAX, x, x), lambda x, y, c: alu(Op.LT, x, x)]),
    (on_alu.with_itself, EXACT, [
        lambda x, y, c: alu(Op.AND, x, x), lambda x, y, c: alu(Op.XOR, x, x), lambda x, y, c: alu(Op.NE, x, x),
    ]),
    (on_alu.bits_constant, EXACT, [
        lambda x, y, c: alu(Op.AND, x, fill(x, 0)), lambda x, y, c: alu(Op.OR, x, fill(x, 0)),
        lambda x, y, c: alu(Op.XOR, x, fill(x, 0)), lambda x, y, c: alu(Op.AND, x, fill(x, -1)),
        lambda x, y, c: alu(Op.OR, x, fill(x, -1)),
    ]),
    (on_alu.shift_zero, INTS, [lambda x, y, c: alu(Op.SHL, x, fill(x, 0)), lambda x, y, c: alu(Op.SHR, x, fill(x, 0))]),
    (on_alu.ne_bool, (C,), [lambda x, y, c: alu(Op.NE, x, fill(x, 0)), lambda x, y, c: alu(Op.NE, x, fill(x, 1))]),
    (on_alu.small_power, FLOATS, [
        *(lambda x, y, c, p=p: alu(Op.POW, x, fill(x, p)) for p in (0, 1, 2, -1)),
    ]),
    (on_alu.where_constant, ALL, [lambda x, y, c: where(fill(c, 1), x, y), lambda x, y, c: where(fill(c, 0), x, y)]),
    (on_alu.where_same, ALL, [lambda x, y, c: where(c, x, x)]),
    (on_alu.where_not, ALL, [lambda x, y, c: where(alu(Op.XOR, c, fill(c, 1)), x, y)]),
    (on_alu.where_bool, (C,), [lambda x, y, c: where(c, fill(x, 1), fill(x, 0))]),
    (on_alu.where_nested, ALL, [
        lambda x, y, c: where(c, where(c, x, y), fill(x, 1)), lambda x, y, c: where(c, x, where(c, y, fill(x, 1))),
    ]),
    (on_alu.bitcast_of_bitcast, FLOATS, [lambda x, y, c: bitcast(bitcast(x, bits(x.dtype)), x.dtype)]),
    (on_alu.drop_gradient_mark, ALL, [lambda x, y, c: detach(x), lambda x, y, c: call(x, (y, c), USERS)]),
    (on_alu.copy_home, ALL, [lambda x, y, c: copy(x, "NUMPY")]),
    (on_moves.move_constant, ALL, [
        lambda x, y, c: reshape(fill(x, 1), (60,)), lambda x, y, c: permute(fill(x, 1), (2, 0, 1)),
        lambda x, y, c: shrink(fill(x, 1), [(0, 1)] * 3), lambda x, y, c: flip(fill(x, 1), [0, 1]),
        lambda x, y, c: expand(expand(const(1, x.dtype, (1, 1)), (3, 1)), (3, 4)),
    ]),
    (on_moves.pad_constant, ALL, [lambda x, y, c: pad(fill(x, 1), [(1, 0), (0, 2), (0, 0)], 1)]),
    (on_moves.does_nothing, ALL, [
        lambda x, y, c: node(Op.RESHAPE, (x,), ShapeArg((3, 4, 5))),
        lambda x, y, c: node(Op.EXPAND, (x,), ShapeArg((3, 4, 5))),
        lambda x, y, c: node(Op.SHRINK, (x,), BoundsArg(((0, 3), (0, 4), (0, 5)))),
        lambda x, y, c: node(Op.PAD, (x,), PadArg(((0, 0),) * 3, const_arg(1, x.dtype))),
    ]),
    (on_moves.reshape_of_reshape, ALL, [
        lambda x, y, c: node(Op.RESHAPE, (reshape(x, (60,)),), ShapeArg((5, 12))),
    ]),
    (on_moves.permute_of_permute, ALL, [lambda x, y, c: permute(permute(x, (1, 2, 0)), (1, 0, 2))]),
    (on_moves.permute_of_expand, ALL, [lambda x, y, c: permute(repeated(x), (4, 1, 0, 3, 2))]),
    (on_moves.permute_is_reshape, ALL, [lambda x, y, c: permute(reshape(x, (3, 1, 20, 1)), (1, 0, 3, 2))]),
    (on_moves.expand_of_expand, ALL, [
        lambda x, y, c: expand(expand(reshape(x, (1, 60, 1)), (4, 60, 1)), (4, 60, 2)),
    ]),
    (on_moves.flip_of_flip, ALL, [
        lambda x, y, c: flip(flip(x, [0, 2]), [1, 2]), lambda x, y, c: flip(flip(x, [0]), [0]),
    ]),
    (on_moves.flip_of_repeated, ALL, [
        lambda x, y, c: flip(repeated(x), [0, 1, 3]), lambda x, y, c: flip(reshape(x, (1, 60)), [0, 1]),
    ]),
    (on_moves.shrink_of_shrink, ALL, [
        lambda x, y, c: shrink(shrink(x, [(1, 3), (0, 4), (1, 5)]), [(1, 2), (0, 2), (0, 3)]),
    ]),
    (on_moves.shrink_of_expand, ALL, [lambda x, y, c: shrink(repeated(x), [(1, 3), (2, 6), (0, 4), (0, 1), (4, 5)])]),
    (on_moves.shrink_of_pad, ALL, [
        lambda x, y, c: shrink(pad(x, [(2, 1), (0, 1), (0, 0)], 1), [(2, 5), (1, 3), (0, 5)]),
    ]),
    (on_moves.pad_of_pad, ALL, [lambda x, y, c: pad(pad(x, [(1, 0), (0, 2), (0, 0)], 1), [(0, 1), (1, 2), (0, 0)], 1)]),
    (on_moves.reduce_nothing, ALL, [
        lambda x, y, c, how=how: reduce(reshape(x, (60, 1)), how, [1])  # type: ignore[misc]
        for how in (Combine.ADD, Combine.MUL, Combine.MAX)
    ]),
    (on_moves.reduce_unit_axes, ALL, [lambda x, y, c: reduce(reshape(x, (3, 1, 4, 5)), Combine.ADD, [1, 2])]),
    (on_moves.reduce_of_reduce, EXACT, [lambda x, y, c: reduce(reduce(x, Combine.MUL, [0]), Combine.MUL, [1])]),
    (on_moves.reduce_of_reduce, ALL, [lambda x, y, c: reduce(reduce(x, Combine.MAX, [1]), Combine.MAX, [0])]),
    (on_moves.max_of_expanded, ALL, [lambda x, y, c: reduce(repeated(x), Combine.MAX, [1, 2])]),
    (on_moves.sum_of_expanded, (*INTS, *WIDE), [lambda x, y, c: reduce(repeated(x), Combine.ADD, [1, 2])]),
    (on_moves.sum_of_expanded, FLOATS, [lambda x, y, c: reduce(repeated(x), Combine.ADD, [1, 3])]),
    (on_moves.scan_nothing, ALL, [lambda x, y, c: scan(reshape(x, (60, 1)), Combine.ADD, 1)]),
    (on_moves.scan_long, WIDE, [
        lambda x, y, c: scan(pad(reshape(x, (60,)), [(80, 0)]), Combine.ADD, 0),
        lambda x, y, c: scan(flip(pad(x, [(71, 56), (0, 0), (0, 0)]), [0]), Combine.ADD, 0)]),
    (on_moves.scan_wide, HALVES, [
        lambda x, y, c: scan(x, Combine.ADD, 1), lambda x, y, c: scan(fill(x, 1.5), Combine.MUL, 2),
    ]),
    (on_moves.scatter_long, WIDE, [
        lambda x, y, c: scatter(
            shrink(x, [(0, 2), (0, 4), (0, 5)]),
            pad(cast(c, dtypes.int32), [(1000, 97), (0, 0), (0, 0)]), pad(y, [(1000, 97), (0, 0), (0, 0)]),
            0, Combine.ADD),
        lambda x, y, c: scatter(
            shrink(x, [(0, 3), (0, 4), (0, 1)]),
            pad(cast(c, dtypes.int32), [(0, 0), (0, 0), (1020, 0)]), pad(y, [(0, 0), (0, 0), (1020, 0)]),
            2, Combine.ADD)]),
    (on_moves.scatter_wide, HALVES, [
        lambda x, y, c: scatter(x, cast(c, dtypes.int64), y, 0, Combine.ADD),
    ]),
]  # fmt: skip


def values_of(*roots: Node) -> list[Array]:
    return evaluate(roots, read_stored)


@pytest.mark.parametrize(
    ("rule", "dtype", "makes"),
    [pytest.param(rule, d, makes, id=f"{rule.__name__}-{d}") for rule, allowed, makes in CASES for d in allowed],
)
def test_a_rule_keeps_the_value(rule: on_alu.Rule, dtype: DType, makes: list[Make]) -> None:
    for k, make in enumerate(makes):
        n = make(numbers(dtype), numbers(dtype, 1), numbers(dtypes.bool, 2))
        assert rule in RULES[n.op]
        simpler = rule(n)
        assert simpler is not None, f"does not apply to graph {k}"
        assert (simpler.dtype, simpler.shape) == (n.dtype, n.shape)
        before, after, end = values_of(n, simpler, simplify([n])[0])
        assert same(before, after, rule in CLOSE), f"changes the value of graph {k}:\n{before}\n{after}"
        assert same(before, end, rule in CLOSE)


def test_every_rule_is_tested() -> None:
    rules = {rule for rules in RULES.values() for rule in rules}
    assert rules - {on_alu.cast_of_cast} == {rule for rule, _, _ in CASES}


def test_every_cast_that_is_left_out_did_nothing() -> None:
    """All pairs of casts, on values whose casts are specified: within the range of every integer type."""
    applied = 0
    for start, middle, end in product(ALL, repeat=3):
        small = (start.is_float and middle.is_int) or (middle.is_float and end.is_int)
        x = stored(np.linspace(0, 127, 60).reshape(3, 4, 5), start) if small else numbers(start)
        n = node(Op.CAST, (node(Op.CAST, (x,), None, middle),), None, end)
        simpler = on_alu.cast_of_cast(n)
        if simpler is not None:
            applied += 1
            before, after = values_of(n, simpler)
            assert same(before, after), (start, middle, end)
    assert applied > 800


def test_rules_keep_away_from_what_they_would_change() -> None:
    x, h = numbers(dtypes.float32), numbers(dtypes.float16)
    for n in [
        alu(Op.ADD, x, fill(x, 0.0)),
        alu(Op.MUL, x, fill(x, 0)),
        alu(Op.NE, x, x),
        alu(Op.DIV, x, fill(x, 3)),
        alu(Op.DIV, x, fill(x, 2.0**-140)),
        alu(Op.ADD, alu(Op.ADD, x, fill(x, 0.1)), fill(x, 0.2)),
        cast(cast(x, dtypes.float16), dtypes.float32),
        cast(cast(numbers(dtypes.int32), dtypes.float32), dtypes.int32),
        shrink(pad(x, [(1, 0), (0, 0), (0, 0)]), [(0, 2), (0, 4), (0, 5)]),
        pad(pad(x, [(1, 0), (0, 0), (0, 0)], 1), [(1, 0), (0, 0), (0, 0)], 2),
        reduce(repeated(h), Combine.ADD, [1, 2]),
        reduce(reduce(x, Combine.ADD, [0]), Combine.ADD, [0]),
        flip(x, [1]),
    ]:
        assert simplify([n]) == [n]


CONSTANTS = [0.0, -0.0, 1.0, -1.0, 2.0, 0.25, np.nan, np.inf]


def work(n: Node) -> int:
    return sum(m.op in ELEMENTWISE for m in topological([n]))


def random_tree(rng: random.Random, dtype: DType) -> Node:
    """Elementwise ops over special values, with many constants for the rules to find."""
    pool = [numbers(dtype, seed) for seed in range(3)]
    flags = [numbers(dtypes.bool, 3)]
    binary = [Op.ADD, Op.MUL, Op.DIV, Op.LT, Op.NE] if dtype.is_float else [
        Op.ADD, Op.MUL, Op.IDIV, Op.MOD, Op.MAX, Op.AND, Op.OR, Op.XOR, Op.SHL, Op.SHR, Op.LT, Op.NE,
    ]  # fmt: skip
    for _ in range(12):
        a, b = rng.choice(pool[-4:]), rng.choice(pool[-4:])
        if rng.random() < 0.5:
            b = fill(a, rng.choice(CONSTANTS if dtype.is_float else [0, 1, 2, -1, 7]))
        if rng.random() < 0.2:
            a, b = b, a
        op = rng.choice([*binary, Op.WHERE, Op.XOR])
        if op is Op.WHERE:
            pool.append(where(rng.choice([*flags, fill(flags[0], rng.randrange(2))]), a, b))
        elif op is Op.XOR and dtype.is_float:
            flags.append(alu(Op.XOR, rng.choice(flags), rng.choice([fill(flags[0], 1), *flags])))
        else:
            (flags if op in (Op.LT, Op.NE) else pool).append(alu(op, a, b))
    return where(flags[-1], pool[-1], pool[-2])


@pytest.mark.parametrize("dtype", [*FLOATS, dtypes.int8, dtypes.uint16, dtypes.int64], ids=str)
def test_random_trees_over_special_values(dtype: DType) -> None:
    for seed in range(60):
        n = random_tree(random.Random(seed), dtype)
        [simpler] = simplify([n])
        before, after = values_of(n, simpler)
        assert same(before, after), seed
        assert work(simpler) <= work(n)


def check_programs(count: int) -> None:
    for seed in range(count):
        program = random_program(seed)
        simpler = simplify(program.roots)
        verify(simpler)
        program.check(evaluate(simpler, program.read), "simplified results")
        assert simplify(simpler) == simpler, seed


def test_random_programs_keep_their_values() -> None:
    check_programs(150)


def wrong_where(n: Node) -> Node | None:
    return n.src[1]


def wrong_shrink(n: Node) -> Node | None:
    inner = n.src[0]
    return shrink(inner.src[0], n.argument(BoundsArg).bounds) if inner.op is Op.SHRINK else None


def wrong_permute(n: Node) -> Node | None:
    return reshape(n.src[0], n.shape)


def wrong_flip(n: Node) -> Node | None:
    return n.src[0] if len(n.argument(AxesArg).axes) == n.ndim else None


def wrong_reduce(n: Node) -> Node | None:
    """Forgets how often an element was repeated."""
    x, axes = n.src[0], n.argument(ReduceArg).axes
    return on_moves.reduce_nothing(node(Op.REDUCE, (x.src[0],), n.arg)) if x.op is Op.EXPAND and axes else None


def wrong_pad(n: Node) -> Node | None:
    return pad(n.src[0], n.argument(PadArg).pads, 0) if n.argument(PadArg).fill.value else None


@pytest.mark.parametrize(
    ("op", "rule"),
    [(Op.WHERE, wrong_where), (Op.SHRINK, wrong_shrink), (Op.PERMUTE, wrong_permute), (Op.FLIP, wrong_flip),
     (Op.REDUCE, wrong_reduce), (Op.PAD, wrong_pad)],
)  # fmt: skip
def test_a_wrong_rule_is_caught_by_random_programs(op: Op, rule: on_alu.Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, op, (rule, *RULES[op]))
    with pytest.raises((AssertionError, ShapeError)):  # a wrong number, or a graph that makes no sense
        check_programs(400)


def test_a_long_chain_is_simplified() -> None:
    x = stored(np.arange(4.0), dtypes.float64)
    y = x
    for i in range(50_000):
        y = alu(Op.ADD, alu(Op.MUL, y, fill(x, 1)), fill(x, 1) if i % 2 else fill(x, -1))
    [simpler] = simplify([detach(y)])
    assert len(topological([simpler])) == 50_000 + 1 + 2 * 3
    before, after = values_of(y, simpler)
    assert np.array_equal(before, after)


def test_a_new_node_points_at_the_old_ones_line() -> None:
    x = numbers(dtypes.float32)
    old = alu(Op.ADD, permute(permute(x, (1, 2, 0)), (1, 2, 0)), permute(x, (2, 0, 1)))
    assert "old = alu" in simplify([old])[0].line
