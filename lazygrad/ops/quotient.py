"""Quotients rounded to integers and the remainders that belong to them, exact wherever the operands are.

Of floats as Python and PyTorch make them: from the exact remainder, because x / y itself may be rounded up to an
integer (1 // 0.1 is 9). Integers divided by 0 give 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lazygrad.dtype import dtypes
from lazygrad.ir.build import add, mul, scaled, sub
from lazygrad.ir.call import UserFunction
from lazygrad.ir.node import Node, call, cast, const, detach, node, where
from lazygrad.ir.op import Op
from lazygrad.ops.compare import equal
from lazygrad.ops.rounding import floor


def _filled(x: Node, value: float) -> Node:
    return const(value, x.dtype, x.shape)


def _is_negative(x: Node) -> Node:
    return node(Op.LT, (x, _filled(x, 0)))


def _differs_in_sign(remainder: Node, other: Node) -> Node:
    """Where a remainder that is not 0 has another sign than `other`."""
    opposite = node(Op.XOR, (_is_negative(remainder), _is_negative(other)))
    return node(Op.AND, (node(Op.NE, (remainder, _filled(remainder, 0))), opposite))


def truncated_remainder(x: Node, y: Node) -> Node:
    """The remainder with the sign of x, as C's fmod and %. The slope by x is 1, also at 0."""
    if x.dtype.is_float:
        negative = _is_negative(x)
        size = where(negative, scaled(x, -1), x)
        rest = node(Op.MOD, (size, where(_is_negative(y), scaled(y, -1), y)))
        return where(negative, scaled(rest, -1), rest)
    rest = node(Op.MOD, (x, y))
    return where(_differs_in_sign(rest, x), sub(rest, y), rest) if x.dtype.kind == "int" else rest


class _TruncatedRemainder(UserFunction):
    """The gradients of `fmod`."""

    name = "fmod"

    def gradients(self, inputs: Sequence[Node], by_outputs: Mapping[int, Node]) -> Sequence[Node | None]:
        """Those of x - trunc(x / y) * y, whose quotient is flat."""
        g, quotient = by_outputs[0], truncated_quotient(*inputs)
        return g, mul(g, scaled(quotient, -1))


_TRUNCATED_REMAINDER = _TruncatedRemainder()


def fmod(x: Node, y: Node) -> Node:
    """`truncated_remainder`, whose slope by y is that of the quotient rounded towards 0."""
    rest = truncated_remainder(x, y)
    return call(rest, (x, y), _TRUNCATED_REMAINDER, 0) if rest.dtype.is_float else rest


def floor_quotient(x: Node, y: Node) -> Node:
    """x / y rounded down. Its gradients are 0."""
    if not x.dtype.is_float:
        return node(Op.IDIV, (x, y))
    if x.dtype.is_half:
        return cast(floor_quotient(cast(x, dtypes.float32), cast(y, dtypes.float32)), x.dtype)
    rest = truncated_remainder(x, y)
    quotient = node(Op.DIV, (sub(x, rest), y))  # within a rounding of an integer
    quotient = where(_differs_in_sign(rest, y), add(quotient, _filled(x, -1)), quotient)
    whole = floor(quotient)
    nearest = add(whole, cast(node(Op.LT, (_filled(x, 0.5), sub(quotient, whole))), x.dtype))
    signed = where(equal(nearest, _filled(x, 0)), scaled(detach(node(Op.DIV, (x, y))), 0), nearest)
    return where(equal(y, _filled(y, 0)), truncated_quotient(x, y), signed)


def truncated_quotient(x: Node, y: Node) -> Node:
    """x / y rounded towards 0. Its gradients are 0."""
    if x.dtype.is_float:
        return node(Op.TRUNC, (node(Op.DIV, (x, y)),))
    quotient, zero = node(Op.IDIV, (x, y)), _filled(x, 0)
    inexact = node(Op.NE, (node(Op.MOD, (x, y)), zero))
    below = node(Op.AND, (inexact, _is_negative(quotient)))  # where the floor of a negative quotient lies below it
    return add(quotient, cast(below, x.dtype))
