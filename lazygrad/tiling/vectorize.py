"""Pass for CPUs: which axis runs in vector lanes, and which rows make one task.

A work-group is one task of one core: it runs a stretch of rows, and inside each row the axis that most addresses walk
with stride one runs in vector registers, several side by side. Groups of reductions choose between vectors along the
reduced axis (a row in memory) and vectors across neighbouring rows (a column sum).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lazygrad.index.expr import (
    Const,
    Dim,
    Expr,
    Var,
    ceil_div,
    dim_max,
    dim_product,
    index_variable,
)
from lazygrad.index.view import unflatten
from lazygrad.runtime.base import DeviceInfo
from lazygrad.tiling.program import Axis, Kind, Last, Loop, Program, Reduction, Stmt, Store, Value
from lazygrad.tiling.split import MAX_TASKS, TASK_NS, split, stretch_length
from lazygrad.tiling.values import exprs, statement_exprs, statement_values, substitute_body, topological
from lazygrad.tiling.walk import around, grid, nest, nest_axes

REGISTERS = 8  # vectors of one axis side by side: enough to hide latency


def lanes_for(values: Sequence[Value], info: DeviceInfo) -> int:
    """How many elements of the widest type in `values` one vector register holds."""
    widest = max((v.dtype.itemsize for v in topological(values)), default=4)
    return max(1, info.vector_bytes // max(widest, 4))


def vectorize(program: Program, info: DeviceInfo) -> Program:
    """`program` (GRID loops around plain statements) as tasks of vector code."""
    axes, body = grid(program.body)
    if not axes and (parted := split(program, cost((), body, lanes_for(statement_values(body), info)))) is not None:
        program = parted
        axes, body = grid(program.body)
        return replace(program, body=around(axes, tuple(_vector_statement(s, info) for s in body)))
    outer = max(axes, key=lambda a: (_score(a, body), axes.index(a)), default=None)
    inside = _inner_score(body)
    if outer is not None and _score(outer, body) > 0 and (inside is None or _score(outer, body) > inside):
        lanes = lanes_for(statement_values(body), info)
        unroll = _unroll(outer.extent, lanes, any(isinstance(s, Reduction) for s in body))
        along = replace(outer, kind=Kind.SERIAL, lanes=lanes, unroll=unroll)
        rows = [a for a in axes if a is not outer]
        return replace(program, body=_tasks(rows, along, body, cost(axes, body, lanes)))
    body = tuple(_vector_statement(s, info) for s in body)
    lanes = max((a.lanes for s in body for a in nest_axes(s)), default=1)
    return replace(program, body=_tasks(list(axes), None, body, cost(axes, body, lanes)))


def _score(axis: Axis, body: Sequence[Stmt]) -> float:
    """How well the statements run with `axis` in vector lanes: above 0 when it pays."""
    return _axis_score(axis, statement_exprs(body))


def _axis_score(axis: Axis, used: Sequence[tuple[Expr, bool]]) -> float:
    if dim_max(axis.extent) < 4:
        return -100.0
    score = 0.0
    for e, address in used:
        if axis.var not in e.vars:
            score += 0.1 if address else 0.0
        elif address:
            score += 1.0 if e.coefficient(axis.var) == 1 else -2.0
        elif e.coefficient(axis.var) is None:
            score -= 0.25
    return score


def _inner_score(body: Sequence[Stmt]) -> float | None:
    """The worst of the best scores of the loops in `body`; None when there are none."""
    scores = []
    for s in body:
        if isinstance(s, Reduction) and s.body:
            scores.append(_inner_score(s.body) or 0.0)
        elif isinstance(s, Reduction):
            used = exprs([a.value for a in s.accumulators])
            scores.append(max(_axis_score(a, used) for a in s.axes))
        elif isinstance(s, Loop):
            axes, inner = nest(s)
            scores.append(max(_score(a, inner) for a in axes))
    return min(scores) if scores else None


def _vector_statement(s: Stmt, info: DeviceInfo) -> Stmt:
    """The statement with its best axis innermost and in vector lanes."""
    if isinstance(s, Last) or (isinstance(s, Reduction) and s.body):
        return replace(s, body=tuple(_vector_statement(t, info) for t in s.body))
    if isinstance(s, Reduction):
        values = [a.value for a in s.accumulators]
        axes = _innermost(s.axes, exprs(values), lanes_for(values, info), reduction=True)
        return replace(s, axes=axes)
    if not isinstance(s, Loop) or not all(isinstance(t, Store) for t in nest(s)[1]):
        return s
    axes, body = nest(s)
    # Elements of one output may be written in any order, except where statements read what they wrote (a scan).
    if any(t.valid is not None or t.array in _arrays_read(body) for t in body if isinstance(t, Store)):
        return s
    lanes = lanes_for(statement_values(body), info)
    return around(_innermost(axes, statement_exprs(body), lanes, reduction=False), body)[0]


def _arrays_read(body: Sequence[Stmt]) -> set[object]:
    return {getattr(v, "array", None) for v in topological(statement_values(body))}


def _innermost(
    axes: Sequence[Axis], used: Sequence[tuple[Expr, bool]], lanes: int, reduction: bool
) -> tuple[Axis, ...]:
    best = max(axes, key=lambda a: (_axis_score(a, used), axes.index(a)))
    if _axis_score(best, used) <= 0:
        return tuple(axes)
    best_in_lanes = replace(best, lanes=lanes, unroll=_unroll(best.extent, lanes, reduction))
    return (*(a for a in axes if a is not best), best_in_lanes)


def _unroll(extent: Dim, lanes: int, reduction: bool) -> int:
    """Vectors side by side: as many as the axis fills, where a running sum would otherwise wait for itself."""
    unroll = 1
    while reduction and unroll * 2 <= REGISTERS // 2 and _fills(extent, unroll * 2 * lanes):
        unroll *= 2
    return unroll


def _fills(extent: Dim, step: int) -> bool:
    """Whether so many elements at a time pay: where their number is not known, only if none is left over."""
    return extent >= step if isinstance(extent, int) else extent.divisible_by(step)


def cost(axes: Sequence[Axis], body: Sequence[Stmt], lanes: int) -> float:
    """A rough time in ns on one core: one operation takes a quarter of a ns, one vector load or store half of one."""

    @dataclass
    class Total:
        ns: float = 0.0

    total = Total()

    def visit(statements: Sequence[Stmt], times: float) -> None:
        for s in statements:
            if isinstance(s, Loop):
                visit(s.body, times * dim_max(s.axis.extent))
            elif isinstance(s, Reduction):
                inner = times * dim_max(dim_product(a.extent for a in s.axes))
                total.ns += inner * len(topological(a.value for a in s.accumulators)) * 0.3
                visit(s.body, inner)
            elif isinstance(s, Store):
                total.ns += times * (1 + len(topological([s.value]))) * 0.3

    visit(body, dim_max(dim_product(a.extent for a in axes)))
    return total.ns / lanes


def _tasks(rows: list[Axis], along: Axis | None, body: tuple[Stmt, ...], ns: float) -> tuple[Stmt, ...]:
    """Group the rows (and where they are few, stretches of `along`) into tasks of one work-group each."""
    tasks = max(1, min(MAX_TASKS, int(ns / TASK_NS)))
    count = dim_product(a.extent for a in rows)
    if along is not None and dim_max(count) < tasks:
        body, stretches = _stretches(along, body, -(-tasks // max(1, dim_max(count))))
        return _grid_rows(rows, stretches, body, count, dim_max(count))
    if along is not None:
        body = (Loop(along, body),)
    return _grid_rows(rows, None, body, count, tasks)


def _stretches(along: Axis, body: tuple[Stmt, ...], tasks: int) -> tuple[tuple[Stmt, ...], Axis | None]:
    """Cut `along` into stretches of whole vectors."""
    step = along.lanes * along.unroll
    size = dim_max(along.extent)
    chunk = -(-size // (tasks * step)) * step
    if chunk >= size:
        return (Loop(along, body),), None
    task = index_variable("p", ceil_div(along.extent, chunk))
    assert isinstance(task, Var)
    var = Var("v", 0, chunk - 1)
    body = substitute_body(body, {along.var: task * chunk + var})
    stretch = replace(along, var=var, extent=stretch_length(along.extent, task, chunk))
    return (Loop(stretch, body),), Axis(task, ceil_div(along.extent, chunk), Kind.GRID)


def _grid_rows(
    rows: list[Axis], inner: Axis | None, body: tuple[Stmt, ...], count: Dim, tasks: int
) -> tuple[Stmt, ...]:
    most = dim_max(count)
    task: Expr = Const(0)
    if most > 1:
        chunk = -(-most // max(1, min(tasks, most)))
        groups = ceil_div(count, chunk)
        task, var = index_variable("t", groups), index_variable("row", chunk)
        position = unflatten(task * chunk + var, [a.extent for a in rows])
        body = substitute_body(body, {a.var: e for a, e in zip(rows, position)})
        if isinstance(var, Var):
            body = (Loop(Axis(var, stretch_length(count, task, chunk)), body),)
    else:
        body = around(rows, body)
    if inner is not None:
        body = (Loop(inner, body),)
    return (Loop(Axis(task, groups, Kind.GRID), body),) if isinstance(task, Var) else body
