"""Simplification of graphs: small named rules, applied bottom-up until none applies.

A rule is a pure function from a node to a simpler node of the same shape and dtype, or None where it does not
apply. The result has the same value, for nan, infinities and -0.0 too; the rules named in `CLOSE` may round
differently, never worse. Rules must not undo each other: every one removes a node, or moves towards one normal form
(constants on the right, EXPAND outside of PERMUTE and SHRINK).
"""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.errors import user_location
from lazygrad.ir.node import Node, with_sources
from lazygrad.ir.op import Op
from lazygrad.ir.rules_alu import ALU_RULES, Rule, small_power
from lazygrad.ir.rules_movement import (
    MOVEMENT_RULES,
    reduce_nothing,
    reduce_unit_axes,
    scan_long,
    scatter_long,
    sum_of_expanded,
)

RULES: dict[Op, tuple[Rule, ...]] = {**ALU_RULES, **MOVEMENT_RULES}
CLOSE: frozenset[Rule] = frozenset(
    {small_power, sum_of_expanded, reduce_nothing, reduce_unit_axes, scan_long, scatter_long}
)


def simplify(roots: Sequence[Node]) -> list[Node]:
    """The same values by fewer nodes. DETACH and CALL go away, so differentiate before. Takes linear time.

    >>> from lazygrad.dtype import dtypes
    >>> from lazygrad.ir.node import alu, const, iota
    >>> x = iota(4, dtypes.int32)
    >>> [y] = simplify([alu(Op.MUL, alu(Op.ADD, x, const(0, dtypes.int32, (4,))), const(1, dtypes.int32, (4,)))])
    >>> y is x
    True
    """
    done: dict[Node, Node] = {}
    becomes: dict[Node, Node] = {}  # one step; `done` has the end of the chain
    here = user_location()
    stack = list(reversed(roots))
    while stack:
        n = stack[-1]
        if n in done:
            stack.pop()
            continue
        if n not in becomes:
            missing = [s for s in n.src if s not in done]
            if missing:
                stack.extend(reversed(missing))
                continue
            becomes[n] = _step(n, done)
            _keep_location(becomes[n], n, here)
        target = becomes[n]
        if target is n or target in done:
            done[n] = n if target is n else done[target]
        else:
            stack.append(target)
    return [done[r] for r in roots]


def _step(n: Node, done: dict[Node, Node]) -> Node:
    """`n` over its simplified sources, or what the first rule that applies makes of it, or `n` itself."""
    src = tuple(done[s] for s in n.src)
    if any(a is not b for a, b in zip(src, n.src)):
        return with_sources(n, src)
    for rule in RULES.get(n.op, ()):
        simpler = rule(n)
        if simpler is not None:
            return simpler
    return n


def _keep_location(new: Node, old: Node, here: tuple[str, int]) -> None:
    """Errors about `new` shall point at the line that made `old`, not at the one that simplified it."""
    for n in (new, *new.src):
        if n.location == here:
            n.location = old.location
