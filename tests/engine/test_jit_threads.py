"""Tracing in one thread never disturbs another, and one jitted function serves many threads."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from lazygrad import Tensor, jit, nn, no_grad, optim
from lazygrad.ops import generator


def in_threads(*works: Callable[[], None]) -> None:
    """Run all at once, the interpreter turning from one to the other as often as it can; the first error is raised."""
    errors: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=run, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    if errors:
        raise errors[0]


def test_while_others_trace(device: str) -> None:
    def work(wrap: Any) -> None:
        for k in range(20):
            f = wrap(lambda x, k=k: (x * 2 + k).sum())
            for _ in range(3):
                assert f(Tensor([1.0])).item() == 2 + k

    in_threads(lambda: work(jit), lambda: work(jit), lambda: work(lambda f: f))


def test_tensors_that_all_threads_use(device: str) -> None:
    """One model in every thread: what one traces is what the others compute with, and read, and compute on."""
    net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    x = Tensor(np.arange(8, dtype=np.float32).reshape(2, 4))
    with no_grad():
        expected, weights = net(x).numpy(), net[0].weight.numpy()

    def traces() -> None:
        for k in range(8):
            f = jit(lambda x, k=k: net(x) + k)
            with no_grad():
                for _ in range(3):
                    np.testing.assert_allclose(f(x).numpy(), expected + k, 1e-5, 1e-6)

    def computes() -> None:
        for k in range(25):
            with no_grad():
                np.testing.assert_allclose((net(x) * k).numpy(), expected * k, 1e-5, 1e-5)
            np.testing.assert_array_equal(net[0].weight.numpy(), weights)
            np.testing.assert_array_equal((net[0].weight.detach() + 1).numpy(), weights + 1)

    in_threads(traces, traces, computes)


def test_one_function_in_many_threads(device: str) -> None:
    """Every thread has arguments of its own, of two kinds."""
    offset = Tensor(np.float32(3.0))
    f = jit(lambda x, k: (x * 2 + offset, x.sum() * k))

    def work(number: int) -> None:
        for turn in range(25):
            x = np.full(2 + turn % 2, number * 100 + turn, np.float32)
            a, b = f(Tensor(x), number % 2)
            assert (a.tolist(), b.item()) == ((x * 2 + 3).tolist(), float(x.sum() * (number % 2)))

    in_threads(*(lambda n=n: work(n) for n in range(4)))


def test_state_counts_every_call_once(device: str) -> None:
    state = Tensor(np.zeros((), np.float32)).realize()
    f = jit(lambda x: state.add_(x) * 0 + x)
    for _ in range(3):
        f(Tensor(np.float32(1)))

    def work() -> None:
        for _ in range(20):
            f(Tensor(np.float32(1)))

    in_threads(work, work, work)
    assert state.item() == 63


def test_training_beside_training(device: str) -> None:
    """Models of their own train in every thread, as they train alone."""

    def train(seed: int, wrap: Any) -> Any:
        numbers = np.random.default_rng(seed)
        w = Tensor(numbers.standard_normal((3, 2)).astype(np.float32), requires_grad=True)
        adam = optim.Adam([w], lr=0.1)

        def step(x: Tensor) -> Tensor:
            adam.zero_grad()
            loss = (x @ w).square().sum()
            loss.backward()
            adam.step()
            return loss

        f = wrap(step)
        return [f(Tensor(numbers.standard_normal((4, 3)).astype(np.float32))).item() for _ in range(8)]

    expected = [train(n, lambda f: f) for n in range(3)]

    def work(n: int) -> None:
        np.testing.assert_allclose(train(n, jit), expected[n], 1e-4, 1e-5)

    in_threads(*(lambda n=n: work(n) for n in range(3)))


def test_random_numbers_are_drawn_once() -> None:
    """A trace leaves the generator alone, so no draw of another thread is taken back."""
    start = generator.default_generator.state()[1]
    calls = 12

    def work(wrap: Any) -> None:
        f = wrap(lambda x: x * Tensor.rand(4, device="NUMPY"))
        for _ in range(calls):
            f(Tensor(np.ones(4, np.float32), device="NUMPY"))

    in_threads(lambda: work(jit), lambda: work(jit), lambda: work(lambda f: f))
    assert generator.default_generator.state()[1] - start == 3 * calls * 4


def test_another_threads_profiler_stays() -> None:
    seen: list[str] = []

    def profiler(frame: Any, event: str, argument: Any) -> None:
        seen.append(event)

    f = jit(lambda x: x * 2)
    sys.setprofile(profiler)
    try:
        for _ in range(3):
            f(Tensor([1.0], device="NUMPY"))
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(None)
    assert seen
