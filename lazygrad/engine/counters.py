"""Counters of what has run, for `lazygrad.stats()`."""

from __future__ import annotations

from dataclasses import dataclass


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
