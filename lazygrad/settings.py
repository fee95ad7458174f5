"""Every `LAZYGRAD_*` environment variable, declared once, read once, checked.

    from lazygrad.settings import settings
    if settings.debug >= 2: ...
    with settings.override(debug=2): ...

A variable is read from the environment when it is first used, so that a program may set `os.environ` after
importing lazygrad and before its first tensor. A bad value raises `SettingsError`; a misspelt name warns once.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

from lazygrad import forks
from lazygrad.errors import SettingsError

PREFIX = "LAZYGRAD_"
T = TypeVar("T")


class Variable(Generic[T]):
    """One setting: the class attribute declares it, the instance attribute is its value.

    A descriptor without `__set__`: the value read first is kept in the instance's `__dict__`, so that later
    reads cost one ordinary attribute lookup.

    Args:
        parse: text -> value; raises ValueError for what is not allowed.
        default: the value, or a function that gives it, where the variable is unset or empty.
        allowed: the allowed values in words, for error messages and the table of settings.
        doc: one sentence of what it does.
    """

    def __init__(self, parse: Callable[[str], T], default: T | Callable[[], T], allowed: str, doc: str) -> None:
        self.parse, self.default, self.allowed, self.doc = parse, default, allowed, doc
        self.attribute = ""

    def __set_name__(self, owner: type[Settings], name: str) -> None:
        self.attribute = name

    @property
    def name(self) -> str:
        """The environment variable's name."""
        return PREFIX + self.attribute.upper()

    @overload
    def __get__(self, instance: None, owner: type[Settings]) -> Variable[T]: ...
    @overload
    def __get__(self, instance: Settings, owner: type[Settings]) -> T: ...
    def __get__(self, instance: Settings | None, owner: type[Settings]) -> Variable[T] | T:
        if instance is None:
            return self
        instance.check_names()
        value = self.read()
        instance.__dict__[self.attribute] = value
        return value

    def read(self) -> T:
        """The value in the environment now, else the default."""
        text = os.environ.get(self.name, "").strip()
        if text:
            return self.convert(text)
        return self.default() if callable(self.default) else self.default

    def convert(self, text: str) -> T:
        """The value that `text` stands for; SettingsError where it is not allowed."""
        try:
            return self.parse(text)
        except ValueError:
            raise SettingsError(f"{self.name}={text!r} is not allowed: use {self.allowed}") from None


def _boolean(text: str) -> bool:
    try:
        return {"0": False, "1": True, "false": False, "true": True}[text.lower()]
    except KeyError:
        raise ValueError(text) from None


def _integer(low: int, high: int | None = None) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if value < low or (high is not None and value > high):
            raise ValueError(text)
        return value

    return parse


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(text)
        return text.lower()

    return parse


def _cache_path(text: str) -> Path | None:
    try:
        return Path(os.path.abspath(Path(text).expanduser()))  # as it is now: a program may change its folder
    except RuntimeError:  # ~name of a user that there is not
        raise ValueError(text) from None


def default_cache_dir() -> Path | None:
    """The platform's cache folder for lazygrad, or None for a user without a home folder."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "lazygrad"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "lazygrad" / "cache"
    named = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(named) if os.path.isabs(named) else home / ".cache") / "lazygrad"  # others do not count, it says


class Settings:
    """The values of every variable; use the module's one instance, `settings`."""

    device = Variable[str](
        str,
        "",
        "OPENCL[:platform[:device]], CUDA[:index], CUDA_EMULATED or NUMPY",
        "The default device; unset chooses the best that works.",
    )
    debug = Variable[int](
        _integer(0, 5),
        0,
        "an integer from 0 to 5",
        "What to print: 1 kernel times, 2 schedules, 3 graphs, 4 tile programs, 5 source.",
    )
    cache = Variable[bool](_boolean, True, "0 or 1", "Keep compiled kernels and plans on disk.")
    cache_dir = Variable["Path | None"](
        _cache_path, default_cache_dir, "a folder", "Where compiled kernels and plans are kept."
    )
    cache_limit = Variable[int](
        _integer(1),
        1024,
        "an integer of at least 1 (MiB)",
        "The cache folder's size in MiB, beyond which the entries not used for longest are removed.",
    )
    memory_limit = Variable[int](
        _integer(0),
        0,
        "an integer of at least 0 (MiB)",
        "The most device memory to use in MiB; 0 for all that the device has.",
    )
    verify = Variable[bool](_boolean, False, "0 or 1", "Check every stage's invariants between compiler passes.")
    check_indices = Variable[bool](
        _boolean,
        True,
        "0 or 1",
        "Raise an error for an index outside, which costs 15 % where single elements are gathered; with 0 it reads 0.",
    )
    target = Variable[str](
        _choice("cpu", "gpu"),
        "",
        "cpu or gpu",
        "Generate OpenCL code for this kind of device, whatever kind the device is.",
    )
    emulated_arch = Variable[str](
        _choice("sm_80", "sm_90a"), "sm_90a", "sm_80 or sm_90a", "The architecture that CUDA_EMULATED stands for."
    )
    emulated_checks = Variable[bool](
        _boolean, True, "0 or 1", "Have CUDA_EMULATED look for accesses out of bounds, races and the like."
    )
    emulated_seed = Variable[int](
        _integer(0),
        0,
        "an integer of at least 0",
        "The order in which CUDA_EMULATED runs threads, copies and clusters: 0 in turn, else another by this seed.",
    )
    profile = Variable[bool](_boolean, False, "0 or 1", "Time every kernel with device events.")
    float32_matmul_precision = Variable[str](
        _choice("highest", "high"),
        "highest",
        "highest or high",
        "With high, matrix units may round factors of float32 products to TF32 (10 bits), of operations written then.",
    )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"settings come from the environment; use settings.override({name}={value!r}), or set")

    @classmethod
    def variables(cls) -> list[Variable[Any]]:
        """Every declared variable, in the order of declaration."""
        return [variable for variable in vars(cls).values() if isinstance(variable, Variable)]

    @contextlib.contextmanager
    def override(self, **values: Any) -> Iterator[Settings]:
        """Give settings other values inside a `with` block; each is checked as the environment's text would be.

        >>> with settings.override(debug=2): settings.debug
        2
        """
        saved = dict(self.__dict__)
        self.set(**values)
        try:
            yield self
        finally:
            for name in values:
                self.__dict__.pop(name, None)
            self.__dict__.update({name: value for name, value in saved.items() if name in values})

    def set(self, **values: Any) -> None:
        """Give settings other values from now on, checked likewise; None is what the environment says."""
        declared = {variable.attribute: variable for variable in self.variables()}
        for name in values:
            if name not in declared:
                raise SettingsError(f"there is no setting {name!r}{_suggestion(name, declared)}")
        converted = {name: _converted(declared[name], value) for name, value in values.items() if value is not None}
        for name in values:
            self.__dict__.pop(name, None)
        self.__dict__.update(converted)

    def reload(self) -> None:
        """Forget every value, so that the environment is read again."""
        self.__dict__.clear()

    def follow_environment(self) -> None:
        """In a forked child, which may set variables of its own: read again what the environment decides."""
        for variable in self.variables():
            with contextlib.suppress(SettingsError):
                if self.__dict__.get(variable.attribute, variable) == variable.read():
                    del self.__dict__[variable.attribute]

    def check_names(self) -> None:
        """Warn, once, of each `LAZYGRAD_*` name in the environment that is not declared."""
        if "_checked" in self.__dict__:
            return
        self.__dict__["_checked"] = True
        known = {variable.name for variable in self.variables()}
        for name in sorted(os.environ):
            if name.startswith(PREFIX) and name not in known:
                warnings.warn(f"unknown environment variable {name} is ignored{_suggestion(name, known)}", stacklevel=3)

    def table(self) -> str:
        """One line per variable: name, value now, allowed values and what it does."""
        rows = [(v.name, str(getattr(self, v.attribute)), f"{v.doc} ({v.allowed})") for v in self.variables()]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        return "\n".join(f"{a:{widths[0]}}  {b:{widths[1]}}  {c}" for a, b, c in rows)


def _converted(variable: Variable[T], value: object) -> T:
    """`value` as the environment's text for it would be read; None and "" stand for the default."""
    if value is None or value == "":
        return variable.default() if callable(variable.default) else variable.default
    return variable.convert(str(int(value)) if isinstance(value, bool) else str(value))


def _suggestion(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


settings = Settings()
forks.in_child(settings.follow_environment)
