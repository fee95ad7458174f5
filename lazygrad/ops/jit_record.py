"""What a call really ran and asked for: every Python frame, by the interpreter's own report, in this thread alone.

From each frame of a user's code come the globals that it names and the attributes that it asks known objects for
(`jit_code`). Calls whose outcome is no function of what a program holds (clocks, files, the system) are noted.
"""

from __future__ import annotations

import gc
import importlib.util
import sys
from collections.abc import Callable
from types import CodeType, FrameType, MemberDescriptorType, ModuleType
from typing import Any

from lazygrad.engine.tracing import tracing
from lazygrad.errors import user_line
from lazygrad.ops.core import Core
from lazygrad.ops.jit_code import Names, Path, home_of, home_of_class, names_in
from lazygrad.ops.mode import restore_all, states

UNKNOWN = object()
_NO_ANSWER = (bool, int, float, complex, str, bytes, type(None), tuple, list, dict, set, frozenset, Core)
# What asks for something outside of the program, by the module that it is of.
_OUTSIDE = {
    module: frozenset(names.split())
    for module, names in {
        "time": "time time_ns perf_counter perf_counter_ns monotonic monotonic_ns process_time process_time_ns "
        "thread_time thread_time_ns localtime gmtime ctime strftime asctime clock_gettime clock_gettime_ns",
        "datetime": "now today utcnow",
        "io": "open open_code",
        "_io": "open open_code read readline readlines readinto read1 peek getvalue",
        "builtins": "input breakpoint globals",
        "_thread": "start_new_thread start_joinable_thread",
        "posix": "urandom getrandom stat lstat listdir scandir open read getcwd getppid times system popen fork access "
        "getloadavg putenv unsetenv readlink",
        "_posixsubprocess": "fork_exec",
        "_socket": "socket recv send sendall connect accept gethostbyname gethostname getaddrinfo",
    }.items()
}
_OUTSIDE["nt"] = _OUTSIDE["posix"]
_BY_NAME = frozenset({"getattr", "hasattr", "setattr", "delattr", "vars", "dir", "__getattribute__", "__reduce_ex__"})
_WATCHED = _BY_NAME.union(*_OUTSIDE.values())
_ENVIRONMENT = frozenset({"__getitem__", "__setitem__", "__delitem__", "__contains__", "__iter__", "copy"})
# The parts of lazygrad that know nothing of users' objects, and run at some calls alone.
_BELOW = tuple(f"lazygrad.{room}." for room in ("engine", "index", "schedule", "tiling", "render", "runtime"))
# Whose objects are tensors.
OPERATIONS = ("lazygrad.ops.", "lazygrad.linear_algebra.", "lazygrad.tensor", "lazygrad.ir.reverse")
_BESIDE = ("lazygrad.ops.jit", "lazygrad.ir.", "lazygrad.interned")  # these call users' code
_REPORTS = frozenset({"logging", "warnings", "traceback", "linecache", "contextlib"})


def _is_of_collector(code: CodeType) -> bool:
    """Whether the garbage collector calls this, at any time: it is nothing that a function does."""
    calls = (getattr(c, "__func__", c if hasattr(c, "__code__") else type(c).__call__) for c in gc.callbacks)
    return any(getattr(c, "__code__", None) is code for c in calls)


class Reads:
    """What calls of a function asked for."""

    def __init__(self) -> None:
        self.codes: dict[int, CodeType] = {}  # of all that ran, by identity
        self.globals: dict[int, tuple[dict[str, Any], set[str]]] = {}  # names that users' code reads in each module
        self.known: dict[int, tuple[Any, set[str]]] = {}  # attributes of objects that were at hand
        self.wild: set[str] = set()  # attributes that users' code asks objects for that were not
        self.users: set[str] = set()  # all attributes that users' code asks for
        self.library: dict[str, set[str]] = {}  # the same of libraries' code, which asks objects of its own classes
        self.modules: dict[str, set[str]] = {}  # what is imported, by the modules' names
        self.identity = self.numbers = self.computed = False
        self.impure: list[str] = []

    def at(self, value: Any) -> set[str]:
        """The attributes that `value` was asked for, to be added to."""
        return self.known.setdefault(id(value), (value, set()))[1]

    def add(self, other: Reads) -> None:
        """Take in what other calls read."""
        self.codes |= other.codes
        self.wild |= other.wild
        self.users |= other.users
        for number, (scope, names) in other.globals.items():
            self.globals.setdefault(number, (scope, set()))[1].update(names)
        for number, (value, names) in other.known.items():
            self.known.setdefault(number, (value, set()))[1].update(names)
        for home, names in other.library.items():
            self.library.setdefault(home, set()).update(names)
        for module, names in other.modules.items():
            self.modules.setdefault(module, set()).update(names)
        self.identity |= other.identity
        self.numbers |= other.numbers
        self.computed |= other.computed

    def assume(self, function: Any) -> bool:
        """Take it that `function` ran; whether that is new."""
        code = getattr(function, "__code__", None)
        if code is None or id(code) in self.codes:
            return False
        names = names_in(code)
        self.codes[id(code)] = code
        self.globals.setdefault(id(function.__globals__), (function.__globals__, set()))[1].update(names.globals)
        self.wild |= names.wild.union(*(path for _, path in (*names.known, *names.named)))
        self.users |= self.wild
        return True

    def lacks(self, other: Reads, known: Callable[[int], bool]) -> bool:
        """Whether `other` read more; of objects only those that are `known` by identity."""
        if not (other.codes.keys() <= self.codes.keys() and other.wild <= self.wild):
            return True
        if any(getattr(other, asks) > getattr(self, asks) for asks in ("identity", "numbers", "computed")):
            return True
        if any(not names <= self.library.get(home, set()) for home, names in other.library.items()):
            return True
        return any(
            known(number) and not names <= self.known.get(number, (None, set()))[1]
            for number, (_, names) in other.known.items()
        )


class Recorder:
    """Records into `reads` what this thread runs in one call."""

    def __init__(self) -> None:
        self.reads = Reads()
        # What to do about code that has run: nothing for most of libraries'.
        self._names: dict[int, Names | Callable[[FrameType], None] | None] = {}
        self._kept: list[CodeType] = []  # so that an identity stays that of one
        self._followed: set[tuple[int, ...]] = set()
        # Whether the reports ended early: `function` set another profiler, or an interrupt came where Python drops it.
        self.lost = False
        self._over = False
        self._below: FrameType | None = None  # the frame that called what users' objects are unknown to

    def run(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """What `function` returns; whatever it runs is recorded, unless that is `lost`."""
        before, event, modes = sys.getprofile(), self._event, states()
        try:
            tracing.observer = event
            sys.setprofile(event)
            result = function(*args, **kwargs)
            self.lost = sys.getprofile() is not event
            return result
        except BaseException:
            # An interrupt can come while the interpreter reports that `__exit__` of no_grad is called: before it is.
            restore_all(modes)
            raise
        finally:  # an interrupt may come here, too: in the first call, so what is no call goes before it
            self._over, tracing.observer = True, None
            sys.setprofile(None)
            if before is not None and not hasattr(before, "enable"):
                sys.setprofile(before)
            elif before is not None:  # a profiler in C is not set as a function is
                before.enable()

    def _event(self, frame: FrameType, event: str, argument: Any) -> None:
        if self._over:  # an interrupt came before this was taken back
            sys.setprofile(None)
        elif self._below is not None:
            if frame is self._below and event == "return":
                self._below = None
        elif event == "call":
            code = frame.f_code
            number = id(code)
            if number not in self._names:
                self._new(code, frame)
            names = self._names[number]
            if names is not None:
                if callable(names):
                    names(frame)
                else:
                    self._enter(names, frame)
        elif event == "c_call" and argument.__name__ in _WATCHED:
            self._called(frame, argument)

    def _new(self, code: CodeType, frame: FrameType) -> None:
        if _is_of_collector(code):
            self._names[id(code)] = self._descend
            self._kept.append(code)
            return
        home, module = home_of(frame), str(frame.f_globals.get("__name__", ""))
        if home and module.startswith((*_BELOW, *_BESIDE)):
            self._names[id(code)] = self._descend if module.startswith(_BELOW) else None
            self._kept.append(code)
            return
        self.reads.codes[id(code)] = code
        if home == "lazygrad" and not module.startswith(OPERATIONS):
            names = self._names[id(code)] = names_in(code)
            self.reads.library.setdefault(home, set()).update(names.wild)
        elif home:
            room = home if home != "lazygrad" else OPERATIONS[0]
            self.reads.library.setdefault(room, set()).update(code.co_names)
            environment = code.co_name in _ENVIRONMENT and module == "os"
            self._names[id(code)] = self._environment if environment else None
        else:
            names = self._names[id(code)] = names_in(code)
            self._note(names, frame)

    def _note(self, names: Names, frame: FrameType) -> None:
        """What users' code asks for, whichever objects it is called with."""
        reads = self.reads
        reads.wild |= names.wild
        reads.users |= names.wild.union(*(path for _, path in (*names.known, *names.named)))
        reads.identity |= names.identity
        reads.numbers |= names.numbers
        reads.computed |= names.computed
        for module, level, wanted in names.imported:
            package = frame.f_globals.get("__package__") or ""
            full = importlib.util.resolve_name("." * level + module, package) if level else module
            reads.modules.setdefault(full, set()).update(wanted)

    def _enter(self, names: Names, frame: FrameType) -> None:
        """Note what a frame reads of the objects that it starts with."""
        scope = frame.f_globals
        local = frame.f_locals
        known = [(local[name], path) for name, path in names.known if path and name in local]
        key = (id(frame.f_code), id(scope), *(id(value) for value, _ in known))
        if key in self._followed:
            return
        self._followed.add(key)
        if home := home_of(frame):
            others = self.reads.library[home]
        else:
            others = self.reads.wild
            self.reads.globals.setdefault(id(scope), (scope, set()))[1].update(names.globals)
            known += [(scope[name], path) for name, path in names.named if path and name in scope]
        for value, path in known:
            self._follow(value, path, others)

    def _follow(self, value: Any, path: Path, others: set[str]) -> None:
        """Note a chain of attributes; from where it cannot be followed on, `others` are the names that are left."""
        for place, name in enumerate(path):
            if isinstance(value, _NO_ANSWER) and not hasattr(value, "__dict__"):
                return
            self.reads.at(value).add(name)
            if type(value) not in (type, ModuleType):
                self.reads.at(type(value)).add(name)
            value = look_up(value, name)
            if value is UNKNOWN:
                others.update(path[place + 1 :])
                return

    def _called(self, frame: FrameType, function: Any) -> None:
        name = function.__name__
        owner = getattr(function, "__self__", None)
        if isinstance(owner, ModuleType):
            home = owner.__name__
        else:
            home = type(owner).__module__ if not isinstance(owner, type) else owner.__module__
        if name in _BY_NAME:
            if name not in ("getattr", "hasattr", "setattr", "delattr") or home_of(frame) == "std":
                self.reads.computed |= self._asker(frame) == ""
        elif name in _OUTSIDE.get(home, ()):
            self._outside(frame, f"{home.strip('_')}.{name}")

    def _descend(self, frame: FrameType) -> None:
        self._below = frame

    def _environment(self, frame: FrameType) -> None:
        self._outside(frame, "os.environ")

    def _outside(self, frame: FrameType, what: str) -> None:
        if self._asker(frame) == "":
            self.reads.impure.append(f"{what} ({user_line()})")

    @staticmethod
    def _asker(frame: FrameType) -> str:
        """On whose behalf a frame runs: a user's (""), unless lazygrad or what only reports called it."""
        at: FrameType | None = frame
        while at is not None:
            name = str(at.f_globals.get("__name__", ""))
            if name.partition(".")[0] in _REPORTS:
                return name
            home = home_of(at)
            if home != "std":
                return home
            at = at.f_back
        return "std"


def look_up(value: Any, name: str) -> Any:
    """The attribute, if no code has to run to find it; UNKNOWN otherwise, or where there is none."""
    if isinstance(value, ModuleType):
        return vars(value).get(name, UNKNOWN)
    kind = value if isinstance(value, type) else type(value)
    found = next((vars(c)[name] for c in kind.__mro__ if name in vars(c)), UNKNOWN)
    if kind is value:
        return UNKNOWN if hasattr(type(found), "__get__") else found
    if isinstance(found, MemberDescriptorType):
        return getattr(value, name, UNKNOWN)
    if hasattr(type(found), "__set__"):
        return UNKNOWN
    held = getattr(value, "__dict__", {})
    if name in held:
        return held[name]
    return UNKNOWN if hasattr(type(found), "__get__") else found


def is_users(kind: type) -> bool:
    """Whether a class is a user's, rather than a library's."""
    return home_of_class(kind) == ""
