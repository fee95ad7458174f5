"""Tracing: running a function once over stand-ins for everything that can change between calls, to see its graph.

While a function is traced, every tensor that exists has a placeholder for its value, so that what the graph reads names
the tensor that it was read from, even where several hold one buffer. Arguments are replaced by tensors of their own,
since the next call comes with others. Afterwards every tensor is as it was before: the replay that follows changes
them.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import starmap
from typing import Any, NoReturn

from lazygrad.engine import generator, run
from lazygrad.engine.replay import Replay, base_buffer, placeholder, storage_argument
from lazygrad.engine.whole import at_once
from lazygrad.errors import JitError, user_line
from lazygrad.index.expr import Expr
from lazygrad.ir.call import substitute
from lazygrad.ir.node import Node, topological
from lazygrad.ir.op import Op, StoreArg
from lazygrad.ir.variables import Names, renamed_shape
from lazygrad.ops.aliases import is_outdated
from lazygrad.ops.core import Core, make
from lazygrad.ops.tree import flatten, unflatten
from lazygrad.runtime.base import Storage
from lazygrad.runtime.registry import default_device


@dataclass(frozen=True)
class Place:
    """Where a call finds a tensor: among its arguments, or outside the function."""

    argument: int = -1
    owner: weakref.ref[Core] | None = None

    def find(self, arguments: list[Core]) -> Core | None:
        """The tensor; None when it is gone."""
        return arguments[self.argument] if self.owner is None else self.owner()


@dataclass(frozen=True)
class Source:
    """Where a replay finds the current buffer of one input of the graph."""

    place: Place | None = None
    gradient: bool = False  # the gradient of the tensor at `place` rather than the tensor
    draw: int = -1  # the random numbers drawn at that turn
    constant: Storage | None = None  # data made while tracing


@dataclass(frozen=True)
class Effect:
    """A tensor (or its gradient) that takes the value of root number `root`; -1 removes its gradient."""

    place: Place
    root: int
    gradient: bool


@dataclass(frozen=True)
class Made:
    """A tensor of the result that takes the value of a root."""

    root: int
    kind: type[Core]


@dataclass
class Trace:
    replay: Replay
    sources: list[Source]
    effects: list[Effect]
    result: Hashable  # its structure
    leaves: list[Any]  # of the result: Made, Place (a tensor that was there before), or any other value
    gradients: list[tuple[weakref.ref[Core], bool]]  # whether each tensor whose gradient changes had one before
    draws: list[int]  # how many random numbers the function draws, in its order, whether they matter or not
    outside: list[tuple[weakref.ref[Core], bool]]  # tensors used from outside, and whether they are changed
    changed: set[int]  # the arguments that are changed


@dataclass
class _Held:
    """A tensor during the trace: its value and gradient at the start, and whether it has a graph outside."""

    place: Place
    tensor: Core
    node: Node
    grad: Core | None
    computed: bool


class Tracer:
    """Traces `function` once."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.draws: list[tuple[Storage, int]] = []  # what each draw was kept in, and how many numbers it was for
        self.roots: list[Node] = []
        self.effects: list[Effect] = []

    def trace(self, leaves: list[Any], structure: Hashable, names: Names) -> Trace:
        """The trace of a call with these arguments, whose variables `names` have no value; JitError where a replay
        could not repeat it."""
        before = list(run.live)
        realize_all(before)
        arguments = unique_tensors(leaves)
        had = {id(t): t.grad is not None for t in before}
        with _stand_ins(before, arguments, names) as held:
            numbers = {id(t): k for k, t in enumerate(arguments)}
            given = [held[numbers[id(x)]].tensor if isinstance(x, Core) else _unbound(x, names) for x in leaves]
            outputs, shape = flatten(self._call(*unflatten(structure, given)))
            places = {id(h.tensor): h.place for h in held}
            result = [self._leaf(x, places) if isinstance(x, Core) else x for x in outputs]
            for k in range(len(held)):  # so that no name but these lists holds one, where there is one
                self._note(held[k])
            owners = _owners(held)
        known = {id(t) for t in before} | {id(x) for x in outputs}
        del held, given
        _check_escapes(known)
        device = next((n.device for n in self.roots if n.device is not None), None)
        replay = _replay(self.roots, device or (arguments[0].device if arguments else default_device()))
        sources = self._sources(replay, owners)
        kept = replay.replaces.items()  # data made while tracing is needed again by every replay
        replay.replaces = {k: i for k, i in kept if sources[i].constant is None}
        draws = [count for _, count in self.draws]
        changed = [e.place.find(arguments) for e in self.effects if e.gradient]
        gradients = [(weakref.ref(t), had[id(t)]) for t in changed if t is not None]
        return Trace(replay, sources, self.effects, shape, result, gradients, draws, *_uses(sources, self.effects))

    def _call(self, args: Any, kwargs: Any) -> Any:
        def refuse() -> NoReturn:
            raise JitError(
                "jit: a value is read while the function is traced; return the tensor and read it outside, or leave "
                f"this function without jit ({user_line()})"
            )

        def drawn(n: Node, count: int) -> None:
            self.draws.append((storage_argument(base_buffer(n)), count))

        state = generator.default_generator.state()
        try:
            run.tracing.append(refuse)
            generator.on_draw.append(drawn)
            return self.function(*args, **kwargs)
        finally:
            run.tracing[:] = [x for x in run.tracing if x is not refuse]
            generator.on_draw[:] = [x for x in generator.on_draw if x is not drawn]
            generator.default_generator.set_state(state)

    def _root(self, n: Node) -> int:
        self.roots.append(n)
        return len(self.roots) - 1

    def _leaf(self, t: Core, places: dict[int, Place]) -> Place | Made:
        return places[id(t)] if id(t) in places else Made(self._root(t.node), type(t))

    def _note(self, h: _Held) -> None:
        """What the function did to a tensor."""
        t = h.tensor
        if t.node is not h.node and not is_outdated(t):
            self.effects.append(Effect(h.place, self._root(t.node), False))
            if not t._leaf:
                raise JitError(
                    f"jit: a tensor of shape {list(t.shape)} from outside is changed in place to a value that "
                    "requires a gradient; a replay has no graph to give it: return the value instead"
                )
        if t.grad is not h.grad:
            if h.computed:
                raise JitError(
                    f"jit: a gradient flows into a tensor of shape {list(t.shape)} that was computed outside the "
                    "function; compute it inside, or pass tensor.detach()"
                )
            self.effects.append(Effect(h.place, self._root(t.grad.node) if t.grad is not None else -1, True))

    def _sources(self, replay: Replay, owners: dict[int, Source]) -> list[Source]:
        draws = {id(storage): i for i, (storage, _) in enumerate(self.draws)}
        sources = []
        for n in replay.inputs:
            storage = storage_argument(n)
            if (draw := draws.get(id(storage))) is not None:
                sources.append(Source(draw=draw, constant=storage))
            else:
                sources.append(owners.get(id(storage)) or Source(constant=storage))
        return sources


@contextmanager
def _stand_ins(before: list[Core], arguments: list[Core], names: Names) -> Iterator[list[_Held]]:
    """Every tensor with a placeholder for its value: first a tensor for each argument, then those of `before`
    themselves, which are afterwards as they were."""
    fields = ("node", "grad", "_requires", "_leaf", "_earlier")
    restoring = starmap(setattr, [(t, name, getattr(t, name)) for t in before for name in fields])
    held: list[_Held] = []
    try:
        for number, t in enumerate(arguments):
            own = make(type(t), _placeholder(t, names), t.device, t.requires_grad, True)
            own.grad = t.grad
            held.append(_Held(Place(argument=number), own, own.node, own.grad, not t._leaf))
        for t in before:
            computed = not t._leaf
            t.node, t._leaf, t._earlier = _placeholder(t, {}), True, None
            held.append(_Held(Place(owner=weakref.ref(t)), t, t.node, t.grad, computed))
        yield held
    finally:
        at_once(restoring)


def _placeholder(t: Core, names: Names) -> Node:
    return placeholder(t.node, t.device, renamed_shape(t.shape, names))


def _unbound(x: Any, names: Names) -> Any:
    return x.substitute(names) if isinstance(x, Expr) else x


def _owners(held: list[_Held]) -> dict[int, Source]:
    """The source that each placeholder stands for, by the identity of its storage."""
    owners = {id(storage_argument(base_buffer(h.node))): Source(h.place) for h in held}
    stands_for = {id(h.tensor): h.node for h in held}
    for h in reversed(held):  # arguments last: another call brings other gradients
        if h.grad is not None:
            owners[id(storage_argument(base_buffer(stands_for[id(h.grad)])))] = Source(h.place, gradient=True)
    return owners


def _uses(sources: list[Source], effects: list[Effect]) -> tuple[list[tuple[weakref.ref[Core], bool]], set[int]]:
    changed = {e.place for e in effects}
    places = changed | {s.place for s in sources if s.place is not None}
    outside = [(p.owner, p in changed) for p in places if p.owner is not None]
    return outside, {p.argument for p in changed if p.owner is None}


def _check_escapes(known: set[int]) -> None:
    def strangers() -> list[Core]:
        return [t for t in list(run.live) if id(t) not in known and not _has_value(t)]

    if strangers():
        gc.collect()
    if escaped := strangers():
        t = escaped[0]
        raise JitError(
            f"jit: a tensor of shape {list(t.shape)} made at {t.node.line or 'an unknown line'} is kept outside the "
            "traced function but is not in its result; return it, or assign it to a tensor that exists before the call"
        )


def _has_value(t: Core) -> bool:
    return (n := run.realized(t.node)) is not None and not run.is_overwritten(storage_argument(base_buffer(n)))


def _replay(roots: list[Node], device: str) -> Replay:
    order = topological(roots, stop=lambda n: run.realized_on(n, device) is not None)
    known = {n: base for n in order if (base := run.realized_on(n, device)) is not None}
    over = substitute(roots, known)
    inputs = Replay.over(over)
    if bound := sorted({v.name for n in over for v in n.variables if v.bound is not None}):
        raise JitError(
            f"jit: {', '.join(bound)} has a value inside the traced function, which other calls would not have; bind "
            "variables outside and pass them, or the tensors whose sizes they are, as arguments"
        )
    if any(n.op is Op.COPY for n in topological(over)) or any(n.device != device for n in inputs):
        raise JitError("jit: the function uses more than one device; move tensors to one before the call")
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


def unique_tensors(leaves: list[Any]) -> list[Core]:
    """The tensors among the arguments, each once."""
    return list({id(x): x for x in leaves if isinstance(x, Core)}.values())


def is_realized(n: Node) -> bool:
    """Whether the value of `n` is stored."""
    return run.realized(n) is not None


def realize_all(tensors: list[Core]) -> None:
    """Compute what is not computed yet, in one schedule for each device."""
    by_device: dict[str, list[Core]] = {}
    for t in tensors:
        if run.realized_on(t.node, t.device) is None:
            by_device.setdefault(t.device, []).append(t)
    for device, group in by_device.items():
        run.realize([t.node for t in group], device)
        for t in group:
            t._keep_value_only()  # type: ignore[attr-defined]
