"""What ran and what it cost: counters for `lazygrad.stats()`, and the lines of LAZYGRAD_DEBUG."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from lazygrad.engine.compile import Compiled, Stages
from lazygrad.settings import settings
from lazygrad.tile.show import text as program_text


@dataclass
class Counters:
    """Since the process started: kernels launched, bytes they had to move at least, seconds spent compiling."""

    kernels: int = 0
    bytes: int = 0
    schedules: int = 0
    plan_hits: int = 0
    stored_plans: int = 0
    compile_seconds: float = 0.0
    schedule_seconds: float = 0.0


counters = Counters()


def print_kernel(kernel: Compiled, seconds: float) -> None:
    """One line: name, microseconds, GB/s and GFLOP/s."""
    rate = max(seconds, 1e-9) * 1e9
    speed = f"{kernel.bytes / rate:8.1f} GB/s {kernel.flops / rate:9.1f} GFLOP/s"
    print(f"{kernel.source.name:40s} {seconds * 1e6:10.1f} us {speed}", file=sys.stderr)


def print_stages(stages: Stages) -> None:
    """What LAZYGRAD_DEBUG asks to see of a newly planned kernel.

    2 what it is, 3 its tile program, 4 its source, 5 the tile program before optimization too.
    """
    kernel = stages.compiled
    print(f"planned {kernel.source.name}: {kernel.bytes} bytes, {kernel.flops} flops", file=sys.stderr)
    if settings.debug >= 5:
        print(program_text(stages.plain), file=sys.stderr)
    if settings.debug >= 3:
        print(program_text(stages.program), file=sys.stderr)
    if settings.debug >= 4:
        print(kernel.source.text, file=sys.stderr)
