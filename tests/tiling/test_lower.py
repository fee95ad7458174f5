"""Loops, register tiles, masks, reductions and scratch memory: hand-written programs against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lazygrad.dtype import DType, dtypes
from lazygrad.index.expr import Var, all_of, lift
from lazygrad.ir.op import Combine, Op
from lazygrad.tiling.program import (
    Accumulator,
    Barrier,
    If,
    Kind,
    Program,
    Reduction,
    Scope,
    Stage,
    Store,
    Value,
    alu,
    index,
    load,
    ref,
)

from .harness import Array, Case, Data, add, array, axis, check, exp, loop, mul, number, run, sub

F32 = dtypes.float32
Maker = Callable[[], Case]
MAKERS: list[Maker] = []


def case(maker: Maker) -> Maker:
    MAKERS.append(maker)
    return maker


def floats(*shape: int, seed: int = 0) -> Data:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def var(name: str, size: int) -> Var:
    return Var(name, 0, size - 1)


def acc(name: str, combine: Combine, value: Value, *outer: Var, dtype: DType = F32) -> Accumulator:
    return Accumulator(name, combine, dtype, value, frozenset(outer))


# ---- loads and stores ------------------------------------------------------------------------------


@case
def broadcast_and_strides() -> Case:
    """A row, a column, a transposed and a reversed operand."""
    m, n = 37, 53
    a, row, column = floats(m, n), floats(n, seed=1), floats(m, seed=2)
    turned, reverse = floats(n, m, seed=3), floats(m, n, seed=4)
    names = ("a", "row", "column", "turned", "reverse")
    arrays = [array(name, F32, x.size) for name, x in zip(names, (a, row, column, turned, reverse))]
    i, j = var("i", m), var("j", n)
    places = (i * n + j, lift(j), lift(i), j * m + i, i * n + (n - 1 - j))
    total: Value = load(arrays[0], places[0])
    for x, place in zip(arrays[1:], places[1:]):
        total = add(total, load(x, place))
    out = array("out", F32, m * n, written=True)
    body = loop(i, loop(j, Store(out, i * n + j, total), lanes=8, unroll=2), Kind.GRID)
    given = dict(zip(arrays, (a, row, column, turned, reverse)))
    want = ((((a + row) + column[:, None]) + turned.T) + reverse[:, ::-1]).astype(np.float32)
    return Case(Program("broadcast", (*arrays, out), (), (body,)), given, {out: want})


@case
def small_strides() -> Case:
    """Every second, third and fourth element, in full and half vectors, up to the last element of the array."""
    n = 16 + 8 + 4 + 1
    i = var("i", n)
    stores, given, expected = [], {}, {}
    for step in (2, 3, 4, 5):
        for dtype in (F32, dtypes.uint8, dtypes.bool, dtypes.float16):
            size = (n - 1) * step + 1
            x = array(f"x_{step}_{dtype.name}", dtype, size)
            out = array(f"out_{step}_{dtype.name}", dtype, n, written=True)
            given[x] = (np.arange(size) * 7 % 251 % (2 if dtype.is_bool else 251)).astype(dtype.storage)
            expected[out] = given[x][::step]
            stores.append(Store(out, i, load(x, i * step)))
    return Case(Program("small_strides", (*given, *expected), (), (loop(i, stores, lanes=16),)), given, expected)


@case
def padding() -> Case:
    """A border of 2 in front and 3 behind: vectors that are inside, across an edge, and outside."""
    n, m = 61, 66
    x, out = array("x", F32, n), array("out", F32, m, written=True)
    i = var("i", m)
    inside = all_of((i.ge(2), (i - 2).lt(n)))
    data = floats(n)
    body = loop(i, Store(out, i, load(x, i - 2, inside, -7.0)), lanes=16)
    want = np.pad(data, (2, 3), constant_values=-7.0)
    return Case(Program("padding", (x, out), (), (body,)), {x: data}, {out: want})


@case
def padding_both_axes() -> Case:
    """A window over rows and columns, summed: the mask is uniform for rows and differs by lane for columns."""
    h, w = 9, 33
    x, out = array("x", F32, h * w), array("out", F32, h * w, written=True)
    i, j, di, dj = var("i", h), var("j", w), var("di", 3), var("dj", 3)
    y, z = i + di - 1, j + dj - 1
    inside = all_of((y.ge(0), y.lt(h), z.ge(0), z.lt(w)))
    total = acc("total", Combine.ADD, load(x, y * w + z, inside), i, j)
    body = loop(
        i, loop(j, [Reduction((axis(di), axis(dj)), (total,)), Store(out, i * w + j, ref(total))], lanes=16), Kind.GRID
    )
    data = np.random.default_rng(0).integers(-5, 5, (h, w)).astype(np.float32)
    padded = np.pad(data, 1)
    want = sum(padded[a : a + h, b : b + w] for a in range(3) for b in range(3))
    return Case(Program("window", (x, out), (), (body,)), {x: data}, {out: want})


@case
def dilated_mask() -> Case:
    """Lanes that are valid now and then: no interval."""
    n = 70
    x, out = array("x", dtypes.bfloat16, n), array("out", dtypes.bfloat16, n * 3, written=True)
    i = var("i", n * 3)
    bits = np.random.default_rng(0).integers(0x3F00, 0x4100, n).astype(np.uint16)
    body = loop(i, Store(out, i, load(x, i // 3, (i % 3).eq(1), 1.0)), lanes=16)
    want = np.full((n, 3), 0x3F80, np.uint16)
    want[:, 1] = bits
    return Case(Program("dilated", (x, out), (), (body,)), {x: bits}, {out: want.reshape(-1)})


@case
def counters() -> Case:
    """Index expressions as values, floor division of negative numbers among them."""
    n = 75
    i = var("i", n)
    outs = {
        "plain": (lift(i), dtypes.int64, np.arange(n)),
        "scaled": (i * 3 - 100, dtypes.int16, np.arange(n) * 3 - 100),
        "floor": ((i - 40) // 7, dtypes.int32, (np.arange(n) - 40) // 7),
        "modulo": ((i - 40) % 7, dtypes.int32, (np.arange(n) - 40) % 7),
        "condition": (all_of((i.ge(10), (i % 5).lt(3))), dtypes.bool, (np.arange(n) >= 10) & (np.arange(n) % 5 < 3)),
        "wide": (i * (1 << 33) + 5, dtypes.int64, np.arange(n) * (1 << 33) + 5),
        "fraction": (i * (1 << 33) // (1 << 35), dtypes.uint8, np.arange(n) // 4),
    }
    arrays = {name: array(name, dtype, n, written=True) for name, (_, dtype, _) in outs.items()}
    stores = [Store(arrays[name], i, index(e, dtype)) for name, (e, dtype, _) in outs.items()]
    want = {arrays[name]: x.astype(dtype.storage) for name, (_, dtype, x) in outs.items()}
    return Case(Program("counters", tuple(arrays.values()), (), (loop(i, stores, lanes=16),)), {}, want)


@case
def gather() -> Case:
    """Rows of a table by run-time numbers; those outside the table read 0."""
    rows, width, count = 10, 24, 33
    table, ids = array("table", F32, rows * width), array("ids", dtypes.int64, count)
    out = array("out", F32, count * width, written=True)
    i, j, row = var("i", count), var("j", width), Var("row", -1, rows)
    where = {row: load(ids, i)}
    value = load(table, row * width + j, all_of((row.ge(0), row.lt(rows))), 0, where)
    body = loop(i, loop(j, Store(out, i * width + j, value), lanes=16), Kind.GRID)
    data, numbers = floats(rows, width), np.random.default_rng(0).integers(-1, rows + 1, count)
    want = np.where(((numbers >= 0) & (numbers < rows))[:, None], data[np.clip(numbers, 0, rows - 1)], 0)
    program = Program("gather_rows", (table, ids, out), (), (body,))
    return Case(program, {table: data, ids: numbers}, {out: want.astype(np.float32)})


@case
def gather_elements() -> Case:
    """A run-time number in each lane, and its use as a value."""
    size, count = 40, 50
    table, ids = array("table", dtypes.int16, size), array("ids", dtypes.int32, count)
    out, twice = array("out", dtypes.int16, count, written=True), array("twice", dtypes.int64, count, written=True)
    i, k = var("i", count), Var("k", -1, size)
    where = {k: load(ids, i)}
    value = load(table, lift(k), all_of((k.ge(0), k.lt(size))), -5, where)
    body = loop(i, [Store(out, i, value), Store(twice, i, index(k * 2 + i, dtypes.int64, where))], lanes=8)
    data = np.random.default_rng(0).integers(-99, 99, size).astype(np.int16)
    numbers = np.random.default_rng(1).integers(-1, size + 1, count).astype(np.int32)
    want = np.where((numbers >= 0) & (numbers < size), data[np.clip(numbers, 0, size - 1)], -5).astype(np.int16)
    program = Program("gather_elements", (table, ids, out, twice), (), (body,))
    return Case(
        program, {table: data, ids: numbers}, {out: want, twice: numbers.astype(np.int64) * 2 + np.arange(count)}
    )


@case
def scatter() -> Case:
    """Updates in order at run-time places; columns in vectors; places outside are dropped."""
    rows, width, count = 6, 20, 40
    ids, updates = array("ids", dtypes.int64, count), array("updates", F32, count * width)
    out = array("out", F32, rows * width, written=True)
    u, j, k, row = var("u", count), var("j", width), var("k", rows), Var("row", -1, rows)
    inside = all_of((row.ge(0), row.lt(rows)))
    fill = loop(k, Store(out, k * width + j, number(0.0)))
    update = Store(
        out, row * width + j, load(updates, u * width + j), combine=Combine.ADD,
        valid=inside, bindings=((row, load(ids, u)),),
    )  # fmt: skip
    body = loop(j, [fill, loop(u, update)], lanes=16)
    data = np.random.default_rng(0).integers(-9, 9, (count, width)).astype(np.float32)
    numbers = np.random.default_rng(1).integers(-1, rows + 1, count)
    want = np.zeros((rows, width), np.float32)
    for at, values in zip(numbers, data):
        if 0 <= at < rows:
            want[at] += values
    return Case(Program("scatter", (ids, updates, out), (), (body,)), {ids: numbers, updates: data}, {out: want})


@case
def scatter_lanes() -> Case:
    """Places differ from lane to lane and repeat: lanes are added one after the other."""
    size, count = 7, 45
    ids, out = array("ids", dtypes.int32, count), array("out", dtypes.int32, size, written=True)
    u, k, at = var("u", count), var("k", size), Var("at", -1, size)
    fill = loop(k, Store(out, k, number(0, dtypes.int32)))
    one = Store(
        out, lift(at), index(u, dtypes.int32), combine=Combine.ADD,
        valid=all_of((at.ge(0), at.lt(size))), bindings=((at, load(ids, u)),),
    )  # fmt: skip
    numbers = np.random.default_rng(0).integers(-1, size + 1, count).astype(np.int32)
    want = np.array([np.arange(count)[numbers == k].sum() for k in range(size)], np.int32)
    program = Program("scatter_lanes", (ids, out), (), (fill, loop(u, one, lanes=16)))
    return Case(program, {ids: numbers}, {out: want})


@case
def in_place() -> Case:
    """Two arrays updated from each other's old elements."""
    n = 100
    p, m = array("p", F32, n, written=True), array("m", F32, n, written=True)
    i = var("i", n)
    new = add(mul(load(m, i), number(0.5)), load(p, i))
    body = loop(i, [Store(m, i, new), Store(p, i, sub(load(p, i), mul(load(m, i), new)))], lanes=16, unroll=2)
    a, b = (np.random.default_rng(s).integers(-8, 8, n).astype(np.float32) for s in (0, 1))
    moved = b * np.float32(0.5) + a
    return Case(Program("in_place", (p, m), (), (body,)), {p: a, m: b}, {p: a - b * moved, m: moved})


@case
def half_storage() -> Case:
    """float16 in and out, through a float16 scratch row; strided too."""
    m, n = 5, 40
    f16 = dtypes.float16
    x, y = array("x", f16, m * n), array("y", f16, m * n)
    out = array("out", f16, m * n, written=True)
    row = Array("row", f16, n, Scope.PRIVATE)
    i, j, k = var("i", m), var("j", n), var("k", n)
    stage = Stage(row, (loop(k, Store(row, k, add(load(x, i * n + k), load(y, k * m + i))), lanes=16),))
    body = loop(
        i, [stage, loop(j, Store(out, i * n + j, add(load(row, j), load(row, n - 1 - j))), lanes=16)], Kind.GRID
    )
    a, b = floats(m, n).astype(np.float16), floats(n, m, seed=1).astype(np.float16)
    summed = (a.astype(np.float32) + b.T.astype(np.float32)).astype(np.float16).astype(np.float32)
    want = (summed + summed[:, ::-1]).astype(np.float16)
    return Case(Program("half_storage", (x, y, out), (), (body,)), {x: a, y: b}, {out: want})


@case
def symbolic_size() -> Case:
    """A size known at launch: the number of groups, strips and what is left over follow it."""
    size = Var("T", 1, 4096)
    m, n = 3, 77
    x, out = array("x", F32, size * 3), array("out", F32, size * 3, written=True)
    i, j = var("i", m), Var("j", 0, 4095, below=size)
    total = acc("total", Combine.ADD, load(x, i * size + j), i)
    g = Var("g", 0, 4095, below=size)
    scaled = mul(load(x, i * size + g), ref(total))
    body = loop(
        g, loop(i, [Reduction((axis(j, lanes=16, unroll=2),), (total,)), Store(out, i * size + g, scaled)]), Kind.GRID
    )
    data = np.random.default_rng(0).integers(-5, 5, (m, n)).astype(np.float32)
    want = data * data.sum(1, keepdims=True)
    return Case(Program("symbolic", (x, out), (size,), (body,)), {x: data}, {out: want}, sizes={size: n})


# ---- reductions ------------------------------------------------------------------------------------


@case
def softmax() -> Case:
    m, n = 9, 150
    x, out = array("x", F32, m * n), array("out", F32, m * n, written=True)
    i, r, s, j = var("i", m), var("r", n), var("s", n), var("j", n)
    top = acc("top", Combine.MAX, load(x, i * n + r), i)
    total = acc("total", Combine.ADD, exp(sub(load(x, i * n + s), ref(top))), i)
    passes = [Reduction((axis(r, lanes=16, unroll=4),), (top,)), Reduction((axis(s, lanes=16, unroll=2),), (total,))]
    value = alu(Op.DIV, F32, exp(sub(load(x, i * n + j), ref(top))), ref(total))
    body = loop(i, [*passes, loop(j, Store(out, i * n + j, value), lanes=16)], Kind.GRID)
    data = floats(m, n) * 5
    shifted = np.exp((data - data.max(1, keepdims=True)).astype(np.float64))
    want = shifted / shifted.sum(1, keepdims=True)
    return Case(Program("softmax", (x, out), (), (body,)), {x: data}, {out: want.astype(np.float32)}, rtol=2e-6)


@case
def layer_norm() -> Case:
    """The mean, then the variance around it, then the scaled row; both statistics are kept too."""
    m, n = 6, 100
    x, w, b = array("x", F32, m * n), array("w", F32, n), array("b", F32, n)
    out, mean = array("out", F32, m * n, written=True), array("mean", F32, m, written=True)
    i, r, s, j = var("i", m), var("r", n), var("s", n), var("j", n)
    total = acc("total", Combine.ADD, load(x, i * n + r), i)
    middle = mul(ref(total), number(1 / n))
    off = sub(load(x, i * n + s), middle)
    spread = acc("spread", Combine.ADD, mul(off, off), i)
    root = alu(Op.SQRT, F32, add(mul(ref(spread), number(1 / n)), number(1e-5)))
    scale = alu(Op.DIV, F32, number(1.0), root)
    value = add(mul(mul(sub(load(x, i * n + j), middle), scale), load(w, j)), load(b, j))
    statements = [
        Reduction((axis(r, lanes=16, unroll=2),), (total,)),
        Store(mean, i, middle),
        Reduction((axis(s, lanes=16, unroll=2),), (spread,)),
        loop(j, Store(out, i * n + j, value), lanes=16),
    ]
    data, weight, bias = floats(m, n), floats(n, seed=1), floats(n, seed=2)
    exact = data.astype(np.float64)
    middles = exact.mean(1, keepdims=True)
    want = (exact - middles) / np.sqrt(exact.var(1, keepdims=True) + 1e-5) * weight + bias
    program = Program("layer_norm", (x, w, b, out, mean), (), (loop(i, statements, Kind.GRID),))
    return Case(program, {x: data, w: weight, b: bias}, {out: want, mean: middles[:, 0]}, rtol=1e-5, atol=1e-6)


@case
def column_sum() -> Case:
    """VECTOR over output columns, Reduction over rows, unrolled: two accumulator registers for each column vector."""
    m, n = 35, 64
    x, out = array("x", F32, m * n), array("out", F32, n, written=True)
    r, j, u, g = var("r", m), var("j", 16), var("u", 2), var("g", 2)
    column = g * 32 + u * 16 + j
    total = acc("total", Combine.ADD, load(x, r * n + column), g, u, j)
    inner = [Reduction((axis(r, unroll=4),), (total,)), Store(out, column, ref(total))]
    body = loop(g, loop(u, loop(j, inner, Kind.VECTOR), Kind.UNROLL), Kind.GRID)
    data = np.random.default_rng(0).integers(-9, 9, (m, n)).astype(np.float32)
    return Case(Program("column_sum", (x, out), (), (body,)), {x: data}, {out: data.sum(0)})


@case
def several_axes() -> Case:
    """Two reduced axes, the outer unrolled, the inner in lanes, both with a rest; sum, product, maximum at once."""
    m, k, n = 4, 7, 39
    x = array("x", dtypes.int32, m * k * n)
    outs = [array(name, dtypes.int32, m, written=True) for name in ("sum", "product", "top")]
    i, r, s = var("i", m), var("r", k), var("s", n)
    value = load(x, (i * k + r) * n + s)
    accs = [
        acc(f"acc_{c.name.lower()}", c, value, i, dtype=dtypes.int32) for c in (Combine.ADD, Combine.MUL, Combine.MAX)
    ]
    reduction = Reduction((axis(r, unroll=3), axis(s, lanes=8, unroll=2)), tuple(accs))
    body = loop(i, [reduction, *(Store(o, i, ref(a)) for o, a in zip(outs, accs))], Kind.GRID)
    data = np.random.default_rng(0).integers(-3, 4, (m, k, n)).astype(np.int32)
    data[data == 0] = 1
    flat = data.reshape(m, -1)
    want = [flat.sum(1), np.multiply.reduce(flat, axis=1, dtype=np.int32), flat.max(1)]
    return Case(Program("several_axes", (x, *outs), (), (body,)), {x: data}, dict(zip(outs, want)))


@case
def full_sum() -> Case:
    """One group, nothing but the reduction; bool conditions counted and combined too."""
    n = 1000
    x = array("x", F32, n)
    outs = {
        "total": (F32, Combine.ADD, load(x, var("r", n))),
        "positive": (dtypes.int64, Combine.ADD, None),
        "any": (dtypes.bool, Combine.MAX, None),
        "all": (dtypes.bool, Combine.MUL, None),
    }
    r = var("r", n)
    test = alu(Op.LT, dtypes.bool, number(0.0), load(x, r))
    values = {"total": load(x, r), "positive": alu(Op.CAST, dtypes.int64, test), "any": test, "all": test}
    accs = {name: acc(f"acc_{name}", c, values[name], dtype=d) for name, (d, c, _) in outs.items()}
    arrays = {name: array(name, d, 1, written=True) for name, (d, _, _) in outs.items()}
    body = (Reduction((axis(r, lanes=16, unroll=2),), tuple(accs.values())),)
    stores = tuple(Store(arrays[name], lift(0), ref(accs[name])) for name in outs)
    data = np.random.default_rng(0).integers(-9, 9, n).astype(np.float32)
    want = [data.sum(), (data > 0).sum(), (data > 0).any(), (data > 0).all()]
    expected = {a: np.array([x], a.dtype.storage) for a, x in zip(arrays.values(), want)}
    return Case(Program("full_sum", (x, *arrays.values()), (), (*body, *stores)), {x: data}, expected)


@case
def first_maximum() -> Case:
    """argmax: the maximum, then the lowest place that has it (as the maximum of minus the place)."""
    m, n = 5, 70
    x, out = array("x", F32, m * n), array("out", dtypes.int64, m, written=True)
    i, r, s = var("i", m), var("r", n), var("s", n)
    top = acc("top", Combine.MAX, load(x, i * n + r), i)
    different = alu(Op.NE, dtypes.bool, load(x, i * n + s), ref(top))
    place = alu(Op.WHERE, dtypes.int64, different, number(-n, dtypes.int64), index(-s, dtypes.int64))
    best = acc("best", Combine.MAX, place, i, dtype=dtypes.int64)
    passes = [Reduction((axis(r, lanes=16),), (top,)), Reduction((axis(s, lanes=8, unroll=2),), (best,))]
    body = loop(i, [*passes, Store(out, i, mul(ref(best), number(-1, dtypes.int64)))], Kind.GRID)
    data = np.random.default_rng(0).integers(0, 9, (m, n)).astype(np.float32)
    return Case(Program("argmax", (x, out), (), (body,)), {x: data}, {out: data.argmax(1)})


@case
def nan_maximum() -> Case:
    """A nan anywhere in the row is the row's maximum."""
    n = 53
    x, out = array("x", F32, n * n), array("out", F32, n, written=True)
    i, r = var("i", n), var("r", n)
    top = acc("top", Combine.MAX, load(x, i * n + r), i)
    body = loop(i, [Reduction((axis(r, lanes=16, unroll=2),), (top,)), Store(out, i, ref(top))], Kind.GRID)
    data = floats(n, n)
    data[np.arange(1, n), np.arange(1, n)] = np.nan
    return Case(Program("nan_maximum", (x, out), (), (body,)), {x: data}, {out: data.max(1)})


def gemm(m: int, k: int, n: int, packed: bool, name: str) -> Case:
    """12 x 32 register tiles; B as it lies, or packed in scratch memory."""
    a, b, out = array("a", F32, m * k), array("b", F32, k * n), array("out", F32, m * n, written=True)
    g, t, i, u, lane, kk = var("g", n // 32), var("t", m // 12), var("i", 12), var("u", 2), var("lane", 16), var("k", k)
    row, column = t * 12 + i, g * 32 + u * 16 + lane
    scratch = Array("panel", F32, k * 32, Scope.PRIVATE)
    right = load(scratch, kk * 32 + u * 16 + lane) if packed else load(b, kk * n + column)
    dot = acc("c", Combine.ADD, mul(load(a, row * k + kk), right), g, t, i, u, lane)
    tile = loop(lane, [Reduction((axis(kk),), (dot,)), Store(out, row * n + column, ref(dot))], Kind.VECTOR)
    body = [loop(t, loop(i, loop(u, tile, Kind.UNROLL), Kind.UNROLL))]
    if packed:
        p, c = var("p", k), var("c", 32)
        body.insert(
            0, Stage(scratch, (loop(p, loop(c, Store(scratch, p * 32 + c, load(b, p * n + g * 32 + c)), lanes=16)),))
        )
    x, y = (
        np.random.default_rng(s).integers(-4, 5, shape).astype(np.float32) for s, shape in ((0, (m, k)), (1, (k, n)))
    )
    return Case(Program(name, (a, b, out), (), (loop(g, body, Kind.GRID),)), {a: x, b: y}, {out: x @ y})


def transposing_pack(dtype: DType, name: str) -> Case:
    """A panel is copied so that it lies along the other axis: whole squares, and what is left over on both sides."""
    m, n = 37, 27
    x, out = array("x", dtype, m * n), array("out", dtype, m * n, written=True)
    i, j = var("i", m), var("j", n)
    body = loop(j, loop(i, Store(out, j * m + i, load(x, i * n + j)), lanes=8), unroll=8)
    data = (np.arange(m * n) % 251).reshape(m, n).astype(dtype.storage)
    return Case(Program(name, (x, out), (), (body,)), {x: data}, {out: data.T.copy()})


@case
def transposing_pack_float() -> Case:
    return transposing_pack(F32, "transpose_float")


@case
def transposing_pack_bool() -> Case:
    return transposing_pack(dtypes.bool, "transpose_bool")


@case
def transposing_pack_half() -> Case:
    return transposing_pack(dtypes.float16, "transpose_half")


@case
def gemm_plain() -> Case:
    return gemm(24, 19, 64, False, "gemm_plain")


@case
def gemm_packed() -> Case:
    return gemm(24, 19, 64, True, "gemm_packed")


@case
def columns_beyond_the_end() -> Case:
    """An If over lanes: whole vectors, and lane by lane at the end, of a reduction made for all lanes."""
    m, n = 5, 21
    x, out = array("x", F32, m * n), array("out", F32, n, written=True)
    u, lane, r = var("u", 2), var("lane", 16), var("r", m)
    column = u * 16 + lane
    total = acc("total", Combine.ADD, load(x, r * n + column, column.lt(n)), u, lane)
    store = If(column.lt(n), (Store(out, column, ref(total)),))
    body = loop(u, loop(lane, [Reduction((axis(r),), (total,)), store], Kind.VECTOR), Kind.UNROLL)
    data = np.random.default_rng(0).integers(-9, 9, (m, n)).astype(np.float32)
    return Case(Program("beyond_the_end", (x, out), (), (body,)), {x: data}, {out: data.sum(0)})


@case
def branches() -> Case:
    """Loads stay on their side of an If; a condition on an unrolled axis is decided at once."""
    n = 40
    x, out = array("x", F32, n), array("out", F32, n * 2, written=True)
    i, u = var("i", n), var("u", 2)
    near = Store(out, i * 2 + u, load(x, i))
    far = Store(out, i * 2 + u, mul(load(x, i), number(2.0)))
    condition = If((i + u).lt(20), (near,), (far,))
    split = If(u.eq(0), (condition,), (Store(out, i * 2 + u, number(5.0)),))
    data = floats(n)
    want = np.stack([np.where(np.arange(n) < 20, data, data * 2), np.full(n, 5.0)], 1).astype(np.float32)
    body = loop(i, loop(u, split, Kind.UNROLL), Kind.GRID)
    return Case(Program("branches", (x, out), (), (body,)), {x: data}, {out: want})


# ---- work-items ------------------------------------------------------------------------------------


@case
def local_rows() -> Case:
    """Each row by 12 work-items, an odd way to halve; the result goes to all of them."""
    m, n, items = 5, 60, 12
    x, out = array("x", F32, m * n), array("out", F32, m * n, written=True)
    i, r, w, c, k = var("i", m), var("r", n // items), var("w", items), var("c", n // items), var("k", items)
    top = acc("top", Combine.MAX, load(x, i * n + r * items + w), i)
    total = acc("total", Combine.ADD, load(x, i * n + r * items + w), i)
    passes = Reduction((axis(r), axis(w, Kind.LOCAL)), (top, total))
    place = i * n + c * items + k
    body = loop(
        i,
        [passes, loop(k, loop(c, Store(out, place, sub(mul(load(x, place), ref(total)), ref(top)))), Kind.LOCAL)],
        Kind.GRID,
    )
    data = np.random.default_rng(0).integers(-9, 9, (m, n)).astype(np.float32)
    want = data * data.sum(1, keepdims=True) - data.max(1, keepdims=True)
    return Case(Program("local_rows", (x, out), (), (body,)), {x: data}, {out: want})


@case
def local_many_rows() -> Case:
    """4 rows of 8 work-items in a group, one store for each row, and bool accumulators."""
    m, n = 8, 40
    x, out = array("x", dtypes.int32, m * n), array("out", dtypes.bool, m, written=True)
    g, i, r, w = var("g", 2), var("i", 4), var("r", n // 8), var("w", 8)
    row = g * 4 + i
    test = alu(Op.LT, dtypes.bool, number(17, dtypes.int32), load(x, row * n + r * 8 + w))
    found = acc("found", Combine.MAX, test, g, i, dtype=dtypes.bool)
    inner = [Reduction((axis(r), axis(w, Kind.LOCAL)), (found,)), Store(out, row, ref(found))]
    body = loop(g, loop(i, inner, Kind.LOCAL), Kind.GRID)
    data = np.random.default_rng(0).integers(0, 19, (m, n)).astype(np.int32)
    return Case(Program("local_many_rows", (x, out), (), (body,)), {x: data}, {out: (data > 17).any(1)})


@case
def local_stage() -> Case:
    """A tile is read one way by the work-items and written another way after a barrier."""
    m, n, t = 16, 24, 8
    x, out = array("x", F32, m * n), array("out", F32, m * n, written=True)
    gi, gj = var("gi", m // t), var("gj", n // t)
    a, b, c, d = var("a", t), var("b", t), var("c", t), var("d", t)
    tile = Array("tile", F32, t * t, Scope.LOCAL)
    fill = loop(a, loop(b, Store(tile, a * t + b, load(x, (gi * t + a) * n + gj * t + b)), Kind.LOCAL), Kind.LOCAL)
    use = loop(c, loop(d, Store(out, (gj * t + c) * m + gi * t + d, load(tile, d * t + c)), Kind.LOCAL), Kind.LOCAL)
    body = loop(gi, loop(gj, [Stage(tile, (fill,)), Barrier(), use], Kind.GRID), Kind.GRID)
    data = floats(m, n)
    return Case(Program("local_stage", (x, out), (), (body,)), {x: data}, {out: data.T.copy()})


CASES = [maker() for maker in MAKERS]


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Data]]:
    return run(CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_program(case: Case, results: dict[str, dict[str, Data]]) -> None:
    check(case, results[case.program.name])
