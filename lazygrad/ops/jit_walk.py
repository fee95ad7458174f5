"""What a function can reach of what its calls asked for, as facts to be checked at later calls.

The walk starts at the function, its arguments and the globals that were named, and follows the attributes that were
asked for, elements of containers, and closures and defaults of functions that ran. Tensors, objects and containers are
found wherever they are; what only code in C holds is not.
"""

from __future__ import annotations

import builtins
import collections
import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import BuiltinFunctionType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

import numpy as np

from lazygrad.errors import JitError, bytes_text, user_line
from lazygrad.ops.core import Core
from lazygrad.ops.jit_facts import (
    MISSING,
    Elements,
    Part,
    by_equality,
    by_identity,
    by_value,
    is_constant,
    of_array,
    of_container,
)
from lazygrad.ops.jit_holders import Holders
from lazygrad.ops.jit_record import Reads

MOST_ELEMENTS = 4096  # of a container, and
MOST_BYTES = 1 << 20  # of an array, that are compared at every call
_UNORDERED = (set, frozenset)
_CONTAINERS = (list, tuple, dict, *_UNORDERED, collections.deque, MappingProxyType)
_VALUES = frozenset({"datetime", "decimal", "fractions", "pathlib", "uuid", "re", "ipaddress", "range", "slice"})
_OPAQUE = (BuiltinFunctionType, type(operator.itemgetter(0)), property, classmethod, staticmethod)


class Walk(Holders):
    """One walk over what `reads` asked for, from a function and the objects given to it: facts and tensors."""

    def __init__(self, reads: Reads, function: object, objects: Sequence[object]) -> None:
        super().__init__(reads)
        self.tensors: dict[int, Core] = {}
        self.containers: set[int] = set()  # lists and dicts, by identity
        self._matches: dict[int, Part] = {}
        self.part(function, "the function")
        for number, x in enumerate(objects):
            self.part(x, getattr(x, "__name__", f"argument {number}"))
        self._globals()

    # ---- where it starts ----

    def _globals(self) -> None:
        """The names that users' code read in its modules, and in builtins where those have none."""
        built_in: set[str] = set()
        for scope, names in self.reads.globals.values():
            self._names("", partial(_same, scope), scope, names)
            built_in |= {name for name in names if name not in scope}
        self._names("builtins", lambda: vars(builtins), vars(builtins), built_in)
        for name, wanted in self.reads.modules.items():
            if (module := sys.modules.get(name)) is not None:
                self.reads.at(module).update(wanted)
                self.part(module, name)

    # ---- values ----

    def part(self, value: Any, path: str) -> Part:
        """The identity of a value and what else to compare; what it refers to is walked over."""
        if value is MISSING or isinstance(value, bool) or value is None:
            return id(value), None
        if is_constant(value):
            self.kept.append(value)
            return id(value), by_value(value) if type(value).__module__ in ("builtins", "numpy") else by_equality(value)
        known = self._matches.get(id(value))
        if known is None:
            self.seen[id(value)] = value
            self._matches[id(value)] = 0, by_identity(value)  # inside itself
            known = self._matches[id(value)] = self._walk(value, path)
        return known

    def _walk(self, value: Any, path: str) -> Part:
        if isinstance(value, Core):
            return self._tensor(value, path)
        if (inside := getattr(type(value), "jit_inside", None)) is not None:  # a jitted function
            return self._jitted(value, inside, path)
        if isinstance(value, np.ndarray):
            return self._array(value, path)
        if isinstance(value, (bytearray, memoryview)) or type(value).__module__ == "array":
            content = bytes(value)
            return 0, lambda other: type(other) is type(value) and bytes(other) == content
        if isinstance(value, _CONTAINERS):
            return self._container(value, path)
        if isinstance(value, FunctionType):
            self._function(value, path)
        elif isinstance(value, MethodType):
            return self._method(value, path)
        elif isinstance(value, type):
            self._class(value, path)
        elif isinstance(value, ModuleType):
            self._module(value, path)
        elif type(value).__module__ in _VALUES or isinstance(value, (range, slice)):
            self.kept.append(value)
            return id(value), by_equality(value)
        elif not isinstance(value, _OPAQUE) and self._object(value, path):
            return id(value), None
        return 0, by_identity(value)

    def _jitted(self, value: Any, inside: Callable[[Any], Any], path: str) -> Part:
        itself, (_, function) = by_identity(value), self.part(inside(value), path)
        return 0, lambda other: itself(other) and (function is None or function(inside(other)))

    def _tensor(self, t: Core, path: str) -> Part:
        self.tensors[id(t)] = t
        self.part(type(t), type(t).__name__)
        if hasattr(t, "__dict__"):
            self._object(t, path)
        return id(t), None  # a guard asks first whether its tensors are alive

    def _array(self, array: np.ndarray[Any, Any], path: str) -> Part:
        if array.nbytes > MOST_BYTES:
            raise JitError(
                f"jit: {path}: a NumPy array of {bytes_text(array.nbytes)} is read from outside, too large to compare "
                f"at every call; make it a Tensor before the call ({user_line()})"
            )
        if array.dtype.hasobject:
            elements = Elements(self.part(x, f"{path}[{k}]") for k, x in enumerate(array.ravel().tolist()))
            shape = array.shape
            return (
                0,
                lambda other: (
                    isinstance(other, np.ndarray) and other.shape == shape and elements.are(other.ravel().tolist())
                ),
            )
        return 0, of_array(array)

    def _container(self, value: Any, path: str) -> Part:
        if len(value) > MOST_ELEMENTS:
            raise JitError(
                f"jit: {path}: a {type(value).__name__} of {len(value)} elements is read from outside, too many to "
                f"compare at every call; read it before the call and pass what is needed ({user_line()})"
            )
        if type(value) in (list, dict):
            self.containers.add(id(value))
        read = self._reader(value)
        elements = Elements(self.part(x, f"{path}[{k}]") for k, x in enumerate(read(value)))
        if hasattr(value, "__dict__"):
            self._object(value, path)
        match = of_container(type(value), elements, read)
        if type(value) is tuple and all(map(is_constant, value)):
            self.kept.append(value)
            return id(value), match
        if self.reads.identity:
            number = id(value)  # of what is there now: two are one object where they have one number
            return 0, lambda other: id(other) == number and match(other)
        return 0, match

    def _reader(self, value: Any) -> Callable[[Any], list[Any]]:
        if isinstance(value, collections.deque):
            return lambda held: [held.maxlen, *held]
        if isinstance(value, collections.defaultdict):
            return lambda held: [held.default_factory, *held, *held.values()]
        if not isinstance(value, (dict, MappingProxyType)):
            return list
        unread = getattr(type(value), "jit_unread", None)
        if unread is None or self.reads.users & unread[1]:
            return lambda held: [*held, *held.values()]
        ignored = unread[0]
        return lambda held: [x for pair in held.items() if pair[0] not in ignored for x in pair]


def _same(scope: Mapping[str, Any]) -> Mapping[str, Any]:
    return scope
