"""How wide the integers are in which a compiler like C's computes an expression."""

from __future__ import annotations

from .kinds import FloorDiv, Mod
from .node import Expr


def numerator_shift(e: FloorDiv | Mod) -> int:
    """How many times the divisor, which is known, is added to a numerator that may be negative: C rounds toward zero.

    >>> from lazygrad.index.expr import Var
    >>> numerator_shift(Var("j", -5, 5) // 4)
    2
    """
    return max(0, -(e.numerator.lo // e.denominator.lo))


def fits_int32(e: Expr) -> bool:
    """Whether the value of an expression fits 32 bits, and the shifted numerator of a division; not what is inside.

    >>> from lazygrad.index.expr import Var
    >>> fits_int32(Var("i", 0, 1 << 20) * 2048), fits_int32(Var("j", -5, (1 << 31) - 1) // 4)
    (False, False)
    """
    if isinstance(e, (FloorDiv, Mod)) and e.denominator.is_constant:
        shifted = e.numerator.hi + numerator_shift(e) * e.denominator.lo
        if shifted >= 1 << 31:
            return False
    return e.lo >= -(1 << 31) and e.hi < 1 << 31
