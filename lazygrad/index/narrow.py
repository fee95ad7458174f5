"""What a condition says of the bounds of an expression's variables."""

from __future__ import annotations

from .kinds import And, Less
from .linear import linear_form
from .node import Expr, Var


def given(e: Expr, condition: Expr) -> Expr:
    """e where the condition holds, simplified: its variables keep their names, with bounds as narrow as they are then.

    Where the condition does not hold, the result may have another value.

    >>> from lazygrad.index.expr import Var
    >>> i = Var("i", 0, 9)
    >>> given((i - 2) % 5, i.ge(2).and_(i.lt(7)))
    <Sum i - 2 in 0..4>
    """
    narrow: dict[Var, Expr] = {}
    for part in condition.conditions if isinstance(condition, And) else (condition,):
        terms, offset = linear_form(part.left - part.right) if isinstance(part, Less) else ((), 0)
        if len(terms) != 1 or not isinstance(terms[0][0], Var) or terms[0][0] not in e.vars:
            continue
        var, sign = terms[0][0], terms[0][1]
        now = narrow.get(var, var)
        lo, hi = (now.lo, min(now.hi, -offset - 1)) if sign > 0 else (max(now.lo, offset + 1), now.hi)
        if lo > hi:
            return e
        narrow[var] = Var(var.name, lo, hi, var.below)
    return e.substitute(narrow)
