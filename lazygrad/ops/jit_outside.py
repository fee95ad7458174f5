"""What a jitted function reads from outside: everything that its code, and the code that it calls, can name.

The code is read, not run. From it come the names of globals and of closures, and the chains of attributes that start
there, at `self`, at an argument or at a local name for one of these. What a chain leads to is compared by value where
it is data, followed where it is a function, a method, a module or a `Function`, and refused where it is too large to
be compared at every call. What code reads by computed names (`getattr`, `vars`) is not seen, nor what libraries keep.
"""

from __future__ import annotations

import dis
import functools
import inspect
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from types import CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

import numpy as np

from lazygrad.errors import JitError, bytes_text, user_line
from lazygrad.index.expr import Expr
from lazygrad.ops.core import Core
from lazygrad.ops.function import Function
from lazygrad.ops.jit_modules import PLAIN, inside, is_library

CHANGING = (list, dict, set, deque)
MOST_ELEMENTS = 4096  # of a container, and
MOST_BYTES = 1 << 20  # of an array, that are compared at every call
_LOADS = ("LOAD_FAST", "LOAD_DEREF", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_CLASSDEREF")
_Path = tuple[str, ...]


def outside(function: Callable[..., Any], containers: bool, arguments: Sequence[object] = ()) -> Hashable:
    """A key that changes whenever something does that `function` reads besides its tensors.

    Args:
        containers: whether lists, dicts and sets count; not where the function itself changes them.
        arguments: those that are neither tensors nor plain values.
    """
    reader = _Reader(containers)
    if hasattr(function, "__code__"):
        reader.called(function, arguments)
    else:
        reader.value(function)
        reader.elements(tuple(arguments))
    return tuple(reader.found)


class _Reader:
    """One reading, which appends to `found`; every function and object once."""

    def __init__(self, containers: bool) -> None:
        self.containers = containers
        self.found: list[Any] = []  # hashable
        self.seen: set[tuple[int, int]] = set()
        self.names: frozenset[str] = frozenset()  # those in the code that is being read

    def called(self, function: Any, arguments: Sequence[object] = ()) -> None:
        """What a function reads: from its closure, its globals, its defaults, its object and its arguments."""
        owner = getattr(function, "__self__", None)
        function = getattr(function, "__func__", function)
        code = getattr(function, "__code__", None)
        if code is None or (id(function), id(owner)) in self.seen:
            return
        self.seen.add((id(function), id(owner)))
        chains = _chains(code)
        outer, self.names = self.names, frozenset(_names(code))
        for name, value in _named(function, code, owner).items():
            for path in chains.get(name, ((),)):
                self.at(value, path)
        for value in arguments:
            for name in inspect.getargs(code).args:
                for path in chains.get(name, ((),)):
                    self.at(value, path)
        self.names = outer

    def at(self, value: Any, path: _Path) -> None:
        """What is at the end of a chain of attributes, which are looked up without running any code."""
        for name in path:
            if isinstance(value, (Core, *PLAIN)):
                break
            found = _attribute(value, name)
            if isinstance(found, property) and found.fget is not None and not is_library(value):
                found = MethodType(found.fget, value)
            if _hides(found):  # what it reads of its object cannot be seen
                break
            value = found
        self.value(value)

    def value(self, value: Any) -> None:
        """The parts of `value` that a graph may depend on."""
        if isinstance(value, PLAIN):
            self.found += type(value), value
        elif isinstance(value, Core):
            self.found.append(id(value))
        elif isinstance(value, Expr):
            self.found.append(value)
        elif isinstance(value, np.ndarray):
            self.found += value.shape, _content(value)
        elif isinstance(value, (tuple, frozenset, *CHANGING)):
            self.elements(value)
        elif isinstance(value, functools.partial):
            given = (*value.args, *value.keywords.values())
            self.called(value.func, given)
            self.elements((value.func, *given))
        elif isinstance(value, (FunctionType, MethodType)):
            if not is_library(value) or getattr(value, "__closure__", None):
                self.called(value)
        elif not isinstance(value, ModuleType):
            self.object(value)

    def elements(self, value: Any) -> None:
        """What a container holds."""
        if isinstance(value, CHANGING) and not self.containers:
            return
        if len(value) > MOST_ELEMENTS:
            raise JitError(
                f"jit: a {type(value).__name__} of {len(value)} elements is read from outside, too many to compare at "
                f"every call; read it before the call and pass what is needed ({user_line()})"
            )
        self.found += type(value), len(value)
        for x in value.items() if isinstance(value, dict) else value:
            self.value(x)

    def object(self, value: Any) -> None:
        """What code may read of an object that it gets or calls."""
        if (id(value), 0) in self.seen:
            return
        self.seen.add((id(value), 0))
        if isinstance(value, type):
            if issubclass(value, Function):
                for name in ("forward", "backward", "setup_context"):
                    self.called(getattr(value, name, None))
        elif "__wrapped__" in getattr(value, "__dict__", ()):  # a jitted function
            self.value(value.__wrapped__)
        elif callable(state := getattr(value, "jit_state", None)):
            self.found.append(state())
        elif callable(modules := getattr(value, "modules", None)):
            known, others = inside(value) if getattr(value, "counts_changes", False) else (0, modules())
            self.found.append(known)
            for module in others:
                self.module(module)
        elif not is_library(value):
            self.fields(value, (*PLAIN, np.ndarray))
            if isinstance(call := _attribute(value, "__call__"), MethodType):
                self.called(call)

    def module(self, module: Any) -> None:
        """What a module holds, or its mode and what its `forward` reads. lazygrad's own read nothing but the first."""
        if is_library(module):
            self.fields(module, (*PLAIN, Core))
        else:
            self.found.append(bool(getattr(module, "training", False)))
            self.called(getattr(module, "forward", None))

    def fields(self, value: Any, kinds: tuple[type, ...]) -> None:
        """The attributes of some types, and those that the code may read by way of a name that is not followed."""
        for name, held in getattr(value, "__dict__", {}).items():
            if isinstance(held, kinds) or name in self.names:
                self.found.append(name)
                self.value(held)


def _content(array: np.ndarray[Any, Any]) -> Hashable:
    if array.nbytes > MOST_BYTES:
        raise JitError(
            f"jit: a NumPy array of {bytes_text(array.nbytes)} is read from outside, too large to compare at every "
            f"call; make it a Tensor before the call ({user_line()})"
        )
    return hash(array.tobytes())


def _named(function: Any, code: CodeType, owner: object) -> dict[str, object]:
    """The objects that a function can name: in its closure, its globals, its defaults, and its own object."""
    found: dict[str, object] = {}
    for name, cell in zip(code.co_freevars, function.__closure__ or ()):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    scope: Mapping[str, object] = function.__globals__
    if not is_library(function):
        found |= {name: scope[name] for name in _names(code) if name in scope}
    names = code.co_varnames[: code.co_argcount]
    found |= dict(zip(reversed(names), reversed(function.__defaults__ or ())))
    found |= function.__kwdefaults__ or {}
    if owner is not None and names:
        found[names[0]] = owner
    return found


@functools.cache
def _names(code: CodeType) -> tuple[str, ...]:
    """Names of globals and attributes, those in functions inside as well."""
    inner = (name for c in code.co_consts if isinstance(c, CodeType) for name in _names(c))
    return tuple(dict.fromkeys([*code.co_names, *inner]))


_MISSING = object()


def _attribute(value: object, name: str) -> Any:
    """An attribute, found without running any code: a value, a method or a descriptor; _MISSING where there is none."""
    held = getattr(value, "__dict__", None)
    if isinstance(held, dict) and name in held:
        return held[name]
    kind = value if isinstance(value, type) else type(value)
    found = next((c.__dict__[name] for c in kind.__mro__ if name in c.__dict__), _MISSING)
    if isinstance(found, MemberDescriptorType) and kind is not value:
        return found.__get__(value)
    if isinstance(found, FunctionType) and kind is not value:
        return MethodType(found, value)
    return getattr(found, "__func__", found)


def _hides(found: object) -> bool:
    """Whether an attribute is code that is not followed: of a library, or not Python's."""
    if isinstance(found, (FunctionType, MethodType)):
        return is_library(found)
    return found is _MISSING or hasattr(type(found), "__get__")


@functools.cache
def _chains(code: CodeType) -> Mapping[str, tuple[_Path, ...]]:
    """The chains of attributes that code reads, by the name they start at: `self.plan.clip` is self: (plan, clip).

    A name that a chain is assigned to stands for that chain.
    """
    chains: dict[str, dict[_Path, None]] = {}
    alias: dict[str, tuple[str, _Path]] = {}
    name, path = "", ()  # type: tuple[str, _Path]
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_ATTR", "LOAD_METHOD") and name:
            path = (*path, str(step.argval))
            continue
        if step.opname in ("CACHE", "EXTENDED_ARG"):
            continue
        if name:
            chains.setdefault(name, {})[path] = None
        named = list(map(str, step.argval if isinstance(step.argval, tuple) else (step.argval,)))  # two in one step
        if step.opname.startswith("STORE_FAST") and name:
            alias[named.pop(0)] = (name, path)
        name, path = "", ()
        if step.opname.startswith(_LOADS) or (named and step.opname == "STORE_FAST_LOAD_FAST"):
            *before, last = (alias.get(n, (n, ())) for n in named)
            for start, read in before:
                chains.setdefault(start, {})[read] = None
            name, path = last
    for inner in (c for c in code.co_consts if isinstance(c, CodeType)):
        for start, paths in _chains(inner).items():
            chains.setdefault(start, {}).update(dict.fromkeys(paths))
    return {start: tuple(paths) for start, paths in chains.items()}
