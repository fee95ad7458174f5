"""Signals are the program's: what a driver does to them when it starts is kept from it.

PoCL's compiler, LLVM, takes over some fifteen signals. It never passes SIGUSR1 on, and at Ctrl-C it removes the files
that it is writing, so that the kernel at hand does not compile. PoCL's threads run the linker, and end the process
where that fails: as it does when a signal reaches all processes of a group, from a terminal, a notebook or a batch
system.
"""

from __future__ import annotations

import contextlib
import ctypes
import signal
from collections.abc import Iterator
from typing import Any

_STRUCT_BYTES = 512  # at least what the system's `struct sigaction` takes
# What a thread gets for what it did itself.
_OWN = {getattr(signal, f"SIG{name}", None) for name in ("SEGV", "BUS", "FPE", "ILL", "TRAP", "SYS", "ABRT")}


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Afterwards every signal has the handler that it had before; threads that start inside, and programs that those
    run, get none but for their own faults.

    SIGFPE stays the driver's: with it PoCL survives a kernel that divides integers by zero.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    numbers = signal.valid_signals()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, numbers - _OWN)
    try:
        actions = {n: action for n in numbers - {signal.SIGFPE} if (action := _action(n)) is not None}
        try:
            yield
        finally:
            for number, action in actions.items():
                ctypes.CDLL(None).sigaction(number, action, None)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _action(number: int) -> Any:
    """What the system does at a signal, opaque; None where it does not tell. `signal.getsignal` knows Python's only."""
    action = ctypes.create_string_buffer(_STRUCT_BYTES)
    return None if ctypes.CDLL(None).sigaction(number, None, action) else action
