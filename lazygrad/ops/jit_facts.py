"""Facts about Python objects that a later call can check in microseconds: what a name, an attribute or a place in a
container refers to.

A `Match` says whether a value is as it was. Plain values are compared by type and exact value (True is not 1, nor is
-0.0 the same as 0.0), containers by content and order, everything else by identity.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import CellType, FunctionType
from typing import Any

import numpy as np

from lazygrad.dtype import DType
from lazygrad.index.expr import Expr

Match = Callable[[Any], Any]  # true where a value is as it was
Part = tuple[int, Match | None]  # an identity (0 for none), and a match where that is not enough
Item = tuple[str, int, Match | None]  # a name and a part
PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic, type(...), type(NotImplemented))
MISSING = object()


def is_same_plain(a: Any, b: Any) -> bool:
    """Whether two plain values are the same to the bit."""
    if a is b:
        return True
    kind = type(a)
    if kind is not type(b):
        return False
    if kind is int or kind is str or kind is bool:
        return bool(a == b)
    return bool(plain_key(a) == plain_key(b))


def plain_key(x: Any) -> Any:
    """Something hashable that is equal for the same plain values alone."""
    if isinstance(x, float):
        return type(x), x.hex()
    if isinstance(x, complex):
        return type(x), x.real.hex(), x.imag.hex()
    if isinstance(x, np.generic):
        return type(x), x.dtype.str, x.tobytes()
    return type(x), x


def by_value(expected: Any) -> Match:
    """Of a plain value."""
    return lambda value: is_same_plain(value, expected)


def by_equality(expected: Any) -> Match:
    """Of a value that never changes, and says itself what it equals."""
    kind, text = type(expected), repr(expected)
    return lambda value: value is expected or (type(value) is kind and value == expected and repr(value) == text)


def by_identity(expected: Any) -> Match:
    """Of anything else. It is not kept alive if it can be avoided."""
    ref = held(expected)
    return lambda value: value is not None and value is ref()


def held(value: Any) -> Callable[[], Any]:
    """A function that gives the value, or None once it is gone."""
    try:
        return weakref.ref(value)
    except TypeError:
        return lambda: value


def is_constant(value: object) -> bool:
    """Whether it is plain, or one of lazygrad's values that never change."""
    return isinstance(value, (*PLAIN, DType, Expr))


class Fact:
    """What a mapping of names holds: `mapping` gives it, or None once its owner is gone.

    Args:
        path: how a program reaches the owner, for messages.
        items: names and what they referred to: an identity (0 for none), and a match where that is not enough.
        keys: all names there were, where another one would be a change.
    """

    __slots__ = ("items", "keys", "mapping", "path", "repeats")

    def __init__(
        self,
        path: str,
        mapping: Callable[[], Mapping[str, Any] | None],
        items: Sequence[Item],
        keys: tuple[str, ...] | None = None,
        repeats: bool = True,
    ) -> None:
        self.path, self.mapping, self.items, self.keys = path, mapping, items, keys
        self.repeats = repeats  # False: what a call does to it matters, but not what happens between calls

    def holds(self) -> bool:
        """Whether everything is as it was."""
        found = self.mapping()
        if found is None or (self.keys is not None and tuple(found) != self.keys):
            return False
        for name, number, match in self.items:
            value = found.get(name, MISSING)
            if id(value) != number and (match is None or not match(value)):
                return False
        return True

    def changed(self) -> str:
        """The first name that refers to something else now; "" where there is none, or its owner is gone."""
        found = self.mapping()
        if found is None:
            return ""
        for name, number, match in self.items:
            value = found.get(name, MISSING)
            if id(value) != number and (match is None or not match(value)):
                return self._named(name)
        if self.keys is not None:
            for name in dict.fromkeys([*found, *self.keys]):
                if (name in found) != (name in self.keys):
                    return self._named(name)
        return ""

    def renew(self) -> None:
        """Take what there is now for what there was."""
        found = self.mapping() or {}
        self.items = [(name, 0, found[name].__eq__) for name, _, _ in self.items if name in found]

    def _named(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


class Cells(Fact):
    """What the cells of a function's closure hold; the cells would keep it alive, so it is asked for them."""

    __slots__ = ("function", "parts")

    def __init__(self, function: FunctionType, parts: Sequence[Part]) -> None:
        ref, names = held(function), function.__code__.co_freevars
        items = [(name, *part) for name, part in zip(names, parts)]
        super().__init__("", lambda: (f := ref()) and dict(zip(names, map(content, f.__closure__))), items)
        self.function, self.parts = ref, list(parts)

    def holds(self) -> bool:
        """Whether everything is as it was."""
        function = self.function()
        if function is None:
            return False
        for cell, (number, match) in zip(function.__closure__, self.parts):
            value = content(cell)
            if id(value) != number and (match is None or not match(value)):
                return False
        return True


def content(cell: CellType) -> Any:
    """What a cell holds; MISSING for nothing yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


class Elements:
    """The elements of a container, in their order."""

    __slots__ = ("ids", "nested", "parts")

    def __init__(self, parts: Iterable[Part]) -> None:
        self.parts = list(parts)
        self.ids = [number for number, _ in self.parts]
        self.nested = not all(self.ids)

    def are(self, values: Iterable[Any]) -> bool:
        """Whether `values`, as many as there were, are the same."""
        if not self.nested and [*map(id, values)] == self.ids:
            return True
        for value, (number, match) in zip(values, self.parts):
            if id(value) != number and (match is None or not match(value)):
                return False
        return True


def of_container(kind: type, elements: Elements, read: Callable[[Any], Sequence[Any]]) -> Match:
    """Of a container of this very class; `read` gives its elements, and a dict's keys."""
    count = len(elements.parts)

    def match(value: Any) -> bool:
        if type(value) is not kind:
            return False
        found = read(value)
        return len(found) == count and elements.are(found)

    return match


def of_array(array: np.ndarray[Any, Any]) -> Match:
    """Of a NumPy array: by its elements' bytes."""
    shape, dtype, content = array.shape, array.dtype, array.tobytes()
    return lambda value: (
        isinstance(value, np.ndarray) and value.shape == shape and value.dtype == dtype and value.tobytes() == content
    )
