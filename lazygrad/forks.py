"""What a forked child may use of what its parent had opened: NumPy's memory, and nothing that a driver runs.

`fork` copies a process's memory but only the thread that called it. A driver's own threads are gone in the child, and
its locks may be held by them for ever, so the child neither calls a driver that its parent had started, nor lets
an object of one die, which would call it too: using such a device is a DeviceError. NUMPY has no driver and goes on.
"""

from __future__ import annotations

import ctypes
import gc
import os
import threading
import weakref
from collections.abc import Callable

from lazygrad.errors import DeviceError, user_line

_started: set[str] = set()  # the drivers that this process has called
_lost: set[str] = set()  # those that only a parent of this process may call
_holders: set[type] = set()
_locks: weakref.WeakSet[threading.Lock] = weakref.WeakSet()
_children: list[Callable[[], None]] = []
_count_of_forks = [0]


def lock() -> threading.Lock:
    """A lock that is free in a forked child, whoever held it in the parent. It guards what Python keeps consistent."""
    made = threading.Lock()
    _locks.add(made)
    return made


def in_child(call: Callable[[], None]) -> None:
    """Have `call` called in every forked child, before anything else runs there."""
    _children.append(call)


def count() -> int:
    """How many times this process, and those that it was forked from, have forked: no two siblings see the same."""
    return _count_of_forks[0]


def hold_drivers(*kinds: type) -> None:
    """The objects of these classes hold objects of a driver: in a child they never die."""
    _holders.update(kinds)


def start_driver(name: str) -> None:
    """Called before the driver `name` is called first; DeviceError where the process had it before it was forked."""
    if name in _lost:
        raise DeviceError(f"{lost(name)} ({user_line()})")
    _started.add(name)


def lost(name: str) -> str:
    """What to tell who uses a device in a forked child."""
    return (
        f"{name} was in use before this process was forked, and does not work in the child: its driver's threads are "
        "the parent's. Start processes with multiprocessing.get_context('spawn'), or fork before the first use of "
        f"{name}, or use NumPy in the child: os.environ['LAZYGRAD_DEVICE'] = 'NUMPY', or device='NUMPY'"
    )


def _before() -> None:
    _count_of_forks[0] += 1


def _after_in_child() -> None:
    for each in list(_locks):
        each._at_fork_reinit()  # type: ignore[attr-defined]  # as the standard library does with its own
    _lost.update(_started)
    for call in _children:
        call()
    if _started:
        _keep_for_ever()


def _keep_for_ever() -> None:
    """Give whatever holds objects of a driver one more reference, which nobody gives back, not even at exit."""
    kinds = tuple(_holders)
    if frozen := gc.get_freeze_count():  # as is advised before a fork; what is frozen is not listed
        gc.unfreeze()
    for each in gc.get_objects():
        if issubclass(type(each), kinds):  # isinstance() asks for the __class__ of proxies, which may raise anything
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(each))
    if frozen:
        gc.freeze()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_child=_after_in_child)
