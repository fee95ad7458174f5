"""A replay: a trace's graph run over the tensors of this call, which are changed and returned as the call would."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from lazygrad.engine import run
from lazygrad.engine.launch import memory_of
from lazygrad.engine.whole import set_all
from lazygrad.errors import JitError, ShapeError, user_line
from lazygrad.ir.node import Node, buffer, reshape
from lazygrad.ir.op import Op
from lazygrad.ir.variables import Names, Renamed, Sizes, renamed_shape
from lazygrad.ops.aliases import reach
from lazygrad.ops.core import Core, make
from lazygrad.ops.jit_places import Draw, Known, Made, Trace, is_realized, realize_all
from lazygrad.ops.jit_result import Size, containers_in, unpack
from lazygrad.ops.jit_views import relate
from lazygrad.ops.passing_on import give, holder
from lazygrad.runtime.base import Storage


class UnfitError(Exception):
    """The trace is of no use for a call: tensors that shared a buffer do not any more, say."""


class Call:
    """One call: its tensors, and what a replay makes of them."""

    def __init__(self, trace: Trace, arguments: list[Core], names: Renamed) -> None:
        self.trace, self.names = trace, names
        self.found = [place.find(arguments) for place in trace.places]
        self.back: Names = {new: v for v, new in names.items()}
        self.nodes: list[Node] = []
        self.made: dict[int, Core] = {}

    def replay(self, args: Any, kwargs: Any) -> Any:
        """Do what the function would. UnfitError, before anything is done, where this trace cannot."""
        trace, names = self.trace, self.names
        sizes: Sizes = {new: int(v) for v, new in names.items()}
        self._check(sizes)
        inputs = self._inputs()
        read = set(map(id, inputs))
        storages = self._storages(inputs)
        del inputs
        for k in range(len(trace.places)):
            if k not in trace.kept:
                self.found[k] = None  # gradients that the run replaces may lend it their memory
        kept: list[bool] = []

        def keep(values: Sequence[Storage]) -> None:
            kept.append(True)
            roots = trace.replay.roots
            self.nodes = [buffer(s, n.dtype, renamed_shape(n.shape, self.back)) for s, n in zip(values, roots)]
            self._change()

        owners = [t for place, _ in trace.gradients if (t := self.found[place]) is not None]
        gradients = [(t, "_grad", t.grad) for t in owners if id(t.grad) in read]
        try:
            set_all((t, "_grad", None) for t in owners)  # new ones may take the memory of those not read
            trace.replay.run(storages, sizes, keep)
        except BaseException:
            if not kept:
                set_all(gradients)
            raise
        given = list(containers_in((args, kwargs))) if trace.uses_given else []
        result = unpack(trace.result, given, self._part)
        for relation in trace.relations:
            relate(relation, self.found[relation.base] if relation.base >= 0 else None, self.made)
        return result

    def _check(self, sizes: Sizes) -> None:
        """ShapeError for sizes of 0 that the function has no value for, UnfitError for tensors that share elements."""
        for size, message in self.trace.needed:
            if not size.evaluate(sizes):
                raise ShapeError(message)
        for place, _ in self.trace.values:
            if (t := self.found[place]) is not None:
                others = [*(reached := reach(t)).alike, *reached.outdated]
                if others and place in self.trace.rebound:
                    raise UnfitError  # what the function wrote to these before it let go of them is not known
                if any(other is used for used in self.found for other in others):
                    raise UnfitError  # the function may read it before the write, or after it

    def _inputs(self) -> list[Core | None]:
        """The tensor behind each source; None for data and random numbers."""
        found = self.found
        inputs: list[Core | None] = []
        for source, n in zip(self.trace.sources, self.trace.replay.inputs):
            if not source.places:
                inputs.append(None)
                continue
            t = found[source.places[0]]
            if t is None or t.device != self.trace.replay.device or t.dtype is not n.dtype:
                raise UnfitError
            if self.trace.places[source.places[0]].gradient and renamed_shape(t.shape, self.names) != n.shape:
                raise UnfitError
            inputs.append(t)
        waiting = [t for t in inputs if t is not None and run.realized_on(t.node, t.device) is None]
        if waiting:
            realize_all(waiting)
        for source, t in zip(self.trace.sources, inputs):
            if len(source.places) > 1 and t is not None:
                self._check_together([found[k] for k in source.places])
        return inputs

    def _check_together(self, tensors: Sequence[Core | None]) -> None:
        """UnfitError where tensors that had one buffer while the function was traced have several now."""
        here = [t for t in tensors if t is not None]
        realize_all([t for t in here if not is_realized(t.node)])
        if len(here) < len(tensors) or len({id(run.storage_of(t.node)) for t in here}) > 1:
            raise UnfitError

    def _storages(self, inputs: list[Core | None]) -> list[Storage]:
        trace = self.trace
        words = _draw(trace.draws)
        replaced = set(trace.replay.replaces.values())
        storages: list[Storage] = []
        for i, (source, t, n) in enumerate(zip(trace.sources, inputs, trace.replay.inputs)):
            if t is not None:
                storages.append(overwritten(t) if i in replaced else run.storage_of(t.node))
            elif source.draw >= 0:
                storages.append(run.storage_of(run.upload(words[source.draw], n.dtype, trace.replay.device)))
            else:
                assert source.constant is not None
                storages.append(source.constant)
        return storages

    def _change(self) -> None:
        """Give every tensor that the function changes its new value."""
        for place, root in self.trace.values:
            if (t := self.found[place]) is not None:
                if place in self.trace.rebound:
                    t._alias = None
                reached = reach(t)
                reached.forget_values()
                together: list[Any] = [t, *reached.alike]
                first = holder(together)
                give(together, first, reshape(self.nodes[root], first.shape))
        for place, new in self.trace.gradients:
            if (t := self.found[place]) is not None:
                t.grad = None if new is None else self._part(new)

    def _part(self, x: Any) -> Any:
        """The tensor or size that something in a packed result stands for."""
        if isinstance(x, Size):
            return x.value.substitute(self.back)
        if isinstance(x, Known):
            if (t := self.found[x.place]) is None:
                raise JitError(f"jit: a tensor that the traced function returns is gone ({user_line()})")
            return t
        assert isinstance(x, Made)
        if x.number not in self.made:
            node = self.nodes[x.root]
            node = run.own(node) if x.requires_grad else node
            t = self.made[x.number] = make(x.kind, node, self.trace.replay.device, x.requires_grad, True)
            t.grad = None if x.gradient is None else self._part(x.gradient)
        return self.made[x.number]


def _draw(draws: Sequence[Draw]) -> list[Any]:
    """The words of each draw, made in the function's order."""
    words: list[Any] = []
    for draw in draws:
        if draw.state is not None and draw.state[1] == 0:
            draw.generator.reseed(draw.state[0])
        elif draw.state is not None:
            draw.generator.set_state(draw.state)
        words.append(draw.generator.draw(draw.count) if draw.state is None else None)
    return words


# ---- whose buffer it is ----------------------------------------------------------------------------


def overwritten(t: Core) -> Storage:
    """The storage of `t`, which the run may write over; of a private copy when others hold it."""
    copied = _is_shared(t)  # it counts references: before there is one here
    storage = run.storage_of(t.node)
    if copied or memory_of(storage).readonly:
        return run.storage_of(run.upload(run.elements(t.node), t.dtype, t.device))
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
