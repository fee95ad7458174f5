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
_SPELLINGS = {"dim": "axis", "dims": "axis", "keepdim": "keepdims", "size": "shape"}  # PyTorch's, and others'
_LAYOUT = {"layout", "pin_memory", "memory_format"}  # of new tensors in PyTorch; elements are in row-major order here


def spelled(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, which also takes its arguments by those names, and `*dims` as `dims=(0, 1)`; what makes
    a tensor also takes where PyTorch would lay it out. Its signature stays as written.

    >>> @spelled
    ... def shape_of(dim, keepdim=False):
    ...     return dim, keepdim
    >>> shape_of(axis=1, keepdims=True)
    (1, True)
    """
    parameters = inspect.signature(function).parameters
    ours = {_SPELLINGS[name]: name for name in parameters if name in _SPELLINGS and _SPELLINGS[name] not in parameters}
    many = next((name for name, p in parameters.items() if p.kind is p.VAR_POSITIONAL), None)
    before = list(parameters).index(many) if many else 0
    makes = {"dtype", "requires_grad"} <= parameters.keys()
    if not ours and not many and not makes:
        return function

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if kwargs:
            for other, name in ours.items():
                if other in kwargs:
                    if name in kwargs:
                        fail(ArgumentError, f"{function.__name__}: {other} and {name} are one argument; give one")
                    kwargs[name] = kwargs.pop(other)
            if makes:
                for name in _LAYOUT & kwargs.keys():
                    del kwargs[name]
            if many is not None and many in kwargs:
                if len(args) > before:
                    fail(
                        ArgumentError, f"{function.__name__}: {many} are given by position and by name; give them once"
                    )
                args = (*args, kwargs.pop(many))  # type: ignore[assignment]
        return function(*args, **kwargs)

    return call


def spell_methods(cls: type) -> None:
    """Have every method of a class that has such arguments take them by the other names, too."""
    for name, method in [*vars(cls).items()]:
        if isinstance(method, FunctionType) and not name.startswith("_"):
            setattr(cls, name, spelled(method))
        elif isinstance(method, classmethod) and not name.startswith("_"):
            setattr(cls, name, classmethod(spelled(method.__func__)))
