"""Runs plans on a device: builds their kernels, sets arguments once, and afterwards only rebinds what changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from lazygrad.engine import plan_store
from lazygrad.engine.counters import counters
from lazygrad.engine.plan import Plan, make_plan, structure
from lazygrad.engine.report import print_kernel
from lazygrad.engine.slots import Input, Output, Slot, Temporary, Workspace
from lazygrad.ir.node import Node
from lazygrad.ir.variables import Sizes
from lazygrad.runtime.base import Launch, Memory, Prepared, Runtime
from lazygrad.settings import settings

NONE: Sizes = MappingProxyType({})


@dataclass
class Runner:
    """A plan on a runtime, ready to be run many times."""

    plan: Plan
    runtime: Runtime
    prepared: Prepared | None = None
    bound: dict[Slot, object] = field(default_factory=dict)  # handles only: a Memory here would keep its block in use
    temporaries: dict[Slot, Memory] = field(default_factory=dict)
    uses: dict[Slot, list[tuple[int, int]]] = field(default_factory=dict)
    arena: Memory | None = None
    values: Sizes = field(default_factory=dict)  # of the last run
    scratch: dict[Workspace, Memory] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)  # binding and enqueueing are one step for threads

    @staticmethod
    def over(roots: Sequence[Node], inputs: Sequence[Node], replaces: Mapping[int, int], runtime: Runtime) -> Runner:
        """The plan for `roots` (see `make_plan`), from the disk where a process has made it before."""
        start = time.perf_counter()
        key = plan_store.key(structure(roots), replaces, runtime)
        plan = plan_store.load(key, runtime) if settings.debug < 2 else None  # a stored plan has nothing to show
        if plan is None:
            plan = make_plan(roots, inputs, replaces, runtime.info)
            plan_store.save(key, plan, runtime)
        else:
            counters.stored_plans += 1
        counters.schedule_seconds += time.perf_counter() - start
        return Runner(plan, runtime)

    def run(self, inputs: Sequence[Memory], outputs: Sequence[Memory], values: Sizes = NONE) -> None:
        """Enqueue every launch with these buffers and these values of the plan's variables."""
        if self.plan.steps:
            with self.lock:
                self._run(self._memories(inputs, outputs), values)

    def _run(self, memories: dict[Slot, Memory], values: Sizes) -> None:
        if self.prepared is None:
            self._prepare(memories, values)
        else:
            if values != self.values:
                self._resize(values)
            for slot, memory in memories.items():
                if self.bound.get(slot) is not memory.handle:
                    for launch, argument in self.uses.get(slot, ()):
                        self.prepared.rebind(launch, argument, memory)
        self.bound = {slot: memory.handle for slot, memory in memories.items()}
        self.values = values
        assert self.prepared is not None
        profile = settings.debug >= 1
        seconds = self.prepared.run(profile)
        counters.kernels += len(self.plan.steps)
        for i, step in enumerate(self.plan.steps):
            counters.bytes += step.kernel.bytes
            if profile and seconds is not None:
                print_kernel(step.kernel, seconds[i])

    def release(self) -> None:
        """Give the temporaries' memory back to the pool; the next run takes some again."""
        self.arena = None
        self.temporaries.clear()

    def _memories(self, inputs: Sequence[Memory], outputs: Sequence[Memory]) -> dict[Slot, Memory]:
        memories: dict[Slot, Memory] = {Input(i): m for i, m in enumerate(inputs)}
        memories |= {Output(i): m for i, m in enumerate(outputs)}
        if self.plan.arena and self.arena is None:
            self.arena = self.runtime.allocate(self.plan.arena, "temporaries")
        if self.plan.workspace and not self.scratch:
            self._make_workspace()
        for step in self.plan.steps:
            for slot in step.memories:
                if isinstance(slot, Temporary) and slot not in memories:
                    memories[slot] = self._temporary(slot)
                elif isinstance(slot, Workspace):
                    memories[slot] = self.scratch[slot]
        return memories

    def _make_workspace(self) -> None:
        whole = self.runtime.allocate(self.plan.workspace, "workspace")
        self.runtime.write(whole, np.zeros(self.plan.workspace, np.uint8))
        for step in self.plan.steps:
            for slot in step.memories:
                if isinstance(slot, Workspace):
                    self.scratch[slot] = self.runtime.sub(whole, slot.offset, slot.nbytes)

    def _temporary(self, slot: Temporary) -> Memory:
        if slot not in self.temporaries:
            assert self.arena is not None
            self.temporaries[slot] = self.runtime.sub(self.arena, slot.offset, slot.nbytes)
        return self.temporaries[slot]

    def _resize(self, values: Sizes) -> None:
        """Give the launches that depend on variables their new values."""
        assert self.prepared is not None
        for i, step in enumerate(self.plan.steps):
            kernel = step.kernel
            if any(values[v] != self.values[v] for v in kernel.scalars):
                self.prepared.resize(i, [values[v] for v in kernel.scalars], kernel.global_size(values))

    def _prepare(self, memories: dict[Slot, Memory], values: Sizes) -> None:
        start = time.perf_counter()
        built = self.runtime.build([s.kernel.source for s in self.plan.steps])
        counters.compile_seconds += time.perf_counter() - start
        launches = []
        for i, (step, executable) in enumerate(zip(self.plan.steps, built)):
            kernel = step.kernel
            arguments = tuple(memories[s] for s in step.memories)
            scalars = tuple(values[v] for v in kernel.scalars)
            launches.append(Launch(executable, arguments, scalars, kernel.global_size(values), (kernel.group_size,)))
            for j, slot in enumerate(step.memories):
                self.uses.setdefault(slot, []).append((i, j))
        self.prepared = self.runtime.prepare(launches)
