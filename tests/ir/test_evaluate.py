"""The evaluator against meanings written a second time: Python's own numbers, loops, and PyTorch."""

from __future__ import annotations

import math
import operator
import weakref
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad.dtype import ALL, DType, dtypes
from lazygrad.index.expr import Var
from lazygrad.ir.build import filled_like
from lazygrad.ir.elements import Array, array_type, narrow_bfloat16, round_bfloat16, to_storage, widen_bfloat16
from lazygrad.ir.evaluate import evaluate
from lazygrad.ir.node import (
    Node,
    alu,
    bitcast,
    buffer,
    cast,
    const,
    contiguous,
    copy,
    detach,
    expand,
    flip,
    gather,
    iota,
    pad,
    permute,
    reduce,
    reshape,
    scan,
    scatter,
    shrink,
    store,
    where,
)
from lazygrad.ir.op import BINARY, UNARY, Combine, Op
from tests.programs import HostStorage, read_stored, stored

INTS = tuple(d for d in ALL if d.is_int)
FLOATS = tuple(d for d in ALL if d.is_float)
EPSILON = {dtypes.float16: 2**-11, dtypes.bfloat16: 2**-8, dtypes.float32: 2**-24, dtypes.float64: 2**-53}


def value_of(n: Node) -> Array:
    return evaluate([n], read_stored)[0]


def wrap(value: int, dtype: DType) -> int:
    value &= (1 << dtype.bits) - 1
    return value - (1 << dtype.bits) if dtype.kind == "int" and value >> (dtype.bits - 1) else value


FLOAT_MEANING: dict[Op, Callable[[float, float], float]] = {
    Op.ADD: operator.add,
    Op.MUL: operator.mul,
    Op.DIV: operator.truediv,
    Op.MOD: operator.mod,
    Op.MAX: max,
    Op.POW: lambda a, b: abs(a) ** b,
    Op.EXP2: lambda a, b: 2.0**a,
    Op.EXPM1: lambda a, b: math.expm1(a),
    Op.LOG2: lambda a, b: math.log2(abs(a)),
    Op.SIN: lambda a, b: math.sin(a),
    Op.COS: lambda a, b: math.cos(a),
    Op.SQRT: lambda a, b: math.sqrt(abs(a)),
    Op.ERF: lambda a, b: math.erf(a),
    Op.TRUNC: lambda a, b: float(math.trunc(a)),
    Op.LT: operator.lt,
    Op.NE: operator.ne,
}


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("op", FLOAT_MEANING, ids=str)
def test_float_ops_are_pythons(op: Op, dtype: DType) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(-24, 25, (2, 50)) / 8 + 1 / 16
    if op in (Op.POW, Op.LOG2, Op.SQRT):
        a = abs(a)
    x, y = stored(a, dtype), stored(b, dtype)
    got = value_of(alu(op, x, y) if op in BINARY else alu(op, x))
    want = np.array([FLOAT_MEANING[op](p, q) for p, q in zip(a.tolist(), b.tolist())], np.float64)
    assert got.dtype == array_type(dtypes.bool if op in (Op.LT, Op.NE) else dtype)
    np.testing.assert_allclose(got.astype(np.float64), want, rtol=4 * EPSILON[dtype], atol=0)


def floor_divide(a: int, b: int) -> int:
    return a // b if b else 0


def shift(a: int, count: int, dtype: DType, left: bool) -> int:
    if not 0 <= count < dtype.bits:
        return -1 if not left and a < 0 else 0
    return a << count if left else a >> count


INT_MEANING: dict[Op, Callable[[int, int, DType], int | bool]] = {
    Op.ADD: lambda a, b, d: a + b,
    Op.MUL: lambda a, b, d: a * b,
    Op.IDIV: lambda a, b, d: floor_divide(a, b),
    Op.MOD: lambda a, b, d: a - floor_divide(a, b) * b if b else 0,
    Op.MAX: lambda a, b, d: max(a, b),
    Op.TRUNC: lambda a, b, d: a,
    Op.LT: lambda a, b, d: a < b,
    Op.NE: lambda a, b, d: a != b,
    Op.AND: lambda a, b, d: a & b,
    Op.OR: lambda a, b, d: a | b,
    Op.XOR: lambda a, b, d: a ^ b,
    Op.SHL: lambda a, b, d: shift(a, b, d, True),
    Op.SHR: lambda a, b, d: shift(a, b, d, False),
}


@pytest.mark.parametrize("dtype", INTS, ids=str)
@pytest.mark.parametrize("op", INT_MEANING, ids=str)
def test_integer_ops_are_pythons_wrapped(op: Op, dtype: DType) -> None:
    """Also division by zero, the lowest value by -1, and shifts by every count."""
    lowest, highest = int(dtype.min), int(dtype.max)
    edges = [lowest, lowest + 1, highest, highest - 1, 0, 1, 2, 3, 7, dtype.bits - 1, dtype.bits]
    pairs = list(product([*edges, *(wrap(-e, dtype) for e in edges)], repeat=2))
    x, y = (stored(np.array(side, dtype.storage), dtype) for side in zip(*pairs))
    got = value_of(alu(op, x, y) if op in BINARY else alu(op, x)).tolist()
    want = [INT_MEANING[op](a, b, dtype) for a, b in pairs]
    assert got == [w if isinstance(w, bool) else wrap(w, dtype) for w in want]


def test_bool_ops() -> None:
    a, b = (stored(np.array(side, bool), dtypes.bool) for side in zip(*product([False, True], repeat=2)))
    for op, want in [
        (Op.ADD, [0, 1, 1, 1]), (Op.MUL, [0, 0, 0, 1]), (Op.MAX, [0, 1, 1, 1]), (Op.AND, [0, 0, 0, 1]),
        (Op.OR, [0, 1, 1, 1]), (Op.XOR, [0, 1, 1, 0]), (Op.LT, [0, 1, 0, 0]), (Op.NE, [0, 1, 1, 0]),
    ]:  # fmt: skip
        assert value_of(alu(op, a, b)).tolist() == [bool(w) for w in want], op


def test_special_floats() -> None:
    inf, nan = math.inf, math.nan
    a = stored(np.array([nan, 1.0, inf, -1.0, 0.0, -5.0, 5.0, 0.0]), dtypes.float64)
    b = stored(np.array([1.0, nan, inf, 0.0, 0.0, 3.0, -3.0, -0.0]), dtypes.float64)
    for op, want in [
        (Op.MAX, [nan, nan, inf, 0, 0, 3, 5, 0]),
        (Op.DIV, [nan, nan, nan, -inf, nan, -5 / 3, -5 / 3, nan]),
        (Op.MOD, [nan, nan, nan, nan, nan, 1, -1, nan]),
        (Op.NE, [1, 1, 0, 1, 0, 1, 1, 0]),
        (Op.LT, [0, 0, 0, 1, 0, 1, 0, 0]),
    ]:
        np.testing.assert_array_equal(value_of(alu(op, a, b)), want, err_msg=str(op))
    np.testing.assert_array_equal(value_of(alu(Op.SQRT, a)), [nan, 1, inf, nan, 0, nan, math.sqrt(5), 0])
    np.testing.assert_array_equal(value_of(alu(Op.LOG2, a))[[2, 3, 4]], [inf, nan, -inf])
    np.testing.assert_array_equal(value_of(alu(Op.POW, filled_like(a, 0), filled_like(a, 0))), np.ones(8))
    assert np.isnan(value_of(reduce(a, Combine.MAX, [0])))


@pytest.mark.parametrize(("start", "end"), list(product(ALL, ALL)), ids=str)
def test_casts_of_values_that_fit_are_torchs(start: DType, end: DType) -> None:
    values = [0, 1, 2, 3, 100] if start.is_int else [0, 1] if start.is_bool else [0.0, 0.5, 1.75, 2.0, 100.25]
    if start.kind in ("int", "float") and end.kind in ("int", "float"):
        values = [*values, *(-v for v in values)]
    x = torch.tensor(values).to(getattr(torch, start.name))
    want = x.to(getattr(torch, end.name)).to(torch.float64).numpy()
    got = value_of(cast(stored(np.array(values, np.float64), start), end))
    np.testing.assert_array_equal(got.astype(np.float64), want)


def test_bfloat16_rounds_as_torch_does() -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, 100_000, dtype=np.uint32)
    edges = np.array([0, 0x7F800000, 0xFF800000, 0x7F7FFFFF, 0x3F808000, 0x3F818000, 0x3F808001, 1], np.uint32)
    floats = np.concatenate([bits, edges]).view(np.float32)
    want = torch.from_numpy(floats).to(torch.bfloat16).float().numpy()
    np.testing.assert_array_equal(round_bfloat16(floats), want)
    every = np.arange(1 << 16, dtype=np.uint16)
    np.testing.assert_array_equal(narrow_bfloat16(widen_bfloat16(every)) & 0xFFBF, every & 0xFFBF)  # quiet nans


def test_bfloat16_rounds_after_every_op() -> None:
    x = stored(np.array([1.0, 256.0]), dtypes.bfloat16)
    y = alu(Op.ADD, alu(Op.ADD, x, filled_like(x, 2**-8)), filled_like(x, -1))
    assert value_of(y).tolist() == [0.0, 255.0]
    bits = to_storage(value_of(x), dtypes.bfloat16)
    raw = buffer(HostStorage(bits, dtypes.bfloat16), dtypes.bfloat16, (2,))
    assert value_of(raw).tolist() == [1.0, 256.0]  # a BUFFER may be read as its bits
    assert value_of(bitcast(x, dtypes.uint16)).tolist() == [0x3F80, 0x4380]


@pytest.mark.parametrize("dtype", [dtypes.float16, dtypes.bfloat16], ids=str)
def test_short_floats_accumulate_in_float32(dtype: DType) -> None:
    ones = const(1, dtype, (5000,))
    assert value_of(reduce(ones, Combine.ADD, [0])) == float(torch.tensor(5000.0).to(getattr(torch, dtype.name)))
    zero, index = const(0, dtype, (1,)), const(0, dtypes.int32, (5000,))
    assert value_of(scatter(zero, index, ones, 0, Combine.ADD)) == value_of(reduce(ones, Combine.ADD, [0]))


def test_float32_sums_are_accurate_over_any_axis() -> None:
    x = np.random.default_rng(0).random((4, 100_000), dtype=np.float32)
    for array, axis in [(x, 1), (x.T, 0)]:
        got = value_of(reduce(stored(array, dtypes.float32), Combine.ADD, [axis]))
        np.testing.assert_allclose(got, array.sum(axis, dtype=np.float64), rtol=3e-7, atol=0)


def rounded(exact: Any, dtype: DType) -> Array:
    """An integer array in `dtype`: wrapped, or rounded once."""
    array = np.asarray(exact).astype(array_type(dtype))
    return round_bfloat16(array) if dtype is dtypes.bfloat16 else array


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_reductions_and_prefixes_are_loops(dtype: DType) -> None:
    x = np.random.default_rng(1).integers(0, 2 if dtype.is_bool else 4, (3, 4, 2))
    n = stored(x, dtype)
    for how, function in [(Combine.ADD, np.add), (Combine.MUL, np.multiply), (Combine.MAX, np.maximum)]:
        kind = bool if dtype.is_bool else np.int64
        for axes in [(0,), (1,), (0, 2), (0, 1, 2)]:
            want = rounded(function.reduce(x.astype(kind), axis=axes, dtype=kind), dtype)
            assert np.array_equal(value_of(reduce(n, how, axes)), want), (how, axes)
        want = rounded(function.accumulate(x.astype(kind), axis=1, dtype=kind), dtype)
        assert np.array_equal(value_of(scan(n, how, 1)), want), how


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_reductions_of_nothing_are_identities(dtype: DType) -> None:
    empty = const(1, dtype, (3, 0))
    assert value_of(reduce(empty, Combine.ADD, [1])).tolist() == [0] * 3
    assert value_of(reduce(empty, Combine.MUL, [1])).tolist() == [1] * 3
    assert value_of(reduce(empty, Combine.MAX, [1])).tolist() == [dtype.min] * 3
    assert value_of(reduce(empty, Combine.ADD, [0])).shape == (0,)
    assert value_of(scan(empty, Combine.ADD, 1)).shape == (3, 0)


def test_movement() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    n = stored(x, dtypes.float64)
    for made, want in [
        (reshape(n, (4, 6)), x.reshape(4, 6)),
        (permute(n, (2, 0, 1)), np.einsum("abc->cab", x)),
        (expand(reshape(n, (2, 1, 12)), (2, 5, 12)), np.stack([x.reshape(2, 12)] * 5, 1)),
        (pad(n, [(1, 0), (0, 2), (0, 0)], 7), np.pad(x, [(1, 0), (0, 2), (0, 0)], constant_values=7)),
        (shrink(n, [(1, 2), (0, 3), (2, 2)]), x[1:2, 0:3, 2:2]),
        (flip(n, [0, 2]), x[::-1, :, ::-1]),
    ]:
        assert value_of(made).tolist() == want.tolist()
        assert value_of(made).shape == made.shape


def test_gather_and_scatter_are_loops() -> None:
    """Index shorter than the tensor on other axes, repeated indices, and indices out of range on both sides."""
    rng = np.random.default_rng(2)
    x, index = rng.integers(-9, 9, (3, 4, 5)), rng.integers(-2, 6, (2, 7, 5))
    updates = rng.integers(-9, 9, index.shape)
    nodes = [stored(a, dtypes.int64) for a in (x, index, updates)]
    picked, combined = np.zeros(index.shape, np.int64), {how: x.copy() for how in ("SET", "ADD", "MAX")}
    for i, j, k in product(*map(range, index.shape)):
        at = index[i, j, k]
        if 0 <= at < 4:
            picked[i, j, k] = x[i, at, k]
            combined["SET"][i, at, k] = updates[i, j, k]
            combined["ADD"][i, at, k] += updates[i, j, k]
            combined["MAX"][i, at, k] = max(combined["MAX"][i, at, k], updates[i, j, k])
    assert np.array_equal(value_of(gather(nodes[0], nodes[1], 1)), picked)
    for how, want in combined.items():
        assert np.array_equal(value_of(scatter(nodes[0], nodes[1], nodes[2], 1, Combine[how])), want), how
    assert np.array_equal(value_of(nodes[0]), x)  # the base is not written


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_sources_and_identities(dtype: DType) -> None:
    c = const(1, dtype, (2, 3))
    n = stored(np.ones((2, 3)), dtype)
    for same in [c, detach(n), contiguous(n, 5), store(n, HostStorage(np.zeros(6), dtype)), copy(n, "OPENCL")]:
        assert value_of(same).tolist() == np.ones((2, 3), bool if dtype.is_bool else float).tolist()
        assert value_of(same).dtype == array_type(dtype)
    assert value_of(where(const(True, dtypes.bool, (2, 3)), n, filled_like(n, 0))).tolist() == value_of(n).tolist()
    if not dtype.is_bool:
        assert value_of(iota(5, dtype)).tolist() == [0, 1, 2, 3, 4]


def test_symbolic_sizes_are_bound() -> None:
    t = Var("t", 2, 16)
    array = np.arange(6.0)
    x = buffer(HostStorage(array, dtypes.float64), dtypes.float64, (t, 2))
    y = reduce(shrink(pad(x, [(0, t), (0, 0)], 1), [(1, t + 2), (0, 2)]), Combine.ADD, [1])
    assert y.shape == (t + 1,)
    assert evaluate([y, iota(t, dtypes.int32)], lambda n: array, {t: 3})[0].tolist() == [5, 9, 2, 2]
    assert evaluate([iota(t, dtypes.int32)], lambda n: array, {t: 4})[0].tolist() == [0, 1, 2, 3]


def test_a_size_that_is_known_after_all_is_an_int() -> None:
    t = Var("t", 0, 9)
    x = iota(10, dtypes.int32)
    one = shrink(x, [(t, t + 1)])
    assert one.shape == (1,)
    assert evaluate([one], read_stored, {t: 7})[0].tolist() == [7]
    assert pad(shrink(x, [(0, t)]), [(0, 10 - t)]).shape == (10,)


@pytest.mark.parametrize("op", sorted(UNARY - {Op.CAST, Op.BITCAST}, key=str), ids=str)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_scalars_are_arrays(op: Op, dtype: DType) -> None:
    value = value_of(alu(op, const(1, dtype)))
    assert isinstance(value, np.ndarray)
    assert value.shape == ()


def test_intermediates_are_freed_at_their_last_use() -> None:
    alive: list[weakref.ref[Any]] = []
    most = 0

    def read(n: Node) -> Array:
        nonlocal most
        alive.append(weakref.ref(array := np.ones(1000)))
        most = max(most, sum(r() is not None for r in alive))
        return array

    total = stored(np.ones(1000), dtypes.float64)
    for _ in range(50):
        total = alu(Op.ADD, alu(Op.MUL, stored(np.ones(1000), dtypes.float64), filled_like(total, 2)), total)
    assert evaluate([total], read)[0][0] == 101
    assert len(alive) == 51
    assert most <= 3


def test_a_root_may_be_read_by_others_and_occur_twice() -> None:
    x = stored(np.ones(3), dtypes.float32)
    y = alu(Op.ADD, x, x)
    z = alu(Op.MUL, y, y)
    assert [v.tolist() for v in evaluate([y, z, y, x], read_stored)] == [[2] * 3, [4] * 3, [2] * 3, [1] * 3]
