"""What makes two calls of a jitted function one kind: all besides the tensors' values that its graph may depend on."""

from __future__ import annotations

import dis
import functools
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from lazygrad.errors import JitError, user_line
from lazygrad.index.expr import Expr
from lazygrad.index.variable import Variable, by_name
from lazygrad.ir.variables import Names, Renamed, renamed_shape, unbound_names
from lazygrad.ops.core import Core
from lazygrad.ops.mode import mode

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
MOST = 256  # elements of a list, and bytes of an array, that are compared by value rather than identity


def variables_of(leaves: Sequence[Any]) -> Renamed:
    """The variables in the arguments, each with one that has no value: a trace serves all of its values."""
    found: list[Variable] = []
    for x in leaves:
        if isinstance(x, Core):
            found += [v for n in x.shape if isinstance(n, Expr) for v in by_name(n)] if x.node.variables else []
        elif isinstance(x, Expr):
            found += by_name(x)
    return unbound_names(found)


def kind(
    leaves: Sequence[Any], structure: Hashable, function: Callable[..., Any], containers: bool, names: Names
) -> Hashable:
    """A key that is equal for calls that one trace can serve. `leaves` and `structure` are the flattened arguments.

    `names` are the variables in them, which count without their values. `containers`: whether lists and dicts outside
    the function count; not where the function itself changes them.
    """
    parts: list[Hashable] = [structure, mode.enabled]
    first: dict[int, int] = {}
    for x in leaves:
        if isinstance(x, Core):
            place = first.setdefault(id(x), len(first))  # the same tensor twice is another kind than two tensors
            shape = renamed_shape(x.shape, names)
            parts.append((place, shape, x.dtype, x.device, x.requires_grad, x._leaf, x.grad is not None))
        elif isinstance(x, Expr):
            parts.append((Expr, x.substitute(names)))
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
    if code is None:
        return
    scope = getattr(function, "__globals__", {})
    found = _roots(function, code, scope)
    for name, value in found.items():
        if isinstance(value, FunctionType):
            if value.__globals__ is scope:
                yield from _outside(value, containers, seen)
        elif containers or not isinstance(value, (list, dict)):
            yield from _guard(value)
            for path in _paths(code).get(name, ()):
                yield from _followed(value, path)


def _roots(function: Callable[..., Any], code: CodeType, scope: Mapping[str, object]) -> dict[str, object]:
    """The objects that the function can name besides its arguments: from its closure, its globals, and its own."""
    found: dict[str, object] = {}
    for name, cell in zip(code.co_freevars, getattr(function, "__closure__", None) or ()):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    found |= {name: scope[name] for name in code.co_names if name in scope}
    if (owner := getattr(function, "__self__", None)) is not None and code.co_argcount:
        found[code.co_varnames[0]] = owner
    return found


@functools.cache
def _paths(code: CodeType) -> dict[str, set[tuple[str, ...]]]:
    """The chains of attributes that the code reads: `self.plan.clip` is the path (plan, clip) of the name self."""
    paths: dict[str, set[tuple[str, ...]]] = {}
    name = ""
    path: tuple[str, ...] = ()
    for step in dis.get_instructions(code):
        if step.opname.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_CLASSDEREF")):
            loaded = step.argval[-1] if isinstance(step.argval, tuple) else step.argval
            name, path = str(loaded), ()
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD") and name:
            path = (*path, str(step.argval))
            paths.setdefault(name, set()).add(path)
        elif step.opname not in ("CACHE", "EXTENDED_ARG"):
            name, path = "", ()
    return paths


def _followed(value: object, path: tuple[str, ...]) -> Iterator[Hashable]:
    """The plain value or the tensor at the end of a path of attributes, which are read without running any code."""
    for name in path:
        held = getattr(value, "__dict__", None)
        if not isinstance(held, dict) or name not in held:
            return
        value = held[name]
    if isinstance(value, _PLAIN):
        yield path, type(value), value
    elif isinstance(value, Core):
        yield path, id(value)


def _guard(value: object) -> Iterator[Hashable]:
    """The parts of `value` that a graph may depend on: numbers, tensors' identities, the mode of modules."""
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
                yield from _guard(x)
    elif callable(modules := getattr(value, "modules", None)):
        yield tuple(bool(getattr(module, "training", False)) for module in modules())
