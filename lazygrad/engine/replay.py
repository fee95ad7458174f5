"""A traced graph that runs again and again with other buffers: what `jit` keeps of a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lazygrad.engine.checks import Checks, pass_on
from lazygrad.engine.launch import launch, memory_of
from lazygrad.engine.run import evaluated
from lazygrad.engine.whole import to_the_end
from lazygrad.index.expr import Var, dim_max, dim_product
from lazygrad.ir.node import Node, buffer, is_empty, topological
from lazygrad.ir.op import BufferArg, Op
from lazygrad.ir.signature import Shape
from lazygrad.ir.variables import Sizes, Unbound, unbind
from lazygrad.runtime.base import Storage
from lazygrad.runtime.registry import open_device


def base_buffer(n: Node) -> Node:
    """The BUFFER of a realized node that is a BUFFER or a RESHAPE of one."""
    return n.src[0] if n.op is Op.RESHAPE else n


@dataclass
class Replay:
    """`roots` over BUFFER nodes `inputs`. `replaces`: root k may take the memory of input `replaces[k]`."""

    device: str
    inputs: list[Node]
    roots: list[Node]
    replaces: dict[int, int]
    runners: dict[frozenset[Var], tuple[Any, Unbound]] = field(default_factory=dict)  # by which variables are 0
    checks: Checks = field(init=False)

    def __post_init__(self) -> None:
        self.checks = Checks.of(self.roots, topological(self.roots))

    @staticmethod
    def over(roots: Sequence[Node]) -> list[Node]:
        """The buffers that `roots` read, in a fixed order."""
        return [n for n in topological(roots) if n.op is Op.BUFFER and not is_empty(n)]

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


def placeholder(n: Node, device: str, shape: Shape) -> Node:
    """A BUFFER of `shape` that stands for the value of `n` in a trace."""
    return buffer(Storage(device, dim_max(dim_product(shape)) * n.dtype.itemsize), n.dtype, shape)


def storage_argument(n: Node) -> Storage:
    storage = n.argument(BufferArg).storage
    assert isinstance(storage, Storage)
    return storage
