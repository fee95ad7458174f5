"""Whether operations are recorded for gradients, per thread.

A mode is in force as long as a lock is held, for one reason: a lock is entered and left by functions written in C. An
exception that a signal raises, Ctrl-C, comes before or after such a function but never inside, so no interrupt leaves
`no_grad` on. `__enter__` and `__exit__` in Python can be interrupted in their first step, with nothing done yet.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ContextDecorator
from itertools import takewhile
from typing import Any, NamedTuple, overload


class _Entered(NamedTuple):
    """A mode that is in force while `lock` is held."""

    lock: threading.Lock
    value: bool
    owner: object


class _Mode(threading.local):
    """The modes that this thread has entered, outermost first. Who leaves one leaves those inside it."""

    def __init__(self) -> None:
        self._entered: list[_Entered] = []

    @property
    def enabled(self) -> bool:
        """False inside `no_grad`."""
        value = True
        for entered in self._entered:
            if not entered.lock.locked():
                break
            value = entered.value
        return value

    def lock_of(self, owner: object, value: bool, entering: bool) -> threading.Lock:
        """The lock that `owner` is about to enter, or the one that it is to leave."""
        there = self._entered
        last = next((e for e in reversed(there) if e.owner is owner), None)
        if last is not None and not (entering and last.lock.locked()):
            return last.lock
        new = _Entered(threading.Lock(), value, owner)
        there[:] = (*self.state(), new)
        return new.lock

    def state(self) -> Sequence[_Entered]:
        """What `restore` needs to go back to the modes in force now."""
        return tuple(takewhile(lambda e: e.lock.locked(), self._entered))

    def restore(self, state: Sequence[_Entered]) -> None:
        """Leave what was entered since, and was not left."""
        self._entered[:] = state


mode = _Mode()


class _OfLock:
    """A method of the lock: Python code looks it up, and is done when it is called."""

    def __init__(self, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> _OfLock: ...
    @overload
    def __get__(self, instance: _GradientMode, owner: type) -> Callable[..., None]: ...
    def __get__(self, instance: _GradientMode | None, owner: type) -> Any:
        if instance is None:
            return self
        return getattr(mode.lock_of(instance, instance.value, self.name == "__enter__"), self.name)

    def __call__(self, instance: _GradientMode, *args: object) -> None:  # as contextlib.ExitStack calls it
        getattr(instance, self.name)(*args)


class _GradientMode(ContextDecorator):
    """Sets the mode inside a `with` block or a decorated function, and restores what was there; may be nested."""

    value = True
    __enter__, __exit__ = _OfLock("__enter__"), _OfLock("__exit__")


class no_grad(_GradientMode):  # noqa: N801 - PyTorch's name
    """Results need no gradient: a context manager, and with parentheses a decorator.

    >>> from lazygrad import Tensor
    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> with no_grad(): y = w * 2
    >>> y.requires_grad
    False
    """

    value = False


class enable_grad(_GradientMode):  # noqa: N801 - PyTorch's name
    """Undoes `no_grad` inside it.

    >>> from lazygrad import Tensor
    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> with no_grad():
    ...     with enable_grad(): y = w * 2
    >>> y.requires_grad
    True
    """

    value = True


class inference_mode(_GradientMode):  # noqa: N801 - PyTorch's name
    """`no_grad`, or with `mode=False` its opposite: a context manager, and a decorator.

    >>> from lazygrad import Tensor
    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> with inference_mode(): y = w * 2
    >>> y.requires_grad
    False
    """

    def __init__(self, mode: bool = True) -> None:
        self.value = not mode


def is_grad_enabled() -> bool:
    """Whether operations are recorded for gradients now.

    >>> is_grad_enabled()
    True
    """
    return mode.enabled
