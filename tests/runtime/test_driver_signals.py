"""A driver leaves the program's signals alone, and is left alone by those that come to a whole group of processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

HANDLERS = """
import ctypes, os, signal, sys, time
from lazygrad import Tensor
caught = []
ends = {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}  # the last one comes from the linker, too
of_faults = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS, signal.SIGABRT}
numbers = [n for n in signal.valid_signals() - ends - of_faults if isinstance(n, signal.Signals)]
ignored, handled = numbers[::3], [n for k, n in enumerate(numbers) if k % 3]
if sys.argv[1] == "other":
    ignored, handled = handled, ignored
for n in ignored:
    signal.signal(n, signal.SIG_IGN)
for n in handled:
    signal.signal(n, lambda number, frame: caught.append(number))

def action(number):
    found = ctypes.create_string_buffer(512)
    ctypes.CDLL(None).sigaction(number, None, found)
    return found.raw[:8]  # the handler

before = {n: action(n) for n in signal.valid_signals() - {signal.SIGFPE}}
mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])
assert (Tensor([1.0], device="OPENCL") + 1).item() == 2
assert signal.pthread_sigmask(signal.SIG_SETMASK, mask) == {signal.SIGWINCH}
assert {n: action(n) for n in before} == before
for n in 2 * numbers:
    os.kill(os.getpid(), n)
time.sleep(0)
assert sorted(caught) == sorted(2 * handled), (caught, handled)
"""

# Somebody presses Ctrl-C again and again while kernels compile: in a terminal, that reaches the linker as well.
GROUP = """
import os, signal, sys, threading, time
import numpy as np
from lazygrad import Tensor

class Stop(BaseException):
    pass

armed, stopped, ended = False, 0, threading.Event()
def stop(number, frame):
    global armed
    if armed:
        armed = False
        raise Stop

def send():
    while not ended.wait(0.015):
        os.killpg(0, signal.SIGINT)

signal.signal(signal.SIGINT, stop)
x = Tensor(np.ones(40, "float32"), device="OPENCL").realize()
thread = threading.Thread(target=send)
thread.start()
try:
    for n in range(2, 10):
        try:
            armed = True
            (x * n + 0.5).sum().item()
            armed = False
        except Stop:
            stopped += 1
        assert (x * n).sum().item() == 40 * n  # handled, and nothing is raised
finally:
    ended.set()
    thread.join()
assert stopped > 2, stopped
"""


def run(program: str, arguments: Sequence[str] = (), **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, **environment},
        start_new_session=True,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("which", ["one", "other"])
def test_handlers_are_the_programs(which: str) -> None:
    """Of the signals that can be caught, a third is ignored, and then the others are."""
    run(HANDLERS, [which])


def test_interrupts_of_the_whole_group_while_kernels_compile(tmp_path: os.PathLike[str]) -> None:
    run(GROUP, LAZYGRAD_CACHE_DIR=str(tmp_path))
