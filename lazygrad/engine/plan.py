"""A plan: everything that has to be launched to compute some graph, with nothing left to decide.

A plan names memory by slots, so that it can run again with other buffers: inputs (given), outputs (fresh storage, or
an input's own where the value replaces it in place) and temporaries (offsets in an arena).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lazygrad.engine.compile import Aliases, Compiled, can_overwrite, compile_batch, stable
from lazygrad.engine.report import print_stages
from lazygrad.engine.slots import Input, Output, Part, Slot, Temporary, Workspace
from lazygrad.engine.verify import verify_memory
from lazygrad.index.expr import Dim, as_dim, dim_product
from lazygrad.index.variable import bounds
from lazygrad.ir.node import Node, is_empty, topological
from lazygrad.ir.op import Op
from lazygrad.ir.repeat import body_of, step_of
from lazygrad.ir.variables import Sizes
from lazygrad.runtime.base import DeviceInfo
from lazygrad.schedule.batch import Batch, batches
from lazygrad.schedule.kernel import Kernel, Schedule, base, schedule
from lazygrad.schedule.memory import plan as plan_memory
from lazygrad.schedule.order import ordered
from lazygrad.schedule.recompute import recomputed
from lazygrad.schedule.stored import nbytes
from lazygrad.schedule.verify import verify
from lazygrad.settings import settings


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One launch."""

    kernel: Compiled
    memories: tuple[Slot, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The launches of a graph, and where its roots end up: root k at `results[k]`, None when it is empty.

    `outputs` are the sizes in bytes of the outputs, `arena` and `workspace` those of the memory for temporaries (for
    the largest values of variables) and for scratch, which starts as zero.
    """

    steps: tuple[Step, ...]
    outputs: tuple[Dim, ...]
    arena: int
    workspace: int
    results: tuple[Slot | None, ...]

    def output_sizes(self, values: Sizes) -> list[int]:
        """The outputs' sizes in bytes, given the values of the variables."""
        return [size if isinstance(size, int) else int(size.evaluate(values)) for size in self.outputs]


def make_plan(roots: Sequence[Node], inputs: Sequence[Node], replaces: Mapping[int, int], info: DeviceInfo) -> Plan:
    """The plan for `roots`, whose buffers are `inputs`. Root k may be written over input `replaces[k]`, which nobody
    needs afterwards; it is where that is possible."""
    planned = schedule(roots)
    kernels, aliases = _in_place(planned, inputs, replaces)
    fresh = [
        n for n in dict.fromkeys(planned.results) if n.op is not Op.BUFFER and n not in aliases and not is_empty(n)
    ]
    slots: dict[Node, Slot] = {n: Input(i) for i, n in enumerate(inputs)}
    slots |= {n: slots[source] for n, source in aliases.items()}
    slots |= {n: Output(i) for i, n in enumerate(fresh)}
    kernels = recomputed(kernels, set(slots), aliases)
    launches = batches(kernels, aliases, set(slots))
    arena = plan_memory(launches, set(slots), info.alignment)
    slots |= {n: Temporary(offset, nbytes(n)) for n, offset in arena.offsets.items()}
    if settings.verify:
        verify([k for batch in launches for k in batch], planned.results)
        verify_memory(launches, slots, aliases, planned.results)
    steps: list[Step] = []
    size = -(-arena.size // info.alignment) * info.alignment
    repeated = size
    for batch in launches:
        n = batch[0].outputs[0]
        if n.op is Op.REPEAT:
            once = make_plan(*step_of(n), {}, info)
            steps += _turns(n, once, slots, size)
            repeated = max(repeated, size + once.arena)
        else:
            steps.append(_step(batch, aliases, slots, info))
    scratch, workspace = _workspaces([s.kernel for s in steps], info.alignment)
    steps = [replace(s, memories=(*s.memories, *own)) for s, own in zip(steps, scratch)]
    results = tuple(None if is_empty(n) else slots[n] for n in planned.results)
    outputs = tuple(as_dim(dim_product(n.shape) * n.dtype.itemsize) for n in fresh)
    return Plan(tuple(steps), outputs, repeated, workspace, results)


def _step(batch: Batch, aliases: Aliases, slots: Mapping[Node, Slot], info: DeviceInfo) -> Step:
    """The launch of `batch`, but for its scratch memory."""
    memories: list[Slot] = []
    for k in batch:
        memories += [slots[n] for n in (*k.inputs, *(n for n in k.outputs if n not in aliases))]
    stages = compile_batch(batch, aliases, info)
    if settings.debug >= 2:
        print_stages(stages)
    return Step(stages.compiled, tuple(memories))


def _turns(n: Node, once: Plan, slots: Mapping[Node, Slot], start: int) -> list[Step]:
    """The launches of REPEAT `n`, of which those of one step are `once`; their temporaries are from `start` on."""
    body, itemsize = body_of(n), n.dtype.itemsize
    sources = [slots[base(s)] for s in n.src]
    steps = []
    for t, reads in body.turns():
        inputs = [
            _part(sources[k] if k >= 0 else slots[n], at * p.dtype.itemsize, count * p.dtype.itemsize)
            for p, (k, at, count) in zip(body.inputs, reads)
        ]
        outputs: dict[Slot | None, Slot] = {
            slot: _part(slots[n], at * itemsize, nbytes(root))
            for slot, at, root in zip(once.results, body.places(t), body.roots)
        }
        for step in once.steps:
            memories: list[Slot] = []
            for m in step.memories:
                if isinstance(m, Input):
                    memories.append(inputs[m.number])
                elif isinstance(m, Temporary):
                    memories.append(Temporary(start + m.offset, m.nbytes))
                elif not isinstance(m, Workspace):
                    memories.append(outputs[m])
            steps.append(Step(step.kernel, tuple(memories)))
    return steps


def _part(slot: Slot, offset: int, size: int) -> Slot:
    """Bytes of what is at `slot`."""
    if isinstance(slot, Temporary):
        return Temporary(slot.offset + offset, size)
    assert isinstance(slot, (Input, Output))
    return Part(slot, offset, size)


def _workspaces(kernels: Sequence[Compiled], alignment: int) -> tuple[list[list[Workspace]], int]:
    """Scratch memory for every kernel, and how large all of it is. They share it, as one runs after the other; tickets,
    which each of them leaves as zeros, lie before what is left as it comes.
    """
    found = []
    total = first = max((sum(_aligned(n, alignment) for n, kept in k.workspace if kept) for k in kernels), default=0)
    for kernel in kernels:
        ends, own = {True: 0, False: first}, []
        for size, is_tickets in kernel.workspace:
            own.append(Workspace(ends[is_tickets], size))
            ends[is_tickets] += _aligned(size, alignment)
        found.append(own)
        total = max(total, ends[False])
    return found, total


def _aligned(nbytes: int, alignment: int) -> int:
    return -(-nbytes // alignment) * alignment


def _in_place(
    planned: Schedule, inputs: Sequence[Node], replaces: Mapping[int, int]
) -> tuple[Sequence[Kernel], dict[Node, Node]]:
    """Which results are written over which inputs, and an order of the kernels in which that harms no other reader."""
    kernels: Sequence[Kernel] = planned.kernels
    readers: dict[Node, list[int]] = {}
    for i, k in enumerate(kernels):
        for n in k.inputs:
            readers.setdefault(n, []).append(i)
    producer = {n: i for i, k in enumerate(kernels) for n in k.outputs}
    wanted: dict[Node, Node] = {}
    for k_root, number in replaces.items():
        n, source = planned.results[k_root], inputs[number]
        free = n not in wanted and source not in wanted.values() and source not in planned.results
        if n not in producer or not free:
            continue
        kernel = kernels[producer[n]]
        if source not in kernel.inputs or can_overwrite(kernel, n, source):
            wanted[n] = source
    edges = [(i, producer[n]) for n, source in wanted.items() for i in readers.get(source, ())]
    order = ordered(kernels, set(planned.results), edges)
    if len(order) == len(kernels):
        return order, _with_source_read(wanted, kernels, producer)
    return kernels, {}


def _with_source_read(
    wanted: dict[Node, Node], kernels: Sequence[Kernel], producer: Mapping[Node, int]
) -> dict[Node, Node]:
    """Only outputs whose kernel has the input among its parameters are written through that parameter."""
    return {n: s for n, s in wanted.items() if s in kernels[producer[n]].inputs}


def structure(roots: Iterable[Node]) -> tuple[object, ...]:
    """What decides a plan: the graph with its buffers numbered, and without identities. Its text decides it as well."""
    roots = list(roots)
    number: dict[Node, int] = {}
    rows: list[tuple[object, ...]] = []
    for n in topological(roots):
        number[n] = len(number)
        rows.append((n.op, n.dtype, n.shape, tuple([number[s] for s in n.src]), stable(n.arg)))
    return tuple(rows), tuple(number[r] for r in roots), bounds(frozenset().union(*(r.variables for r in roots)))
