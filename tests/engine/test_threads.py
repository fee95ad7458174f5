"""Threads that run the same plan at once each get their own results."""

from __future__ import annotations

import sys
import threading

import numpy as np

from lazygrad import Tensor


def test_one_plan_in_many_threads() -> None:
    x = np.random.default_rng(0).integers(-1000, 1000, (64, 64)).astype(np.int32)
    wrong: list[int] = []

    def work(number: int) -> None:
        for turn in range(40):
            scale = np.int32(number * 100 + turn)
            got = (Tensor(x, device="OPENCL") * Tensor(scale, device="OPENCL") + 1).numpy()
            if not np.array_equal(got, x * scale + 1):
                wrong.append(number)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not wrong
