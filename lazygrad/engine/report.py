"""What ran and what it cost: counters for `lazygrad.stats()`, and the lines of LAZYGRAD_DEBUG."""
from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lazygrad.engine.compile import Compiled


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
    line = f"{kernel.source.name:40s} {seconds * 1e6:10.1f} us {kernel.bytes / rate:8.1f} GB/s {kernel.flops / rate:9.1f} GFLOP/s"
    print(line, file=sys.stderr)
