"""Pass: a reduction to a few numbers runs in many tasks, in one launch.

Each task reduces a stretch and stores its partial results; the task that finishes last combines them, in the order of
the stretches, so that the result does not depend on which one that is.
"""

from __future__ import annotations

from dataclasses import replace

from lazygrad.dtype import dtypes
from lazygrad.index.expr import Dim, Expr, Var, as_dim, ceil_div, dim_max, index_variable, lift, maximum, minimum
from lazygrad.tiling.program import (
    Accumulator,
    Array,
    Axis,
    Kind,
    Last,
    Loop,
    Program,
    Reduction,
    Scope,
    Stmt,
    Store,
    Value,
    load,
    ref,
)
from lazygrad.tiling.values import substitute_body, with_values

TASK_NS = 5_000  # a task should take at least this long to be worth scheduling on a core
MAX_TASKS = 64  # more do not balance better
STRETCH = 64  # elements: stretches of whole vectors


def split(program: Program, ns: float) -> Program | None:
    """`program`, which takes so long on one core, in tasks for the cores of a CPU; None when it is too short."""
    return in_tasks(program, min(MAX_TASKS, int(ns / TASK_NS)))


def in_tasks(program: Program, tasks: int) -> Program | None:
    """`program`, one Reduction and stores of its results, as at most `tasks` tasks; None when it is of another form."""
    first, rest = program.body[0], program.body[1:]
    if not isinstance(first, Reduction) or not all(isinstance(s, Store) for s in rest) or tasks < 2:
        return None
    axis = first.axes[0]
    most = dim_max(axis.extent)
    chunk = -(-most // tasks)
    if len(first.axes) == 1 and not first.body:
        chunk = -(-chunk // STRETCH) * STRETCH
    count = as_dim(maximum(ceil_div(axis.extent, chunk), 1))  # of nothing, one task makes the result
    if dim_max(count) < 2:
        return None
    task = index_variable("t", count)
    part, accs = _stretch(first, axis, task, chunk)
    assert isinstance(task, Var)
    partial = [Array(f"partial{k}", a.dtype, dim_max(count), Scope.GLOBAL, written=True) for k, a in enumerate(accs)]
    tickets = Array("tickets", dtypes.int32, 1, Scope.GLOBAL, written=True)
    stores = tuple(Store(array, task, ref(a)) for array, a in zip(partial, accs))
    final = _final(first.accumulators, rest, partial, count)
    body = Loop(Axis(task, count, Kind.GRID), (part, *stores, Last(tickets, final)))
    return replace(program, body=(body,), workspace=(*partial, tickets))


def stretch_length(size: Dim, number: Expr, chunk: int) -> Dim:
    """How many of `size` elements are in stretch `number` of `chunk` each."""
    return chunk if lift(size).divisible_by(chunk) else as_dim(minimum(chunk, size - number * chunk))


def _stretch(first: Reduction, axis: Axis, task: Expr, chunk: int) -> tuple[Reduction, tuple[Accumulator, ...]]:
    """The reduction over one task's stretch of `axis`."""
    var = Var("s", 0, chunk - 1) if chunk > 1 or lift(axis.extent).lo == 0 else None
    position: Expr = task * chunk + (var if var is not None else 0)
    moved = substitute_body([first], {axis.var: position})[0]
    assert isinstance(moved, Reduction)
    own = (replace(axis, var=var, extent=stretch_length(axis.extent, task, chunk)),) if var is not None else ()
    axes = (*own, *moved.axes[1:])
    accs = tuple(replace(a, vars=a.value.vars - {x.var for x in axes}) for a in moved.accumulators)
    return Reduction(axes, accs, moved.body), accs


def _final(accs: tuple[Accumulator, ...], rest: tuple[Stmt, ...], partial: list[Array], tasks: Dim) -> tuple[Stmt, ...]:
    """Combine the partial results, and store what was asked for."""
    part = index_variable("part", tasks)
    assert isinstance(part, Var)
    totals = [replace(a, name=f"{a.name}_total", value=load(p, part), vars=frozenset()) for a, p in zip(accs, partial)]
    replaced: dict[Value, Value] = {ref(a): ref(total) for a, total in zip(accs, totals)}
    return (Reduction((Axis(part, tasks),), tuple(totals)), *with_values(rest, replaced))
