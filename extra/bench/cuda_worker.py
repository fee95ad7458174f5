"""Measures works one after the other in a process of its own, and writes a line of JSON before and after each.

`python -m extra.bench.cuda_worker KIND DEVICE SECONDS NAME ...`; see `cuda_children` for who reads the lines. It ends
after the first work that fails, because a GPU that one kernel has lost is lost for the process, and when time is over.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any

from extra.tools.checkout import make_importable

make_importable()

from extra.bench import cuda_measure, cuda_profile  # noqa: E402 - a checkout has to be made importable first
from extra.bench.cuda_place import Gpu, Place, Rehearsal  # noqa: E402
from extra.bench.cuda_rows import failed  # noqa: E402

KINDS = {"cuda": cuda_measure.works, "cuda-profile": cuda_profile.works}


def place_of(device: str) -> Place:
    """The GPU, or a rehearsal on another device."""
    return Gpu() if device == "CUDA" else Rehearsal(device)


def main(arguments: Sequence[str]) -> None:
    """Measure the works of these names, in about so many seconds together."""
    kind, device, seconds, *names = arguments
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed is no result

    def say(**fields: Any) -> None:
        print(json.dumps(fields), file=lines, flush=True)

    works, place = KINDS[kind](), place_of(device)
    say(about=place.about())
    end = time.perf_counter() + float(seconds)
    for number, name in enumerate(names):
        say(start=name)
        shares = [works[other].share for other in names[number:]]
        left = max(1.0, end - time.perf_counter())
        try:
            rows = works[name].measure(place, left * shares[0] / sum(shares))
        except Exception as error:  # noqa: BLE001 - it is told
            traceback.print_exc()
            rows = [failed("all", error)]
        say(name=name, rows=rows)
        if any("error" in row for row in rows) or time.perf_counter() > end:
            return
        place.clear()


if __name__ == "__main__":
    main(sys.argv[1:])
