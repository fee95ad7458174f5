"""`jit`: run a function once to see its graph, then launch the graph's kernels directly.

The first call of a kind runs plainly (that is when optimizers make their state), the second is traced and the others are
replayed. A kind is given by the structure of the arguments, the shapes, dtypes, devices and `requires_grad` of the tensors
in them, every other argument's value, the plain Python values that the function reads from outside, and the train/eval mode
of the modules that it uses. What a call changes besides its result (tensors assigned in place, gradients, random numbers)
is changed by a replay as well; what a trace cannot repeat is a JitError.
"""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar

import numpy as np

from lazygrad.engine import generator, run
from lazygrad.engine.replay import Replay, base_buffer, placeholder, storage_argument
from lazygrad.errors import JitError, user_line
from lazygrad.ir.node import Node, buffer
from lazygrad.ir.op import Op, StoreArg
from lazygrad.ops.core import Core, make
from lazygrad.ops.mode import mode
from lazygrad.ops.tree import flatten, unflatten
from lazygrad.runtime.base import Storage

P = ParamSpec("P")
R = TypeVar("R")
_PLAIN = (bool, int, float, str, bytes, type(None))


@dataclass
class _Source:
    """Where a replay finds the current buffer of one input of the graph."""

    argument: int = -1  # number of the tensor among the arguments
    owner: weakref.ref[Core] | None = None  # a tensor that the function read or changed
    gradient: bool = False  # its gradient rather than itself
    draw: int = -1  # number of the draw of random numbers
    constant: Storage | None = None  # data made while tracing


@dataclass
class _Effect:
    """A tensor that takes the value of root number `root`; -1 removes its gradient."""

    owner: weakref.ref[Core]
    root: int
    gradient: bool
    number: int = -1  # the argument, when it is one


@dataclass
class _Trace:
    replay: Replay
    sources: list[_Source]
    effects: list[_Effect]
    result: Any  # the structure of the result
    results: list[tuple[int, type[Core]]]  # root and class of each tensor in it
    gradients: list[tuple[weakref.ref[Core], bool]]  # whether each had one, at the start
    draws: list[int]  # how many random numbers the function draws, in its order, whether they matter or not


class Jit(Generic[P, R]):
    """A function that replays its graph; see `jit`."""

    def __init__(self, function: Callable[P, R]) -> None:
        self.function = function
        self.traces: dict[Hashable, _Trace | None] = {}
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
        key = _kind(leaves, structure, self.function)
        if key not in self.traces:
            self.traces[key] = None
            return self.function(*args, **kwargs)
        tensors = [x for x in leaves if isinstance(x, Core)]
        _realize(tensors)
        trace = self.traces[key]
        if trace is None or not _gradients_as_before(trace):
            trace = self.traces[key] = _Tracer(self.function).trace(leaves, structure)
        return _replay(trace, tensors)  # type: ignore[no-any-return]


def jit(function: Callable[P, R]) -> Jit[P, R]:
    """Have `function` launch its kernels directly from its third call of a kind on, without running its Python code.

    A jitted call does what the plain call does, or raises JitError: reading a value (`.item()`, `.numpy()`, `print`)
    inside, or keeping a tensor made inside anywhere but in the result, cannot be traced. Results carry no graph: call
    `backward` inside. Python code inside does not run again, so its other effects (printing, lists) do not repeat.

    >>> from lazygrad import Tensor, jit
    >>> double = jit(lambda x: x * 2)
    >>> [double(Tensor([n])).item() for n in range(4)]
    [0, 2, 4, 6]
    """
    return Jit(function)


# ---- what makes two calls one kind -----------------------------------------------------------------


def _kind(leaves: list[Any], structure: Hashable, function: Callable[..., Any]) -> Hashable:
    parts: list[Hashable] = [structure, mode.enabled]
    for x in leaves:
        if isinstance(x, Core):
            parts.append((x.shape, x.dtype, x.device, x.requires_grad, x._leaf))
        else:
            try:
                hash(x)
            except TypeError:
                raise JitError(f"jit: argument {x!r:.60} is neither a tensor nor hashable ({user_line()})") from None
            parts.append((type(x), x))
    parts.extend(_outside(function))
    return tuple(parts)


def _outside(function: Callable[..., Any]) -> Iterator[Hashable]:
    """The plain values and the modules' modes that the function reads from its closure, globals and object."""
    code = getattr(function, "__code__", None)
    for cell in getattr(function, "__closure__", None) or ():
        try:
            yield from _guard(cell.cell_contents)
        except ValueError:  # not assigned yet
            continue
    scope = getattr(function, "__globals__", {})
    for name in code.co_names if code else ():
        if name in scope:
            yield from _guard(scope[name])
    if (owner := getattr(function, "__self__", None)) is not None:
        yield from _guard(owner)


def _guard(value: object) -> Iterator[Hashable]:
    if isinstance(value, _PLAIN):
        yield type(value), value
    elif callable(modules := getattr(value, "modules", None)) and not isinstance(value, type):
        yield tuple(bool(getattr(m, "training", False)) for m in modules())


def _gradients_as_before(trace: _Trace) -> bool:
    return all((t := owner()) is not None and (t.grad is not None) == had for owner, had in trace.gradients)


# ---- tracing ---------------------------------------------------------------------------------------


class _Tracer:
    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.draws: list[tuple[Storage, int]] = []  # what each draw was kept in, and how many numbers it was for

    def trace(self, leaves: list[Any], structure: Hashable) -> _Trace:
        before = list(run.live)
        _realize(before)
        nodes = {id(t): t.node for t in before}
        grads = {id(t): t.grad for t in before}
        arguments = [x for x in leaves if isinstance(x, Core)]
        stand_ins = [_stand_in(t) for t in arguments]
        given = iter(stand_ins)
        args, kwargs = unflatten(structure, [next(given) if isinstance(x, Core) else x for x in leaves])
        first = [t.node for t in stand_ins]
        result = self._call(args, kwargs)
        outputs, shape = flatten(result)
        tensors = [x for x in outputs if isinstance(x, Core)]
        roots: list[Node] = [t.node for t in tensors]
        effects: list[_Effect] = []
        for number, (t, node) in enumerate(zip(stand_ins, first)):
            if t.node is not node:
                effects.append(_Effect(weakref.ref(arguments[number]), len(roots), False, number))
                roots.append(t.node)
        for t in before:
            if t.node is not nodes[id(t)]:
                effects.append(_Effect(weakref.ref(t), len(roots), False))
                roots.append(t.node)
                t.node = nodes[id(t)]
            if t.grad is not grads[id(t)]:
                effects.append(_Effect(weakref.ref(t), len(roots) if t.grad is not None else -1, True))
                if t.grad is not None:
                    roots.append(t.grad.node)
                t.grad = grads[id(t)]
        numbers = iter(range(len(tensors)))
        frame = [_RESULT if isinstance(x, Core) else x for x in outputs]
        results = [(next(numbers), type(t)) for t in tensors]
        device = next((n.device for n in roots if n.device is not None), arguments[0].device if arguments else None)
        known = {id(t) for t in (*before, *stand_ins, *tensors)}
        del result, outputs, args, kwargs, tensors, given
        self._check_escapes(known)
        replay = self._replay(roots, device or _default_device())
        sources = self._sources(replay, first, before)
        kept = replay.replaces.items()  # data made while tracing is needed again by every replay
        replay.replaces = {k: i for k, i in kept if sources[i].constant is None}
        gradients = [(weakref.ref(t), t.grad is not None) for t in before if t.requires_grad and t._leaf]
        return _Trace(replay, sources, effects, (shape, frame), results, gradients, [count for _, count in self.draws])

    def _call(self, args: Any, kwargs: Any) -> Any:
        def refuse() -> NoReturn:
            raise JitError(
                "jit: a value is read while the function is traced; return the tensor and read it outside, or leave this "
                f"function without jit ({user_line()})"
            )

        def drawn(n: Node, count: int) -> None:
            self.draws.append((storage_argument(base_buffer(n)), count))

        run.tracing.append(refuse)
        generator.on_draw.append(drawn)
        state = generator.default_generator.state()
        try:
            return self.function(*args, **kwargs)
        finally:
            run.tracing.pop()
            generator.on_draw.remove(drawn)
            generator.default_generator.set_state(state)

    def _check_escapes(self, known: set[int]) -> None:
        def strangers() -> list[Core]:
            return [t for t in list(run.live) if id(t) not in known and _unrealized(t)]

        if strangers():
            gc.collect()
        if escaped := strangers():
            t = escaped[0]
            raise JitError(
                f"jit: a tensor of shape {list(t.shape)} made at {t.node.line or 'an unknown line'} is kept outside the traced "
                "function but is not in its result; return it, or assign it to a tensor that exists before the call"
            )

    def _replay(self, roots: list[Node], device: str) -> Replay:
        known = {n: base for n in run.topological(roots, stop=_is_realized) if (base := run.realized(n)) is not None}
        over = run.substitute(roots, known)
        inputs = Replay.over(over)
        places: dict[int, list[int]] = {}
        for i, n in enumerate(inputs):
            places.setdefault(id(storage_argument(n)), []).append(i)
        replaces = {}
        for k, n in enumerate(roots):
            if n.op is Op.STORE:
                where = places.get(id(n.argument(StoreArg).storage), [])
                if len(where) == 1:
                    replaces[k] = where[0]
        return Replay(device, inputs, over, replaces)

    def _sources(self, replay: Replay, first: list[Node], before: list[Core]) -> list[_Source]:
        arguments = {id(storage_argument(base_buffer(n))): i for i, n in enumerate(first)}
        draws = {id(storage): i for i, (storage, _) in enumerate(self.draws)}
        owners: dict[int, _Source] = {}
        for t in before:
            owners.setdefault(id(run.storage_of(t.node)), _Source(owner=weakref.ref(t)))
        for t in before:
            if t.grad is not None and run.realized(t.grad.node) is not None:
                owners[id(run.storage_of(t.grad.node))] = _Source(owner=weakref.ref(t), gradient=True)
        sources = []
        for n in replay.inputs:
            storage = storage_argument(n)
            if (number := arguments.get(id(storage))) is not None:
                sources.append(_Source(argument=number))
            elif (draw := draws.get(id(storage))) is not None:
                sources.append(_Source(draw=draw, constant=storage))
            else:
                sources.append(owners.get(id(storage)) or _Source(constant=storage))
        return sources


_RESULT = object()


def _default_device() -> str:
    from lazygrad.runtime.registry import default_device

    return default_device()


def _stand_in(t: Core) -> Core:
    return make(type(t), placeholder(t.node, t.device), t.device, t.requires_grad, t._leaf)


def _is_realized(n: Node) -> bool:
    return run.realized(n) is not None


def _unrealized(t: Core) -> bool:
    return run.realized(t.node) is None


def _realize(tensors: list[Core]) -> None:
    by_device: dict[str, list[Core]] = {}
    for t in tensors:
        if _unrealized(t):
            by_device.setdefault(t.device, []).append(t)
    for device, group in by_device.items():
        run.realize([t.node for t in group], device)
        for t in group:
            t._keep_value_only()  # type: ignore[attr-defined]


# ---- replaying -------------------------------------------------------------------------------------


def _replay(trace: _Trace, arguments: list[Core]) -> Any:
    replaced = set(trace.replay.replaces.values())
    draws = [generator.default_generator.draw(count) for count in trace.draws]
    inputs = zip(trace.sources, trace.replay.inputs)
    storages = [_find(s, arguments, draws, n, i in replaced) for i, (s, n) in enumerate(inputs)]
    results = trace.replay.run(storages)
    device = trace.replay.device
    for effect in trace.effects:
        owner = arguments[effect.number] if effect.number >= 0 else effect.owner()
        if owner is None:
            continue
        if effect.root < 0:
            owner.grad = None
            continue
        node = trace.replay.roots[effect.root]
        value = buffer(results[effect.root], node.dtype, node.shape)
        if effect.gradient:
            owner.grad = make(type(owner), value, device)
        else:
            owner.node, owner._previous = value, None
    shape, frame = trace.result
    nodes = [(cls, trace.replay.roots[k], results[k]) for k, cls in trace.results]
    made = iter([make(cls, buffer(storage, n.dtype, n.shape), device) for cls, n, storage in nodes])
    return unflatten(shape, [next(made) if x is _RESULT else x for x in frame])


def _find(
    source: _Source, arguments: list[Core], draws: list[np.ndarray[Any, Any]], n: Node, replaced: bool
) -> Storage:
    """The storage to run with for input `n`; a private copy when it will be overwritten and others hold it."""
    if source.draw >= 0:
        assert source.constant is not None
        return run.storage_of(run.upload(draws[source.draw], n.dtype, source.constant.device))
    if source.constant is not None:
        return source.constant
    t = arguments[source.argument] if source.owner is None else source.owner()
    if t is not None and source.gradient:
        t = t.grad
    if t is None or (t.shape != n.shape and _count(t.node) != _count(n)) or t.dtype is not n.dtype:
        raise JitError("jit: a tensor that the traced function uses is gone or has another shape or dtype; make a new jit")
    if _unrealized(t):
        _realize([t])
    stored = run.realized(t.node)
    assert stored is not None
    if replaced and _shared(t, stored):
        return run.storage_of(run.upload(run.download(stored), n.dtype, t.device))
    return run.storage_of(stored)


def _count(n: Node) -> int:
    return int(np.prod([int(d) for d in n.shape], dtype=np.int64))  # type: ignore[arg-type]


def _shared(t: Core, stored: Node) -> bool:
    """Whether anything but `t` holds its buffer. References: the tensor's, the caller's local, ours, getrefcount's."""
    if stored is not t.node:
        return True
    if sys.getrefcount(stored) > 4:
        return True
    return stored.op is Op.RESHAPE and sys.getrefcount(stored.src[0]) > 2
