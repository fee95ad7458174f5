"""The random programs themselves: reproducible, tame, of every primitive, and sharp enough to find a wrong one."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from lazygrad.dtype import dtypes
from lazygrad.ir import evaluate as evaluator
from lazygrad.ir.elements import Array
from lazygrad.ir.evaluate import Sizes, evaluate
from lazygrad.ir.node import Node, topological
from lazygrad.ir.op import Op
from lazygrad.ir.show import text
from lazygrad.ir.verify import verify
from tests.programs import ALL_DTYPES, Program, random_program, with_stores

COUNT = 250
NOT_USED = {
    Op.CALL,
    Op.CONTIGUOUS,
    Op.STORE,
    Op.COPY,
    Op.CHECK,
    Op.REPEAT,
}  # `with_stores` adds CONTIGUOUS; scan REPEAT


@cache
def programs() -> tuple[Program, ...]:
    made = tuple(random_program(seed) for seed in range(COUNT))
    for program in made:
        program.expected()
    return made


def ops_of(program: Program) -> set[Op]:
    return {n.op for n in topological(program.roots)}


def test_the_same_seed_gives_the_same_program() -> None:
    for seed in range(20):
        one, two = random_program(seed), random_program(seed)
        assert text(one.roots) == text(two.roots)
        assert all(np.array_equal(a, b) for a, b in zip(one.arrays, two.arrays))
        assert one.errors == two.errors
    assert text(random_program(1).roots) != text(random_program(2).roots)


def test_programs_are_valid_and_tame() -> None:
    for program in programs():
        verify(program.roots)
        for value, root, error in zip(program.expected(), program.roots, program.errors):
            if root.dtype.is_float:
                assert np.isfinite(value).all()
                assert np.abs(value).max(initial=0) <= 1024
                assert error <= 0.05 * 1024
            else:
                assert error == 0


def test_every_primitive_dtype_and_rank_occurs_and_most_results_are_exact() -> None:
    nodes = [n for program in programs() for n in topological(program.roots)]
    assert {n.op for n in nodes} == set(Op) - NOT_USED
    assert {n.dtype for n in nodes} == set(ALL_DTYPES)
    assert {n.ndim for n in nodes} >= {0, 1, 2, 3, 4, 5}
    assert any(0 in n.shape for n in nodes)
    exact = [error == 0 for program in programs() for error in program.errors]
    assert 0.4 < np.mean(exact) < 0.95


def test_allowed_dtypes_and_steps_are_kept() -> None:
    program = random_program(3, dtypes_used=(dtypes.float32,), only=("add", "reduce", "permute"))
    nodes = topological(program.roots)
    assert {n.dtype for n in nodes} == {dtypes.float32}
    assert ops_of(program) <= {Op.BUFFER, Op.ADD, Op.REDUCE, Op.PERMUTE, Op.DETACH, *MOVES_TO_FIT}


MOVES_TO_FIT = {Op.RESHAPE, Op.EXPAND, Op.SHRINK, Op.PAD}


def test_stores_change_no_value() -> None:
    for program in programs()[:60]:
        stored = with_stores(program.roots, program.seed, 0.4)
        assert Op.CONTIGUOUS in {n.op for n in topological(stored)}
        for a, b in zip(evaluate(stored, program.read), program.expected()):
            assert np.array_equal(a, b)


@pytest.mark.parametrize("op", sorted(set(Op) - NOT_USED - {Op.BUFFER, Op.DETACH}, key=str), ids=str)
def test_a_wrong_primitive_is_caught(op: Op, monkeypatch: pytest.MonkeyPatch) -> None:
    """An op that is right but for its first element is found out by some program."""
    right = evaluator._MEANING[op]

    def wrong(n: Node, sizes: Sizes, src: list[Array]) -> Array:
        value = np.array(right(n, sizes, src))
        flat = value.reshape(-1)
        flat[:1] = ~flat[:1] if n.dtype.is_bool else flat[:1] + 1
        return value

    readers = [program for program in programs() if op in ops_of(program)]
    monkeypatch.setitem(evaluator._MEANING, op, wrong)
    with pytest.raises(AssertionError, match="random_program"):
        check(readers)


def check(chosen: list[Program]) -> None:
    for program in chosen:
        program.check(evaluate(program.roots, program.read))
