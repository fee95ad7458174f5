"""Runs plans on a device: builds their kernels, sets arguments once, and afterwards only rebinds what changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import numpy as np

from lazygrad import forks
from lazygrad.engine import plan_store
from lazygrad.engine.counters import counters
from lazygrad.engine.plan import Plan, make_plan, structure
from lazygrad.engine.report import print_kernel
from lazygrad.engine.slots import Input, Output, Part, Slot, Temporary, Workspace
from lazygrad.engine.whole import to_the_end
from lazygrad.ir.node import Node
from lazygrad.ir.variables import Sizes
from lazygrad.runtime.base import Launch, Memory, Prepared, Runtime
from lazygrad.settings import settings

NONE: Sizes = MappingProxyType({})
_NOTHING = object()  # bound where it is not known what is


@dataclass
class Runner:
    """A plan on a runtime, ready to be run many times."""

    plan: Plan
    runtime: Runtime
    prepared: Prepared | None = None
    slots: list[Slot] = field(default_factory=list)  # inputs, outputs, then those of the plan's own memory
    parts: list[Part] = field(default_factory=list)
    uses: list[list[tuple[int, int]]] = field(default_factory=list)  # of each of them: launches and their arguments
    bound: list[object] = field(default_factory=list)  # handles only: a Memory here would keep its block in use
    own: list[Memory] = field(default_factory=list)  # of the last slots, while there are temporaries
    arena: Memory | None = None
    values: Sizes = field(default_factory=dict)  # of the last run
    scratch: dict[Workspace, Memory] = field(default_factory=dict)
    traffic: int = 0  # bytes that a run reads and writes
    lock: threading.Lock = field(default_factory=forks.lock)  # binding and enqueueing are one step for threads

    @staticmethod
    def over(roots: Sequence[Node], inputs: Sequence[Node], replaces: Mapping[int, int], runtime: Runtime) -> Runner:
        """The plan for `roots` (see `make_plan`), from the disk where a process has made it before.

        With LAZYGRAD_VERIFY it is made anyway, since only what is made is checked, and must be the stored one.
        """
        start = time.perf_counter()
        key = plan_store.key(structure(roots), replaces, runtime)
        stored = plan_store.load(key, runtime) if settings.debug < 2 else None  # a stored plan has nothing to show
        plan = stored
        if plan is None or settings.verify:
            plan = make_plan(roots, inputs, replaces, runtime.info)
        if stored is None:
            plan_store.save(key, plan, runtime)
        else:
            plan_store.verify_same(stored, plan)
            counters.stored_plans += 1
        counters.schedule_seconds += time.perf_counter() - start
        return Runner(plan, runtime)

    def run(
        self,
        inputs: Sequence[Memory],
        outputs: Sequence[Memory],
        values: Sizes = NONE,
        end: Callable[[], None] = lambda: None,
    ) -> None:
        """Enqueue every launch with these buffers and these values of the plan's variables, and call `end`.

        Whatever interrupts, both are done or neither; `end` may be called again from its start.
        """
        if not self.plan.steps:
            to_the_end(lambda begun: begun.append(True), end)
            return
        with self.lock:
            self._bind(self._memories(inputs, outputs), values)
            assert self.prepared is not None
            self._count(to_the_end(partial(self.prepared.run, settings.debug >= 1), end))

    def _bind(self, memories: list[Memory], values: Sizes) -> None:
        """Have the launches use these memories. Interrupted halfway, nothing counts as bound."""
        if self.prepared is None:
            self._prepare(memories, values)
        else:
            bound, self.bound = self.bound, [_NOTHING] * len(memories)
            if values != self.values:
                self._resize(values)
            for k, memory in enumerate(memories):
                if bound[k] is not memory.handle:
                    for launch, argument in self.uses[k]:
                        self.prepared.rebind(launch, argument, memory)
        self.bound = [memory.handle for memory in memories]

    def _count(self, seconds: list[float] | None) -> None:
        counters.kernels += len(self.plan.steps)
        counters.bytes += self.traffic
        if seconds is not None:
            for step, each in zip(self.plan.steps, seconds):
                print_kernel(step.kernel, each)

    def release(self) -> None:
        """Give the temporaries' memory back to the pool; the next run takes some again."""
        self.arena = None
        self.own.clear()

    def _memories(self, inputs: Sequence[Memory], outputs: Sequence[Memory]) -> list[Memory]:
        """The memory of every slot."""
        if not self.slots:
            own = dict.fromkeys(slot for step in self.plan.steps for slot in step.memories)
            given: list[Slot] = [*map(Input, range(len(inputs))), *map(Output, range(len(outputs)))]
            self.parts = [slot for slot in own if isinstance(slot, Part)]
            self.slots = [*given, *self.parts, *(s for s in own if isinstance(s, (Temporary, Workspace)))]
        if self.plan.arena and self.arena is None:
            self.arena = self.runtime.allocate(self.plan.arena, "temporaries")
        if self.plan.workspace and not self.scratch:
            self._make_workspace()
        if not self.own:
            first = len(inputs) + len(outputs) + len(self.parts)
            self.own = [*map(self._memory, self.slots[first:])]
        return [*inputs, *outputs, *self._parts(inputs, outputs), *self.own]

    def _parts(self, inputs: Sequence[Memory], outputs: Sequence[Memory]) -> list[Memory]:
        """Of the steps of sequences that are given, or results."""
        wholes = ((inputs if isinstance(p.of, Input) else outputs)[p.of.number] for p in self.parts)
        return [self.runtime.sub(whole, p.offset, p.nbytes) for p, whole in zip(self.parts, wholes)]

    def _make_workspace(self) -> None:
        whole = self.runtime.allocate(self.plan.workspace, "workspace")
        self.runtime.write(whole, np.zeros(self.plan.workspace, np.uint8))
        slots = [s for step in self.plan.steps for s in step.memories if isinstance(s, Workspace)]
        self.scratch = {slot: self.runtime.sub(whole, slot.offset, slot.nbytes) for slot in slots}

    def _memory(self, slot: Slot) -> Memory:
        """Of a slot that is the plan's own."""
        if isinstance(slot, Workspace):
            return self.scratch[slot]
        assert isinstance(slot, Temporary) and self.arena is not None
        return self.runtime.sub(self.arena, slot.offset, slot.nbytes)

    def _resize(self, values: Sizes) -> None:
        """Give the launches that depend on variables their new values."""
        assert self.prepared is not None
        before, self.values = self.values, NONE  # interrupted halfway, the next run gives all of them again
        for i, step in enumerate(self.plan.steps):
            kernel = step.kernel
            if any(values[v] != before.get(v) for v in kernel.scalars):
                self.prepared.resize(i, [values[v] for v in kernel.scalars], kernel.global_size(values))
        self.values = values

    def _prepare(self, memories: list[Memory], values: Sizes) -> None:
        start = time.perf_counter()
        built = self.runtime.build([s.kernel.source for s in self.plan.steps])
        counters.compile_seconds += time.perf_counter() - start
        launches = []
        place = {slot: k for k, slot in enumerate(self.slots)}
        self.uses = [[] for _ in self.slots]
        for i, (step, executable) in enumerate(zip(self.plan.steps, built)):
            kernel = step.kernel
            arguments = tuple(memories[place[s]] for s in step.memories)
            scalars = tuple(values[v] for v in kernel.scalars)
            launches.append(Launch(executable, arguments, scalars, kernel.global_size(values), (kernel.group_size,)))
            for j, slot in enumerate(step.memories):
                self.uses[place[slot]].append((i, j))
        self.traffic = sum(step.kernel.bytes for step in self.plan.steps)
        prepared = self.runtime.prepare(launches)
        self.values, self.prepared = values, prepared
