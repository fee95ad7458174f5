"""Rounding to integers, from the one primitive TRUNC. Gradients are zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazygrad.dtype import dtypes
from lazygrad.errors import ArgumentError, DTypeError
from lazygrad.ir.build import add, scaled, sub
from lazygrad.ir.node import Node, cast, const, detach, node, where
from lazygrad.ir.op import Op
from lazygrad.ops.compare import Compare, equal
from lazygrad.ops.core import fail

if TYPE_CHECKING:
    from typing_extensions import Self


def truncate(x: Node) -> Node:
    return node(Op.TRUNC, (x,)) if x.dtype.is_float else x


def floor(x: Node) -> Node:
    if not x.dtype.is_float:
        return x
    whole = truncate(x)
    return sub(whole, cast(node(Op.LT, (x, whole)), x.dtype))


def ceil(x: Node) -> Node:
    if not x.dtype.is_float:
        return x
    return scaled(floor(scaled(x, -1)), -1)  # so that what lies between -1 and 0 becomes -0


def round_half_to_even(x: Node) -> Node:
    """The fraction that TRUNC leaves is exact, so ties are seen as such."""
    if not x.dtype.is_float:
        return x
    whole = truncate(x)
    fraction = sub(x, whole)
    half, minus_half, two, zero = (const(v, x.dtype, x.shape) for v in (0.5, -0.5, 2.0, 0.0))
    odd = node(Op.NE, (node(Op.MOD, (whole, two)), zero))
    up = node(Op.OR, (node(Op.LT, (half, fraction)), node(Op.AND, (equal(fraction, half), odd))))
    down = node(Op.OR, (node(Op.LT, (fraction, minus_half)), node(Op.AND, (equal(fraction, minus_half), odd))))
    one = const(1.0, x.dtype, x.shape)
    return where(up, add(whole, one), where(down, sub(whole, one), whole))  # a zero keeps its sign


DECIMALS = 308  # of the greatest power of ten


class Rounding(Compare):
    """Rounding; integers are returned as they are."""

    __slots__ = ()

    def trunc(self) -> Self:
        """Rounded towards 0.

        >>> Tensor([1.7, -1.7]).trunc().tolist()
        [1.0, -1.0]
        """
        return self._out(truncate(self._in()))

    def floor(self) -> Self:
        """Rounded towards minus infinity.

        >>> Tensor([1.7, -1.7]).floor().tolist()
        [1.0, -2.0]
        """
        return self._out(floor(self._in()))

    def ceil(self) -> Self:
        """Rounded towards infinity.

        >>> Tensor([1.2, -1.2]).ceil().tolist()
        [2.0, -1.0]
        """
        return self._out(ceil(self._in()))

    def round(self, decimals: int = 0) -> Self:
        """Rounded to the nearest integer, halves to the even one; or to so many decimals (negative: before the point).

        >>> Tensor([0.5, 1.5, 2.5]).round().tolist(), Tensor([15.75]).round(decimals=1).tolist()
        ([0.0, 2.0, 2.0], [15.800000190734863])
        """
        x = self._in()
        if not decimals:
            return self._out(round_half_to_even(x))
        if not x.dtype.is_float:
            fail(DTypeError, f"round: {decimals} decimals of {x.dtype}; cast first, e.g. .float()")
        x = cast(x, dtypes.float32) if x.dtype.is_half else x
        if abs(decimals) > DECIMALS:
            fail(ArgumentError, f"round: {decimals} decimals are more than {DECIMALS}, which no float has")
        power = const(10.0 ** abs(decimals), x.dtype, x.shape)
        first, last = (Op.MUL, Op.DIV) if decimals > 0 else (Op.DIV, Op.MUL)
        return self._out(cast(node(last, (round_half_to_even(node(first, (x, power))), power)), self.dtype))

    def frac(self) -> Self:
        """What `trunc` leaves, with the sign of the element.

        >>> Tensor([1.5, -1.5]).frac().tolist()
        [0.5, -0.5]
        """
        return self._out(sub(self._in(), detach(truncate(self._in()))))
