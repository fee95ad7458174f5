"""Pass: adjacent axes that every expression walks as if they were one become one axis.

So an elementwise program over (12, 64, 128) is a single loop over 98304 elements, unless something (a broadcast, a
permuted operand, a mask) tells the axes apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lazygrad.index.expr import Expr, Var
from lazygrad.tiling.program import Axis, Loop, Program, Reduction, Stmt
from lazygrad.tiling.values import exchange, exprs, statement_exprs, substitute_body
from lazygrad.tiling.walk import around


def collapse(program: Program) -> Program:
    return replace(program, body=_body(program.body))


Changes = dict[Stmt, tuple[Stmt, dict[Var, Expr]]]  # axes of different reductions may have the same variables


def _body(body: Sequence[Stmt]) -> tuple[Stmt, ...]:
    changes: Changes = {}
    _merge_reductions(body, changes)
    # All at once, so that an accumulator is followed into the reductions around the one that it belongs to.
    body = exchange(body, changes) if changes else tuple(body)
    return tuple(_inner_loops(s) for s in body)


def _merge_reductions(body: Sequence[Stmt], changes: Changes) -> None:
    """Note every Reduction of `body`, and of the Reductions in it, that has fewer axes."""
    for s in body:
        if isinstance(s, Reduction):
            _merge_reductions(s.body, changes)
            used = exprs([a.value for a in s.accumulators]) + statement_exprs(s.body)
            axes, replaced = _merge(s.axes, [e for e, _ in used])
            if replaced:
                changes[s] = replace(s, axes=axes), replaced


def _inner_loops(s: Stmt) -> Stmt:
    if isinstance(s, Loop):
        return _nest(s)
    if isinstance(s, Reduction) and s.body:
        return replace(s, body=tuple(_inner_loops(inner) for inner in s.body))
    return s


def _nest(loop: Loop) -> Stmt:
    """Merge the axes of a perfect nest of loops of one kind."""
    axes = [loop.axis]
    body: tuple[Stmt, ...] = loop.body
    while len(body) == 1 and isinstance(body[0], Loop) and body[0].axis.kind is loop.axis.kind:
        axes.append(body[0].axis)
        body = body[0].body
    body = _body(body)
    kept, variables = _merge(axes, [e for e, _ in statement_exprs(body)])
    body = substitute_body(body, variables) if variables else body
    return around(kept, body)[0]


def _merge(axes: Sequence[Axis], used: Sequence[Expr]) -> tuple[tuple[Axis, ...], dict[Var, Expr]]:
    """The axes that are left, and what the variables of the others become."""
    kept: list[Axis] = []
    variables: dict[Var, Expr] = {}
    for axis in axes:
        if kept and _one(kept[-1], axis, [e.substitute(variables) for e in used]):
            before, size = kept.pop(), axis.extent
            assert isinstance(size, int) and isinstance(before.extent, int)
            var = Var(before.var.name, 0, before.extent * size - 1)
            step: dict[Var, Expr] = {before.var: var // size, axis.var: var % size}
            variables = {v: e.substitute(step) for v, e in variables.items()} | step
            axis = replace(axis, var=var, extent=before.extent * size)
        kept.append(axis)
    return tuple(kept), variables


def _one(a: Axis, b: Axis, used: Sequence[Expr]) -> bool:
    """Whether every expression in `used` depends on a and b only as on a * extent(b) + b."""
    if not isinstance(a.extent, int) or not isinstance(b.extent, int) or a.kind is not b.kind:
        return False
    for e in used:
        if a.var not in e.vars and b.var not in e.vars:
            continue
        over_a, over_b = e.coefficient(a.var), e.coefficient(b.var)
        if over_a is None or over_b is None or over_a != over_b * b.extent:
            return False
    return True
