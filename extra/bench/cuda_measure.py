"""Measuring the cases on a GPU; see `cuda`."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from extra.bench import cuda_torch
from extra.bench.cuda_cases import CASES, COPY, Case
from extra.bench.cuda_gpt import GPT2, Decoder, model_of, training_step
from extra.bench.cuda_launch import launch_costs
from extra.bench.cuda_timing import cuda, medians, our_run, our_seconds, rotations, their_run, their_seconds
from lazygrad import Tensor, dtypes, jit, synchronize

Row = dict[str, Any]
DECODED = 256  # tokens
_copied: dict[str, float] = {}  # seconds of PyTorch's copy, once it is known


def gpu() -> dict[str, str]:
    """What is measured on."""
    info = cuda().info
    return {"gpu": f"{info.description}, {info.units} units, {info.l2_bytes >> 20} MiB L2"}


def works() -> dict[str, Callable[[float], list[Row]]]:
    """Name of a case -> a function that measures it in about so many seconds."""
    made: dict[str, Callable[[float], list[Row]]] = {case.name: partial(kernels, case) for case in CASES}
    return made | {"launch cost": launches, "gpt2 training step": training, "gpt2 decode": decoding}


def kernels(case: Case, budget_s: float) -> list[Row]:
    """PyTorch, PyTorch compiled, and lazygrad on one case."""
    torch.manual_seed(0)
    dtype = getattr(torch, case.dtype)
    count = rotations(case, cuda().info.l2_bytes)
    sets = [[torch.randn(shape, device="cuda", dtype=dtype) for shape in case.inputs] for _ in range(count)]
    run, result = our_run(case, [x.float().cpu().numpy() for x in sets[0]], count)
    wanted = case.theirs(*(sets[0] if case.flops else [x.double() for x in sets[0]])).double()
    got = torch.tensor(result.float().numpy(), device="cuda").double()
    off = float((got - wanted).abs().max() / wanted.abs().max())
    if not off <= case.tolerance:
        raise ValueError(f"the result is off by {off:.2e}")
    sides = {"torch": (their_run(case.theirs, sets), their_seconds)}
    if case.compiled:
        sides["torch.compile"] = (their_run(torch.compile(case.theirs), sets), their_seconds)
    sides["lazygrad"] = (run, our_seconds)
    found = medians(sides, count, budget_s * 0.6)
    if case.name == COPY:
        _copied["seconds"] = found["torch"]
    return [_kernel_row(case, side, seconds, found["torch"]) for side, seconds in found.items()]


def _kernel_row(case: Case, side: str, seconds: float, reference: float) -> Row:
    rate = f"{case.flops / seconds / 1e12:.1f} TFLOP/s" if case.flops else f"{case.nbytes / seconds / 1e9:.0f} GB/s"
    remark = ""
    if not case.flops and _copied:
        remark = f"{_copied['seconds'] / seconds:.1%} of the copy's bandwidth"
    time_text = f"{seconds * 1e6:.2f} us"
    row = {"side": side, "seconds": seconds, "speed": reference / seconds, "time": time_text, "rate": rate}
    return {**row, "remark": remark, "text": f"{time_text}  {rate}  speed {reference / seconds:.3f}  {remark}"}


def launches(budget_s: float) -> list[Row]:
    """The cost of launches."""
    return [
        {"side": side, "seconds": seconds, "time": f"{seconds * 1e6:.2f} us", "text": f"{seconds * 1e6:.2f} us"}
        for side, seconds in launch_costs().items()
    ]


def training(budget_s: float) -> list[Row]:
    """Steps of GPT-2 124M in bfloat16, 16 sequences of 1024 tokens."""
    rng = np.random.default_rng(0)
    batches = [rng.integers(0, GPT2.vocabulary, (2, GPT2.batch, GPT2.context)) for _ in range(4)]
    theirs = [tuple(torch.tensor(part, device="cuda") for part in batch) for batch in batches]
    found = {}
    for side, compiled in (("torch.compile", True), ("torch", False)):
        step = cuda_torch.training_step(GPT2, compiled=compiled)
        found[side] = _steps(lambda n, step=step: step(*theirs[n % 4]), torch.cuda.synchronize, budget_s / 3)
        del step
        torch.cuda.empty_cache()
    model = model_of(GPT2)
    ours = [tuple(Tensor(part, device="CUDA") for part in batch) for batch in batches]
    step = jit(training_step(model.to("CUDA")))
    found["lazygrad"] = _steps(lambda n: step(*ours[n % 4]).realize(), synchronize, budget_s / 3)
    return [_rate_row(side, seconds, found["torch.compile"], GPT2.tokens) for side, seconds in found.items()]


def decoding(budget_s: float) -> list[Row]:
    """Greedy decoding of one sequence by GPT-2 124M in bfloat16."""
    theirs = cuda_torch.Decoder(GPT2, GPT2.context)
    ours = Decoder(model_of(GPT2).to("CUDA").to(dtypes.bfloat16), GPT2.context)
    step = jit(ours.step)
    found = {}
    for side, one, wait in (
        ("torch.compile", theirs.step, torch.cuda.synchronize),
        ("lazygrad", lambda: step().realize(), synchronize),
    ):
        for _ in range(5):
            one()
        found[side] = _steps(partial(_times, one, DECODED), wait, budget_s / 4, warm_up=0) / DECODED
    return [_rate_row(side, seconds, found["torch.compile"], 1) for side, seconds in found.items()]


def _times(one: Callable[[], Any], count: int, number: int) -> None:
    for _ in range(count):
        one()


def _steps(step: Callable[[int], Any], wait: Callable[[], Any], budget_s: float, warm_up: int = 4) -> float:
    """Median seconds of a step, the queue empty before and after; at least three are timed."""
    for n in range(warm_up):
        step(n)
    wait()
    times: list[float] = []
    end = time.perf_counter() + budget_s
    while len(times) < 3 or (len(times) < 30 and time.perf_counter() < end):
        start = time.perf_counter()
        step(len(times))
        wait()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _rate_row(side: str, seconds: float, reference: float, tokens: int) -> Row:
    time_text, rate = f"{seconds * 1e3:.3f} ms", f"{tokens / seconds:.0f} tokens/s"
    row = {"side": side, "seconds": seconds, "speed": reference / seconds, "time": time_text, "rate": rate}
    return {**row, "text": f"{time_text}  {rate}  speed {reference / seconds:.3f}"}
