"""What modules hold, read anew only after an attribute of some module has changed: a model has hundreds of them."""

from __future__ import annotations

import itertools
import sys
import weakref
from collections.abc import Hashable
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from lazygrad.ops.core import Core

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)
MOST_KEPT = 256  # models, and different contents; numbers of those that are forgotten are not given again
_LIBRARIES = frozenset({"lazygrad", "numpy", *sys.stdlib_module_names})


class Changes:
    """How often an attribute of any module was set or deleted. Classes that count have a true `counts_changes`."""

    count = 0


_numbers = itertools.count(1)
_contents: dict[Hashable, int] = {}
_read: dict[int, tuple[weakref.ref[Any], int, int, list[Any]]] = {}  # by id; a dead one's may be another's later


def inside(module: Any) -> tuple[int, list[Any]]:
    """A number that stands for what lazygrad's modules in `module` hold, and those that have to be read themselves."""
    found = _read.get(id(module))
    if found is None or found[0]() is not module or found[1] != Changes.count:
        if len(_read) >= MOST_KEPT:
            _read.clear()
        found = _read[id(module)] = (weakref.ref(module), Changes.count, *_inside(module))
    return found[2], found[3]


def _inside(module: Any) -> tuple[int, list[Any]]:
    content: list[Any] = []
    others: list[Any] = []
    for m in module.modules():
        held = {name: x for name, x in vars(m).items() if not name.startswith("_")}
        counts = is_library(m) and getattr(m, "counts_changes", False)
        if not counts or not all(map(_is_constant, held.values())):
            others.append(m)
            continue
        content.append(type(m))
        for name, x in held.items():
            content += (name, type(x), x) if _is_plain(x) else (name, id(x))
    if len(_contents) >= MOST_KEPT:
        _contents.clear()
    return _contents.setdefault(tuple(content), next(_numbers)), others


def _is_plain(x: object) -> bool:
    return isinstance(x, PLAIN) or (isinstance(x, tuple) and all(isinstance(y, PLAIN) for y in x))


def _is_constant(x: object) -> bool:
    """Whether `x` holds nothing that could change unseen: it may itself be exchanged, which modules count."""
    return _is_plain(x) or isinstance(x, Core) or type(x).__module__.partition(".")[0] == "lazygrad"


def is_library(value: Any) -> bool:
    """Whether a function, or the class of an object, is of lazygrad or of a library, which keeps no state of users."""
    if isinstance(value, ModuleType):
        name = value.__name__
    else:
        home = value if isinstance(value, (type, FunctionType, MethodType)) else type(value)
        name = getattr(home, "__module__", None) or ""
    return name.partition(".")[0] in _LIBRARIES
