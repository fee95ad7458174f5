"""What a piece of Python code can read by name: globals, chains of attributes, and names that it asks unknown objects.

The code that ran is known (see `jit_record`); what is read here is which names it may ask for. `self.plan.clip` is a
chain that starts at a known object as long as `self` is never assigned; `f(x).clip` asks an unknown object for `clip`.
"""

from __future__ import annotations

import dis
import functools
import os
import sys
import sysconfig
from dataclasses import dataclass
from types import CodeType, FrameType

Path = tuple[str, ...]
LIBRARIES = frozenset({"lazygrad", "numpy"})
_PASSED_OVER = frozenset({"CACHE", "EXTENDED_ARG", "PUSH_NULL", "NOP", "COPY", "DUP_TOP"})
_ASKS_BY_NAME = frozenset({"getattr", "hasattr", "setattr", "delattr"})
_ASKS_FROM_TEXT = frozenset({"attrgetter", "methodcaller"})
_LOCAL = ("LOAD_FAST", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF", "STORE_FAST_LOAD")
_STANDARD = tuple({os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")})
_INSTALLED = ("site-packages", "dist-packages")  # folders of others inside the standard library's


@dataclass(frozen=True)
class Names:
    """What code reads, by where the reading starts."""

    globals: frozenset[str]
    known: tuple[tuple[str, Path], ...]  # chains from arguments and closures; an empty one is the object itself
    named: tuple[tuple[str, Path], ...]  # chains from globals
    wild: frozenset[str]  # attributes of objects that are not known
    imported: tuple[tuple[str, int, tuple[str, ...]], ...]  # modules, how far up, and what is taken from them
    identity: bool  # whether it asks if two objects are one
    numbers: bool  # whether it asks for the number of an object: `id`, or `hash`
    computed: bool  # whether it asks for attributes by names that are not written in it


def home_of(frame: FrameType) -> str:
    """The library whose code runs in a frame: lazygrad, numpy or std; "" for a user's."""
    top = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return top if top in LIBRARIES else _standard(frame.f_code.co_filename)


@functools.lru_cache(maxsize=4096)
def _standard(filename: str) -> str:
    if filename.startswith("<frozen"):
        return "std"
    real = os.path.realpath(filename)
    return "std" if real.startswith(_STANDARD) and not any(p in real for p in _INSTALLED) else ""


def home_of_class(kind: type) -> str:
    """The library that a class belongs to, as `home_of`."""
    module = getattr(kind, "__module__", "")  # which a class with such a slot has as a descriptor
    return home_of_name(module) if isinstance(module, str) else ""


def home_of_name(module: str) -> str:
    """The library that a module of this name belongs to, as `home_of`."""
    top = module.partition(".")[0]
    if top in LIBRARIES:
        return top
    return "std" if top in sys.stdlib_module_names and top != "__main__" else ""


@functools.lru_cache(maxsize=4096)
def names_in(code: CodeType) -> Names:
    """The names that code itself asks for; code inside it is asked when it runs."""
    return _Reading(code).names()


class _Reading:
    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.steps = [s for s in dis.get_instructions(code) if s.opname not in _PASSED_OVER]
        self.globals: set[str] = set()
        self.wild: set[str] = set()
        self.chains: dict[tuple[bool, str, Path], None] = {}  # whether it starts at a global, its name, the attributes
        self.alias: dict[str, tuple[bool, str, Path]] = {}
        self.imported: list[tuple[str, int, tuple[str, ...]]] = []
        self.stored = _stored(code)
        flags = code.co_flags & (0x04 | 0x08)
        count = code.co_argcount + code.co_kwonlyargcount + bool(flags & 0x04) + bool(flags & 0x08)
        outer = {*code.co_varnames[:count], *code.co_freevars}
        self.fixed = {name for name in outer if not self.stored.get(name)}
        self.identity = self.numbers = self.computed = False

    def names(self) -> Names:
        base: tuple[bool, str, Path] | None = None
        for place, step in enumerate(self.steps):
            base = self._step(place, step, base)
        named = _ASKS_FROM_TEXT & set(self.code.co_names)
        self.computed |= "__getattribute__" in self.code.co_names  # as `object` has it: nothing reports that call
        if named or any(s.opname == "MATCH_CLASS" for s in self.steps):
            self.wild |= {part for text in _texts(self.code.co_consts) for part in text.split(".")}
        chains = list(self.chains)
        return Names(
            frozenset(self.globals),
            tuple((name, path) for is_global, name, path in chains if not is_global),
            tuple((name, path) for is_global, name, path in chains if is_global),
            frozenset(self.wild),
            tuple(self.imported),
            self.identity,
            self.numbers,
            self.computed,
        )

    def _step(
        self, place: int, step: dis.Instruction, base: tuple[bool, str, Path] | None
    ) -> tuple[bool, str, Path] | None:
        name, text = step.opname, step.argval
        if name in ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "DELETE_ATTR", "LOAD_SUPER_ATTR"):
            return self._attribute(str(text), base if name != "LOAD_SUPER_ATTR" else None)
        if name.startswith(_LOCAL):
            return self._local(text[-1] if isinstance(text, tuple) else str(text), text)
        if name in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"):
            return self._global(place, str(text))
        if name in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            self.globals.add(str(text))
        elif name == "STORE_FAST" and base is not None and self.stored.get(str(text)) == 1:
            self.alias[str(text)] = base
        elif name == "IMPORT_NAME":
            level, wanted = self.steps[place - 2].argval, self.steps[place - 1].argval
            self.imported.append((str(text), level if isinstance(level, int) else 0, tuple(wanted or ())))
        elif name == "IS_OP" and self.steps[place - 1].opname != "LOAD_CONST":
            self.identity = True
        return None

    def _attribute(self, name: str, base: tuple[bool, str, Path] | None) -> tuple[bool, str, Path] | None:
        if base is None:
            self.wild.add(name)
            return None
        found = (base[0], base[1], (*base[2], name))
        self.chains[found] = None
        return found

    def _local(self, name: str, loaded: object) -> tuple[bool, str, Path] | None:
        if isinstance(loaded, tuple):  # two in one step
            for other in loaded[:-1]:
                self._local(str(other), other)
        if name in self.alias:
            return self.alias[name]
        if name not in self.fixed:
            return None
        self.chains[False, name, ()] = None
        return (False, name, ())

    def _global(self, place: int, name: str) -> tuple[bool, str, Path] | None:
        self.globals.add(name)
        if name in _ASKS_BY_NAME:
            self._asks(place)
        elif name in ("id", "hash"):
            self.identity = self.numbers = True
        return (True, name, ()) if name not in self.stored else None

    def _asks(self, place: int) -> None:
        """`getattr(object, "name")`: the name, where it is written there; or any name."""
        for step in self.steps[place + 1 :]:
            if step.opname == "LOAD_CONST" and isinstance(step.argval, str):
                self.wild.add(step.argval)
                return
            if not step.opname.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_GLOBAL", "LOAD_ATTR")):
                break
        self.computed = True


def _stored(code: CodeType) -> dict[str, int]:
    """How often each name is assigned; for those that code inside shares, there too."""
    found: dict[str, int] = {}
    for step in dis.get_instructions(code):
        if step.opname.startswith(("STORE_FAST", "DELETE_FAST", "STORE_DEREF", "DELETE_DEREF", "STORE_GLOBAL")):
            both = step.argval if isinstance(step.argval, tuple) else (step.argval,)
            for name in both[:1] if "LOAD" in step.opname else both:
                found[str(name)] = found.get(str(name), 0) + 1
    for inner in (c for c in code.co_consts if isinstance(c, CodeType)):
        for name, count in _stored(inner).items():
            if name in inner.co_freevars:
                found[name] = found.get(name, 0) + count
    return found


def _texts(constants: tuple[object, ...]) -> list[str]:
    texts = [c for c in constants if isinstance(c, str)]
    return texts + [t for c in constants if isinstance(c, tuple) for t in _texts(c)]
