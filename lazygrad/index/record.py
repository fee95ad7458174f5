"""Expressions over Variables as plain lists, for files."""

from __future__ import annotations

from typing import Any

from .expr import Dim, lift
from .kinds import And, Equal, FloorDiv, Less, Maximum, Minimum, Mod, Product, Select
from .node import Const, Expr, Sum
from .variable import Variable
from .walk import make, topological

_KINDS = {k.__name__: k for k in (Sum, Product, FloorDiv, Mod, Less, Equal, And, Minimum, Maximum, Select)}


def record(size: Dim) -> list[Any]:
    """The nodes of an expression, children first, as lists of numbers and strings.

    >>> record(Variable("T", 1, 8) * 2 + 1)
    [['Variable', 'T', 1, 8], ['Sum', [0], [2], 1]]
    """
    rows: list[Any] = []
    number: dict[Expr, int] = {}
    for node in topological(lift(size)):
        number[node] = len(rows)
        children = [number[child] for child in node.children]
        if isinstance(node, Const):
            rows.append(["Const", node.value])
        elif isinstance(node, Variable):
            rows.append(["Variable", node.name, node.lo, node.hi])
        elif isinstance(node, Sum):
            rows.append(["Sum", children, [c for _, c in node.terms], node.offset])
        else:
            rows.append([type(node).__name__, children])
    return rows


def restored(rows: list[Any]) -> Expr:
    """The expression that `record` took apart. ValueError, KeyError, IndexError or TypeError for anything else.

    >>> print(restored(record(Variable("T", 1, 8) * 2 + 1)))
    T*2 + 1
    """
    made: list[Expr] = []
    for kind, *fields in rows:
        if kind == "Const":
            made.append(Const(*fields))
        elif kind == "Variable":
            made.append(Variable(*fields))
        else:
            children, *rest = fields
            made.append(make(_KINDS[kind], [made[k] for k in children], *rest))
    return made[-1]
