"""What objects of Python's and NumPy's own classes hold that is no attribute."""

from __future__ import annotations

import contextvars
import functools
import io
import random
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lazygrad.ops.jit_code import home_of_class
from lazygrad.ops.jit_facts import MISSING

RANDOM = (random.Random, np.random.Generator, np.random.RandomState, np.random.BitGenerator)
REMEMBERING = type(functools.lru_cache(len))


def inside(value: Any) -> Iterator[Callable[[Any], dict[str, Any]]]:
    """How to read what a library's object refers to."""
    if isinstance(value, functools.partial):
        yield lambda p: {"func": p.func, "args": p.args, "keywords": p.keywords}
    elif isinstance(value, REMEMBERING):
        yield lambda f: {"__wrapped__": f.__wrapped__}
    elif isinstance(value, weakref.ref):
        yield lambda r: {"__call__()": r()}
    elif isinstance(value, contextvars.ContextVar):
        yield lambda v: {"get()": v.get(MISSING)}


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
