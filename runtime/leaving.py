"""At exit: threads that still compute are waited for, and none begins anew.

A driver's own threads and compilers are torn down when a process exits. A daemon thread that is inside them then ends
the process with an abort; Python stops such threads only where they come back to it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
PATIENCE = 60.0  # seconds for what runs to end: a kernel may be a long one
_inside: set[int] = set()  # threads that are in a driver
_leaving: list[int] = []  # the thread that exits


def in_driver(method: Callable[P, R]) -> Callable[P, R]:
    """`method`, which may run or wait without Python's lock; once the process exits, other threads stay before it.

    >>> in_driver(len)([1, 2])
    2
    """

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        me = threading.get_ident()
        if me in _inside:
            return method(*args, **kwargs)
        _inside.add(me)  # before the look at `_leaving`, so that whoever exits sees one of both
        try:
            while _leaving and me not in _leaving:  # until the process ends
                _inside.discard(me)
                time.sleep(PATIENCE)
            return method(*args, **kwargs)
        finally:
            _inside.discard(me)

    return call


def leave() -> None:
    """Keep other threads out of drivers from now on, and wait for those that are inside, for `PATIENCE` at most."""
    _leaving[:] = [threading.get_ident()]
    end = time.monotonic() + PATIENCE
    while _others_inside() and time.monotonic() < end:
        time.sleep(0.001)


def _others_inside() -> bool:
    return any(thread in _inside and thread not in _leaving for thread in sys._current_frames())
