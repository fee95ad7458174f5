"""What a program takes of a multiprocessor, counted before anything is compiled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lazygrad.index.expr import dim_max

from .array import Array, Kind, Scope
from .collective import Open
from .layout import Fragment
from .program import Loop, Program, Reduction, Roles, Stage, Stmt, compute_dtype
from .walk import bodies, flattened

BARRIER_BYTES = 8  # a turn of a ring has two barriers: filled, released
WORD = 4


@dataclass(frozen=True, slots=True)
class Resources:
    """Of one work-group.

    Args:
        items: work-items.
        cluster: work-groups of a cluster.
        local_bytes: local memory, rings and their barriers included.
        registers: 32-bit registers for tiles and accumulators of one work-item; the most that any role needs.
    """

    items: int
    cluster: int
    local_bytes: int
    registers: int


def resources(program: Program) -> Resources:
    """What a work-group of `program` needs.

    >>> from lazygrad.dtype import dtypes
    >>> slice_, tile = Array("s", dtypes.float16, 4096, Scope.LOCAL), Array("t", dtypes.float32, 8, Scope.PRIVATE)
    >>> resources(Program("p", (), (), (Stage(slice_, ()), Stage(tile, ()))))
    Resources(items=1, cluster=1, local_bytes=8192, registers=8)
    """
    found = list(flattened(program.body))
    cluster = math.prod(dim_max(s.axis.extent) for s in found if isinstance(s, Loop) and s.axis.kind is Kind.CLUSTER)
    staged = [s.array for s in found if isinstance(s, Stage)]
    rings = [s.ring for s in found if isinstance(s, Open)]
    arrays = dict.fromkeys([*staged, *(a for ring in rings for a in ring.arrays)])
    local = sum(_bytes(a) for a in arrays if a.scope in (Scope.LOCAL, Scope.CLUSTER))
    local += sum(2 * BARRIER_BYTES * ring.slots for ring in rings)
    return Resources(items(program.body), cluster, local, _registers(program.body, {}))


def items(body: Sequence[Stmt]) -> int:
    """Work-items that statements ask for: nested LOCAL axes, the roles together, or who holds a fragment together."""
    most = 1
    for s in body:
        if isinstance(s, Roles):
            most = max(most, sum(role.items for role in s.roles))
            continue
        own = 1
        for axis in s.axes if isinstance(s, Reduction) else (s.axis,) if isinstance(s, Loop) else ():
            own *= dim_max(axis.extent) if axis.kind is Kind.LOCAL else 1
        if isinstance(s, Stage) and isinstance(s.array.layout, Fragment):
            own = s.array.layout.items
        most = max([most, own, *(own * items(inner) for inner in bodies(s))])
    return most


def _bytes(array: Array) -> int:
    return dim_max(array.size) * array.dtype.itemsize


def _registers(body: Sequence[Stmt], tile: dict[str, int]) -> int:
    """Registers of what `body` declares and of its largest part; `tile`: extents of the register tile's axes."""
    own, inside = 0, 0
    for s in body:
        if isinstance(s, Stage) and s.array.scope is Scope.PRIVATE:
            own += _bytes(s.array) // WORD
        if isinstance(s, Reduction):
            for acc in s.accumulators:
                spread = math.prod(n for name, n in tile.items() if name in {v.name for v in acc.vars})
                own += spread * max(1, compute_dtype(acc.dtype).itemsize // WORD)
        inner = tile
        if isinstance(s, Loop) and s.axis.kind in (Kind.UNROLL, Kind.VECTOR):
            inner = {**tile, s.axis.var.name: dim_max(s.axis.extent)}
        inside = max([inside, *(_registers(part, inner) for part in bodies(s))])
    return own + inside
