"""Pass for GPUs: which work-item computes which elements.

Neighbouring work-items run in step and share memory transactions, so neighbours get neighbouring elements:

- elementwise programs are one flat range, cut into stretches; in a stretch the items take turns, or, where items run in
  warps, each a few neighbouring elements that one wide access reads;
- many rows that the registers of a warp can hold get a warp each, and other rows a work-group: its items take turns
  along the row, and what they found is combined in local memory;
- many very short rows, and whatever must go in order (scans), get a work-item per row.

`scatter`, `columns` and `total` have ways of their own. Extents that depend on the work-item let every item stop by
itself, so that barriers stay outside of conditions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lazygrad.index.expr import Dim, Expr, Var, as_dim, ceil_div, dim_max, dim_product, lift
from lazygrad.index.view import unflatten
from lazygrad.ir.op import Combine
from lazygrad.runtime.base import DeviceInfo
from lazygrad.tiling.program import Axis, If, Kind, Load, Loop, Program, Reduction, Stmt, Store, compute_dtype
from lazygrad.tiling.together import together
from lazygrad.tiling.values import (
    exchange,
    reads_elsewhere,
    statement_exprs,
    statement_values,
    substitute_body,
    topological,
)
from lazygrad.tiling.walk import flattened, grid, nest, nest_axes, on_grid

GROUP = 256  # work-items of a group: enough to fill a multiprocessor together with a few others
WARP = 32  # work-items that run in step; groups are multiples of it
EACH = 4  # elements of a work-item in large elementwise programs
IN_FLIGHT = 2  # accesses of a work-item: 2,048 of them then wait for 64 KiB in each unit, more than latency asks for
SHORT = 32  # rows up to this length are not worth a work-group
HELD = 32  # elements of a row that a work-item can hold in registers
OVERSUBSCRIBED = 8  # work-groups per unit that keep a device busy


def work_groups(program: Program, info: DeviceInfo) -> Program:
    """`program` (GRID loops around plain statements) as groups of work-items."""
    axes, body = grid(program.body)
    return replace(program, body=_choose(axes, body, info))


def _choose(axes: list[Axis], body: tuple[Stmt, ...], info: DeviceInfo) -> tuple[Stmt, ...]:
    nests = [s for s in body if not isinstance(s, Store)]
    if not nests:
        return _elements(axes, body, info)
    if in_order(body):
        return _item_per_row(axes, body, info)
    count = dim_max(_count(axes))
    best = max(axes, key=lambda a: contiguity(a, nests), default=None)
    along = max((contiguity(nest_axes(s)[-1], [s]) for s in nests if nest_axes(s)), default=0)
    across = best is not None and contiguity(best, nests) > along
    if length(nests) <= SHORT or (across and count >= info.units * OVERSUBSCRIBED * WARP):
        if best is not None and across:
            axes = [*(a for a in axes if a is not best), best]
        return _item_per_row(axes, body, info)
    return _warp_per_row(axes, body, info) or _group_per_row(axes, best if across else None, body, info)


def _count(axes: Sequence[Axis]) -> Dim:
    return as_dim(dim_product(a.extent for a in axes))


def in_order(body: Sequence[Stmt]) -> bool:
    """Whether the loops in `body` depend on the order of their turns: one reads or adds to what another one wrote."""
    stores = [s for s in flattened(body) if isinstance(s, Store)]
    if any(s.valid is not None or s.bindings or s.combine is not Combine.SET for s in stores):
        return True
    return any(reads_elsewhere(body, array) for array in {s.array for s in stores})


def contiguity(axis: Axis, statements: Sequence[Stmt]) -> int:
    """How many more addresses step by one element along `axis` than step by more."""
    steps = [e.coefficient(axis.var) for e, address in statement_exprs(statements) if address and axis.var in e.vars]
    return sum(1 if step == 1 else -1 for step in steps)


# ---- a range of work-items -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Turns:
    """`count` elements that the `size` items of a group take in turns: `item` gets element turn * size + item."""

    item: Var
    turn: Axis
    position: Expr

    @staticmethod
    def of(count: Dim, size: int) -> Turns:
        item = Var("item", 0, size - 1)
        turns = dim_max(ceil_div(count, size))
        # Not count // size + (item < count % size): of a loop that runs for one of two numbers of turns with a loop
        # inside, PoCL has been seen to leave out the last turn.
        extent = ceil_div(lift(count) - item, size)
        turn = Var("turn", 0, max(turns - 1, 0))
        return Turns(item, Axis(turn, as_dim(extent)), turn * size + item)


def positions(axes: Sequence[Axis], position: Expr) -> dict[Var, Expr]:
    """What the variables of `axes` are at a row-major position in their common range."""
    return {a.var: e for a, e in zip(axes, unflatten(position, [a.extent for a in axes]))}


def power_of_two(n: int) -> int:
    """The smallest power of two that is at least `n`."""
    return 1 << max(n - 1, 0).bit_length()


def group_limit(info: DeviceInfo) -> int:
    """The largest power of two of work-items that a group can have."""
    return 1 << (info.max_group.bit_length() - 1)


def guarded(condition: Expr, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """`body` where `condition` holds."""
    return body if condition.constant == 1 else (If(condition, body),)


def _launch(groups: Dim, task: Var, item: Var, size: int, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    if size > 1:
        body = (Loop(Axis(item, size, Kind.LOCAL), body),)
    return (Loop(Axis(task, groups, Kind.GRID), body),)


# ---- one pattern each ------------------------------------------------------------------------------


def _elements(axes: list[Axis], body: tuple[Stmt, ...], info: DeviceInfo) -> tuple[Stmt, ...]:
    """A flat range: each group takes a stretch, in which each item takes every `size`-th element."""
    count = _count(axes)
    size = min(GROUP, group_limit(info), max(WARP, power_of_two(dim_max(count))))
    if count == 1:
        return body
    side = together(axes, body, info)  # neighbours of one access
    if dim_max(count) < side * size * info.units:
        side = 1
    each, is_large = side, dim_max(count) >= max(side * 2, EACH) * size * info.units * OVERSUBSCRIBED
    if is_large:
        each = EACH if side == 1 else side * max(1, IN_FLIGHT // _reads(body))
    stretch = size * each
    groups = ceil_div(count, stretch)
    task, item, k = Var("task", 0, dim_max(groups) - 1), Var("item", 0, size - 1), Var("k", 0, each - 1)
    position = task * stretch + k // side * (size * side) + item * side + k % side
    one = substitute_body(body, positions(axes, position))
    if each == 1:
        return _launch(groups, task, item, size, guarded(position.lt(count), one))
    whole: Stmt = Loop(Axis(k, each, Kind.UNROLL), one)
    tail: Stmt = Loop(Axis(k, each), guarded(position.lt(count), one))
    is_whole = (task * stretch + (stretch - 1)).lt(count)
    inside = (whole,) if is_whole.constant == 1 else (If(is_whole, (whole,), (tail,)),)
    return _launch(groups, task, item, size, inside)


def _reads(body: Sequence[Stmt]) -> int:
    """How many loads there are for one element, at least 1."""
    return max(1, sum(isinstance(v, Load) for v in topological(statement_values(body))))


def _item_per_row(axes: list[Axis], body: tuple[Stmt, ...], info: DeviceInfo) -> tuple[Stmt, ...]:
    """Each work-item computes a row of its own from beginning to end; the innermost axis gives neighbours."""
    count = _count(axes)
    if count == 1:
        return body
    size = min(GROUP, group_limit(info), max(WARP, power_of_two(dim_max(count) // (info.units * OVERSUBSCRIBED))))
    groups = ceil_div(count, size)
    task, item = Var("task", 0, dim_max(groups) - 1), Var("item", 0, size - 1)
    position = task * size + item
    inside = guarded(position.lt(count), substitute_body(body, positions(axes, position)))
    return _launch(groups, task, item, size, inside)


def _warp_per_row(axes: list[Axis], body: tuple[Stmt, ...], info: DeviceInfo) -> tuple[Stmt, ...] | None:
    """Many rows that the registers of a warp can hold: each warp has its own, and what it finds stays in registers.

    All passes over a row read the same elements in each work-item, so that they read them from memory once.
    """
    warp = info.warp
    if warp == 1 or not axes or dim_max(_count(axes)) < info.units * OVERSUBSCRIBED:
        return None
    last, passes = axes[-1], [(s, _count(nest_axes(s))) for s in body if nest_axes(s)]
    if not isinstance(last.extent, int) or not all(
        isinstance(n, int) and n <= warp * HELD and n % (warp * _strip(s, info)) == 0 for s, n in passes
    ):
        return None
    rows = next(n for n in (GROUP // WARP, 4, 2, 1) if last.extent % n == 0)
    outside, row = Var(last.var.name, 0, last.extent // rows - 1), Var("row", 0, rows - 1)
    body = substitute_body(exchange(body, in_turns(body, warp, info)), {last.var: outside * rows + row})
    body = (Loop(Axis(row, rows, Kind.LOCAL), body),)
    return on_grid([*axes[:-1], Axis(outside, last.extent // rows)], body)


def _group_per_row(axes: list[Axis], across: Axis | None, body: tuple[Stmt, ...], info: DeviceInfo) -> tuple[Stmt, ...]:
    """The items of a group take turns along the row, in each pass over it.

    Where memory runs `across` the rows, a group computes a few neighbouring rows, to use what it has to fetch.
    """
    rows = [a for a in axes if a is not across]
    inner = body
    width = 1
    if across is not None and isinstance(across.extent, int):
        width = next((w for w in (8, 4, 2) if across.extent % w == 0), 1)
    if across is not None:
        outside = Var(across.var.name, 0, dim_max(across.extent) // width - 1)
        side = Var("side", 0, width - 1)
        inner = substitute_body(body, {across.var: outside * width + side} if width > 1 else {across.var: outside})
        rows.append(Axis(outside, across.extent if width == 1 else dim_max(across.extent) // width, Kind.GRID))
    size = row_group(inner, width, dim_max(dim_product(a.extent for a in rows)) >= info.units, info)
    inner = exchange(inner, in_turns(inner, size, None if across else info))
    if width > 1:
        inner = (Loop(Axis(side, width, Kind.UNROLL), inner),)
    return on_grid(rows, inner)


def row_group(body: Sequence[Stmt], width: int, is_many: bool, info: DeviceInfo) -> int:
    """Work-items for a row: as many as it is long, more where rows are few, and what local memory is enough for."""
    most = 2 if width > 1 and info.warp > 1 else 4  # a thousand items have 64 registers each, too few for several rows
    largest = GROUP if is_many else most * GROUP
    strip = 1 if width > 1 else min((_strip(s, info) for s in body if nest_axes(s)), default=1)
    size = min(largest, group_limit(info), max(WARP, power_of_two(length(body) // strip)))
    lengths = [dim_product(a.extent for a in nest_axes(s)) for s in body if nest_axes(s)]
    if is_many and width == 1:  # whole turns for all, rather than half of the items idle in the last one
        smaller = [n for n in (size, size // 2, size // 4) if n >= 2 * WARP]
        size = next((n for n in smaller if all(lift(m).divisible_by(strip * n) for m in lengths)), size)
    partials = [a for s in body if isinstance(s, Reduction) for a in s.accumulators]
    each = width * sum(max(4, compute_dtype(a.dtype).itemsize) for a in partials)
    while size > 1 and size * each > info.local_bytes:
        size //= 2
    return size


def length(body: Sequence[Stmt]) -> int:
    """The elements of the longest pass over a row."""
    return max(
        (dim_max(dim_product(a.extent for a in nest_axes(s))) for s in body if not isinstance(s, Store)), default=1
    )


def _ordered(s: Stmt) -> tuple[Axis, ...]:
    """The axes of a pass over a row, the one that memory runs along last."""
    axes = nest_axes(s)
    if not axes or not isinstance(s, Reduction):
        return axes
    best = max(axes, key=lambda a: (contiguity(a, [s]), axes.index(a)))
    return (*(a for a in axes if a is not best), best)


def _strip(s: Stmt, info: DeviceInfo) -> int:
    """How many neighbours of a row a work-item takes in each turn of a pass."""
    axes = _ordered(s)
    count, each = dim_product(a.extent for a in axes), together(axes, [s], info)
    return each if lift(count).divisible_by(each) and dim_max(count) >= each * WARP else 1


def in_turns(
    statements: Sequence[Stmt], size: int, info: DeviceInfo | None
) -> dict[Stmt, tuple[Stmt, Mapping[Var, Expr]]]:
    """The passes over a row among `statements`, each shared by `size` work-items, for `exchange`.

    Without `info` every work-item takes one element in a turn.
    """
    changes: dict[Stmt, tuple[Stmt, Mapping[Var, Expr]]] = {}
    for s in statements:
        axes = _ordered(s)
        if not axes or size == 1:
            continue
        count = _count(axes)
        each = 1 if info is None else _strip(s, info)
        turns = Turns.of(as_dim(lift(count) // each), size)
        local, k = Axis(turns.item, size, Kind.LOCAL), Var("k", 0, each - 1)
        shared: Stmt
        if isinstance(s, Reduction):
            strip = (Axis(k, each, unroll=each),) if each > 1 else ()
            shared = replace(s, axes=(local, turns.turn, *strip))
        else:
            assert isinstance(s, Loop)
            inside = nest(s)[1]
            inside = (Loop(Axis(k, each, Kind.UNROLL), inside),) if each > 1 else inside
            shared = Loop(local, (Loop(turns.turn, inside),))
        changes[s] = shared, positions(axes, turns.position * each + k)
    return changes
