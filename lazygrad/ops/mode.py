"""Whether operations are recorded for gradients, per thread."""

from __future__ import annotations

import threading
from contextlib import ContextDecorator


class _Mode(threading.local):
    """`enabled` is false inside `no_grad`."""

    enabled = True


mode = _Mode()


class _GradientMode(ContextDecorator):
    """Sets the mode inside a `with` block or a decorated function, and restores what was there; may be nested."""

    _value = True

    def __init__(self) -> None:
        self._saved: list[bool] = []

    def __enter__(self) -> None:
        self._saved.append(mode.enabled)
        mode.enabled = self._value

    def __exit__(self, *_: object) -> None:
        mode.enabled = self._saved.pop()


class no_grad(_GradientMode):  # noqa: N801 - PyTorch's name
    """Results need no gradient: a context manager, and with parentheses a decorator.

    >>> from lazygrad import Tensor
    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> with no_grad(): y = w * 2
    >>> y.requires_grad
    False
    """

    _value = False


class enable_grad(_GradientMode):  # noqa: N801 - PyTorch's name
    """Undoes `no_grad` inside it.

    >>> from lazygrad import Tensor
    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> with no_grad():
    ...     with enable_grad(): y = w * 2
    >>> y.requires_grad
    True
    """

    _value = True


def is_grad_enabled() -> bool:
    """Whether operations are recorded for gradients now.

    >>> is_grad_enabled()
    True
    """
    return mode.enabled
