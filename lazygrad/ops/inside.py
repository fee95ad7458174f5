"""Indices that have to lie inside: an error at once where the host knows that one does not, else at the next read."""

from __future__ import annotations

from lazygrad.dtype import dtypes
from lazygrad.engine.checks import known_range, outside
from lazygrad.engine.run import realized, storage_of
from lazygrad.errors import BoundsError, user_location
from lazygrad.index.expr import Dim
from lazygrad.ir.build import size_value
from lazygrad.ir.node import Node, alu, cast, const, node, where
from lazygrad.ir.op import CheckArg, Op
from lazygrad.ir.signature import at_most
from lazygrad.ops.core import fail
from lazygrad.runtime.base import Storage
from lazygrad.settings import settings


def inside(what: str, index: Node, size: Dim, negative: bool = False, exempt: int | None = None) -> Node:
    """`index`, of which every element has to be one of 0..size-1; with `negative` of -size..-1 too, or `exempt`.

    BoundsError at once, or when a value is read the next time, where one is not.
    """
    if not settings.check_indices:
        return index
    if (known := known_range(index, _stored)) is not None:
        least, greatest, are_elements = known
        low = -size if negative else 0
        if at_most(low, least) and at_most(greatest + 1, size):
            return index
        if are_elements and exempt is None and isinstance(size, int):
            fail(BoundsError, outside(what, greatest if greatest >= size else least, size))
    return node(Op.CHECK, (index,), CheckArg(what, size, negative, exempt, user_location()))


def from_the_end(what: str, index: Node, size: Dim) -> Node:
    """`index` in int64 where negative places count from the end; those of -size..size-1 are allowed."""
    signed = index.dtype.kind == "int"
    index = cast(inside(what, index, size, signed), dtypes.int64)
    if not signed:
        return index
    negative = alu(Op.LT, index, const(0, dtypes.int64, index.shape))
    return where(negative, alu(Op.ADD, index, size_value(size, dtypes.int64, index.shape)), index)


def _stored(index: Node) -> Storage | None:
    return None if realized(index) is None else storage_of(index)
