"""Long programs: no recursion, and work in proportion to their length.

Work is counted in function calls, which is the same on every machine, busy or not.
"""

from __future__ import annotations

import cProfile
import gc
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from lazygrad import Tensor
from lazygrad.engine.plan import make_plan
from lazygrad.ir.node import Node, alu, topological
from lazygrad.ir.op import Op
from lazygrad.ir.rewrite import simplify
from lazygrad.ir.verify import verify
from lazygrad.runtime.registry import open_device
from lazygrad.schedule.kernel import schedule
from lazygrad.settings import settings

AT_MOST = 2.3  # times the work for a program of twice the length


@pytest.fixture(autouse=True)
def without_a_driver() -> Iterator[None]:
    with settings.override(device="NUMPY"):
        yield


def chain(length: int) -> Node:
    size = 1 << 16  # so many that all chains are cut into equally many tasks
    n = Tensor(np.ones(size, np.float32)).node
    one, half = Tensor.full((size,), 1.5).node, Tensor.full((size,), 0.5).node
    for k in range(length):
        n = alu(Op.ADD, n, one) if k % 2 else alu(Op.MUL, n, half)
    return n


def recurrent(steps: int) -> Node:
    numbers = np.random.default_rng(0)

    def weights(*shape: int) -> Tensor:
        return Tensor(numbers.standard_normal(shape).astype(np.float32))

    w, u, b, h, x = weights(8, 16), weights(16, 16), weights(16), weights(4, 16), weights(steps, 4, 8)
    for k in range(steps):
        h = (x[k] @ w + h @ u + b).tanh()
    return h.node


def calls(action: Callable[[], object]) -> int:
    profile = cProfile.Profile()
    gc.collect()  # what dies while it is counted is this action's own
    gc.disable()
    profile.enable()
    action()
    profile.disable()
    gc.enable()
    return sum(entry.callcount for entry in profile.getstats())


def plan(root: Node) -> None:
    inputs = [n for n in topological([root]) if n.op is Op.BUFFER]
    make_plan([root], inputs, {}, open_device("NUMPY").info)


STAGES: dict[str, Callable[[Node], object]] = {
    "simplify": lambda root: simplify([root]),
    "verify": lambda root: verify([root]),
    "schedule": lambda root: schedule([root]),
    "plan": plan,
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(("program", "length"), [(chain, 2000), (recurrent, 25)], ids=["chain", "recurrent"])
def test_work_grows_with_length(program: Callable[[int], Node], length: int, stage: str) -> None:
    short, long = program(length), program(2 * length)
    STAGES[stage](program(7))  # what is computed once
    once, twice = calls(lambda: STAGES[stage](short)), calls(lambda: STAGES[stage](long))
    assert twice <= AT_MOST * once, f"{once} calls for {length} steps, {twice} for {2 * length}"


def test_building_grows_with_length() -> None:
    once, twice = calls(lambda: recurrent(60)), calls(lambda: recurrent(120))
    assert twice <= AT_MOST * once


@pytest.mark.slow
def test_a_chain_of_100000_operations_is_one_kernel() -> None:
    assert len(schedule([chain(100_000)]).kernels) == 1


@pytest.mark.slow
def test_400_recurrent_steps_are_scheduled() -> None:
    assert len(schedule([recurrent(400)]).kernels) <= 800


@pytest.mark.parametrize("depth", [64])
def test_shared_subexpressions_cost_once(depth: int) -> None:
    """x + x, again and again: 2 ** depth paths through the graph."""
    n = Tensor(np.ones(8, np.float32)).node
    for _ in range(depth):
        n = alu(Op.MUL, alu(Op.ADD, n, n), alu(Op.MAX, n, n))
    assert calls(lambda: plan(n)) < 300_000
