"""From scheduled kernels to source: build, optimize, lower, render; kernels of one structure share one source."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lazygrad.index.expr import Dim, as_dim, dim_max, dim_product, lift
from lazygrad.index.variable import Variable, bounds
from lazygrad.ir.node import Node, topological
from lazygrad.ir.op import Arg, BufferArg, CheckArg, IdArg, Op, RepeatArg, StoreArg
from lazygrad.ir.signature import own_variables
from lazygrad.ir.variables import Sizes
from lazygrad.render.language import render
from lazygrad.runtime.base import DeviceInfo, KernelSource
from lazygrad.schedule.group import GroupKind
from lazygrad.schedule.kernel import Kernel
from lazygrad.settings import settings
from lazygrad.tiling.beside import beside
from lazygrad.tiling.build import build
from lazygrad.tiling.cost import operations, traffic
from lazygrad.tiling.lower import lower
from lazygrad.tiling.optimize import optimize
from lazygrad.tiling.program import Array, Last, Program
from lazygrad.tiling.target import Target
from lazygrad.tiling.values import reads_elsewhere, variables_of
from lazygrad.tiling.verify import verify
from lazygrad.tiling.walk import flattened


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A kernel as text. Its parameters are the kernel's inputs in order, then its outputs that share no input's memory.

    `workspace` are the sizes in bytes of further parameters, scratch memory, and whether they are tickets, which are 0
    before the first launch; `scalars` are the variables whose values follow. `bytes` and `flops` are the least it has
    to move and compute, for the largest values that the variables can have.
    """

    source: KernelSource
    groups: Dim
    group_size: int
    bytes: int
    flops: int
    workspace: tuple[tuple[int, bool], ...] = ()
    scalars: tuple[Variable, ...] = ()

    def global_size(self, values: Sizes) -> tuple[int, ...]:
        """How many work-items to launch."""
        groups = self.groups if isinstance(self.groups, int) else int(self.groups.evaluate(values))
        return (groups * self.group_size,)


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """A kernel and the tile programs on the way to it, before and after optimization."""

    plain: Program
    program: Program
    compiled: Compiled


Aliases = Mapping[Node, Node]
"""Outputs that are written over an input: output -> input."""

_stages: dict[tuple[object, ...], Stages] = {}
_overwrites: dict[tuple[object, ...], bool] = {}  # structures with one alias -> whether it does no harm


def compile_kernel(kernel: Kernel, aliases: Aliases, info: DeviceInfo) -> Stages:
    """The source of `kernel` for a device; from memory if a kernel of the same structure was compiled before."""
    ours = {n: aliases[n] for n in kernel.outputs if n in aliases}
    key = (structure(kernel, ours), info, settings.verify)
    if key not in _stages:
        plain = plain_program(kernel, ours)
        program = replace(optimize(plain, info), name=_name(kernel, key[0]))
        _stages[key] = Stages(plain, program, _rendered(program, info, traffic(plain), operations(plain)))
    return _stages[key]


def compile_batch(batch: Sequence[Kernel], aliases: Aliases, info: DeviceInfo) -> Stages:
    """One source for kernels that are launched together, side by side; its parameters are theirs, in order."""
    parts = [compile_kernel(k, aliases, info) for k in batch]
    if len(parts) == 1:
        return parts[0]
    key = (tuple(p.program.name for p in parts), info, settings.verify)
    if key not in _stages:
        name = f"batch_{len(parts)}_{hashlib.sha256(repr(key[0]).encode()).hexdigest()[:8]}"
        program = beside(name, [p.program for p in parts])
        if settings.verify:
            verify(program)
        nbytes, flops = sum(p.compiled.bytes for p in parts), sum(p.compiled.flops for p in parts)
        _stages[key] = Stages(program, program, _rendered(program, info, nbytes, flops))
    return _stages[key]


def _rendered(program: Program, info: DeviceInfo, nbytes: int, flops: int) -> Compiled:
    sizes = tuple(sorted(variables_of(program.body), key=lambda v: v.name))
    machine = lower(replace(program, bytes=nbytes, flops=flops, scalars=sizes), Target.of(info))
    groups = as_dim(lift(machine.groups).substitute(dict(zip(machine.scalars, sizes))))
    tickets = {s.tickets for s in flattened(program.body) if isinstance(s, Last)}
    scratch = tuple((dim_max(a.size) * a.dtype.itemsize, a in tickets) for a in program.workspace)
    return Compiled(render(machine, info), groups, machine.group_size, nbytes, flops, scratch, sizes)


def plain_program(kernel: Kernel, aliases: Aliases) -> Program:
    """What `kernel` computes, as loops that nothing has optimized yet."""
    arrays: dict[Node, Array] = {}
    written = set(aliases.values())
    for i, n in enumerate(kernel.inputs):
        arrays[n] = Array(f"in{i}", n.dtype, dim_product(n.shape), written=n in written)
    for i, n in enumerate(kernel.outputs):
        own = Array(f"out{i}", n.dtype, dim_product(n.shape), written=True)
        arrays[n] = arrays[aliases[n]] if n in aliases else own
    return build("kernel", kernel.group, arrays, kernel.outputs)


def can_overwrite(kernel: Kernel, output: Node, source: Node) -> bool:
    """Whether `kernel` may write `output` over its input `source`: then it reads there only the element it writes."""
    if source.dtype is not output.dtype or dim_product(source.shape) != dim_product(output.shape):
        return False
    if kernel.group.kind is GroupKind.ALONE and output.op is not Op.SCATTER:
        return False
    key = structure(kernel, {output: source})
    if key not in _overwrites:
        program = plain_program(kernel, {output: source})
        array = next(a for a in program.params if a.written and a.name.startswith("in"))
        _overwrites[key] = not reads_elsewhere(program.body, array)
    return _overwrites[key]


def structure(kernel: Kernel, aliases: Aliases) -> tuple[object, ...]:
    """What decides a kernel's source: its nodes with their inputs numbered, and how they are grouped.

    Its text, which names kernels, decides it as well.
    """
    number: dict[Node, int] = {}
    sizes: set[Variable] = set()
    rows: list[tuple[object, ...]] = []
    inputs = set(kernel.inputs)
    for n in topological([m.node for m in kernel.group.members], stop=inputs.__contains__):
        number[n] = len(number)
        sizes |= own_variables(n.arg, n.shape)
        if n in inputs:
            rows.append((kernel.inputs.index(n), n.dtype, n.shape))
        else:
            rows.append((n.op, n.dtype, n.shape, tuple(number[s] for s in n.src), stable(n.arg)))
    members = tuple((number[m.node], m.outer) for m in kernel.group.members)
    outputs = tuple(number[n] for n in kernel.outputs)
    shared = tuple((number[a], kernel.inputs.index(b)) for a, b in aliases.items())
    return (tuple(rows), kernel.group.kind, kernel.group.outer, members, outputs, shared, *bounds(sizes))


def stable(arg: Arg | None) -> object:
    """The argument without identities, which do not show in the source."""
    if isinstance(arg, RepeatArg):
        return arg.body.text()  # type: ignore[attr-defined]
    return None if isinstance(arg, (BufferArg, CheckArg, IdArg, StoreArg)) else arg


def _name(kernel: Kernel, key: object) -> str:
    kind = {GroupKind.POINT: "map", GroupKind.ROWS: "rows", GroupKind.DOT: "dot"}.get(kernel.group.kind)
    kind = kind or kernel.group.members[0].node.op.name.lower()
    shape = "x".join(str(d) if isinstance(d, (int, Variable)) else "s" for d in kernel.outputs[0].shape) or "1"
    return f"{kind}_{shape}_{hashlib.sha256(repr(key).encode()).hexdigest()[:8]}"
