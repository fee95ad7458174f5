"""Rounding to integers, from the one primitive TRUNC. Gradients are zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazygrad.ir.build import add, sub
from lazygrad.ir.node import Node, cast, const, node
from lazygrad.ir.op import Op
from lazygrad.ops.compare import Compare, equal

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
    whole = truncate(x)
    return add(whole, cast(node(Op.LT, (whole, x)), x.dtype))


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
    return sub(add(whole, cast(up, x.dtype)), cast(down, x.dtype))


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

    def round(self) -> Self:
        """Rounded to the nearest integer, halves to the even one.

        >>> Tensor([0.5, 1.5, 2.5]).round().tolist()
        [0.0, 2.0, 2.0]
        """
        return self._out(round_half_to_even(self._in()))

    def frac(self) -> Self:
        """What `trunc` leaves, with the sign of the element.

        >>> Tensor([1.5, -1.5]).frac().tolist()
        [0.5, -0.5]
        """
        return self._out(sub(self._in(), truncate(self._in())))
