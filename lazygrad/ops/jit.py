"""`jit`: run a function once to see its graph, then launch the graph's kernels directly.

The first call of a kind runs plainly, and what it asks for besides its arguments is recorded (`jit_record`) and looked
up (`jit_walk`); the second is traced (`jit_trace`), and the others are replayed (`jit_replay`). A kind is given by the
arguments but for the values of tensors, and by what was recorded: both are compared at every call (`jit_guard`). What a
call changes besides its result (tensors assigned in place, gradients, random numbers) is changed by a replay as well;
what a replay cannot repeat is a JitError.
"""

from __future__ import annotations

import copy
import threading
import warnings
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import update_wrapper
from types import MethodType
from typing import Any, Generic, ParamSpec, TypeVar

from lazygrad import forks
from lazygrad.engine.tracing import watch_here
from lazygrad.ops.core import Core
from lazygrad.ops.jit_guard import Guard, kind, variables_of
from lazygrad.ops.jit_places import Trace, unique_tensors
from lazygrad.ops.jit_record import Reads, Recorder
from lazygrad.ops.jit_replay import Call, UnfitError
from lazygrad.ops.jit_trace import IncompleteError, Tracer
from lazygrad.ops.signatures import checked
from lazygrad.ops.tree import flatten

KINDS_KEPT = 256  # the oldest is forgotten
SUSPICIOUS = 16  # kinds that came once each
P = ParamSpec("P")
R = TypeVar("R")


class _Recording(threading.local):
    """Whether this thread is in a first call: jitted functions inside it run plainly, so that their reads are seen."""

    now = False


_recording = _Recording()


@dataclass
class Kind:
    """Calls that one trace can serve."""

    guard: Guard
    same: tuple[int, ...]  # for each tensor among the arguments: its identity, where the function also reads it outside
    trace: Trace | None = None

    def fits(self, arguments: list[Core]) -> bool:
        """Whether a call with these tensors is of this kind; the other arguments are known to be."""
        return self.guard.fits() and self.guard.which(arguments) == self.same


class Jit(Generic[P, R]):
    """A function that replays its graph; see `jit`."""

    def __init__(self, function: Callable[P, R]) -> None:
        self.function = function
        self.kinds: dict[Hashable, list[Kind]] = {}  # by the arguments
        self.lock = forks.lock()
        self.bound: dict[int, tuple[Any, Any, Any]] = {}  # by the identity of the object: it, its kinds and their lock
        update_wrapper(self, function)

    @property
    def traces(self) -> list[Trace]:
        """All that was compiled and is kept."""
        return [k.trace for same_arguments in self.kinds.values() for k in same_arguments if k.trace is not None]

    def jit_inside(self) -> Callable[P, R]:
        """What a function that calls this one reads of it."""
        return self.function

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """As a method: one jit for each object, which lives no longer for it."""
        if instance is None:
            return self
        number = id(instance)
        if number not in self.bound:
            self.bound[number] = _until_gone(instance, lambda _: self.bound.pop(number, None)), {}, forks.lock()
        _, kinds, lock = self.bound[number]
        method = self.function.__get__(instance, owner)
        bound: Jit[Any, R] = Jit.__new__(Jit)
        vars(bound).update(vars(self), function=method, __wrapped__=method, kinds=kinds, lock=lock, bound={})
        return bound

    def of_copy(self, fields: dict[str, Any], owner: object) -> Jit[Any, R]:
        """This one, or if it is of a method of the object with these `fields`, one of that method of `owner`."""
        method = self.function
        if isinstance(method, MethodType) and getattr(method.__self__, "__dict__", None) is fields:
            return Jit(method.__func__.__get__(owner))
        return self

    def __copy__(self) -> Jit[P, R]:
        return Jit(self.function)

    def __deepcopy__(self, memo: dict[int, Any]) -> Jit[P, R]:
        return Jit(copy.deepcopy(self.function, memo))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if _recording.now or watch_here() is not None:
            return self.function(*args, **kwargs)
        leaves, structure = flatten((args, kwargs))
        names = variables_of(leaves)
        key = kind(leaves, structure, names)
        arguments = unique_tensors(leaves)
        reads = Reads()
        with self.lock:
            for found in self.kinds.get(key, ()):
                if found.fits(arguments):
                    found.guard.check_containers(args, kwargs)
                    try:
                        if found.trace is None:
                            found.trace = Tracer(self.function, found.guard).trace(leaves, structure, names)
                        return Call(found.trace, arguments, names).replay(args, kwargs)  # type: ignore[no-any-return]
                    except IncompleteError as incomplete:
                        reads = incomplete.reads
                    except UnfitError:
                        pass
                    self.kinds[key].remove(found)
                    break
        return self._first(args, kwargs, key, leaves, arguments, reads)

    def _first(
        self, args: Any, kwargs: Any, key: Hashable, leaves: list[Any], arguments: list[Core], reads: Reads
    ) -> R:
        """Run plainly, and take note of what the function reads. `reads`: what it is known to have read before."""
        recorder = Recorder()
        try:
            _recording.now = True
            result: R = recorder.run(self.function, args, kwargs)
        finally:
            _recording.now = False
        if recorder.lost:  # the next call is a first one again
            return result
        reads.add(recorder.reads)
        guard = Guard(reads, self.function, leaves)
        with self.lock:
            self._keep(key, Kind(guard, guard.which(arguments)))
        return result

    def _keep(self, key: Hashable, new: Kind) -> None:
        for old, all_of in [*self.kinds.items()]:
            all_of[:] = [k for k in all_of if k.trace is None or not k.guard.is_over()]
            if not all_of:
                del self.kinds[old]
        kinds = [k for all_of in self.kinds.values() for k in all_of]
        if len(kinds) >= KINDS_KEPT:
            oldest = next(iter(self.kinds))
            del self.kinds[oldest][0]
            if not self.kinds[oldest]:
                del self.kinds[oldest]
        self.kinds.setdefault(key, []).append(new)
        if len(kinds) + 1 == SUSPICIOUS and not any(k.trace for k in kinds):
            warnings.warn(
                f"jit: {SUSPICIOUS} calls of {self.function.__qualname__} were each of another kind, so nothing is "
                f"compiled; pass what changes from call to call as a tensor or a Variable{_difference(kinds)}",
                stacklevel=4,
            )


def _difference(kinds: list[Kind]) -> str:
    """What is read outside and has changed since the last of these kinds."""
    name = kinds[-1].guard.changed() or kinds[-1].guard.tensor_changed()
    return f" (outside it is {name})" if name else ""


def _until_gone(value: object, forget: Callable[[Any], object]) -> Any:
    """What calls `forget` once `value` is gone; or the value, if nothing can tell."""
    try:
        return weakref.ref(value, forget)
    except TypeError:
        return value


@checked
def jit(function: Callable[P, R]) -> Jit[P, R]:
    """Have `function` launch its kernels directly from its third call of a kind on, without running its Python code.

    A jitted call does what the plain call does, or raises JitError. Two sentences say which: what the function *reads*
    besides its arguments (globals, closures, attributes, containers, methods, modes) is compared at every call, and a
    change of it is traced anew. What it *changes* is repeated if it is a tensor (assigned in place, its gradient,
    random numbers) and a JitError if it is anything else: a list that grows, an attribute counted up, an iterator or a
    clock that is asked.

    Values cannot be read inside (`.item()`, `.numpy()`, `print` of a tensor). Results carry no graph: call `backward`
    inside. JitError for containers and arrays outside that are too large to be compared at every call. Numbers among
    the arguments are part of the kind; a `Variable` is not: one trace serves all of its values. `print` and logging
    inside happen in the first two calls alone. Where a function asks for `id` or `hash`, each tensor among the
    arguments is a kind of its own, and a list or a dict there a JitError. What is kept of a call keeps no tensor alive.

    What is not seen: what extension modules written in C keep to themselves, attributes of lazygrad's own modules that
    are set through `__dict__`, and tensors that are computed only later and are held by nothing but such a module.

    >>> from lazygrad import Tensor, jit
    >>> double = jit(lambda x: x * 2)
    >>> [double(Tensor([n])).item() for n in range(4)]
    [0, 2, 4, 6]
    """
    return Jit(function)
