"""How far the expanded functions are from the exact result, in units in the last place; special values are exact."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from lazygrad.dtype import DType, dtypes
from lazygrad.index.expr import Var
from lazygrad.ir.op import Op
from lazygrad.tiling.program import Program, Store, Value, alu, const, load

from .harness import Case, Data, array, exp, loop, run

COUNT = 16 * 512 + 9
SPECIAL = [np.inf, -np.inf, np.nan, 0.0, -0.0, 1.0, -1.0, 1e-40, -1e-40, 2.0, 0.5, 1e30, -1e30]
WIDE = np.longdouble


def _uniform(low: float, high: float) -> Callable[[np.random.Generator], Data]:
    return lambda rng: rng.uniform(low, high, COUNT)


def _scales(low: float, high: float, sign: bool = False) -> Callable[[np.random.Generator], Data]:
    return lambda rng: np.exp2(rng.uniform(low, high, COUNT)) * (rng.choice([-1, 1], COUNT) if sign else 1)


# function, dtype -> arguments, ulps allowed
UNARY = {
    ("exp2", "float32"): (_uniform(-152, 130), 1.0),
    ("exp2", "float64"): (_uniform(-1080, 1030), 1.0),
    ("exp", "float32"): (_uniform(-105, 90), 1.1),
    ("exp", "float64"): (_uniform(-750, 712), 1.1),
    ("expm1", "float32"): (_uniform(-105, 90), 1.5),
    ("expm1", "float64"): (_uniform(-750, 712), 1.5),
    ("expm1_near_0", "float32"): (_uniform(-1.5, 1.5), 2.0),
    ("expm1_near_0", "float64"): (_uniform(-1.5, 1.5), 2.0),
    ("expm1_small", "float32"): (_scales(-149, 0, sign=True), 1.5),
    ("expm1_small", "float64"): (_scales(-1074, 0, sign=True), 1.5),
    ("log2", "float32"): (_scales(-149, 127), 3.1),
    ("log2_near_1", "float32"): (_uniform(0.7, 1.4), 3.1),
    ("log2", "float64"): (_scales(-1074, 1023), 3.1),
    ("log2_near_1", "float64"): (_uniform(0.7, 1.4), 3.1),
    ("sin", "float32"): (_scales(-60, 50, sign=True), 1.8),
    ("sin", "float64"): (_scales(-60, 20, sign=True), 1.8),
    ("cos", "float32"): (_scales(-60, 50, sign=True), 1.8),
    ("cos", "float64"): (_scales(-60, 20, sign=True), 1.8),
    ("erf", "float32"): (_uniform(-7, 7), 1.6),
    ("erf", "float64"): (_uniform(-7, 7), 4.5),  # its reference is rounded too
    ("erf_small", "float32"): (_scales(-60, 0, sign=True), 1.6),
    ("sqrt", "float32"): (_scales(-149, 127), 0.5),
    ("sqrt", "float64"): (_scales(-1074, 1023), 0.5),
}
EXACT: dict[str, Callable[[Data], Data]] = {
    "exp2": np.exp2,
    "exp": np.exp,
    "expm1": np.expm1,
    "expm1_near_0": np.expm1,
    "expm1_small": np.expm1,
    "log2": np.log2,
    "log2_near_1": np.log2,
    "sin": np.sin,
    "cos": np.cos,
    "sqrt": np.sqrt,
    "erf": lambda x: np.array([math.erf(v) for v in x], WIDE),
    "erf_small": lambda x: np.array([math.erf(v) for v in x], WIDE),
}
OPS = {
    "exp2": Op.EXP2,
    "expm1": Op.EXPM1,
    "log2": Op.LOG2,
    "sin": Op.SIN,
    "cos": Op.COS,
    "sqrt": Op.SQRT,
    "erf": Op.ERF,
}


def unary_case(function: str, dtype: DType) -> Case:
    arguments, _ = UNARY[function, dtype.name]
    with np.errstate(all="ignore"):
        x = arguments(np.random.default_rng(0)).astype(dtype.storage)
        x[:: COUNT // len(SPECIAL)][: len(SPECIAL)] = SPECIAL
        x[-9:] = x[:9]
        want = EXACT[function](x.astype(WIDE))
    i = Var("i", 0, COUNT - 1)
    a, out = array("a", dtype, COUNT), array("out", dtype, COUNT, written=True)
    value: Value = load(a, i)
    value = exp(value) if function == "exp" else alu(OPS[function.split("_")[0]], dtype, value)
    program = Program(f"{function}_{dtype.name}", (a, out), (), (loop(i, Store(out, i, value), lanes=8),))
    return Case(program, {a: x}, {out: want})


def power_case(dtype: DType, kind: str) -> Case:
    rng = np.random.default_rng(1)
    with np.errstate(all="ignore"):
        a = _scales(-20, 20)(rng).astype(dtype.storage)
        b = rng.uniform(-6, 6, COUNT).astype(dtype.storage)
        if kind == "special":
            a, b = (rng.choice([*SPECIAL, 3.0, 2.5, -3.0, -2.5], COUNT).astype(dtype.storage) for _ in range(2))
        want = np.power(a.astype(WIDE), b.astype(WIDE))
    i = Var("i", 0, COUNT - 1)
    x, y, out = array("x", dtype, COUNT), array("y", dtype, COUNT), array("out", dtype, COUNT, written=True)
    body = loop(i, Store(out, i, alu(Op.POW, dtype, load(x, i), load(y, i))), lanes=16)
    return Case(Program(f"pow_{kind}_{dtype.name}", (x, y, out), (), (body,)), {x: a, y: b}, {out: want})


def constant_power_case(exponent: float) -> Case:
    i = Var("i", 0, COUNT - 1)
    x, out = array("x", dtypes.float32, COUNT), array("out", dtypes.float32, COUNT, written=True)
    a = np.random.default_rng(2).uniform(-3, 3, COUNT).astype(np.float32)
    with np.errstate(all="ignore"):
        want = np.power(a.astype(WIDE), WIDE(exponent))
    body = loop(i, Store(out, i, alu(Op.POW, x.dtype, load(x, i), const(exponent, x.dtype))), lanes=16)
    name = f"pow_constant_{str(exponent).replace('-', 'm').replace('.', '_')}"
    return Case(Program(name, (x, out), (), (body,)), {x: a}, {out: want})


CASES: dict[str, tuple[Case, float]] = {}
for (function, name), (_, allowed) in UNARY.items():
    made = unary_case(function, dtypes.float32 if name == "float32" else dtypes.float64)
    CASES[made.program.name] = (made, allowed)
for kind in ("plain", "special"):
    for dtype, allowed in ((dtypes.float32, 1.0), (dtypes.float64, 4.0)):
        made = power_case(dtype, kind)
        CASES[made.program.name] = (made, allowed)
for exponent in (-2.0, -1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 0.5, 0.0):
    made = constant_power_case(exponent)
    CASES[made.program.name] = (made, 2.0)


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Data]]:
    return run([case for case, _ in CASES.values()])


def ulps(got: Data, want: Data) -> float:
    """The largest distance of finite elements; infinite when other elements differ."""
    with np.errstate(all="ignore"):
        rounded = want.astype(got.dtype)
        finite = np.isfinite(rounded)
        if not np.array_equal(got[~finite], rounded[~finite], equal_nan=True):
            return float("inf")
        steps = np.spacing(np.abs(rounded[finite])).astype(WIDE)
        return float(np.max(np.abs(got[finite].astype(WIDE) - want[finite]) / steps))


@pytest.mark.parametrize("name", CASES)
def test_error(name: str, results: dict[str, dict[str, Data]]) -> None:
    case, allowed = CASES[name]
    (want,) = case.expected.values()
    got = results[name]["out"]
    assert ulps(got, want) <= allowed


def test_results_do_not_depend_on_the_position(results: dict[str, dict[str, Data]]) -> None:
    """The last elements are computed as scalars, the first as vectors."""
    for name, (case, _) in CASES.items():
        (given,) = list(case.given.values())[:1]
        if np.array_equal(given[-9:], given[:9], equal_nan=True):
            got = results[name]["out"]
            assert np.array_equal(got[-9:], got[:9], equal_nan=True), name
