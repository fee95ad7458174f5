"""What must not be left half done by an interrupt: Ctrl-C, or another exception that a signal or a thread raises.

Such an exception comes between two steps of Python, wherever that is, but never inside a function written in C. So
what cannot be repeated is done in one call of such a function, which also notes that it has been done; what follows can
be repeated, and is, until it is complete. Then the exception goes on its way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import starmap
from typing import TypeVar

T = TypeVar("T")
TRIES = 100  # an error that comes every time is no interrupt


def at_once(iterator: Iterable[object]) -> None:
    """Run an iterator to its end in one call; nothing interrupts one that C runs alone (`map`, `chain`)."""
    deque(iterator, maxlen=0)


def set_all(changes: Iterable[tuple[object, str, object]]) -> None:
    """Set (object, attribute, value) of all `changes`, or of none."""
    at_once(starmap(setattr, [*changes]))


def to_the_end(start: Callable[[list[bool]], T], end: Callable[[], None]) -> T:
    """Do `start`, and then `end`; either nothing is done, or all of it, whatever interrupts.

    Args:
        start: does what cannot be repeated and appends to the list it gets, both in one call of a function of C.
        end: may be interrupted anywhere, and called again from its start.

    Returns what `start` does.
    """
    begun: list[bool] = []
    interrupted: BaseException | None = None
    result: T | None = None
    for _ in range(TRIES):
        try:
            if not begun:
                result = start(begun)
            end()
        except BaseException as error:
            if not begun:
                raise
            interrupted = error
        else:
            break
    if interrupted is not None:
        raise interrupted
    return result  # type: ignore[return-value]  # nothing was raised, so `start` returned it
