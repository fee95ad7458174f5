"""A traced graph that runs again and again with other buffers: what `jit` keeps of a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lazygrad.engine.checks import Checks, pass_on
from lazygrad.engine.launch import launch, memory_of
from lazygrad.engine.run import evaluated
from lazygrad.engine.whole import to_the_end
from lazygrad.index.expr import Var, dim_max, dim_product
from lazygrad.ir.call import substitute
from lazygrad.ir.node import Node, buffer, is_empty, node, store, topological, with_sources
from lazygrad.ir.op import BufferArg, Op, StorageLike, StoreArg
from lazygrad.ir.signature import Shape
from lazygrad.ir.variables import Sizes, Unbound, unbind
from lazygrad.runtime.base import Storage
from lazygrad.runtime.registry import open_device


def base_buffer(n: Node) -> Node:
    """The BUFFER of a realized node that is a BUFFER or a RESHAPE of one."""
    return n.src[0] if n.op is Op.RESHAPE else n


@dataclass
class Replay:
    """`roots` over BUFFER nodes `inputs`, whose storages only stand for those of a run.

    `replaces`: root k may take the memory of input `replaces[k]`.
    """

    device: str
    inputs: list[Node]
    roots: list[Node]
    replaces: dict[int, int]
    runners: dict[frozenset[Var], tuple[Any, Unbound]] = field(default_factory=dict)  # by which variables are 0
    checks: Checks = field(init=False)

    def __post_init__(self) -> None:
        self.checks = Checks.of(self.roots, topological(self.roots))

    @staticmethod
    def of(roots: Sequence[Node], known: Mapping[Node, Node], device: str) -> tuple[Replay, list[Storage]]:
        """The graph of `roots`, in which every node in `known` is what it is there, and the storages that it reads.

        What is kept holds none of them: whoever else holds one decides how long it lives.
        """
        detached = _Detached()
        bases = substitute([*known.values()], {}, detached.over)
        new = substitute(roots, dict(zip(known, bases)), detached.over)
        inputs = [n for n in topological(new) if n.op is Op.BUFFER and not is_empty(n)]
        return Replay(device, inputs, new, {}), [detached.originals[id(storage_argument(n))] for n in inputs]

    def run(self, storages: Sequence[Storage], values: Sizes, keep: Callable[[Sequence[Storage]], None]) -> None:
        """Compute the roots, given the inputs' storages, and `keep` theirs; each is fresh, or an input that nothing
        wrote. Whatever interrupts, both is done or nothing; so `keep` may be called again from its start.

        `values` are those of the variables in the graph.

        An input that a root replaced gives its memory to the root's storage and has none any more.
        """

        def end(results: Sequence[Storage]) -> None:
            self.checks.expect(results, results[len(self.roots) :], values)
            pass_on(self.inputs, storages, self.roots, results)
            keep(results[: len(self.roots)])

        if self.device.startswith("NUMPY"):
            made = self._evaluate(storages, values)
            to_the_end(lambda begun: begun.append(True), lambda: end(made))
            return
        runner, graph = self._runner(values)
        launch(runner, storages, self.replaces, graph.values(values), end)

    def _runner(self, values: Sizes) -> tuple[Any, Unbound]:
        """What runs the graph for such values of its variables, and the graph that it runs."""
        empty = frozenset(v for v, value in values.items() if not value)
        if empty not in self.runners:
            from lazygrad.engine.execute import Runner  # the compiler is imported when something is compiled

            graph = unbind([*self.roots, *self.checks.flags], values)
            inputs = [graph.new.get(n, n) for n in self.inputs]
            runner = Runner.over(graph.roots, inputs, self.replaces, open_device(self.device))
            self.runners[empty] = runner, graph
        return self.runners[empty]

    def _evaluate(self, storages: Sequence[Storage], values: Sizes) -> list[Storage]:
        runtime = open_device(self.device)
        given = dict(zip(self.inputs, storages))

        def read(n: Node) -> np.ndarray[Any, Any]:
            if n not in given:  # it is empty
                return np.zeros(0, n.dtype.storage)
            return runtime.read(memory_of(given[n]), given[n].nbytes).view(n.dtype.storage)

        return evaluated([*self.roots, *self.checks.flags], self.device, read, values)


class _Detached:
    """Nodes with a storage of their own in the place of each that they name."""

    def __init__(self) -> None:
        self.stand_ins: dict[int, Storage] = {}
        self.originals: dict[int, Storage] = {}  # by the identity of what stands in

    def over(self, n: Node, src: tuple[Node, ...]) -> Node:
        """`n` over these sources."""
        if n.op is Op.BUFFER:
            arg = n.argument(BufferArg)
            return node(n.op, (), BufferArg(self._of(arg.storage), arg.count), n.dtype, n.shape)
        if n.op is Op.STORE:
            return store(src[0], self._of(n.argument(StoreArg).storage))
        return with_sources(n, src)

    def _of(self, storage: StorageLike) -> Storage:
        assert isinstance(storage, Storage)
        if id(storage) not in self.stand_ins:
            new = self.stand_ins[id(storage)] = Storage(storage.device, storage.nbytes)
            self.originals[id(new)] = storage
        return self.stand_ins[id(storage)]


def placeholder(n: Node, device: str, shape: Shape) -> Node:
    """A BUFFER of `shape` that stands for the value of `n` in a trace."""
    return buffer(Storage(device, dim_max(dim_product(shape)) * n.dtype.itemsize), n.dtype, shape)


def storage_argument(n: Node) -> Storage:
    storage = n.argument(BufferArg).storage
    assert isinstance(storage, Storage)
    return storage
