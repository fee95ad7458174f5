"""What a traced function returns, as something that every replay makes anew: new tensors in new containers, while what
was there before the call is returned itself."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazygrad.errors import JitError
from lazygrad.index.expr import Expr
from lazygrad.ops.core import Core
from lazygrad.ops.jit_facts import held, is_constant


@dataclass(frozen=True)
class Given:
    """A container among the arguments, by its number."""

    number: int


@dataclass(frozen=True)
class Again:
    """A container that is in the result once more, by its number there."""

    number: int


@dataclass(frozen=True)
class Container:
    """A list, a tuple (named or not) or a dict that the function made."""

    kind: type
    keys: tuple[Any, ...]  # of a dict
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Fixed:
    """Something that is returned as it is, or with `copied` a copy of it."""

    value: Any
    copied: bool = False


@dataclass(frozen=True)
class Found:
    """Something that was there before the call, which is returned itself."""

    find: Callable[[], Any]


@dataclass(frozen=True)
class Size:
    """A size with variables."""

    value: Expr


def containers_in(value: Any) -> Iterator[Any]:
    """Every list and dict in `value`, itself included, in order."""
    if isinstance(value, (list, tuple)):
        if type(value) is list:
            yield value
        for x in value:
            yield from containers_in(x)
    elif type(value) is dict:
        yield value
        for x in value.values():
            yield from containers_in(x)


def pack(value: Any, given: list[Any], known: Collection[int], tensor: Callable[[Core], Any]) -> Any:
    """`value` taken apart. JitError for objects that a replay could not make.

    Args:
        given: the containers among the arguments.
        known: the identities of what was there before the call.
        tensor: says what stands for a tensor.
    """
    return _Packing(given, known, tensor).one(value)


class _Packing:
    def __init__(self, given: list[Any], known: Collection[int], tensor: Callable[[Core], Any]) -> None:
        self.numbers: dict[int, Any] = {id(c): Given(k) for k, c in enumerate(given)}
        self.known, self.tensor = known, tensor
        self.containers = 0

    def one(self, x: Any) -> Any:
        if isinstance(x, Core):
            return self.tensor(x)
        if id(x) in self.numbers:
            return self.numbers[id(x)]
        if isinstance(x, Expr):
            return Size(x)
        if is_constant(x) or isinstance(x, (type, range, slice)):
            return Fixed(x)
        if id(x) in self.known:
            return Found(held(x))
        return self._made(x)

    def _made(self, x: Any) -> Any:
        if type(x) in (list, dict):
            self.numbers[id(x)] = Again(self.containers)
            self.containers += 1
        if type(x) is dict:
            return Container(dict, tuple(x), tuple(map(self.one, x.values())))
        if type(x) in (list, tuple) or (isinstance(x, tuple) and hasattr(x, "_fields")):
            return Container(type(x), (), tuple(map(self.one, x)))
        plain = type(x) in (set, frozenset) and all(map(is_constant, x))
        if plain or (isinstance(x, np.ndarray) and not x.dtype.hasobject):
            return Fixed(copy.copy(x), True)
        raise JitError(
            f"jit: the result has an object of class {type(x).__name__} that the function made, which a replay could "
            "not make again; return tensors, numbers and strings, in tuples, lists and dicts"
        )


def unpack(packed: Any, given: list[Any], part: Callable[[Any], Any]) -> Any:
    """The value that `pack` took apart; `part` gives what stands for its tensors and sizes."""
    return _made_of(packed, given, part, [])


def _made_of(x: Any, given: list[Any], part: Callable[[Any], Any], made: list[Any]) -> Any:
    if isinstance(x, Container):
        if x.kind is dict or x.kind is list:
            new: Any = x.kind()
            made.append(new)
            parts = [_made_of(y, given, part, made) for y in x.parts]
            new.update(zip(x.keys, parts)) if x.kind is dict else new.extend(parts)
            return new
        parts = [_made_of(y, given, part, made) for y in x.parts]
        return x.kind(parts) if x.kind is tuple else x.kind(*parts)
    if isinstance(x, Fixed):
        return copy.copy(x.value) if x.copied else x.value
    if isinstance(x, Found):
        return x.find()
    if isinstance(x, Given):
        return given[x.number]
    return made[x.number] if isinstance(x, Again) else part(x)
