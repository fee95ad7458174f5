"""Evaluation, substitution and text of index expressions, each in one pass over the shared nodes, without recursion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lazygrad.errors import ShapeError, user_line

from .divide import floordiv, modulo
from .kinds import And, Equal, FloorDiv, Less, Maximum, Minimum, Mod, Product, Select
from .linear import scaled_sum
from .logic import all_of, equal, less, maximum, minimum, select
from .node import Const, Expr, Sum, Var
from .variable import Variable


def topological(e: Expr, skip: Callable[[Expr], bool] = lambda node: False) -> list[Expr]:
    """The nodes of an expression, each once, children first; `skip` prunes what lies below a node."""
    order: list[Expr] = []
    seen: set[Expr] = set()
    stack: list[tuple[Expr, bool]] = [(e, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            if not skip(node):
                stack.extend((child, False) for child in reversed(node.children))
    return order


def _least(a: Any, b: Any) -> Any:
    return a * (a <= b) + b * (a > b)


def _compute(node: Expr, of: Mapping[Expr, Any]) -> Any:
    """The value of a node given its children's values: Python integers or NumPy arrays, so branch-free."""
    if isinstance(node, Sum):
        return sum((of[atom] * c for atom, c in node.terms), node.offset)
    if isinstance(node, Product):
        result: Any = 1
        for atom in node.factors:
            result = result * of[atom]
        return result
    if isinstance(node, FloorDiv):
        return of[node.numerator] // of[node.denominator]
    if isinstance(node, Mod):
        return of[node.numerator] % of[node.denominator]
    if isinstance(node, Less):
        return (of[node.left] < of[node.right]) * 1
    if isinstance(node, Equal):
        return (of[node.left] == of[node.right]) * 1
    return _compute_choice(node, of)


def _compute_choice(node: Expr, of: Mapping[Expr, Any]) -> Any:
    values = [of[child] for child in node.children]
    if isinstance(node, Select):
        return values[0] * values[1] + (1 - values[0]) * values[2]
    result = values[0]
    for value in values[1:]:
        if isinstance(node, And):
            result = result * value
        else:
            result = _least(result, value) if isinstance(node, Minimum) else -_least(-result, -value)
    return result


def evaluate(e: Expr, values: Mapping[Any, Any]) -> Any:
    """The value of e; `values` gives each variable's, by Var or by name, but those that are bound already.

    Raises KeyError for a missing one, and ShapeError where that is a Variable.
    """
    of: dict[Expr, Any] = {}
    for node in topological(e):
        if isinstance(node, Var):
            of[node] = values.get(node, values.get(node.name, node.bound))
            if of[node] is None and isinstance(node, Variable):
                raise ShapeError(f"{e}: {node.name} has no value; give it one with {node.name}.bind(n) ({user_line()})")
            if of[node] is None:
                raise KeyError(f"no value given for variable {node.name!r} of {e}")
        else:
            of[node] = node.value if isinstance(node, Const) else _compute(node, of)
    return of[e]


def make(kind: type[Expr], children: Sequence[Expr], coefficients: Sequence[int] = (), offset: int = 0) -> Expr:
    """The expression of a kind that has children, simplified; `coefficients` and `offset` are those of a Sum."""
    if kind is Sum:
        return scaled_sum(zip(children, coefficients), offset)
    if kind is Product:
        result: Expr = Const(1)
        for child in children:
            result = result * child
        return result
    if kind is And:
        return all_of(children)
    return _CONSTRUCTORS[kind](*children)


def _rebuild(node: Expr, of: Mapping[Expr, Expr]) -> Expr:
    """The node with its children replaced, simplified."""
    children = [of[child] for child in node.children]
    if isinstance(node, Sum):
        return make(Sum, children, [c for _, c in node.terms], node.offset)
    return make(type(node), children)


_CONSTRUCTORS: dict[type[Expr], Callable[..., Expr]] = {
    FloorDiv: floordiv,
    Mod: modulo,
    Less: less,
    Equal: equal,
    Minimum: minimum,
    Maximum: maximum,
    Select: select,
}


def substitute(e: Expr, values: Mapping[Var, Expr]) -> Expr:
    """e with variables replaced, simplified again."""
    affected = frozenset(values)
    of: dict[Expr, Expr] = {}
    for node in topological(e, skip=lambda node: affected.isdisjoint(node.vars)):
        if affected.isdisjoint(node.vars):
            of[node] = node
        else:
            of[node] = values[node] if isinstance(node, Var) else _rebuild(node, of)
    return of[e]


_CHOICE, _AND, _EQUAL, _LESS, _SUM, _PRODUCT, _ATOM = range(7)  # C's precedence, loosest first


def _sum_text(node: Sum, of: Mapping[Expr, tuple[str, int]]) -> tuple[str, int]:
    """Terms by falling coefficient, a positive one first, so that an offset into a row-major array reads naturally."""
    terms = sorted(node.terms, key=lambda term: (term[1] < 0, -len(term[0].children), -abs(term[1]), term[0].key))
    parts = []
    for atom, c in terms:
        text = _enclosed(of[atom], _PRODUCT) if abs(c) == 1 else f"{_enclosed(of[atom], _PRODUCT)}*{abs(c)}"
        parts.append(("-" if c < 0 else "+", text))
    if node.offset or not parts:
        parts.append(("-" if node.offset < 0 else "+", str(abs(node.offset))))
    if parts[0][0] == "-" and node.offset > 0:
        parts.insert(0, parts.pop())
    first = ("-" if parts[0][0] == "-" else "") + parts[0][1]
    level = _SUM if len(parts) > 1 or first[0] == "-" else _PRODUCT
    return first + "".join(f" {sign} {text}" for sign, text in parts[1:]), level


def _enclosed(part: tuple[str, int], level: int) -> str:
    """The text of a part, in parentheses where it binds less tightly than its place needs."""
    return part[0] if part[1] >= level else f"({part[0]})"


def _division_text(node: FloorDiv | Mod, of: Mapping[Expr, tuple[str, int]]) -> tuple[str, int]:
    numerator, denominator = of[node.numerator], of[node.denominator]
    sign = "/" if isinstance(node, FloorDiv) else "%"
    if node.numerator.lo >= 0:
        return f"{_enclosed(numerator, _PRODUCT)}{sign}{_enclosed(denominator, _ATOM)}", _PRODUCT
    name = "floordiv" if isinstance(node, FloorDiv) else "floormod"
    return f"{name}({numerator[0]}, {denominator[0]})", _ATOM


def _node_text(node: Expr, of: Mapping[Expr, tuple[str, int]]) -> tuple[str, int]:
    """Text and precedence of a node given its children's."""
    if isinstance(node, Const):
        return str(node.value), _ATOM if node.value >= 0 else _SUM
    if isinstance(node, Var):
        return node.name, _ATOM
    if isinstance(node, Sum):
        return _sum_text(node, of)
    if isinstance(node, (FloorDiv, Mod)):
        return _division_text(node, of)
    parts = [of[child] for child in node.children]
    if isinstance(node, Product):
        first, *rest = parts
        return "*".join([_enclosed(first, _PRODUCT), *(_enclosed(part, _ATOM) for part in rest)]), _PRODUCT
    if isinstance(node, Less):
        return " < ".join(_enclosed(part, _SUM) for part in parts), _LESS
    if isinstance(node, Equal):
        return " == ".join(_enclosed(part, _LESS) for part in parts), _EQUAL
    if isinstance(node, And):
        return " && ".join(_enclosed(part, _EQUAL) for part in parts), _AND
    if isinstance(node, Select):
        return " : ".join((f"{_enclosed(parts[0], _AND)} ? {parts[1][0]}", _enclosed(parts[2], _CHOICE))), _CHOICE
    name = "min" if isinstance(node, Minimum) else "max"
    text = parts[0][0]
    for part in parts[1:]:
        text = f"{name}({text}, {part[0]})"
    return text, _ATOM


def text(e: Expr) -> str:
    """C-like text with few parentheses. `/` and `%` stand where the numerator is never negative, so that C agrees;
    elsewhere it says floordiv(a, b) and floormod(a, b)."""
    of: dict[Expr, tuple[str, int]] = {}
    for node in topological(e):
        of[node] = _node_text(node, of)
    return of[e][0]
