"""Threads that run the same plan at once each get their own results."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import numpy as np

from lazygrad import Tensor, dtypes
from lazygrad.engine import run
from lazygrad.errors import LazygradError
from lazygrad.ir.node import Node, alu, const
from lazygrad.ir.op import Op


def in_four_threads(work: Callable[[int], None]) -> None:
    """Run `work` of 0 to 3 at once, with the interpreter turning from one to the other as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)


def test_one_plan_in_many_threads() -> None:
    x = np.random.default_rng(0).integers(-1000, 1000, (64, 64)).astype(np.int32)
    wrong: list[int] = []

    def work(number: int) -> None:
        for turn in range(40):
            scale = np.int32(number * 100 + turn)
            got = (Tensor(x, device="OPENCL") * Tensor(scale, device="OPENCL") + 1).numpy()
            if not np.array_equal(got, x * scale + 1):
                wrong.append(number)

    in_four_threads(work)
    assert not wrong


def test_threads_hold_the_same_nodes() -> None:
    """Equal graphs that threads make at once are one graph, and one thread's tensors may come while another looks."""
    failed: list[Exception] = []
    start = threading.Barrier(4)
    made: list[list[Node]] = [[] for _ in range(4)]

    def work(number: int) -> None:
        try:
            for turn in range(200):
                start.wait()
                x = const(turn, dtypes.int32, (turn + 1, 3))
                made[number].append(alu(Op.ADD, x, alu(Op.MUL, x, x)))
                list(run.live)
                Tensor(turn, device="NUMPY")
        except (RuntimeError, LazygradError) as error:
            failed.append(error)
            start.abort()

    in_four_threads(work)
    assert not failed, failed
    for same in zip(*made):
        assert len(set(map(id, same))) == 1
