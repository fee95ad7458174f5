"""Times on a GPU: several calls between two events, over inputs that no cache holds, sides in turn, medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from extra.bench.cuda_cases import Case
from lazygrad import Tensor
from lazygrad.dtype import BY_NAME
from lazygrad.runtime.base import Launch, Prepared
from lazygrad.runtime.cuda import CudaRuntime
from lazygrad.runtime.registry import open_device

Run = Callable[[], None]  # enqueues every rotation of a case once
ROUNDS = 15
LEAST_S = 1e-3  # of GPU time between two events
MOST_ROTATIONS = 16


def cuda() -> CudaRuntime:
    """The runtime of the first GPU."""
    runtime = open_device("CUDA")
    assert isinstance(runtime, CudaRuntime)
    return runtime


def our_seconds(run: Run) -> float:
    """Seconds on lazygrad's stream."""
    context = cuda().context
    context.enter()
    start, end = context.event(timed=True), context.event(timed=True)
    context("cuEventRecord", start, context.stream)
    run()
    context.enter()
    context("cuEventRecord", end, context.stream)
    context("cuEventSynchronize", end)
    seconds = float(context("cuEventElapsedTime", start, end)) * 1e-3
    for event in (start, end):
        context("cuEventDestroy", event)
    return seconds


def their_seconds(run: Run) -> float:
    """Seconds on PyTorch's stream."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    run()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) * 1e-3


def medians(sides: dict[str, tuple[Run, Callable[[Run], float]]], calls: int, budget_s: float) -> dict[str, float]:
    """Median seconds per call of each side; the sides take turns, `calls` to a sample at least as long as LEAST_S."""
    repeats: dict[str, int] = {}
    for name, (run, clock) in sides.items():
        clock(run)
        repeats[name] = max(1, round(LEAST_S / max(clock(run), 1e-6)))
    times: dict[str, list[float]] = {name: [] for name in sides}
    end = time.perf_counter() + budget_s
    for turn in range(ROUNDS):
        if turn >= 5 and time.perf_counter() > end:
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


def our_run(case: Case, first: Sequence[np.ndarray[Any, Any]], count: int) -> tuple[Run, Tensor]:
    """`count` sets of inputs, `first` one of them, through one plan that replays as a graph; and the first result."""
    dtype = BY_NAME[case.dtype]
    sets = [[Tensor(x, dtype=dtype, device="CUDA") for x in first]]
    sets += [[Tensor.randn(*shape, device="CUDA").cast(dtype) for shape in case.inputs] for _ in range(count - 1)]
    Tensor.realize(*(x for one in sets for x in one))
    results = [case.ours(*one) for one in sets]
    with _prepared() as made:
        Tensor.realize(*results)
    (plan,) = made

    def run() -> None:
        plan.run()
        assert results  # their memory stays theirs

    run()
    return run, results[0]


@contextmanager
def _prepared() -> Iterator[list[Prepared]]:
    """What is prepared on the GPU meanwhile: launching it again costs the host nothing but the launch."""
    runtime, made = cuda(), []

    def prepare(launches: Sequence[Launch]) -> Prepared:
        made.append(type(runtime).prepare(runtime, launches))
        return made[-1]

    runtime.prepare = prepare  # type: ignore[method-assign]
    try:
        yield made
    finally:
        del runtime.prepare


def their_run(function: Callable[..., Any], sets: Sequence[Sequence[torch.Tensor]]) -> Run:
    """Every set of inputs, captured as a graph as well."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for one in sets:
            function(*one)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        kept = [function(*one) for one in sets]
    del kept
    return graph.replay
