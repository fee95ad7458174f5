"""Pass for CPUs: outputs larger than the caches are written past them.

An ordinary store first reads the cache line that it will overwrite; a streaming one does not, which saves a third of
the traffic of a copy. What the kernel reads again stays in the caches.
"""

from __future__ import annotations

from dataclasses import replace

from lazygrad.index.expr import dim_max
from lazygrad.ir.op import Combine
from lazygrad.tiling.program import Array, Load, Loop, Program, Reduction, Stmt, Store
from lazygrad.tiling.values import statement_values, topological

STREAM_BYTES = 16 << 20  # outputs from here on gain; smaller ones are often still cached when they are read next


def stream(program: Program) -> Program:
    """`program` with its large outputs, those that it only writes, stored past the caches."""
    read = {v.array for v in topological(statement_values(program.body)) if isinstance(v, Load)}
    large = {a for a in program.params if a.written and a not in read and _nbytes(a) >= STREAM_BYTES}
    return replace(program, body=_streamed(program.body, large)) if large else program


def _nbytes(array: Array) -> int:
    return dim_max(array.size) * array.dtype.itemsize


def _streamed(body: tuple[Stmt, ...], large: set[Array]) -> tuple[Stmt, ...]:
    made: list[Stmt] = []
    for s in body:
        if isinstance(s, Store) and s.array in large and s.combine is Combine.SET:
            s = replace(s, stream=True)
        elif isinstance(s, (Loop, Reduction)):
            s = replace(s, body=_streamed(s.body, large))
        made.append(s)
    return tuple(made)
