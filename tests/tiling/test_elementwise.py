"""Every elementwise primitive on every dtype, in vectors and in the scalars at the end, against the NumPy meaning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lazygrad.dtype import ALL, DType, dtypes
from lazygrad.index.expr import Var
from lazygrad.ir.elements import array_type, from_storage, to_storage
from lazygrad.ir.evaluate import evaluate
from lazygrad.ir.node import Node, bitcast, cast
from lazygrad.ir.node import alu as node_alu
from lazygrad.ir.node import buffer as node_buffer
from lazygrad.ir.op import Op
from lazygrad.runtime.base import Storage
from lazygrad.tiling.program import Program, Store, Value, alu, load

from .harness import Case, Data, array, check, loop, run

SIZE = 16 * 5 + 11
FLOATS = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 100.25, np.inf, -np.inf, np.nan, 65504.0, 1e-7, -1e-40, 3e38, 6e-8, 7.0]
ARITHMETIC = (Op.ADD, Op.MUL, Op.MAX, Op.LT, Op.NE)
BITS = (Op.AND, Op.OR, Op.XOR)
OPS: dict[str, tuple[Op, ...]] = {
    "float": (*ARITHMETIC, Op.DIV, Op.MOD, Op.SQRT, Op.TRUNC),
    "int": (*ARITHMETIC, *BITS, Op.IDIV, Op.MOD, Op.SHL, Op.SHR),
    "uint": (*ARITHMETIC, *BITS, Op.IDIV, Op.MOD, Op.SHL, Op.SHR),
    "bool": (*ARITHMETIC, *BITS),
}
UNARY = (Op.SQRT, Op.TRUNC)


def samples(dtype: DType, seed: int) -> Data:
    """Elements of a dtype as they lie in memory, the awkward ones in every combination."""
    rng = np.random.default_rng(seed)
    if dtype.is_bool:
        return rng.integers(0, 2, SIZE).astype(np.bool_)
    if dtype.is_float:
        with np.errstate(over="ignore"):
            x = rng.choice(np.array(FLOATS), SIZE)
            x[::3] = rng.normal(size=len(x[::3])) * 10
            return to_storage(x.astype(array_type(dtype)), dtype)
    low, high = int(dtype.min), int(dtype.max)
    special = np.array(
        [0, 1, low, high, 2, 7, dtype.bits - 1, dtype.bits, high // 2, max(low, -1), max(low, -7)], object
    )
    x = rng.choice(special, SIZE)
    x[::4] = rng.integers(max(low, -(2**62)), min(high, 2**62), len(x[::4])).astype(object)
    return x.astype(dtype.storage)


def reference(op: Op, dtype: DType, operands: list[Data], types: list[DType]) -> Data:
    """What the graph says that the op gives."""
    sources = [node_buffer(Storage("NUMPY", x.nbytes), t, x.shape) for x, t in zip(operands, types)]
    values = {id(n): x for n, x in zip(sources, operands)}

    def read(n: Node) -> Any:
        return values[id(n)]

    convert = {Op.CAST: cast, Op.BITCAST: bitcast}.get(op)
    root = convert(sources[0], dtype) if convert else node_alu(op, *sources)
    return to_storage(evaluate([root], read)[0], root.dtype)


def elementwise(name: str, dtype: DType, lanes: int, constant: Data | None = None) -> Case:
    """One kernel with an output for every op."""
    i = Var("i", 0, SIZE - 1)
    a, b, c = array("a", dtype, SIZE), array("b", dtype, SIZE), array("c", dtypes.bool, SIZE)
    given = {a: samples(dtype, 1), b: samples(dtype, 2), c: samples(dtypes.bool, 3)}
    x, y, z = load(a, i), load(b, i), load(c, i)
    stores, expected = [], {}
    for op in (*OPS[dtype.kind], Op.WHERE):
        src: list[Value] = [z, x, y] if op is Op.WHERE else [x] if op in UNARY else [x, y]
        result = dtypes.bool if op in (Op.LT, Op.NE) else dtype
        out = array(op.name.lower(), result, SIZE, written=True)
        stores.append(Store(out, i, alu(op, result, *src)))
        arrays = [c, a, b] if op is Op.WHERE else [a] if op in UNARY else [a, b]
        expected[out] = reference(op, result, [given[v] for v in arrays], [v.dtype for v in arrays])
    body = loop(i, stores, lanes=lanes)
    return Case(Program(name, (a, b, c, *expected), (), (body,)), given, expected)


def conversions(name: str, source: DType, lanes: int) -> Case:
    """One kernel that casts to every dtype; only values that every target can hold, since others are unspecified."""
    i = Var("i", 0, SIZE - 1)
    a = array("a", source, SIZE)
    given = samples(source, 4)
    expected, stores = {}, []
    for target in ALL:
        values = from_storage(given, source)
        if source.is_float and not target.is_float and not target.is_bool:
            low, high = (0, 100) if target.kind == "uint" else (-100, 100)
            values = np.clip(np.nan_to_num(values, nan=1.0), low, high)
        given_now = to_storage(values.astype(array_type(source)), source)
        own = array(f"a_{target.name}", source, SIZE)
        out = array(f"to_{target.name}", target, SIZE, written=True)
        expected[own], expected[out] = given_now, reference(Op.CAST, target, [given_now], [source])
        stores.append(Store(out, i, alu(Op.CAST, target, load(own, i))))
    inputs = {v: x for v, x in expected.items() if v.name.startswith("a_")}
    outputs = {v: x for v, x in expected.items() if v.name.startswith("to_")}
    return Case(Program(name, (*inputs, *outputs), (), (loop(i, stores, lanes=lanes),)), {a: given, **inputs}, outputs)


def bitcasts(name: str, source: DType, lanes: int) -> Case:
    i = Var("i", 0, SIZE - 1)
    a = array("a", source, SIZE)
    given = samples(source, 5)
    if source.is_float:
        given = to_storage(np.nan_to_num(from_storage(given, source)), source)
    elif source.bits == 16:
        given = (given.astype(np.int64) & 0x3BFF).astype(source.storage)  # no nan, whose bits are unspecified
    targets = [t for t in ALL if t.itemsize == source.itemsize and not t.is_bool]
    expected = {
        array(f"as_{t.name}", t, SIZE, written=True): reference(Op.BITCAST, t, [given], [source]) for t in targets
    }
    stores = [Store(out, i, alu(Op.BITCAST, out.dtype, load(a, i))) for out in expected]
    return Case(Program(name, (a, *expected), (), (loop(i, stores, lanes=lanes),)), {a: given}, expected)


def cases() -> list[Case]:
    found = []
    for dtype in ALL:
        for lanes in (4,) if dtype is dtypes.float32 else (16,):
            found.append(elementwise(f"ops_{dtype.name}_{lanes}", dtype, lanes))
            found.append(conversions(f"cast_{dtype.name}_{lanes}", dtype, lanes))
            if not dtype.is_bool:
                found.append(bitcasts(f"bits_{dtype.name}_{lanes}", dtype, lanes))
    return found


CASES = cases()


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Data]]:
    return run(CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_elementwise(case: Case, results: dict[str, dict[str, Data]]) -> None:
    tight = {"float16": 1e-3, "bfloat16": 8e-3, "float32": 3e-7, "float64": 5e-16}
    name = case.program.name
    dtype = next((t for t in tight if f"_{t}_" in name), "")
    if name.startswith("ops_") and dtype:
        case.rtol = tight[dtype]
    check(case, results[name])
