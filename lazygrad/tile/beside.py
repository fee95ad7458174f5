"""Pass: independent programs in one launch, each in work-groups of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lazygrad.index.expr import Var, dim_max, dim_product, index_variable
from lazygrad.index.view import unflatten
from lazygrad.tile.program import Array, Axis, If, Kind, Loop, Program, Stmt
from lazygrad.tile.values import substitute_body
from lazygrad.tile.walk import grid


def beside(name: str, programs: Sequence[Program]) -> Program:
    """The programs as one, with a GRID axis that chooses among them. Its parameters are theirs, in order.

    They are elementwise, with GRID axes of known extents, and have no scratch. Every program gets as many work-groups
    as the one that needs most; those it does not need do nothing.
    """
    parts: list[tuple[list[Axis], tuple[Stmt, ...]]] = []
    params: list[Array] = []
    for number, program in enumerate(programs):
        own = {a: replace(a, name=f"{a.name}_{number}") for a in program.params}
        params += own.values()
        axes, body = grid(program.body)
        parts.append((axes, substitute_body(body, {}, own)))
    most = max(_groups(axes) for axes, _ in parts)
    part, task = Var("part", 0, len(parts) - 1), index_variable("task", most)
    chosen: tuple[Stmt, ...] = ()
    for number, (axes, body) in reversed(list(enumerate(parts))):
        position = unflatten(task, [a.extent for a in axes])
        moved = substitute_body(body, {a.var: e for a, e in zip(axes, position)})
        needed = task.lt(_groups(axes))
        moved = moved if needed.constant == 1 else (If(needed, moved),)
        chosen = (If(part.lt(number + 1), moved, chosen),) if chosen else moved
    if isinstance(task, Var):
        chosen = (Loop(Axis(task, most, Kind.GRID), chosen),)
    return Program(name, tuple(params), (), (Loop(Axis(part, len(parts), Kind.GRID), chosen),))


def _groups(axes: Sequence[Axis]) -> int:
    return dim_max(dim_product(a.extent for a in axes))
