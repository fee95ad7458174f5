"""Whether operations are recorded for gradients, and other modes that a thread is in.

A mode is in force as long as a lock is held, for one reason: a lock is entered and left by functions written in C. An
exception that a signal raises, Ctrl-C, comes before or after such a function but never inside, so no interrupt leaves
`no_grad` on. `__enter__` and `__exit__` in Python can be interrupted in their first step, with nothing done yet.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from contextlib import ContextDecorator
from itertools import takewhile
from typing import Any, NamedTuple, TypeVar, overload

from lazygrad.dtype import get_default_dtype, set_default_dtype

F = TypeVar("F", bound=Callable[..., Any])


class _Entered(NamedTuple):
    """A mode that is in force while `lock` is held."""

    lock: threading.Lock
    value: Any
    owner: object


class _State(NamedTuple):
    base: Any
    entered: tuple[_Entered, ...]


class Mode(threading.local):
    """What this thread has entered, outermost first; who leaves one leaves those inside it."""

    def __init__(self, default: Hashable) -> None:
        self._base: Any = default
        self.entered: list[_Entered] = []  # what was, and may have been left

    @property
    def value(self) -> Any:
        """What is in force."""
        value = self._base
        for entered in self.entered:
            if not entered.lock.locked():
                break
            value = entered.value
        return value

    @property
    def enabled(self) -> bool:
        """`value` of a mode that is on or off: False inside `no_grad`."""
        return bool(self.value)

    def set(self, value: Hashable) -> None:
        """Change what is in force, until what was entered last is left."""
        entered = self.state().entered
        if entered:
            self.entered[:] = (*entered[:-1], entered[-1]._replace(value=value))
        else:
            self._base = value

    def lock_to_enter(self, owner: object, value: Hashable) -> threading.Lock:
        """The lock that `owner` is about to enter."""
        new = _Entered(threading.Lock(), value, owner)
        self.entered[:] = (*self.state().entered, new)
        return new.lock

    def lock_to_leave(self, owner: object, entered: bool) -> threading.Lock:
        """The lock that `owner` is to leave: what it has `entered`, or will when it goes on."""
        there = [e for e in self.entered if e.owner is owner]
        held = [e for e in there if e.lock.locked()] if entered else there
        return (held or there)[-1].lock

    def state(self) -> _State:
        """What `restore` needs to go back to the modes in force now."""
        return _State(self._base, tuple(takewhile(lambda e: e.lock.locked(), self.entered)))

    def restore(self, state: _State) -> None:
        """Leave what was entered since, and was not left."""
        self._base = state.base
        self.entered[:] = state.entered


class _DefaultDType:
    """The one mode that is not a thread's own: what floats are where nothing else is said."""

    value = property(lambda self: get_default_dtype())

    def state(self) -> Any:
        """The dtype."""
        return get_default_dtype()

    def restore(self, state: Any) -> None:
        """Go back to it."""
        set_default_dtype(state)


mode = Mode(True)  # of gradients
casting = Mode(())  # of autocast: (kind of device, dtype) of those where it is on
MODES: Sequence[Any] = (mode, casting, _DefaultDType())


def in_force() -> tuple[Hashable, ...]:
    """What all modes are: results of the same operation are the same where this is equal."""
    return tuple(m.value for m in MODES)


def states() -> Sequence[Any]:
    """What `restore_all` needs to go back to the modes in force now."""
    return [m.state() for m in MODES]


def restore_all(states: Sequence[Any]) -> None:
    """Leave whatever was entered since, and was not left."""
    for m, state in zip(MODES, states):
        m.restore(state)


class _OfLock:
    """A method of the lock: Python code looks it up, and is done when it is called."""

    def __init__(self, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> _OfLock: ...
    @overload
    def __get__(self, instance: InMode, owner: type) -> Callable[..., None]: ...
    def __get__(self, instance: InMode | None, owner: type) -> Any:
        if instance is None:
            return self
        if self.name == "__enter__":
            return instance.mode.lock_to_enter(instance, instance.entering()).__enter__
        return instance.mode.lock_to_leave(instance, entered=False).__exit__

    def __call__(self, instance: InMode, *args: object) -> None:  # as contextlib.ExitStack calls it
        if self.name == "__enter__":
            instance.__enter__()
        else:
            instance.mode.lock_to_leave(instance, entered=True).__exit__(None, None, None)


class InMode(ContextDecorator):
    """Sets a mode inside a `with` block or a decorated function, and restores what was there; may be nested."""

    mode = mode
    value: Any = True
    __enter__, __exit__ = _OfLock("__enter__"), _OfLock("__exit__")

    def entering(self) -> Hashable:
        """What the mode becomes."""
        return self.value  # type: ignore[no-any-return]


class no_grad(InMode):  # noqa: N801 - PyTorch's name
    """Results need no gradient: a context manager, and with parentheses a decorator.

    >>> from lazygrad import Tensor
    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> with no_grad(): y = w * 2
    >>> y.requires_grad
    False
    """

    value = False


class enable_grad(InMode):  # noqa: N801 - PyTorch's name
    """Undoes `no_grad` inside it.

    >>> from lazygrad import Tensor
    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> with no_grad():
    ...     with enable_grad(): y = w * 2
    >>> y.requires_grad
    True
    """

    value = True


class inference_mode(InMode):  # noqa: N801 - PyTorch's name
    """`no_grad`, or with `mode=False` its opposite: a context manager, and a decorator.

    >>> from lazygrad import Tensor
    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> with inference_mode(): y = w * 2
    >>> y.requires_grad
    False
    """

    def __init__(self, mode: bool = True) -> None:
        self.value = not mode


class set_grad_enabled(InMode):  # noqa: N801 - PyTorch's name
    """Records operations from now on, or stops that: until the end of the `with` block, where it is that of one.

    Around a function, with parentheses as a decorator, it changes nothing outside of that.

    >>> _ = set_grad_enabled(False)
    >>> is_grad_enabled()
    False
    >>> with set_grad_enabled(True): is_grad_enabled()
    True
    >>> _ = set_grad_enabled(True)
    """

    def __init__(self, mode: bool) -> None:
        self.value, self._before = mode, self.mode.value
        self._is_set = True
        self.mode.set(mode)

    def entering(self) -> Hashable:
        """The mode, which from now on has an end."""
        self._take_back()
        return super().entering()

    def _take_back(self) -> None:
        if self._is_set:
            self._is_set = False
            self.mode.set(self._before)

    def __call__(self, func: F) -> F:
        self._take_back()
        return super().__call__(func)


def is_grad_enabled() -> bool:
    """Whether operations are recorded for gradients now.

    >>> is_grad_enabled()
    True
    """
    return mode.enabled
