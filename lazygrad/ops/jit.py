"""`jit`: run a function once to see its graph, then launch the graph's kernels directly.

The first call of a kind runs plainly (that is when optimizers make their state), the second is traced and the others
are replayed. A kind is given by the structure of the arguments, the shapes, dtypes, devices and `requires_grad` of
the tensors in them, every other argument's value, and what the function reads from outside (see `jit_outside`).
What a call changes besides its result (tensors assigned in place, gradients, random numbers) is changed by a replay
as well; what a trace cannot repeat is a JitError.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Hashable, Sequence
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

from lazygrad.engine import generator, run
from lazygrad.engine.launch import memory_of
from lazygrad.engine.whole import set_all
from lazygrad.errors import JitError, user_line
from lazygrad.index.expr import Expr
from lazygrad.ir.node import Node, buffer
from lazygrad.ir.op import Op
from lazygrad.ir.variables import Names, Renamed, renamed_shape
from lazygrad.ops.aliases import note_write, refuse_lost_write
from lazygrad.ops.core import Core, make
from lazygrad.ops.jit_guard import kind, variables_of
from lazygrad.ops.jit_trace import Made, Place, Trace, Tracer, is_realized, realize_all, unique_tensors
from lazygrad.ops.tree import flatten, unflatten
from lazygrad.runtime.base import Storage

KINDS_KEPT = 256  # the oldest is forgotten
SUSPICIOUS = 16  # kinds that came once each
P = ParamSpec("P")
R = TypeVar("R")


class Jit(Generic[P, R]):
    """A function that replays its graph; see `jit`."""

    def __init__(self, function: Callable[P, R]) -> None:
        self.function = function
        self.traces: dict[Hashable, Trace | None] = {}
        self.containers = True  # whether lists and dicts outside are guarded; not once the function changes one
        update_wrapper(self, function)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """As a method: one jit for each object."""
        if instance is None:
            return self
        bound: Jit[Any, R] = Jit(self.function.__get__(instance, owner))
        vars(instance)[self.function.__name__] = bound
        return bound

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if run.tracing:
            return self.function(*args, **kwargs)
        leaves, structure = flatten((args, kwargs))
        names = variables_of(leaves)
        key = kind(leaves, structure, self.function, self.containers, names)
        if key not in self.traces:
            return self._first(args, kwargs, key, names)
        arguments = unique_tensors(leaves)
        realize_all(arguments)
        trace = self.traces[key]
        found = None if trace is None else _found(trace, arguments, names)
        if trace is None or found is None:
            trace = self.traces[key] = Tracer(self.function).trace(leaves, structure, names)
            found = _found(trace, arguments, names)
        if found is None:
            raise JitError(f"jit: a tensor that the traced function uses is gone ({user_line()})")
        return _replay(trace, arguments, found, names)  # type: ignore[no-any-return]

    def _first(self, args: Any, kwargs: Any, key: Hashable, names: Renamed) -> R:
        """Run plainly, and see whether the function changes lists or dicts that would make every call another kind."""
        leaves, structure = flatten((args, kwargs))
        before, without = (kind(leaves, structure, self.function, counted, names) for counted in (True, False))
        result = self.function(*args, **kwargs)
        if self.containers and before[1] != kind(leaves, structure, self.function, True, names)[1]:
            self.containers, key = False, without
        if len(self.traces) == KINDS_KEPT:
            del self.traces[next(iter(self.traces))]
        self.traces[key] = None
        if len(self.traces) == SUSPICIOUS and not any(self.traces.values()):
            warnings.warn(
                f"jit: {SUSPICIOUS} calls of {self.function.__qualname__} were each of another kind, so nothing is "
                "compiled; pass what changes from call to call as a tensor or a Variable",
                stacklevel=3,
            )
        return result


def jit(function: Callable[P, R]) -> Jit[P, R]:
    """Have `function` launch its kernels directly from its third call of a kind on, without running its Python code.

    A jitted call does what the plain call does, or raises JitError: reading a value (`.item()`, `.numpy()`, `print`)
    inside, or keeping a tensor made inside anywhere but in the result, cannot be traced. Results carry no graph: call
    `backward` inside. Python code inside does not run again, so its other effects (printing, lists) do not repeat.

    What the function reads besides its arguments is compared at every call, and a change of it is traced anew: numbers,
    strings, containers, arrays, attributes of objects, modules and their modes, also where functions and methods read
    them that it calls. JitError for containers and arrays too large for that. Lists, dicts and sets are not compared
    where the function changes any itself. What only `getattr`, `vars` or a library's code finds is not seen.
    Numbers among the arguments are part of the kind; a `Variable` is not: one trace serves all values of it.

    >>> from lazygrad import Tensor, jit
    >>> double = jit(lambda x: x * 2)
    >>> [double(Tensor([n])).item() for n in range(4)]
    [0, 2, 4, 6]
    """
    return Jit(function)


def _found(trace: Trace, arguments: list[Core], names: Renamed) -> list[Core | None] | None:
    """The tensor behind each source (None for data and random numbers); None when this trace does not fit any more."""
    for owner, had in trace.gradients:
        if (t := owner()) is None or (t.grad is not None) != had:
            return None
    found: list[Core | None] = []
    for source, n in zip(trace.sources, trace.replay.inputs):
        if source.place is None:
            found.append(None)
            continue
        t = source.place.find(arguments)
        if t is not None and source.gradient:
            t = t.grad
        if (
            t is None
            or renamed_shape(t.shape, names) != n.shape
            or t.dtype is not n.dtype
            or t.device != trace.replay.device
        ):
            return None
        found.append(t)
    return found


def _replay(trace: Trace, arguments: list[Core], found: list[Core | None], names: Renamed) -> Any:
    _check_shared(trace, arguments)
    for effect in trace.effects:
        if not effect.gradient and (owner := effect.place.find(arguments)) is not None:
            refuse_lost_write(owner)
    realize_all([t for t in found if t is not None])
    draws = [generator.default_generator.draw(count) for count in trace.draws]
    replaced = set(trace.replay.replaces.values())
    storages: list[Storage] = []
    for i, (source, t, n) in enumerate(zip(trace.sources, found, trace.replay.inputs)):
        if t is not None:
            storages.append(_overwritten(t) if i in replaced else run.storage_of(t.node))
        elif source.draw >= 0:
            storages.append(run.storage_of(run.upload(draws[source.draw], n.dtype, trace.replay.device)))
        else:
            assert source.constant is not None
            storages.append(source.constant)
    back: Names = {new: v for v, new in names.items()}
    nodes: list[Node] = []
    kept: list[bool] = []

    def keep(values: Sequence[Storage]) -> None:
        kept.append(True)
        nodes[:] = [buffer(s, n.dtype, renamed_shape(n.shape, back)) for s, n in zip(values, trace.replay.roots)]
        _change(trace, arguments, nodes)

    owners, read = _owners_of_gradients(trace, arguments), set(map(id, found))
    gradients = [(owner, "grad", owner.grad) for owner in owners if id(owner.grad) in read]
    try:
        set_all((owner, "grad", None) for owner in owners)  # new ones may take the memory of those not read
        trace.replay.run(storages, {new: int(v) for v, new in names.items()}, keep)
    except BaseException:
        if not kept:
            set_all(gradients)
        raise
    return unflatten(trace.result, [_result(x, arguments, nodes, trace.replay.device, back) for x in trace.leaves])


def _owners_of_gradients(trace: Trace, arguments: list[Core]) -> list[Core]:
    """The tensors whose gradients the run replaces."""
    found = [effect.place.find(arguments) for effect in trace.effects if effect.gradient]
    return [owner for owner in found if owner is not None]


def _check_shared(trace: Trace, arguments: list[Core]) -> None:
    """JitError for an argument that the function also uses from outside, where one use misses the other's change."""
    for number, t in enumerate(arguments):
        for owner, changed in trace.outside:
            if owner() is t and (changed or number in trace.changed):
                raise JitError(
                    f"jit: a tensor of shape {list(t.shape)} is changed in place, and is both an argument and used "
                    f"from outside the function; use it one way only ({user_line()})"
                )


def _change(trace: Trace, arguments: list[Core], nodes: list[Node]) -> None:
    """Give every tensor that the function changes its new value."""
    for effect in trace.effects:
        owner = effect.place.find(arguments)
        if owner is None:
            continue
        if not effect.gradient:
            value = nodes[effect.root]
            note_write(owner)
            owner._take(run.own(value) if owner.requires_grad else value)
        elif effect.root < 0:
            owner.grad = None
        else:
            owner.grad = make(type(owner), nodes[effect.root], trace.replay.device)


def _result(x: Any, arguments: list[Core], nodes: list[Node], device: str, names: Names) -> Any:
    if isinstance(x, Made):
        return make(x.kind, nodes[x.root], device)
    if isinstance(x, Expr):
        return x.substitute(names)
    return x.find(arguments) if isinstance(x, Place) else x


# ---- whose buffer it is ----------------------------------------------------------------------------


def _overwritten(t: Core) -> Storage:
    """The storage of `t`, which the run may write over; of a private copy when others hold it."""
    copied = _is_shared(t)  # it counts references: before there is one here
    storage = run.storage_of(t.node)
    if copied or memory_of(storage).readonly:
        return run.storage_of(run.upload(run.download(t.node), t.dtype, t.device))
    return storage


class _Probe:
    """Something with a `node` that nothing else refers to, over another one that it alone refers to."""

    class Node:
        def __init__(self, *src: object) -> None:
            self.src = src

    def __init__(self) -> None:
        self.node = self.Node(self.Node())


def _references(t: Any) -> int:
    return sys.getrefcount(t.node)


def _references_below(t: Any) -> int:
    return sys.getrefcount(t.node.src[0])


_ALONE, _ALONE_BELOW = _references(_Probe()), _references_below(_Probe())  # the interpreter's version decides


def _is_shared(t: Core) -> bool:
    """Whether anything but `t` may hold its buffer: other tensors, and graphs that were built on it."""
    above = t.node.op is Op.CONTIGUOUS  # a leaf has a node of its own over its buffer
    if (t.node.src[0] if above else t.node).op is not Op.BUFFER or not is_realized(t.node):
        return True
    of_buffer = _ALONE_BELOW + 1  # realized nodes are remembered with their buffers
    return _references(t) > _ALONE or (above and _references_below(t) > of_buffer)
