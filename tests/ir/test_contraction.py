"""Sums of products by matrix multiplication give what the literal evaluation gives."""

from __future__ import annotations

import tracemalloc
from itertools import product

import numpy as np

from lazygrad.dtype import dtypes
from lazygrad.ir.build import mul
from lazygrad.ir.contraction import contractions, sum_of_product
from lazygrad.ir.evaluate import evaluate
from lazygrad.ir.node import Node, contiguous, expand, permute, reduce, reshape, topological
from lazygrad.ir.op import Combine, Op
from tests.programs import random_program, read_stored, stored


def matmul(a: Node, b: Node) -> Node:
    (m, k), n = a.shape, b.shape[1]
    left = expand(reshape(a, (m, 1, k)), (m, n, k))
    return reduce(mul(left, expand(reshape(permute(b, (1, 0)), (1, n, k)), (m, n, k))), Combine.ADD, [2])


STEPS = ["input", "contract", "add", "scale", "permute", "reduce", "multiply"]


def test_every_kind_of_axis() -> None:
    """Each axis in both operands, in one, or in none; kept or summed; of size 0 and 1 too."""
    rng = np.random.default_rng(0)
    for sizes in [(2, 3, 4), (3, 1, 2), (2, 0, 3)]:
        for in_a, in_b, summed in product(product([False, True], repeat=3), repeat=3):
            a, b = (
                np.broadcast_to(rng.standard_normal([n if there else 1 for n, there in zip(sizes, axes)]), sizes)
                for axes in (in_a, in_b)
            )
            axes = [i for i in range(3) if summed[i]]
            got = sum_of_product(a, b, axes)
            np.testing.assert_allclose(got, (a * b).sum(tuple(axes)), rtol=1e-13, atol=1e-13)


def test_random_programs() -> None:
    found = 0
    for seed in range(150):
        program = random_program(seed, dtypes_used=[dtypes.float32, dtypes.float64], only=STEPS)
        order = topological(program.roots)
        found += len(contractions(order, dict.fromkeys(order, 1)))
        program.check(evaluate(program.roots, program.read, contract=True), "contracted")
    assert found > 100


def test_a_product_that_others_read_is_kept() -> None:
    x, y = (stored(np.arange(6.0).reshape(2, 3), dtypes.float64) for _ in range(2))
    both = mul(x, y)
    total = reduce(both, Combine.ADD, [1])
    values = evaluate([total, contiguous(both), total], read_stored, contract=True)
    assert [v.tolist() for v in values] == [[5, 50], [[0, 1, 4], [9, 16, 25]], [5, 50]]
    assert evaluate([both, total], read_stored, contract=True)[0].tolist() == [[0, 1, 4], [9, 16, 25]]


def test_short_floats_and_integers_are_literal() -> None:
    for dtype in (dtypes.float16, dtypes.bfloat16, dtypes.int32):
        x = stored(np.ones((2, 3)), dtype)
        total = reduce(mul(x, x), Combine.ADD, [1])
        assert contractions([total], {total.src[0]: 1}) == {}
        assert evaluate([total], read_stored, contract=True)[0].tolist() == [3, 3]


def test_no_product_is_made() -> None:
    a, b = (stored(np.ones((200, 200)), dtypes.float32) for _ in range(2))
    root = matmul(a, b)
    assert root.op is Op.REDUCE
    tracemalloc.start()
    [value] = evaluate([root], read_stored, contract=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert value.tolist() == [[200.0] * 200] * 200
    assert peak < 10 * value.nbytes
