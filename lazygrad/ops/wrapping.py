"""Functions around others, which errors tell as those: `errors.user_call` looks at what frames are called."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def standing_for(function: Callable[..., Any], name: str | None = None) -> Callable[[F], F]:
    """`functools.wraps` of the function, or of its form `name`, whose frames are called so, too: errors tell them.

    >>> @standing_for(abs, "abs_")
    ... def wrapper(x):
    ...     return abs(x)
    >>> wrapper.__name__, wrapper.__code__.co_name
    ('abs_', 'abs_')
    """

    def named(wrapper: F) -> F:
        wraps(function)(wrapper)
        if name is not None:
            wrapper.__name__ = name
            wrapper.__qualname__ = f"{function.__qualname__.rpartition('.')[0]}.{name}".lstrip(".")
        wrapper.__code__ = wrapper.__code__.replace(co_name=wrapper.__name__)
        return wrapper

    return named
