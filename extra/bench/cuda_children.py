"""Works measured in child processes, so that one that crashes, hangs or loses the GPU does not lose the others."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from extra.bench.cuda_rows import Row
from extra.bench.harness import ROOT

START_S = 120.0  # for importing PyTorch and opening the device
Start = Callable[[Sequence[str], float], "subprocess.Popen[str]"]  # names, seconds for all of them


def child(kind: str, device: str) -> Start:
    """Starts `cuda_worker` for a kind of work on a device."""

    def start(names: Sequence[str], seconds: float) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "extra.bench.cuda_worker", kind, device, str(seconds), *names]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    return start


def measured(
    limits: Mapping[str, float], start: Start, seconds: float, about: dict[str, Any]
) -> Iterator[tuple[str, list[Row]]]:
    """(name, rows) of every work, each as soon as it is known.

    Args:
        limits: name of a work -> seconds after which it hangs.
        seconds: for all of them together; those that are not begun by then are told as errors.
        about: takes in what a child says of its machine.
    """
    left, end = list(limits), time.monotonic() + seconds
    while left and time.monotonic() < end:
        with start(left, end - time.monotonic()) as process:
            for name, rows in _of_child(process, tuple(left), limits, about):
                left.remove(name)
                yield name, rows
    for name in left:
        yield name, [{"side": "all", "error": f"not begun: the {seconds:.0f} s for all were over"}]


def _of_child(
    process: subprocess.Popen[str], names: Sequence[str], limits: Mapping[str, float], about: dict[str, Any]
) -> Iterator[tuple[str, list[Row]]]:
    """What one child measures, and at its end the work that it ended in."""
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    current, limit, finished = names[0], START_S, False
    try:
        while True:
            try:
                line = lines.get(timeout=limit)
            except queue.Empty:
                yield current, [{"side": "all", "error": f"nothing came for {limit:.0f} s; its process was stopped"}]
                return
            if not line:
                break
            fields = json.loads(line)
            about.update(fields.get("about", {}))
            if "start" in fields:
                current, finished = fields["start"], False
                limit = limits[current]
            elif "name" in fields:
                finished = True
                yield fields["name"], fields["rows"]
    finally:
        process.kill()
    if not finished:
        yield current, [{"side": "all", "error": f"its process ended with status {process.wait()}"}]


def _read(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    """All lines, and an empty one at the end."""
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put("")
