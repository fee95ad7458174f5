"""A program that is interrupted again and again at random moments: every tensor is then the old or the new one, those
that change together have changed together, and everything works on.

    python -m tests.engine.interrupted DEVICE SEED ROUNDS WAY

WAY is how: a signal of a timer (`signal`), or an exception that another thread sets (`thread`).
"""

from __future__ import annotations

import ctypes
import faulthandler
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

import numpy as np

from lazygrad import Tensor, is_grad_enabled, jit, no_grad, optim
from lazygrad.engine import tracing


class Stop(BaseException):
    """What comes at any moment, as KeyboardInterrupt does."""


class Interrupter:
    """Raises `Stop` in the main thread, at most once in each `attempt`."""

    def __init__(self, way: str, chance: random.Random) -> None:
        self.way, self.chance, self.armed = way, chance, False
        self.main = threading.get_ident()
        if way == "signal":
            signal.signal(signal.SIGALRM, self._raise)

    def _raise(self, *_: object) -> None:
        if self.armed:
            self.armed = False
            raise Stop

    def _set(self) -> None:
        if self.armed:
            self.armed = False
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.main), ctypes.py_object(Stop))

    def attempt(self, work: Callable[[], object], seconds: float) -> bool:
        """Do `work`, which usually takes so long; whether it was interrupted."""
        delay, timer = max(1e-6, self.chance.random() * seconds), None
        try:
            try:
                self.armed = True
                if self.way == "signal":
                    signal.setitimer(signal.ITIMER_REAL, delay)
                else:
                    timer = threading.Timer(delay, self._set)
                    timer.start()
                work()
            finally:
                self.armed = False
                if self.way == "signal":
                    signal.setitimer(signal.ITIMER_REAL, 0)
                elif timer is not None:
                    timer.join()
            time.sleep(0)  # what was set a moment ago is raised now
        except Stop:
            return True
        return False


def first(tensors: list[Tensor]) -> list[float]:
    """The one value that each tensor has everywhere."""
    arrays = [t.numpy() for t in tensors]
    assert all((a == a.flat[0]).all() for a in arrays), "half a tensor"
    return [float(a.flat[0]) for a in arrays]


class Kind:
    """Something that changes tensors by `by`: all of them or none, where it is `whole`."""

    def __init__(self, work: Callable[[], object], tensors: list[Tensor], by: float, whole: bool = True) -> None:
        self.work, self.tensors, self.by, self.whole = work, tensors, by, whole
        self.values = first(tensors)
        for _ in range(4):
            start = time.perf_counter()
            work()
            self.check()
            self.seconds = time.perf_counter() - start

    def check(self) -> None:
        now = first(self.tensors)
        changes = {(after - before) / self.by for before, after in zip(self.values, now)}
        assert changes <= {0.0, 1.0}, (self.work, self.values, now)
        assert len(changes) == 1 or not self.whole, (self.work, self.values, now)
        self.values = now


def kinds(device: str) -> list[Kind]:
    def tensors(count: int, requires_grad: bool = False) -> list[Tensor]:
        made = [Tensor(np.full((8, 8), float(k), "float32"), device=device) for k in range(count)]
        return [t.realize().requires_grad_(requires_grad) for t in made]

    one = Tensor(np.ones((8, 8), "float32"), device=device)
    plain, stepped, adam, traced, trained, fresh = (tensors(3, k in (1, 2, 4)) for k in range(6))
    sgd, jitted_sgd = optim.SGD(stepped, lr=1.0), optim.SGD(trained, lr=1.0)
    moments = optim.AdamW(adam, lr=0.5, betas=(0.0, 0.0), eps=0.0, weight_decay=0.0)  # it steps by the gradient's sign
    sizes = iter(range(1, 1 << 30))

    def in_place() -> None:
        for t in plain:
            t.add_(one)
        Tensor.realize(*plain)

    def step(parameters: list[Tensor], optimizer: optim.Optimizer) -> None:
        optimizer.zero_grad()
        total = parameters[0].sum() * 2.0
        for p in parameters[1:]:
            total = total + p.sum() * 2.0
        total.backward()
        optimizer.step()

    def compiled() -> None:  # another kernel each time
        with no_grad():
            fresh[0].add_(
                (Tensor(np.ones((next(sizes) % 20 + 2, 8, 8), "float32"), device=device) * 1.0).mean(0)
            ).realize()

    def add() -> None:
        for t in traced:
            t.add_(one)

    added = jit(add)
    for _ in range(3):
        added()
    jitted = jit(lambda: step(trained, jitted_sgd))
    for _ in range(3):
        jitted()
    return [
        Kind(in_place, plain, 1.0, whole=False),  # a loop of the user's
        Kind(lambda: step(stepped, sgd), stepped, -2.0),
        Kind(lambda: step(adam, moments), adam, -0.5),
        Kind(added, traced, 1.0),
        Kind(jitted, trained, -2.0),
        Kind(compiled, fresh[:1], 1.0),
        # A new trace: its first call is the user's loop, run plainly.
        Kind(lambda: jit(add)(), traced, 1.0, whole=False),
    ]


def main(device: str, seed: int, rounds: int, way: str) -> None:
    faulthandler.dump_traceback_later(240 + rounds / 5, exit=True)  # one that hangs says where
    chance = random.Random(seed)
    interrupter, all_kinds = Interrupter(way, chance), kinds(device)
    hits: Counter[int] = Counter()
    for _ in range(rounds):
        number = chance.randrange(len(all_kinds))
        kind = all_kinds[number]
        if kind.tensors is all_kinds[3].tensors:  # two kinds change the same ones
            kind.values = first(kind.tensors)
        hits[number] += interrupter.attempt(kind.work, kind.seconds)
        assert not tracing.watched and sys.getprofile() is None
        assert is_grad_enabled()
        kind.check()
    print(sum(hits.values()), "interrupts", dict(hits))
    assert len(hits) == len(all_kinds)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
