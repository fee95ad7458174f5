"""Other libraries' names for arguments: `axis` for `dim`, and `keepdims` for `keepdim`, wherever there are those."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import ParamSpec, TypeVar

from lazygrad.errors import ArgumentError, fail

P = ParamSpec("P")
R = TypeVar("R")
_SPELLINGS = {"dim": "axis", "dims": "axis", "keepdim": "keepdims"}  # PyTorch's, and NumPy's and tinygrad's


def spelled(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, which also takes its arguments by those names. Its signature stays as written.

    >>> @spelled
    ... def shape_of(dim, keepdim=False):
    ...     return dim, keepdim
    >>> shape_of(axis=1, keepdims=True)
    (1, True)
    """
    parameters = inspect.signature(function).parameters
    ours = {_SPELLINGS[name]: name for name in parameters if name in _SPELLINGS and _SPELLINGS[name] not in parameters}
    if not ours:
        return function

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if kwargs:
            for other, name in ours.items():
                if other in kwargs:
                    if name in kwargs:
                        fail(ArgumentError, f"{function.__name__}: {other} and {name} are one argument; give one")
                    kwargs[name] = kwargs.pop(other)
        return function(*args, **kwargs)

    return call


def spell_methods(cls: type) -> None:
    """Have every method of a class that has such arguments take them by the other names, too."""
    for name, method in [*vars(cls).items()]:
        if isinstance(method, FunctionType) and not name.startswith("_"):
            setattr(cls, name, spelled(method))
