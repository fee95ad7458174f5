"""Every gradient rule against finite differences, twice, and at the points where a formula could go wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lazygrad.dtype import dtypes
from lazygrad.ir import reverse
from lazygrad.ir.build import filled_like, mul
from lazygrad.ir.elements import Array
from lazygrad.ir.evaluate import evaluate
from lazygrad.ir.node import (
    Node,
    alu,
    bitcast,
    cast,
    contiguous,
    copy,
    expand,
    flip,
    gather,
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
from lazygrad.ir.op import ELEMENTWISE, IDENTITY, Combine, Op
from lazygrad.ir.reverse import RULES, gradient
from tests.autograd.gradcheck import check_gradients, gradients_of, weighted_sum
from tests.programs import HostStorage, read_stored, stored

F64 = dtypes.float64
RNG = np.random.default_rng(0)


def normal(*shape: int) -> Array:
    return RNG.standard_normal(shape)


def positive(*shape: int) -> Array:
    return RNG.uniform(0.5, 2.0, shape)


def with_zeros(*shape: int) -> Array:
    """Rows with no zero, one, and several."""
    x = normal(*shape)
    x[0, 1] = x[1, 0] = x[1, -1] = 0.0
    return x


INDEX = stored(np.array([[0, 2, 2, -1], [9, 0, 1, 1]]), dtypes.int64)  # repeats, and both sides out of range
INTEGERS = stored(np.array([[2.0, 3.0], [-1.0, 0.0]]), F64)
CHOICE = stored(np.array([[True, False, True], [False, False, True]]), dtypes.bool)


def unary(op: Op) -> Callable[[Node], Node]:
    return lambda x: alu(op, x)


def binary(op: Op) -> Callable[[Node, Node], Node]:
    return lambda x, y: alu(op, x, y)


def power(exponent: float) -> Callable[[Node], Node]:
    return lambda x: alu(Op.POW, x, filled_like(x, exponent))


def over(how: Combine, *axes: int) -> Callable[[Node], Node]:
    return lambda x: reduce(x, how, axes)


def along(how: Combine, axis: int) -> Callable[[Node], Node]:
    return lambda x: scan(x, how, axis)


def into(how: Combine) -> Callable[[Node, Node], Node]:
    return lambda base, updates: scatter(base, INDEX, updates, 1, how)


def with_float32(x: Node) -> Node:
    return cast(cast(x, dtypes.float32), F64)


CASES: dict[str, tuple[Callable[..., Node], list[Array]]] = {
    "ADD": (binary(Op.ADD), [normal(2, 3), normal(2, 3)]),
    "ADD itself": (lambda x: alu(Op.ADD, x, x), [normal(2, 3)]),
    "MUL": (binary(Op.MUL), [normal(2, 3), normal(2, 3)]),
    "MUL itself": (lambda x: alu(Op.MUL, x, x), [normal(2, 3)]),
    "DIV": (binary(Op.DIV), [normal(2, 3), positive(2, 3)]),
    "MOD": (binary(Op.MOD), [3 * normal(2, 3), positive(2, 3)]),
    "MOD negative": (binary(Op.MOD), [3 * normal(2, 3), -positive(2, 3)]),
    "MAX": (binary(Op.MAX), [normal(2, 3), normal(2, 3)]),
    "POW": (binary(Op.POW), [positive(2, 3), normal(2, 3)]),
    "POW of negatives": (lambda x: alu(Op.POW, x, INTEGERS), [-positive(2, 2)]),
    **{f"POW {e}": (power(e), [positive(2, 3)]) for e in (0, 1, 2, 3, -1, 0.5)},
    "EXP2": (unary(Op.EXP2), [normal(2, 3)]),
    "EXPM1": (unary(Op.EXPM1), [normal(2, 3)]),
    "LOG2": (unary(Op.LOG2), [positive(2, 3)]),
    "SIN": (unary(Op.SIN), [4 * normal(2, 3)]),
    "COS": (unary(Op.COS), [4 * normal(2, 3)]),
    "SQRT": (unary(Op.SQRT), [positive(2, 3)]),
    "ERF": (unary(Op.ERF), [normal(2, 3)]),
    "TRUNC": (unary(Op.TRUNC), [normal(2, 3)]),
    "WHERE": (lambda x, y: where(CHOICE, x, y), [normal(2, 3), normal(2, 3)]),
    "CONTIGUOUS": (lambda x: contiguous(x, 5), [normal(2)]),
    "STORE": (lambda x: store(x, HostStorage(np.ones(2), F64)), [normal(2)]),
    "COPY": (lambda x: copy(copy(x, "OPENCL"), "NUMPY"), [normal(2)]),
    "REDUCE add": (over(Combine.ADD, 0, 2), [normal(2, 3, 2)]),
    "REDUCE mul": (over(Combine.MUL, 1), [normal(2, 4)]),
    "REDUCE mul, zeros": (over(Combine.MUL, 1), [with_zeros(3, 4)]),
    "REDUCE mul, axes, zeros": (over(Combine.MUL, 0, 2), [with_zeros(2, 3, 2)]),
    "REDUCE mul of one": (over(Combine.MUL, 1), [normal(2, 1)]),
    "REDUCE max": (over(Combine.MAX, 0, 2), [normal(2, 3, 2)]),
    "SCAN add": (along(Combine.ADD, 1), [normal(2, 5, 2)]),
    "SCAN mul": (along(Combine.MUL, 1), [normal(2, 5)]),
    "SCAN mul, zeros": (along(Combine.MUL, 1), [with_zeros(3, 4)]),
    "SCAN mul of one": (along(Combine.MUL, 0), [normal(1, 3)]),
    "SCAN max": (along(Combine.MAX, 0), [normal(5, 2)]),
    "RESHAPE": (lambda x: reshape(x, (3, 2)), [normal(2, 3)]),
    "PERMUTE": (lambda x: permute(x, (2, 0, 1)), [normal(2, 3, 2)]),
    "EXPAND": (lambda x: expand(x, (4, 2, 3)), [normal(1, 2, 1)]),
    "PAD": (lambda x: pad(x, [(1, 0), (0, 2)], 7), [normal(2, 3)]),
    "SHRINK": (lambda x: shrink(x, [(1, 2), (0, 2)]), [normal(2, 3)]),
    "FLIP": (lambda x: flip(x, [0, 1]), [normal(2, 3)]),
    "GATHER": (lambda x: gather(x, INDEX, 1), [normal(2, 3)]),
    "GATHER from a larger one": (lambda x: gather(x, INDEX, 1), [normal(3, 3)]),
    "SCATTER set": (into(Combine.SET), [normal(3, 3), normal(2, 4)]),
    "SCATTER add": (into(Combine.ADD), [normal(3, 3), normal(2, 4)]),
    "SCATTER max": (into(Combine.MAX), [normal(3, 3), normal(2, 4)]),
    "nothing": (over(Combine.MUL, 1), [normal(2, 0)]),
    "running product of nothing": (along(Combine.MUL, 1), [normal(2, 0)]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_rule_is_right_twice(name: str) -> None:
    function, arrays = CASES[name]
    check_gradients(function, *arrays, order=2)


@pytest.mark.parametrize("name", ["MUL", "DIV", "POW", "SIN", "REDUCE mul, zeros", "SCAN mul, zeros", "EXP2"])
def test_a_rule_is_right_thrice(name: str) -> None:
    function, arrays = CASES[name]
    check_gradients(function, *arrays, order=3, tolerance=1e-6)


def test_cast_rule() -> None:
    """Finite differences with the step of float32."""
    x = stored(np.array([1.5, -2.25]), F64)
    [g] = gradients_of(weighted_sum(mul(with_float32(x), x), 0), [x])
    assert g is not None
    w = np.random.default_rng(0).standard_normal(2)
    np.testing.assert_allclose(evaluate([g], read_stored)[0], 2 * np.array([1.5, -2.25]) * w, rtol=1e-6)


def test_every_op_of_floats_has_a_rule_for_each_source_and_a_case() -> None:
    integers_or_bools = {Op.IDIV, Op.LT, Op.NE, Op.AND, Op.OR, Op.XOR, Op.SHL, Op.SHR}
    sources = {Op.CONST, Op.BUFFER, Op.IOTA}
    special = {Op.DETACH, Op.CALL, Op.CHECK, Op.REPEAT}  # none passes; the user's function gives it; integers; CALLs do
    assert set(RULES) == set(Op) - integers_or_bools - sources - special
    assert {name.split()[0] for name in CASES} >= {op.name for op in RULES} - {"CAST", "BITCAST"}
    assert ELEMENTWISE - integers_or_bools | IDENTITY - special <= set(RULES)


def slopes(function: Callable[..., Node], *values: list[float]) -> list[list[float]]:
    """The gradient of the sum of `function`, by each argument."""
    inputs = [stored(np.array(v), F64) for v in values]
    y = function(*inputs)
    found = gradient(y, filled_like(y, 1), inputs)
    return evaluate_lists([filled_like(x, 0) if g is None else g for x, g in zip(inputs, found)])


def evaluate_lists(roots: list[Node]) -> list[list[float]]:
    return [array.tolist() for array in evaluate(roots, read_stored)]


def test_ties_share_the_gradient() -> None:
    assert slopes(binary(Op.MAX), [1.0, 2, 3], [1.0, 3, 2]) == [[0.5, 0, 1], [0.5, 1, 0]]
    assert slopes(over(Combine.MAX, 0), [3.0, 1, 3, 3, 0]) == [[1 / 3, 0, 1 / 3, 1 / 3, 0]]
    index = stored(np.array([0, 0, 1]), dtypes.int32)
    assert slopes(lambda b, u: scatter(b, index, u, 0, Combine.MAX), [2.0, 5, 5], [2.0, 2, 9]) == [
        [1 / 3, 0, 1], [1 / 3, 1 / 3, 1],
    ]  # fmt: skip
    assert slopes(along(Combine.MAX, 0), [2.0, 1, 2, 3]) == [[2, 0, 1, 1]]  # the latest holder of the maximum


def test_only_the_last_of_repeated_updates_counts() -> None:
    index = stored(np.array([1, 1, 5, 0]), dtypes.int32)
    assert slopes(lambda b, u: scatter(b, index, u, 0, Combine.SET), [1.0, 2, 3], [4.0, 5, 6, 7]) == [
        [0, 0, 1], [0, 1, 0, 1],
    ]  # fmt: skip


def test_repeated_indices_accumulate() -> None:
    index = stored(np.array([2, 0, 2, 2]), dtypes.int32)
    assert slopes(lambda x: gather(x, index, 0), [1.0, 2, 3]) == [[1, 0, 3]]


def test_powers_at_zero() -> None:
    assert slopes(binary(Op.POW), [0.0, 0, 0, 0], [0.0, 1, 2, 3]) == [[0, 1, 0, 0], [0, 0, 0, 0]]
    assert slopes(power(1), [0.0]) == [[1]]
    assert slopes(power(2), [0.0, -3]) == [[0, -6]]
    assert slopes(binary(Op.POW), [0.0], [-1.0])[0] == [-np.inf]


def test_the_cosine_keeps_its_digits_far_out() -> None:
    x = stored(np.array([1e4, -3e5, 0.0], np.float32), dtypes.float32)
    y = alu(Op.SIN, x)
    [g] = gradient(y, filled_like(y, 1), [x])
    assert g is not None
    np.testing.assert_allclose(evaluate([g], read_stored)[0], np.cos([1e4, -3e5, 0.0]), atol=3e-7)


def test_nothing_flows_through_steps_and_bits() -> None:
    assert slopes(unary(Op.TRUNC), [1.5]) == [[0]]
    assert slopes(lambda x: bitcast(bitcast(x, dtypes.int64), F64), [1.5]) == [[0]]
    assert slopes(lambda x: cast(cast(x, dtypes.int32), F64), [1.5]) == [[0]]


@pytest.mark.parametrize(
    ("op", "wrong", "name"),
    [
        (Op.MUL, (lambda n, g: mul(g, n.src[0]), reverse.RULES[Op.MUL][1]), "MUL"),
        (Op.EXPAND, (lambda n, g: shrink(g, [(0, int(m)) for m in n.src[0].shape]),), "EXPAND"),
        (Op.SQRT, (lambda n, g: alu(Op.DIV, g, n),), "SQRT"),
        (Op.FLIP, (lambda n, g: g,), "FLIP"),
        (Op.GATHER, (lambda n, g: scatter(filled_like(n.src[0], 0), n.src[1], g, 1, Combine.SET), None), "GATHER"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_caught(op: Op, wrong: object, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, op, wrong)
    function, arrays = CASES[name]
    with pytest.raises(AssertionError):
        check_gradients(function, *arrays)
