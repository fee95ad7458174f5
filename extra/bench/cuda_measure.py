"""Measuring the cases; see `cuda`. The order of `works` is that of their worth: time may end before all are done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from extra.bench.cuda_cases import CASES, Case
from extra.bench.cuda_gpt_measure import decoding, training
from extra.bench.cuda_launch import launch_costs
from extra.bench.cuda_place import Place, Run
from extra.bench.cuda_rows import Row, failed, timed
from extra.bench.cuda_table import COPY
from extra.bench.cuda_timing import medians, our_run, rotations, their_run

FIRST = (COPY, "gemm bfloat16 8192")


@dataclass(frozen=True)
class Work:
    """One line of work.

    Args:
        measure: where, and in about how many seconds -> one row for each side.
        share: of the time that there is, relative to the others.
        limit_s: after which it hangs.
    """

    measure: Callable[[Place, float], list[Row]]
    share: float = 1.0
    limit_s: float = 90.0


def works() -> dict[str, Work]:
    """By name, the most valuable first."""
    by_name = {case.name: Work(partial(kernels, case)) for case in CASES}
    first = {name: by_name.pop(name) for name in FIRST}
    models = {
        "gpt2 training step": Work(training, 5.0, 240.0),
        "gpt2 decode": Work(decoding, 3.0, 180.0),
        "launch cost": Work(launches, 0.5),
    }
    return first | models | by_name


def kernels(case: Case, place: Place, budget_s: float) -> list[Row]:
    """PyTorch, PyTorch compiled, and lazygrad on one case; a side that fails does not lose the others."""
    case = place.case(case)
    torch.manual_seed(0)
    dtype = getattr(torch, case.dtype)
    count = rotations(case, place.runtime.info.l2_bytes)
    sets = [[torch.randn(s, device=place.torch_device, dtype=dtype) for s in case.inputs] for _ in range(count)]
    make: dict[str, Callable[[], Run]] = {"torch": lambda: their_run(case.theirs, sets, place)}
    if case.compiled:
        make["torch.compile"] = lambda: their_run(place.compiled(case.theirs), sets, place)
    wrong: list[str] = []
    make["lazygrad"] = lambda: _compared(case, sets[0], count, place, wrong)
    sides: dict[str, tuple[Run, Callable[[Run], float]]] = {}
    errors = []
    for side, prepare in make.items():
        try:
            clock = place.our_seconds if side == "lazygrad" else place.their_seconds
            sides[side] = (prepare(), clock)
        except Exception as error:  # noqa: BLE001 - see above
            errors.append(failed(side, error))
    found = medians(sides, count, place, budget_s * 0.6)
    rows = []
    for side, s in found.items():
        rate = f"{case.flops / s / 1e12:.1f} TFLOP/s" if case.flops else f"{case.nbytes / s / 1e9:.0f} GB/s"
        rows.append(timed(side, s, rate, found.get("torch"), wrong="; ".join(wrong) if side == "lazygrad" else ""))
    return rows + errors


def _compared(case: Case, inputs: list[torch.Tensor], count: int, place: Place, wrong: list[str]) -> Run:
    """lazygrad's side; `wrong` takes in how its result differs from PyTorch's: of products as PyTorch computes them, of
    all else computed wider."""
    run, result = our_run(case, [x.float().cpu().numpy() for x in inputs], count, place)
    wanted = case.theirs(*(inputs if case.flops else [x.double() for x in inputs])).double()
    got = torch.tensor(result.float().numpy(), device=place.torch_device).double()
    off = float((got - wanted).abs().max() / wanted.abs().max())
    if not off <= case.tolerance:
        wrong.append(f"the result is off by {off:.2e}")
    return run


def launches(place: Place, budget_s: float) -> list[Row]:
    """The cost of launches."""
    return [timed(side, seconds) for side, seconds in launch_costs(place).items()]
