"""Numbers of several dtypes as numbers of one, without a loss."""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.dtype import DType, dtypes
from lazygrad.ir.node import Node, bitcast, cast

_INTEGERS = {1: dtypes.uint8, 2: dtypes.int16, 4: dtypes.int32, 8: dtypes.int64}


def carrier(kinds: Sequence[DType]) -> DType:
    """A dtype that holds each of `kinds` in its own way: the widest, a float if there is one so wide.

    >>> carrier([dtypes.bool, dtypes.int32, dtypes.float32, dtypes.float16]).name
    'float32'
    """
    if len(set(kinds)) == 1 and kinds[0] is not dtypes.bool:
        return kinds[0]
    width = max(k.itemsize for k in kinds)
    floats = [k for k in kinds if k.is_float and k.itemsize == width >= 4]
    return floats[0] if floats else _INTEGERS[width]


def encoded(n: Node, kind: DType) -> Node:
    """`n` as numbers of `kind`, a `carrier` of its dtype: all smaller numbers are numbers of a float of 32 bits, or 64;
    in integers, the bits of floats are."""
    if n.dtype.itemsize == kind.itemsize and n.dtype is not dtypes.bool:
        return bitcast(n, kind)
    if n.dtype.is_float and not kind.is_float:
        n = bitcast(n, _INTEGERS[n.dtype.itemsize])
    return cast(n, kind)


def decoded(n: Node, kind: DType) -> Node:
    """What `encoded` made `n` of."""
    if n.dtype.itemsize == kind.itemsize and kind is not dtypes.bool:
        return bitcast(n, kind)
    if kind.is_float and not n.dtype.is_float:
        return bitcast(cast(n, _INTEGERS[kind.itemsize]), kind)
    return cast(n, kind)
