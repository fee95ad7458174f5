"""Index expressions as C."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lazygrad.index.expr import (
    And,
    Const,
    Equal,
    Expr,
    FloorDiv,
    Less,
    Maximum,
    Minimum,
    Mod,
    Product,
    Select,
    Sum,
    Var,
    topological,
)
from lazygrad.index.width import fits_int32, numerator_shift

Text = tuple[str, int]  # and the precedence of its outermost operator
_AND, _EQUAL, _LESS, _SUM, _PRODUCT, _ATOM = range(6)  # loosest first


def c_number(e: Expr) -> str:
    """The expression as C, in parentheses where it could not be compared or added to as it is.

    >>> i = Var("i", 0, 9)
    >>> print(c_number(i + 1), "|", c_number(i.lt(5)))
    i + 1 | (i < 5)
    """
    return _held(_text(e), _SUM)


def c_expression(e: Expr) -> str:
    """The expression as C. Computed in 64 bits when a part of it does not fit 32.

    >>> i, j = Var("i", 0, 9), Var("j", -5, 5)
    >>> print(c_expression(i * 8 + 3), "|", c_expression(j // 4), "|", c_expression(i * (1 << 40)))
    i*8 + 3 | (j + 8)/4 - 2 | (long)i*1099511627776L
    """
    return _text(e)[0]


def _text(e: Expr) -> Text:
    nodes = topological(e)
    wide = not all(map(fits_int32, nodes))
    of: dict[Expr, Text] = {}
    for node in nodes:
        if isinstance(node, Var):
            of[node] = (f"(long){node.name}", _PRODUCT) if wide else (node.name, _ATOM)
        else:
            of[node] = _WRITERS[type(node)](node, of)
    return of[e]


def _held(part: Text, level: int) -> str:
    """A part in parentheses where it binds less tightly than its place needs."""
    return part[0] if part[1] >= level else f"({part[0]})"


def _number(value: int) -> str:
    if value == -(1 << 63):
        return "(-9223372036854775807L - 1)"
    return str(value) if -(1 << 31) < value < 1 << 31 else f"{value}L"


def _const(e: Expr, of: Mapping[Expr, Text]) -> Text:
    return _number(e.lo), _ATOM if e.lo >= 0 else _SUM


def _sum(e: Expr, of: Mapping[Expr, Text]) -> Text:
    assert isinstance(e, Sum)
    terms = sorted(e.terms, key=lambda term: (term[1] < 0, -abs(term[1]), term[0].key))
    parts = []
    for atom, c in terms:
        text = (
            of[atom][0] if abs(c) == 1 and of[atom][1] >= _PRODUCT else _held(of[atom], _ATOM if c != 1 else _PRODUCT)
        )
        parts.append(("-" if c < 0 else "+", text if abs(c) == 1 else f"{_held(of[atom], _PRODUCT)}*{_number(abs(c))}"))
    if e.offset:
        parts.append(("-" if e.offset < 0 else "+", _number(abs(e.offset))))
    if parts[0][0] == "-" and e.offset > 0:
        parts.insert(0, parts.pop())
    first = ("-" if parts[0][0] == "-" else "") + parts[0][1]
    level = _SUM if len(parts) > 1 or first[0] == "-" else _PRODUCT
    return first + "".join(f" {sign} {text}" for sign, text in parts[1:]), level


def _product(e: Expr, of: Mapping[Expr, Text]) -> Text:
    first, *rest = (of[child] for child in e.children)
    return "*".join([_held(first, _PRODUCT), *(_held(part, _ATOM) for part in rest)]), _PRODUCT


def _division(e: Expr, of: Mapping[Expr, Text]) -> Text:
    """C rounds toward zero: numerators that can be negative are first shifted up by a multiple of the divisor. Of a
    divisor that is a variable the multiple might not fit: there, what was rounded up is found by the remainder."""
    assert isinstance(e, (FloorDiv, Mod))
    sign = "/" if isinstance(e, FloorDiv) else "%"
    numerator, denominator = of[e.numerator], of[e.denominator]
    plain = f"{_held(numerator, _PRODUCT)}{sign}{_held(denominator, _ATOM)}"
    if e.numerator.lo >= 0:
        return plain, _PRODUCT
    if not e.denominator.is_constant:
        remainder = f"{_held(numerator, _PRODUCT)}%{_held(denominator, _ATOM)}"
        correction = f"- ({remainder} < 0)" if sign == "/" else f"+ ({remainder} < 0 ? {denominator[0]} : 0)"
        return f"{plain} {correction}", _SUM
    shift = numerator_shift(e)
    quotient = f"({_held(numerator, _SUM)} + {_number(shift * e.denominator.lo)}){sign}{_held(denominator, _ATOM)}"
    return (f"{quotient} - {_number(shift)}", _SUM) if isinstance(e, FloorDiv) else (quotient, _PRODUCT)


def _joined(operator: str, inner: int, level: int) -> Callable[[Expr, Mapping[Expr, Text]], Text]:
    return lambda e, of: (operator.join(_held(of[child], inner) for child in e.children), level)


def _extreme(e: Expr, of: Mapping[Expr, Text]) -> Text:
    sign = "<" if isinstance(e, Minimum) else ">"
    text = _held(of[e.children[0]], _SUM)
    for child in e.children[1:]:
        other = _held(of[child], _SUM)
        text = f"({text} {sign} {other} ? {text} : {other})"
    return text, _ATOM


def _select(e: Expr, of: Mapping[Expr, Text]) -> Text:
    condition, yes, no = (of[child] for child in e.children)
    return f"({_held(condition, _AND)} ? {_held(yes, _AND)} : {_held(no, _AND)})", _ATOM  # stands behind `pointer +`


_WRITERS: dict[type[Expr], Callable[[Expr, Mapping[Expr, Text]], Text]] = {
    Const: _const,
    Sum: _sum,
    Product: _product,
    FloorDiv: _division,
    Mod: _division,
    Less: _joined(" < ", _SUM, _LESS),
    Equal: _joined(" == ", _LESS, _EQUAL),
    And: _joined(" && ", _EQUAL, _AND),
    Minimum: _extreme,
    Maximum: _extreme,
    Select: _select,
}
