"""Random integers below a limit, from random words: multiplied by the limit, of which the upper half is kept.

An integer is then as probable as another up to limit / 2**bits of the words: 2**-32 of itself with two words of 32 bits
and limits up to 2**32, 2**-64 with four words beyond. No draw is rejected, so that each element is made alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.dtype import dtypes
from lazygrad.ir.node import Node, alu, cast, const
from lazygrad.ir.op import Op

_U64 = dtypes.uint64


def _filled(x: Node, value: int) -> Node:
    return const(value, _U64, x.shape)


def _upper(x: Node) -> Node:
    return alu(Op.SHR, x, _filled(x, 32))


def _lower(x: Node) -> Node:
    return alu(Op.AND, x, _filled(x, 0xFFFFFFFF))


def _joined(high: Node, low: Node) -> Node:
    """Two uint32 words as one uint64."""
    wide = cast(high, _U64)
    return alu(Op.OR, alu(Op.SHL, wide, _filled(wide, 32)), cast(low, _U64))


def integers_below(limit: int, words: Sequence[Node]) -> Node:
    """uint64 integers below `limit`, at most 2**64, from two nodes of random uint32, or from four beyond 2**32."""
    first = _joined(words[0], words[1])
    if limit <= 1 << 32:
        factor = _filled(first, limit)
        carried = alu(Op.ADD, alu(Op.MUL, _upper(first), factor), _upper(alu(Op.MUL, _lower(first), factor)))
        return _upper(carried) if limit < 1 << 32 else _upper(first)
    if limit == 1 << 64:
        return first
    carry = _upper_product(_joined(words[2], words[3]), limit)
    low = alu(Op.MUL, first, _filled(first, limit))
    overflows = alu(Op.LT, alu(Op.ADD, low, carry), carry)
    return alu(Op.ADD, _upper_product(first, limit), cast(overflows, _U64))


def _upper_product(x: Node, factor: int) -> Node:
    """The upper 64 bits of the 128 of x * factor."""
    high, low = _filled(x, factor >> 32), _filled(x, factor & 0xFFFFFFFF)
    middle = alu(Op.ADD, alu(Op.MUL, _upper(x), low), _upper(alu(Op.MUL, _lower(x), low)))
    other = alu(Op.ADD, alu(Op.MUL, _lower(x), high), _lower(middle))
    return alu(Op.ADD, alu(Op.ADD, alu(Op.MUL, _upper(x), high), _upper(middle)), _upper(other))
