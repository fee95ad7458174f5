"""What objects of Python's and NumPy's own classes hold that is no attribute."""

from __future__ import annotations

import contextvars
import functools
import gc
import io
import operator
import random
import sys
import weakref
from collections.abc import Callable, Iterator
from types import CellType
from typing import Any

import numpy as np

from lazygrad.ops.jit_code import home_of_class
from lazygrad.ops.jit_facts import MISSING, content

RANDOM = (random.Random, np.random.Generator, np.random.RandomState, np.random.BitGenerator)
ASKING = (operator.attrgetter, operator.methodcaller)
REMEMBERING = type(functools.lru_cache(len))


def inside(value: Any) -> Iterator[Callable[[Any], dict[str, Any]]]:
    """How to read what a library's object refers to."""
    if isinstance(value, functools.partial):
        yield lambda p: {"func": p.func, "args": p.args, "keywords": p.keywords}
    elif isinstance(value, ASKING):
        yield lambda asking: {"__reduce__()": _arguments(asking)}
    elif isinstance(value, REMEMBERING):
        yield lambda f: {"__wrapped__": f.__wrapped__, "what it remembers": remembered(f)}
    elif isinstance(value, weakref.ref):
        yield lambda r: {"__call__()": r()}
    elif isinstance(value, CellType):
        yield lambda cell: {"cell_contents": content(cell)}
    elif isinstance(value, contextvars.ContextVar):
        yield lambda v: {"get()": v.get(MISSING)}


def _arguments(asking: Any) -> tuple[Any, ...]:
    """What an attrgetter or a methodcaller was made with."""
    made, arguments = asking.__reduce__()[:2]
    if isinstance(made, functools.partial):  # of a methodcaller that was given arguments by name
        return (*made.args, *made.keywords.items(), *arguments)
    return tuple(arguments)


def names_asked(asking: Any) -> set[str]:
    """The attributes that it asks objects for."""
    return {name for text in _arguments(asking) if isinstance(text, str) for name in text.split(".")}


def remembered(function: Any) -> tuple[Any, ...]:
    """The arguments and the results that a function of `functools.lru_cache` holds, as the garbage collector finds
    them: one after the other where they are ordered by use, and always in a dict."""
    own = vars(function)
    found = [x for x in gc.get_referents(function) if x is not own]
    memory = next((x for x in reversed(found) if type(x) is dict), {})
    plain = [x for x in memory.values() if type(x).__name__ != "_lru_list_elem"]
    return (*(x for x in found if x is not memory), *memory, *plain)


def is_used_up(value: Any) -> bool:
    """Whether reading from it changes it, out of sight: an iterator of a library's, or a file."""
    return isinstance(value, (Iterator, io.IOBase)) and home_of_class(type(value)) != "" and not _only_writes(value)


def _only_writes(value: Any) -> bool:
    if value is sys.stdout or value is sys.stderr:
        return True
    return isinstance(value, io.IOBase) and (value.closed or not value.readable())


def random_state(value: Any) -> str:
    """The state of a generator of random numbers, as text."""
    if isinstance(value, random.Random):
        return repr(hash(value.getstate()))
    if isinstance(value, np.random.RandomState):
        return repr(value.get_state())
    return repr(getattr(value, "bit_generator", value).state)
