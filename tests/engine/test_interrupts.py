"""Interrupts at random moments; `interrupted.py` is the program that they come to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lazygrad.engine.whole import set_all, to_the_end

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="timers of POSIX")
@pytest.mark.parametrize(
    ("device", "way", "rounds"),
    [("OPENCL", "signal", 300), ("OPENCL", "thread", 200), ("NUMPY", "signal", 2000)],
)
def test_nothing_is_lost_or_half_done(device: str, way: str, rounds: int) -> None:
    command = [sys.executable, "-m", "tests.engine.interrupted", device, "0", str(rounds), way]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]


def test_the_end_is_repeated_and_the_start_is_not() -> None:
    started: list[bool] = []
    ends = 0

    def end() -> None:
        nonlocal ends
        ends += 1
        if ends < 3:
            raise KeyboardInterrupt

    def start(begun: list[bool]) -> str:
        started.append(True)
        begun.append(True)
        return "done"

    with pytest.raises(KeyboardInterrupt):
        to_the_end(start, end)
    assert (len(started), ends) == (1, 3)
    assert to_the_end(start, end) == "done"


def test_an_error_before_the_start_is_the_end() -> None:
    def start(begun: list[bool]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        to_the_end(start, lambda: pytest.fail("called"))


def test_attributes_are_set_together() -> None:
    class Place:
        value = 0

    places = [Place(), Place()]
    set_all((place, "value", k + 1) for k, place in enumerate(places))
    assert [place.value for place in places] == [1, 2]
    set_all([])
