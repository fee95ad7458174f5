"""Pass for CPUs: loops over elements that a mask tells apart end where nothing is left that differs.

Under a causal mask, a row of scores is a row up to the diagonal, and one and the same number after it. A loop in which
a condition `r < e` chooses, with `e` known outside of the loop, runs up to `e`, rounded up to whole vectors. Beyond,
the condition is false: reductions combine what they have found with that one number, as often as it is left out, and
stores go on in a loop of their own, without the side of the choice that is not taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lazygrad.dtype import dtypes
from lazygrad.index.expr import Expr, Var, as_dim, lift
from lazygrad.index.kinds import Less
from lazygrad.ir.op import Combine, Op
from lazygrad.tiling.program import (
    Accumulator,
    Alu,
    Axis,
    Const,
    Index,
    Loop,
    Program,
    Reduction,
    Stmt,
    Store,
    Value,
    alu,
    const,
    index,
    ref,
)
from lazygrad.tiling.values import substitute, substitute_body, topological
from lazygrad.tiling.walk import around, grid

STEP = 64  # elements: whole vectors, several side by side
LEAST = 4 * STEP  # shorter loops are over before anything is gained


def limited(program: Program) -> Program:
    """`program` (GRID loops around plain statements) with loops that end early."""
    axes, body = grid(program.body)
    is_plain = all((isinstance(s, Reduction) and not s.body) or isinstance(s, (Loop, Store)) for s in body)
    if not axes or not is_plain:
        return program
    return replace(program, body=around(axes, _Limits().body(body)))


@dataclass(frozen=True, slots=True)
class _Limit:
    """A condition that does not hold for elements from `end` on, which is a multiple of STEP."""

    condition: Value
    end: Expr


class _Limits:
    """Rewrites statements one after the other; `known` are values that have become others."""

    def __init__(self) -> None:
        self.known: dict[Value, Value] = {}

    def body(self, body: Sequence[Stmt]) -> tuple[Stmt, ...]:
        return tuple(new for s in body for new in self._statement(s))

    def _statement(self, s: Stmt) -> tuple[Stmt, ...]:
        if isinstance(s, Reduction):
            return (self._reduction(s),)
        if isinstance(s, Store):
            return (replace(s, value=self._now([s.value])[0]),)
        assert isinstance(s, Loop)
        stores = [replace(t, value=self._now([t.value])[0]) for t in s.body if isinstance(t, Store)]
        return _cut(s.axis, stores) if len(stores) == len(s.body) else (replace(s, body=self.body(s.body)),)

    def _now(self, values: Iterable[Value]) -> list[Value]:
        return substitute(values, {}, self.known)

    def _reduction(self, s: Reduction) -> Reduction:
        values = self._now(a.value for a in s.accumulators)
        made = [replace(a, value=v, vars=v.vars - {x.var for x in s.axes}) for a, v in zip(s.accumulators, values)]
        found = [ref(a) for a in made]
        axis = s.axes[-1]
        limit = _limit(axis, values) if len(s.axes) == 1 else None
        beyond = [] if limit is None else _where_false(values, limit.condition)
        can = all(a.combine in (Combine.ADD, Combine.MAX) for a in made)
        if limit is None or not can or any(axis.var in v.vars for v in beyond):
            axes, after = s.axes, list[Value](found)
        else:
            axes, left = (replace(axis, extent=as_dim(limit.end)),), lift(axis.extent) - limit.end
            after = [_with_rest(a, v, left) for a, v in zip(made, beyond)]
        self.known |= zip(map(ref, s.accumulators), after)
        return Reduction(axes, tuple(made))


def _cut(axis: Axis, stores: Sequence[Store]) -> tuple[Stmt, ...]:
    """A loop around stores as one up to the limit of their condition, and one from there on."""
    values = [s.value for s in stores]
    is_plain = all(s.combine is Combine.SET and s.valid is None for s in stores)
    limit = _limit(axis, values) if is_plain else None
    if limit is None:
        return (Loop(axis, tuple(stores)),)
    left = lift(axis.extent) - limit.end
    rest = Var(f"{axis.var.name}_rest", 0, axis.var.hi, below=left)
    beyond = [replace(s, value=v) for s, v in zip(stores, _where_false(values, limit.condition))]
    after = Loop(replace(axis, var=rest, extent=as_dim(left)), substitute_body(beyond, {axis.var: limit.end + rest}))
    return Loop(replace(axis, extent=as_dim(limit.end)), tuple(stores)), after


def _limit(axis: Axis, values: Sequence[Value]) -> _Limit | None:
    """Of the one condition in `values` that differs along `axis`, where it is known outside of the loop."""
    if not isinstance(axis.extent, int) or axis.extent % STEP or axis.extent < LEAST:
        return None
    found = {v: sides for v in topological(values) if axis.var in v.vars and (sides := _sides(v)) is not None}
    if len(found) != 1:
        return None
    ((condition, (left, right)),) = found.items()
    end = right - left + axis.var
    if axis.var in end.vars or end.lo < 0 or end.hi > axis.extent:
        return None
    return _Limit(condition, (end + (STEP - 1)) // STEP * STEP)


def _sides(v: Value) -> tuple[Expr, Expr] | None:
    """The sides of a comparison `left < right` of expressions; None for other values."""
    if isinstance(v, Index) and isinstance(v.expr, Less) and not v.binds:
        return v.expr.left, v.expr.right
    if not isinstance(v, Alu) or v.op is not Op.LT:
        return None
    left, right = map(_expression, v.src)
    return None if left is None or right is None else (left, right)


def _expression(v: Value) -> Expr | None:
    """An integer that is known from the loops around it: a counter, a constant, or a sum of such."""
    if isinstance(v, Index) and not v.binds:
        return v.expr
    if isinstance(v, Const) and v.dtype.is_int:
        return lift(int(v.value))
    if not isinstance(v, Alu) or v.op is not Op.ADD or not v.dtype.is_int:
        return None
    left, right = map(_expression, v.src)
    return None if left is None or right is None else left + right


def _where_false(values: Sequence[Value], condition: Value) -> list[Value]:
    """`values` where the condition does not hold."""
    false = const(False, dtypes.bool)
    new: dict[Value, Value] = {condition: false}
    for v in topological(values):
        if v not in new:
            (changed,) = substitute([v], {}, new)
            is_choice = isinstance(changed, Alu) and changed.op is Op.WHERE and changed.src[0] is false
            new[v] = changed.src[2] if is_choice else changed
    return [new[v] for v in values]


def _with_rest(acc: Accumulator, value: Value, count: Expr) -> Value:
    """The accumulator combined with `value`, `count` times."""
    found, is_left = ref(acc), index(count.ge(1), dtypes.bool)
    identity = 0 if acc.combine is Combine.ADD else acc.dtype.min
    if isinstance(value, Const) and value.value == identity:
        return found
    if acc.combine is Combine.ADD:
        value = alu(Op.MUL, acc.dtype, value, alu(Op.CAST, acc.dtype, index(count, dtypes.int32)))
    op = Op.ADD if acc.combine is Combine.ADD else Op.MAX
    return alu(Op.WHERE, acc.dtype, is_left, alu(op, acc.dtype, found, value), found)
