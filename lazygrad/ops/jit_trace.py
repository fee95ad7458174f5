"""Tracing: running a function once, in this thread's eyes only, to see its graph.

Arguments are replaced by tensors of their own over placeholders, since the next call comes with others. Tensors from
outside are used as they are, after they were reduced to their values: their buffers say where the graph reads them.
Afterwards they are put back: the replay that follows changes them.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterator
from itertools import starmap
from typing import Any

from lazygrad.engine import run
from lazygrad.engine.replay import Replay, base_buffer, placeholder, storage_argument
from lazygrad.engine.tracing import tracing, watched
from lazygrad.engine.whole import at_once
from lazygrad.errors import JitError, user_line
from lazygrad.index.expr import Expr
from lazygrad.ir.node import Node, topological
from lazygrad.ir.op import Op
from lazygrad.ir.variables import Names, renamed_shape
from lazygrad.ops.aliases import Alias, is_outdated
from lazygrad.ops.core import Core, make
from lazygrad.ops.jit_guard import Guard
from lazygrad.ops.jit_places import Known, Made, Place, Source, Trace, realize_all, unique_tensors
from lazygrad.ops.jit_record import Reads, Recorder
from lazygrad.ops.jit_result import Container, Given, containers_in, pack
from lazygrad.ops.jit_views import relations_of
from lazygrad.ops.jit_watch import Held, Watching
from lazygrad.ops.mode import in_force, restore_all, states
from lazygrad.ops.tree import flatten, unflatten
from lazygrad.runtime.base import Storage
from lazygrad.runtime.registry import default_device


class IncompleteError(Exception):
    """The call read more than earlier ones did, so what it read was not guarded: `reads`."""

    def __init__(self, reads: Reads) -> None:
        self.reads = reads


class Tracer:
    """Traces `function` once, whose reads `guard` has."""

    def __init__(self, function: Callable[..., Any], guard: Guard) -> None:
        self.function, self.guard = function, guard
        self.roots: list[Node] = []
        self.places: dict[Place, int] = {}
        self.made: dict[int, Made] = {}
        self.aliases: list[Alias | None] = []  # of those, by their numbers
        self.held: dict[int, Held] = {}
        self.holders: dict[int, list[Place]] = {}  # of each storage

    def trace(self, leaves: list[Any], structure: Hashable, names: Names) -> Trace:
        """The trace of a call with these flattened arguments. JitError for what a replay could not repeat.

        The variables of the arguments, `names`, have no value in it. IncompleteError where the guard lacks something.
        """
        outside = [t for ref in self.guard.tensors.values() if (t := ref()) is not None]
        arguments = unique_tensors(leaves)
        gradients = [t.grad for t in (*outside, *arguments) if t.grad is not None]
        realize_all([*outside, *arguments, *gradients])
        self._hold(outside, arguments, names)
        given = unflatten(structure, [self._argument(x, arguments, names) for x in leaves])
        computed = {h.node for h in self.held.values() if not h.leaf}
        watch = Watching(self.held, computed)
        held = list(self.held.values())
        restoring = starmap(setattr, [field for h in held for field in h.fields()])
        del outside, gradients
        try:
            packed = self._call(watch, given)
            effects = (*self._effects(held, watch), relations_of(self.aliases, held, self._place))
        except IncompleteError:  # what it has changed would be changed once more by another call
            at_once(restoring)
            self._refuse_changes()
            raise
        finally:
            at_once(restoring)
        self._refuse_changes()
        self.made.clear()
        return self._trace(arguments, watch, effects, packed)

    # ---- before ----

    def _hold(self, outside: list[Core], arguments: list[Core], names: Names) -> None:
        known = {id(t) for t in outside}
        for t in outside:
            self._add(Place(owner=weakref.ref(t)), t)
        self.own: list[Core] = []
        for number, t in enumerate(arguments):
            if id(t) in known:
                self.own.append(t)
                continue
            node = placeholder(t.node, t.device, renamed_shape(t.shape, names))
            own = make(type(t), node, t.device, t.requires_grad, t._leaf)
            own.grad = t.grad
            self.own.append(own)
            self._add(Place(argument=number), own)
        for h in list(self.held.values()):
            if h.grad is not None:
                self._add(Place(h.place.argument, h.place.owner, True), h.grad)

    def _add(self, place: Place, t: Core) -> None:
        held = self.held.setdefault(id(t), Held.of(place, t))
        if (base := run.realized(held.node)) is not None:
            self.holders.setdefault(id(storage_argument(base_buffer(base))), []).append(place)

    def _argument(self, x: Any, arguments: list[Core], names: Names) -> Any:
        if isinstance(x, Core):
            return self.own[next(k for k, t in enumerate(arguments) if t is x)]
        return x.substitute(names) if isinstance(x, Expr) else x

    # ---- the call ----

    def _call(self, watch: Watching, given: Any) -> Any:
        args, kwargs = given
        leaves, structure = flatten(given)
        containers = list(containers_in(given))
        self.guard.before()
        modes, before, recorder = states(), in_force(), Recorder()
        try:
            tracing.watch = watch
            watched.append(watch)
            output = recorder.run(self._run, (watch, args, kwargs), {})
        finally:
            tracing.watch = None
            watched[:] = [w for w in watched if w is not watch]
        if in_force() != before:
            restore_all(modes)
            what = "the function leaves no_grad or enable_grad on, or another mode"
            raise JitError(f"jit: {what}; leave it inside, or enter it outside")
        reads = recorder.reads
        if reads.impure:
            raise JitError(
                f"jit: {reads.impure[0]} is called inside, whose answer a replay would not ask for again; call it "
                "outside and pass the answer"
            )
        if self.guard.iterators:
            raise JitError(
                f"jit: {self.guard.iterators[0]} is an iterator or a file that was there before the call; a replay "
                "would not advance it: take from it outside"
            )
        if recorder.lost or self.guard.reads.lacks(reads, self.guard.seen.__contains__):
            raise IncompleteError(reads)
        now, after = flatten((args, kwargs))
        if after != structure or len(now) != len(leaves) or any(a is not b for a, b in zip(now, leaves)):
            raise JitError(
                "jit: the function changes a list or a dict among its arguments, which a replay cannot repeat; return "
                f"what changes ({user_line()})"
            )
        return pack(output, containers, self.guard.seen, self._tensor)

    def _refuse_changes(self) -> None:
        if name := self.guard.changed():
            raise JitError(
                f"jit: the function changes {name}, which a replay cannot repeat; return what changes, make it a "
                f"tensor that is changed in place, or change it outside ({user_line()})"
            )

    def _run(self, watch: Watching, args: Any, kwargs: Any) -> Any:
        try:
            return self.function(*args, **kwargs)
        except JitError:
            raise
        except Exception as error:
            if watch.draws or any(h.is_changed() for h in self.held.values()):
                raise JitError(
                    f"jit: the function raised {type(error).__name__} after it had changed tensors or drawn random "
                    "numbers, which a trace takes back; raise before, or leave this function without jit"
                ) from error
            raise

    def _root(self, n: Node) -> int:
        self.roots.append(n)
        return len(self.roots) - 1

    def _place(self, place: Place) -> int:
        return self.places.setdefault(place, len(self.places))

    def _tensor(self, t: Core) -> Made | Known:
        """What stands for a tensor that the function returns, or leaves as a gradient."""
        if id(t) in self.held:
            return Known(self._place(self.held[id(t)].place))
        if id(t) not in self.made:
            gradient = None if t.grad is None else self._tensor(t.grad)
            requires = t._leaf and t._requires
            self.made[id(t)] = Made(len(self.made), self._root(t.node), type(t), requires, gradient)
            self.aliases.append(t._alias)
        return self.made[id(t)]

    def _effects(
        self, held: list[Held], watch: Watching
    ) -> tuple[list[tuple[int, int]], list[tuple[int, Made | Known | None]]]:
        """What the function did to tensors that were there."""
        values: list[tuple[int, int]] = []
        gradients: list[tuple[int, Made | Known | None]] = []
        for h in held:
            t = h.tensor
            if t.node is not h.node and not is_outdated(t):
                values.append((self._place(h.place), self._root(t.node)))
            if t.grad is not h.grad:
                gradients.append((self._place(h.place), None if t.grad is None else self._tensor(t.grad)))
            if not is_outdated(t):
                watch.check(h)
        return values, gradients

    # ---- after ----

    def _replay(self, arguments: list[Core]) -> tuple[Replay, list[Storage]]:
        """The graph, and the storages that it reads."""
        known = {h.node: base for h in self.held.values() if (base := run.realized(h.node)) is not None}
        device = next((n.device for n in self.roots if n.device is not None), None)
        device = device or (arguments[0].device if arguments else default_device())
        replay, storages = Replay.of(self.roots, known, device)
        if bound := sorted({v.name for n in replay.roots for v in n.variables if v.bound is not None}):
            raise JitError(
                f"jit: {', '.join(bound)} has a value inside the traced function, which other calls would not have; "
                "bind variables outside and pass them, or the tensors whose sizes they are, as arguments"
            )
        if any(n.op is Op.COPY for n in topological(replay.roots)) or any(n.device != device for n in replay.inputs):
            raise JitError("jit: the function uses more than one device; move tensors to one before the call")
        return replay, storages

    def _trace(self, arguments: list[Core], watch: Watching, effects: Any, packed: Any) -> Trace:
        replay, storages = self._replay(arguments)
        values, gradients, relations = effects
        sources = [self._source(storage, watch) for storage in storages]
        uses = {s.places[0]: i for i, s in enumerate(sources) if len(s.places) == 1}
        for place, root in values:
            if replay.roots[root].op is Op.STORE and place in uses:
                replay.replaces[root] = uses[place]
        parts = [*_parts(packed), *(x for _, new in gradients for x in _parts(new))]
        kept = {place for place, _ in (*values, *gradients)} | {x.place for x in parts if isinstance(x, Known)}
        kept |= {relation.base for relation in relations}
        uses_given = any(isinstance(x, Given) for x in parts)
        rebound = frozenset(self._place(h.place) for h in self.held.values() if id(h.tensor) in watch.rebound)
        self.held.clear()
        watch.check_escapes()
        places = list(self.places)
        draws, always, needed = watch.draws, frozenset(kept), watch.needed
        return Trace(
            replay, places, sources, values, gradients, draws, packed, uses_given, always, rebound, needed, relations
        )

    def _source(self, storage: Storage, watch: Watching) -> Source:
        number = id(storage)
        if (draw := watch.words.get(number)) is not None:
            return Source(draw=draw)
        if number in watch.uploads:
            return Source(constant=storage)
        if (places := self.holders.get(number)) is None:
            raise JitError(
                "jit: the function uses a tensor that is held where jit does not find it again, as functools.lru_cache "
                "does; hold it in an attribute, a closure or a global"
            )
        return Source(tuple(map(self._place, places)))


def _parts(packed: Any) -> Iterator[Any]:
    """What stands for tensors and containers in a result."""
    if isinstance(packed, Container):
        for x in packed.parts:
            yield from _parts(x)
    else:
        yield packed
        if isinstance(packed, Made):
            yield from _parts(packed.gradient)
