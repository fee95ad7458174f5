"""Where the time of GPT-2 goes: every kernel of a step between events, those of one source together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from extra.bench.cuda_gpt import Decoder, model_of, training_step
from extra.bench.cuda_gpt_measure import new_weights
from extra.bench.cuda_measure import Work
from extra.bench.cuda_place import Place
from extra.bench.cuda_rows import Row, timed
from lazygrad import Tensor, dtypes, jit
from lazygrad.engine.compile import Compiled

TIMED = 5  # runs of the plan; each kernel's median counts


def works() -> dict[str, Work]:
    """By name."""
    return {"gpt2 training step": Work(training, limit_s=240.0), "gpt2 decode": Work(decoding, limit_s=180.0)}


def training(place: Place, budget_s: float) -> list[Row]:
    """The kernels of one step of training."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, place.gpt.vocabulary, (2, place.gpt.batch, place.gpt.context))
    with place.chosen():
        step = jit(training_step(model_of(place.gpt, new_weights(place))))
        inputs = tuple(Tensor(part).realize() for part in tokens)
        return kernel_rows(step, lambda: step(*inputs).realize(), place)


def decoding(place: Place, budget_s: float) -> list[Row]:
    """The kernels of one token."""
    with place.chosen():
        decoder = Decoder(model_of(place.gpt, new_weights(place)).to(dtypes.bfloat16), place.gpt.context)
        step = jit(decoder.step)
        return kernel_rows(step, lambda: step().realize(), place)


def kernel_rows(step: Any, call: Callable[[], Tensor], place: Place) -> list[Row]:
    """One row for each kernel of the plan that `step`, made by `jit`, replays at `call`; the slowest first.

    The floor is the larger of two times: for the bytes that the kernel has to move, and for what it has to compute.
    """
    held = [call() for _ in range(4)]  # results keep the memory that the plan writes
    (trace,) = step.traces
    ((runner, _),) = trace.replay.runners.values()
    runs = np.median([runner.prepared.run(True) for _ in range(TIMED)], axis=0)
    assert held
    groups: dict[str, list[tuple[Compiled, float]]] = {}
    for kernel, seconds in zip((s.kernel for s in runner.plan.steps), runs):
        groups.setdefault(kernel.source.name, []).append((kernel, float(seconds)))
    total = float(runs.sum())
    rows = [_row(name, launches, total, place) for name, launches in groups.items()]
    rows.sort(key=lambda row: -row["seconds"])
    floor = sum(row["floor"] for row in rows)
    remark = f"{len(runs)} launches of {len(rows)} kernels; their floors {floor * 1e3:.3f} ms"
    return [timed("all kernels", total, remark=remark), *rows]


def _row(name: str, launches: list[tuple[Compiled, float]], total: float, place: Place) -> Row:
    seconds = max(sum(s for _, s in launches), 1e-9)
    nbytes, flops = (sum(getattr(k, field) for k, _ in launches) for field in ("bytes", "flops"))
    floor = max(nbytes / place.bytes_s, flops / place.flops_s)
    rate = f"{nbytes / seconds / 1e9:.0f} GB/s, {flops / seconds / 1e12:.1f} TFLOP/s"
    parts = f"{len(launches)} launches", f"{seconds / total:.1%} of all", f"floor {floor / seconds:.0%}"
    remark = ", ".join((*parts, f"{nbytes} bytes", f"{flops} flops"))
    return {**timed(name, seconds, rate, remark=remark), "floor": floor, "bytes": nbytes, "flops": flops}
