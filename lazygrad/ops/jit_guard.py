"""What makes two calls of a jitted function one kind: everything besides the tensors' values that its graph may "
"depend on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from lazygrad.errors import JitError, user_line
from lazygrad.ops.core import Core
from lazygrad.ops.mode import mode

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
MOST = 256  # elements of a list, and bytes of an array, that are compared by value rather than identity


def kind(leaves: Sequence[Any], structure: Hashable, function: Callable[..., Any], containers: bool) -> Hashable:
    """A key that is equal for calls that one trace can serve. `leaves` and `structure` are the flattened arguments.

    `containers`: whether lists and dicts outside the function count; not where the function itself changes them.
    """
    parts: list[Hashable] = [structure, mode.enabled]
    first: dict[int, int] = {}
    for x in leaves:
        if isinstance(x, Core):
            place = first.setdefault(id(x), len(first))  # the same tensor twice is another kind than two tensors
            parts.append((place, x.shape, x.dtype, x.device, x.requires_grad, x._leaf, x.grad is not None))
        else:
            try:
                hash(x)
            except TypeError:
                raise JitError(f"jit: argument {x!r:.60} is neither a tensor nor hashable ({user_line()})") from None
            parts.append((type(x), x))
    return tuple(parts), outside(function, containers)


def outside(function: Callable[..., Any], containers: bool) -> Hashable:
    """The part of the key that is not about arguments."""
    return tuple(_outside(function, containers, set()))


def _outside(function: Callable[..., Any], containers: bool, seen: set[int]) -> Iterator[Hashable]:
    """What the function reads from its closure, its globals, its object, and the functions beside it that it calls."""
    if id(function) in seen:
        return
    seen.add(id(function))
    code = getattr(function, "__code__", None)
    names = code.co_names if code else ()
    found: list[object] = []
    for cell in getattr(function, "__closure__", None) or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # not assigned yet
            continue
    scope = getattr(function, "__globals__", {})
    found.extend(scope[name] for name in names if name in scope)
    if (owner := getattr(function, "__self__", None)) is not None:
        found.append(owner)
    for value in found:
        if isinstance(value, FunctionType):
            if value.__globals__ is scope:
                yield from _outside(value, containers, seen)
        elif containers or not isinstance(value, (list, dict)):
            yield from _guard(value, names)


def _guard(value: object, names: Sequence[str]) -> Iterator[Hashable]:
    """The parts of `value` that a graph may depend on: numbers, tensors' identities, attributes called one of "
    "`names`."""
    if isinstance(value, (type, ModuleType)):
        return
    if isinstance(value, _PLAIN):
        yield type(value), value
    elif isinstance(value, Core):
        yield Core, id(value)
    elif isinstance(value, np.ndarray):
        yield np.ndarray, value.tobytes() if value.nbytes <= MOST else id(value), value.shape
    elif isinstance(value, (list, tuple, dict)):
        yield type(value), len(value)
        if len(value) <= MOST:
            for x in value.items() if isinstance(value, dict) else value:
                yield from _guard(x, names)
    elif callable(modules := getattr(value, "modules", None)):
        for module in modules():
            yield from _attributes(module, ("training", *names))
    else:
        yield from _attributes(value, names)


def _attributes(value: object, names: Sequence[str]) -> Iterator[Hashable]:
    held = getattr(value, "__dict__", None)
    if not isinstance(held, dict):
        return
    for name in names:
        x = held.get(name)
        if isinstance(x, _PLAIN) and name in held:
            yield name, type(x), x
        elif isinstance(x, Core):
            yield name, id(x)
