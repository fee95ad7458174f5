"""The lines of LAZYGRAD_DEBUG: what ran, what it cost, and how it was made."""

from __future__ import annotations

import sys

from lazygrad.engine.compile import Compiled, Stages
from lazygrad.settings import settings
from lazygrad.tiling.show import text as program_text


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
