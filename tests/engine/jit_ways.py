"""Ways of writing a jitted function, each a program that is run with `jit` and without.

A way takes `wrap` (`jit`, or nothing) and returns what it saw, over five calls or more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lazygrad import Tensor, jit, manual_seed
from lazygrad.errors import JitError

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]
Way = Callable[[Wrap], Any]
CALLS = range(6)


class Ways:
    """A table: ways that equal the plain call, and those that raise, with what the error says."""

    def __init__(self) -> None:
        self.same: dict[str, Way] = {}
        self.raising: dict[str, tuple[Way, str]] = {}

    def equal(self, way: Way) -> Way:
        """Jitted, it does as the plain function does."""
        self.same[way.__name__] = way
        return way

    def refused(self, message: str) -> Callable[[Way], Way]:
        """Jitted, it raises JitError with a message that has `message` in it."""

        def add(way: Way) -> Way:
            self.raising[way.__name__] = way, message
            return way

        return add


def plain(value: Any) -> Any:
    """What a way saw, as something that `==` compares: tensors as lists of numbers, zeros with their signs."""
    if isinstance(value, Tensor):
        return plain(value.tolist())
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(x) for x in value]
    if isinstance(value, dict):
        return {k: plain(x) for k, x in value.items()}
    return repr(value) if isinstance(value, float) else value


def unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """The plain function."""
    return function


def seen(way: Way, wrap: Wrap) -> Any:
    """What a way sees, from the same random numbers every time."""
    manual_seed(5)
    return plain(way(wrap))


def outcome(way: Way) -> tuple[str, Any]:
    """same, different or raises, and the details."""
    expected = seen(way, unwrapped)
    try:
        found = seen(way, jit)
    except JitError as error:
        return "raises", str(error)
    return ("same", None) if found == expected else ("different", (expected, found))


def x(*numbers: float, requires_grad: bool = False) -> Tensor:
    """A short vector."""
    return Tensor(np.array(numbers or (1.0, 2.0), np.float32), requires_grad=requires_grad)
