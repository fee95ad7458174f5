"""Launches in order, each prepared once; from the second run on they are one CUDA graph, patched where they change."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from lazygrad.errors import BoundsError

from .base import Launch, Memory, Prepared, RuntimeStats
from .cuda_driver import Context
from .cuda_launch import Call

WORTH_A_GRAPH = 2  # launches


class CudaPrepared(Prepared):
    """Launches on the stream of one context."""

    def __init__(self, context: Context, launches: Sequence[Launch], stats: RuntimeStats) -> None:
        self._context, self._stats = context, stats
        self._calls = [Call(context, launch) for launch in launches]
        self._graph: Graph | None = None
        self._changed: set[int] = set()  # numbers of the launches that differ from the graph's
        self._ran = False

    def run(self, profile: bool = False, begun: list[bool] | None = None) -> list[float] | None:
        """See `Prepared.run`."""
        seconds = self._run(profile)
        if begun is not None:
            begun.append(True)
        return seconds

    def _run(self, profile: bool) -> list[float] | None:
        self._context.enter()
        self._stats.launches += len(self._calls)
        if profile:
            return self._timed()
        if self._ran and len(self._calls) >= WORTH_A_GRAPH:
            self._replay()
        else:
            for call in self._calls:
                call.launch()
        self._ran = True
        return None

    def rebind(self, launch: int, argument: int, memory: Memory) -> None:
        """See `Prepared.rebind`."""
        call = self._calls[launch]
        if not 0 <= argument < call.memories:
            raise BoundsError(f"launch {launch} has {call.memories} memories; there is no {argument}")
        if call.bind(argument, memory):
            self._changed.add(launch)

    def resize(self, launch: int, scalars: Sequence[int], global_size: tuple[int, ...]) -> None:
        """See `Prepared.resize`."""
        self._calls[launch].resize(scalars, global_size)
        self._changed.add(launch)

    def _replay(self) -> None:
        # A node's cluster may be lost where its arguments are set again, so such kernels are put into a graph anew.
        if self._graph is None or any(self._calls[number].attributes.cluster > 1 for number in self._changed):
            self._graph = Graph(self._context, self._calls)
        else:
            for number in sorted(self._changed):
                self._graph.update(number, self._calls[number])
        self._changed.clear()
        self._graph.launch()

    def _timed(self) -> list[float]:
        """Run one by one between events; the seconds of each."""
        context = self._context
        events = [context.event(timed=True) for _ in range(len(self._calls) + 1)]
        for call, event in zip(self._calls, events):
            context("cuEventRecord", event, context.stream)
            call.launch()
        context("cuEventRecord", events[-1], context.stream)
        context("cuEventSynchronize", events[-1])
        seconds = [float(context("cuEventElapsedTime", a, b)) * 1e-3 for a, b in itertools.pairwise(events)]
        for event in events:
            context("cuEventDestroy", event)
        return seconds


class Graph:
    """A CUDA graph of kernels, each after the one before it."""

    def __init__(self, context: Context, calls: Sequence[Call]) -> None:
        self._context = context
        self._executable: Any = None
        self._graph = context("cuGraphCreate", 0)
        self._nodes: list[Any] = []
        self._enabled = [True] * len(calls)
        for call in calls:
            self._add(call)
        self._executable = context("cuGraphInstantiate", self._graph, 0)
        for number, call in enumerate(calls):
            self._enable(number, 0 not in call.grid)

    def _add(self, call: Call) -> None:
        context, api, before = self._context, self._context.driver.api, self._nodes[-1:]
        early = call.attributes.programmatic and bool(before)
        after = [] if early else before
        node = context("cuGraphAddKernelNode", self._graph, after, len(after), call.node_parameters())
        for kind, value in call.node_attributes(api.CUkernelNodeAttrID, api.CUkernelNodeAttrValue):
            context("cuGraphKernelNodeSetAttribute", node, kind, value)
        if early:
            edge = api.CUgraphEdgeData()
            edge.from_port = 1  # CU_GRAPH_KERNEL_NODE_PORT_PROGRAMMATIC: when its groups let the next one start
            edge.type = int(api.CUgraphDependencyType.CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC)
            has_edges = hasattr(api, "cuGraphAddDependencies_v2")  # CUDA 13 has them under the plain name
            name = "cuGraphAddDependencies_v2" if has_edges else "cuGraphAddDependencies"
            context(name, self._graph, before, [node], [edge], 1)
        self._nodes.append(node)

    def update(self, number: int, call: Call) -> None:
        """Give a kernel other arguments and another size, for launches from now on."""
        if 0 not in call.grid:
            node, parameters = self._nodes[number], call.node_parameters()
            self._context("cuGraphExecKernelNodeSetParams", self._executable, node, parameters)
        self._enable(number, 0 not in call.grid)

    def _enable(self, number: int, wanted: bool) -> None:
        if self._enabled[number] != wanted:
            self._context("cuGraphNodeSetEnabled", self._executable, self._nodes[number], int(wanted))
            self._enabled[number] = wanted

    def launch(self) -> None:
        """Enqueue all of it."""
        self._context("cuGraphLaunch", self._executable, self._context.stream)

    def __del__(self) -> None:
        if self._executable is not None:
            self._context.give_back(("cuGraphExecDestroy", self._executable))
        self._context.give_back(("cuGraphDestroy", self._graph))
