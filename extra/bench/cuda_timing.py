"""Times of kernels: several calls to a sample, over inputs that no cache holds, sides in turn, medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from extra.bench.cuda_cases import Case
from extra.bench.cuda_place import Place, Run, void
from lazygrad import Tensor
from lazygrad.dtype import BY_NAME
from lazygrad.engine import run as engine
from lazygrad.runtime.base import Launch, Prepared, Runtime

ROUNDS, LEAST_ROUNDS = 15, 5
MOST_ROTATIONS = 16


def medians(
    sides: dict[str, tuple[Run, Callable[[Run], float]]], calls: int, place: Place, budget_s: float
) -> dict[str, float]:
    """Median seconds per call of each side; the sides take turns, with `calls` to one run."""
    repeats: dict[str, int] = {}
    for name, (run, clock) in sides.items():
        seconds = max(clock(run), clock(run), 1e-6)
        clock(_repeated(run, max(1, round(place.warm_s / seconds))))
        repeats[name] = max(1, round(place.least_s / max(clock(run), 1e-6)))
    times: dict[str, list[float]] = {name: [] for name in sides}
    end = time.perf_counter() + budget_s
    for turn in range(ROUNDS):
        if turn >= LEAST_ROUNDS and time.perf_counter() > end:
            break
        for name, (run, clock) in sides.items():
            times[name].append(clock(_repeated(run, repeats[name])) / (repeats[name] * calls))
    return {name: statistics.median(found) for name, found in times.items()}


def _repeated(run: Run, count: int) -> Run:
    def whole() -> None:
        for _ in range(count):
            run()

    return whole


def rotations(case: Case, l2_bytes: int) -> int:
    """So many sets of inputs that they are four times what the last cache holds."""
    size = 4 if case.dtype == "float32" else 2
    one = sum(size * int(np.prod(shape)) for shape in case.inputs)
    return min(MOST_ROTATIONS, max(2, -(-4 * l2_bytes // one)))


def our_run(case: Case, first: Sequence[np.ndarray[Any, Any]], count: int, place: Place) -> tuple[Run, Tensor]:
    """`count` sets of inputs, `first` one of them, through one plan that replays as a graph; and the first result."""
    dtype = BY_NAME[case.dtype]
    with place.chosen():
        sets = [[Tensor(x, dtype=dtype) for x in first]]
        sets += [[Tensor.randn(*shape).cast(dtype) for shape in case.inputs] for _ in range(count - 1)]
        Tensor.realize(*(x for one in sets for x in one))
        results = [case.ours(*one) for one in sets]
        with _prepared(place.runtime) as made:
            Tensor.realize(*results)
    (plan,) = made

    def run() -> None:
        plan.run()
        assert results  # their memory stays theirs

    run()
    return run, results[0]


@contextmanager
def _prepared(runtime: Runtime) -> Iterator[list[Prepared]]:
    """What is prepared on the device meanwhile: launching it again costs the host nothing but the launch. Plans that
    are kept from before are prepared already, so none is."""
    made: list[Prepared] = []
    engine._runners.clear()

    def prepare(launches: Sequence[Launch]) -> Prepared:
        made.append(type(runtime).prepare(runtime, launches))
        return made[-1]

    runtime.prepare = prepare  # type: ignore[method-assign]
    try:
        yield made
    finally:
        del runtime.prepare


def their_run(function: Callable[..., Any], sets: Sequence[Sequence[torch.Tensor]], place: Place) -> Run:
    """Every set of inputs, each to results of its own, captured as one graph as well."""
    return place.captured(lambda: void([function(*one) for one in sets]))
