"""Pass: independent programs in one launch, each in work-groups of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lazygrad.index.expr import Expr, Var, dim_max, dim_product, index_variable
from lazygrad.index.view import unflatten
from lazygrad.tiling.collective import Let
from lazygrad.tiling.program import Array, Axis, If, Kind, Program, Stmt
from lazygrad.tiling.values import substitute_body
from lazygrad.tiling.walk import around, grid


def beside(name: str, programs: Sequence[Program]) -> Program:
    """The programs as one, whose work-groups are those of the first, then those of the second, and so on. Its
    parameters are theirs, in order.

    They are elementwise and have no scratch. Of sizes that are variables there are as many work-groups as they need at
    most, of which those that have nothing to do leave.
    """
    params: list[Array] = []
    parts: list[_Part] = []
    grids = [grid(program.body) for program in programs]
    needed = [dim_product(a.extent for a in axes) for axes, _ in grids]
    count = sum(map(dim_max, needed))
    task, start = Var("task", 0, count - 1), 0
    for number, (program, (axes, body)) in enumerate(zip(programs, grids)):
        arrays = {a: replace(a, name=f"{a.name}_{number}") for a in program.params}
        params += arrays.values()
        groups = needed[number]
        own = index_variable(f"task_{number}", dim_max(groups))
        position = unflatten(own, [a.extent for a in axes])
        body = substitute_body(body, {a.var: e for a, e in zip(axes, position)}, arrays)
        if isinstance(groups, Expr):
            body = (If(own.lt(groups), body),)
        parts.append((start, (Let(own, task - start), *body) if isinstance(own, Var) else body))
        start += dim_max(groups)
    chosen = _chosen(parts, task)
    return Program(name, tuple(params), (), around([Axis(task, count, Kind.GRID)], chosen))


_Part = tuple[int, tuple[Stmt, ...]]  # the first work-group that has these statements


def _chosen(parts: Sequence[_Part], task: Expr) -> tuple[Stmt, ...]:
    """The statements of the part that `task` belongs to, found by halving."""
    if len(parts) == 1:
        return parts[0][1]
    middle = len(parts) // 2
    before = task.lt(parts[middle][0])
    return (If(before, _chosen(parts[:middle], task), _chosen(parts[middle:], task)),)
