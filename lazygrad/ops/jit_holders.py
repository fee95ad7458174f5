"""What holds names: modules, functions, classes and objects. Each of their names that was asked for is a fact."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from functools import partial
from types import CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

from lazygrad.ops import signatures
from lazygrad.ops.core import Core
from lazygrad.ops.jit_code import home_of_class, home_of_name
from lazygrad.ops.jit_facts import MISSING, Cells, Fact, Item, Part, by_identity, content, held, is_constant
from lazygrad.ops.jit_opaque import ASKING, RANDOM, REMEMBERING, inside, is_used_up, names_asked, random_state
from lazygrad.ops.jit_record import OPERATIONS, Reads

_OF_FUNCTIONS = frozenset(vars(FunctionType)) - {"__dict__", "__globals__", "__builtins__"}
_PARTS_OF_MODULES = ("_own_modules", "_own_parameters", "_own_buffers")

Find = Callable[[str, Any], Any]  # what a name refers to, or the default


class Holders:
    """The part of a walk that is about holders of names; `part` is about what the names refer to."""

    def __init__(self, reads: Reads) -> None:
        self.reads = reads
        self.facts: list[Fact] = []
        self.counted: list[Fact] = []  # of modules that count their changes
        self.kept: list[Any] = []  # plain values, whose identity is compared first
        self.seen: dict[int, Any] = {}  # kept alive during the walk, so that an identity is one object's
        self.methods: dict[tuple[Find, str], Any] = {}  # of classes, those that ran, as they are found there
        self.iterators: list[str] = []
        self.asked: set[str] = set()  # attributes that objects of C's ask for
        self.remembering: list[Any] = []  # functions whose results are remembered, so that they need not have run

    def part(self, value: Any, path: str) -> Part:
        """The identity of a value and what else to compare; what it refers to is walked over."""
        raise NotImplementedError

    def _names(
        self, path: str, read: Callable[[], Mapping[str, Any]], scope: Mapping[str, Any], names: set[str]
    ) -> None:
        items = []
        for name in sorted(names):
            where = f"{path}.{name}" if path else name
            items.append((name, *self.part(scope.get(name, MISSING), where)))
        self.facts.append(Fact(path, read, items))

    def _function(self, function: FunctionType, path: str) -> None:
        code = function.__code__
        if asked := self.reads.known.get(id(function), (None, set()))[1]:
            self._attributes(function, path, asked)
        if id(code) not in self.reads.codes:
            return
        if home_of_name(function.__module__ or "") == "":
            ref, names = held(function), ("__code__", "__defaults__", "__kwdefaults__")
            items = [(name, *self._about_code(getattr(function, name), path)) for name in names]
            self.facts.append(Fact(path, lambda: (f := ref()) and {name: getattr(f, name) for name in names}, items))
        if function.__closure__ and not _looks_at_arguments(function):
            contents = [content(cell) for cell in function.__closure__]
            parts = [self.part(x, name) for name, x in zip(code.co_freevars, contents)]
            is_operation = _module_of(function).startswith(OPERATIONS)  # whose closures never change
            if not is_operation or not all(isinstance(x, (FunctionType, dict)) or is_constant(x) for x in contents):
                self.facts.append(Cells(function, parts))
        if (wrapped := _wrapped(function)) is not None:
            self.part(wrapped, path)

    def _attributes(self, function: FunctionType, path: str, names: set[str]) -> None:
        ref, slots = held(function), [n for n in sorted(names) if n in _OF_FUNCTIONS]

        def read() -> Mapping[str, Any] | None:
            found = ref()
            return None if found is None else {**found.__dict__, **{n: getattr(found, n) for n in slots}}

        found = read() or {}
        items = [(name, *self.part(found.get(name, MISSING), f"{path}.{name}")) for name in sorted(names)]
        self.facts.append(Fact(path, read, items))

    def _about_code(self, value: Any, path: str) -> Part:
        if isinstance(value, (tuple, dict)):
            return self.part(value, f"{path}'s default")
        self.kept.append(value)
        return id(value), None

    def _method(self, method: MethodType, path: str) -> Part:
        self.part(method.__func__, path)
        self.part(method.__self__, f"{path}.__self__")
        function, owner = by_identity(method.__func__), by_identity(method.__self__)
        return 0, lambda value: isinstance(value, MethodType) and function(value.__func__) and owner(value.__self__)

    def _module(self, module: ModuleType, path: str) -> None:
        names = self.reads.known.get(id(module), (None, set()))[1]
        if home_of_name(module.__name__) == "" and self.reads.wild:
            here = self.reads.wild & vars(module).keys()
            absent, names = frozenset(self.reads.wild - here), names | here
            others: list[Item] = [("what it lacked", 0, set().__eq__)]
            self.facts.append(Fact(path, lambda: {"what it lacked": absent & vars(module).keys()}, others))
        if names:
            self._names(path, lambda: vars(module), vars(module), names)

    def _class(self, kind: type, path: str) -> None:
        names = self._names_of(kind, kind)
        if home_of_class(kind) == "":
            ref = held(kind)
            bases: list[Item] = [("__mro__", 0, _same_objects(kind.__mro__))]
            self.facts.append(Fact(path, lambda: (k := ref()) and {"__mro__": k.__mro__}, bases))
        if isinstance(kind, abc.ABCMeta):  # which classes are registered is no attribute
            token: list[Item] = [("get_cache_token()", 0, abc.get_cache_token().__eq__)]
            self.facts.append(Fact("abc", lambda: {"get_cache_token()": abc.get_cache_token()}, token))
        if home_of_class(type(kind)) == "":
            self.part(type(kind), type(kind).__name__)
        for c in kind.__mro__:
            home = home_of_class(c)
            if home in ("std", "numpy"):
                continue
            found = vars(c)
            items: list[Item] = []
            for name, value in found.items():
                path = f"{c.__name__}.{name}"
                function = _function_in(value)
                if function is not None and id(_code(function)) in self.reads.codes:
                    self.part(function, path)
                    find = partial(getattr, kind)  # a class may come to have its own; super() finds those of a base
                    self.methods[find if find(name, None) is value else found.get, name] = value
                elif home == "" and (name in names or (self.reads.computed and not name.startswith("__"))):
                    items.append((name, *self.part(value, path)))
            if home == "":
                self.facts.append(Fact(c.__name__, partial(_attributes_of, held(c)), items, tuple(found)))

    def _names_of(self, value: Any, kind: type) -> set[str]:
        """The attributes that `value`, an object or a class, may have been asked for."""
        names = self.reads.wild | self.reads.known.get(id(value), (None, set()))[1]
        names = names | self.reads.known.get(id(kind), (None, set()))[1]
        for c in kind.__mro__:
            names = names | vars(c).get("jit_reads", frozenset())  # what its code asks for by computed names
            if home := home_of_class(c):
                is_operation = c.__module__.startswith(OPERATIONS)
                names = names | self.reads.library.get(OPERATIONS[0] if is_operation else home, set())
        return names

    def _object(self, value: Any, path: str) -> bool:
        """The attributes of an object, and what its class has. Whether its facts fail once it is gone."""
        kind = type(value)
        self._special(value, path)
        home = home_of_class(kind)
        if home != "std":
            self.part(kind, kind.__name__)
        wanted = self._names_of(value, kind)
        everything = home != "lazygrad" and (self.reads.computed or "__dict__" in self.reads.users)
        ref = held(value)
        fields = getattr(value, "__dict__", None)
        if isinstance(fields, dict):
            parts = [n for name in _PARTS_OF_MODULES for n in fields.get(name, ())] if "_own_modules" in fields else []
            counts = home == "lazygrad" and getattr(value, "counts_changes", False)
            names = [n for n in fields if everything or n in wanted or n in parts]
            names = [n for n in names if not counts or n not in _PARTS_OF_MODULES]
            items = [(n, *self.part(fields[n], f"{path}.{n}")) for n in names]
            self._fields(path, ref, kind, items, tuple(fields) if home == "" else None, counts)
        for c in kind.__mro__:
            slots = [n for n, x in vars(c).items() if isinstance(x, MemberDescriptorType)]
            if slots and home_of_class(c) != "std" and not isinstance(value, Core):
                self._slots(path, ref, [n for n in slots if everything or n in wanted])
        return isinstance(fields, dict)

    def _fields(self, path: str, ref: Callable[[], Any], kind: type, items: list[Any], keys: Any, counts: bool) -> None:
        def read() -> Mapping[str, Any] | None:
            found = ref()
            return found.__dict__ if type(found) is kind else None

        always = [item for item in items if not item[1]] if counts else items
        if counts:
            keys = tuple(ref().__dict__)
            self.counted.append(Fact(path, read, [item for item in items if item[1]], keys))
            keys = None
        if always or not counts:
            self.facts.append(Fact(path, read, always, keys))

    def _slots(self, path: str, ref: Callable[[], Any], names: list[str]) -> None:
        def read() -> Mapping[str, Any] | None:
            found = ref()
            return None if found is None else {n: getattr(found, n, MISSING) for n in names}

        current = read() or {}
        self.facts.append(Fact(path, read, [(n, *self.part(x, f"{path}.{n}")) for n, x in current.items()]))

    def _special(self, value: Any, path: str) -> None:
        """What objects of some classes hold that is no attribute."""
        ref = held(value)
        if isinstance(value, RANDOM):
            state = random_state(value)
            states: list[Item] = [("state", 0, state.__eq__)]
            self.facts.append(Fact(path, lambda: (g := ref()) and {"state": random_state(g)}, states, None, False))
        if isinstance(value, ASKING):
            self.asked |= names_asked(value)
        if isinstance(value, REMEMBERING):
            self.remembering.append(value.__wrapped__)
        for read in inside(value):
            items = [(n, *self.part(x, f"{path}.{n}")) for n, x in read(value).items()]
            self.facts.append(Fact(path, partial(_read, ref, read), items))
        if is_used_up(value):
            self.iterators.append(path)


def _same_objects(expected: tuple[Any, ...]) -> Callable[[Any], bool]:
    numbers = [*map(id, expected)]
    return lambda value: [*map(id, value)] == numbers


def _attributes_of(ref: Callable[[], Any]) -> Mapping[str, Any] | None:
    found = ref()
    return None if found is None else vars(found)


def _read(ref: Callable[[], Any], read: Callable[[Any], Mapping[str, Any]]) -> Mapping[str, Any] | None:
    found = ref()
    return None if found is None else read(found)


def _module_of(function: FunctionType) -> str:
    """The module that a function is written in; `__module__` says that of what it is wrapped around."""
    return str(function.__globals__.get("__name__", ""))


def _looks_at_arguments(function: FunctionType) -> bool:
    """Whether it only looks at arguments, of what it is wrapped around: the same at every call."""
    return _module_of(function) == signatures.__name__ and isinstance(_wrapped(function), FunctionType)


def _wrapped(function: FunctionType) -> Any:
    return function.__dict__.get("__wrapped__")


def _code(function: FunctionType) -> CodeType:
    """The code that runs when the function does: an operation's own, not that which is around many of them."""
    while _module_of(function).startswith(OPERATIONS) and isinstance(_wrapped(function), FunctionType):
        function = _wrapped(function)
    return function.__code__


def _function_in(value: Any) -> FunctionType | None:
    """The function behind an attribute of a class."""
    for name in ("__func__", "fget", "func"):
        value = getattr(value, name, None) or value if not isinstance(value, FunctionType) else value
    return value if isinstance(value, FunctionType) else None
