"""Huge values in pieces: what is only read once, element by element, is never there as a whole.

Two thousand million positions take 16 GB; to find the largest of some of them, a few megabytes at a time will do.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazygrad.ir.elements import array_type
from lazygrad.ir.node import Node
from lazygrad.ir.op import ELEMENTWISE, AxesArg, Combine, Op, ReduceArg

Array = NDArray[Any]
HUGE = 1 << 26  # elements of a value, from which on it is computed in pieces
PIECE = 1 << 18  # elements at a time
_PIECEWISE = ELEMENTWISE | {Op.CAST}


class Pieces:
    """Which values of `order` are computed piece by piece, along their first axis, and how.

    Args:
        used: how often each value is read; counted down by `release`.
        whole: nodes that are needed as a whole: results, and what products read.
        values: those that are there; a piece of one is a view.
        compute: the value of a node, of those of its sources.
    """

    def __init__(
        self,
        order: Sequence[Node],
        used: Counter[Node],
        whole: Collection[Node],
        values: dict[Node, Array],
        compute: Callable[[Node, Sequence[Array]], Array],
    ) -> None:
        self.values, self.used, self.compute = values, used, compute
        self.later: set[Node] = set()  # computed where they are read, and nowhere else
        if not any(map(_is_huge, order)):
            return
        readers: dict[Node, list[Node]] = {}
        for n in order:
            for s in n.src:
                readers.setdefault(s, []).append(n)
        for n in reversed(order):
            is_cheap = n.op is Op.IOTA or (n.op is Op.FLIP and n.argument(AxesArg).axes == (0,))
            may_wait = n not in whole and (is_cheap or (n.op in _PIECEWISE and used[n] == 1))
            if may_wait and _is_huge(n) and all(self._takes_pieces(r, n) for r in readers[n]):
                self.later.add(n)

    def _takes_pieces(self, reader: Node, n: Node) -> bool:
        """Whether `reader` can do with pieces of `n`: element by element, or for a total of any order."""
        if reader.op is not Op.REDUCE:
            return reader.op in _PIECEWISE or reader in self.later
        arg = reader.argument(ReduceArg)
        return 0 in arg.axes and (arg.combine is Combine.MAX or (arg.combine is Combine.ADD and n.dtype.is_int))

    def value(self, n: Node) -> Array | None:
        """The value of a node some of whose sources are computed later; None where there are none."""
        if self.later.isdisjoint(n.src):
            return None
        shape = _known(n.src[0] if n.op is Op.REDUCE else n)
        rows = max(1, PIECE // max(1, math.prod(shape[1:])))
        out = None if n.op is Op.REDUCE else np.empty(shape, array_type(n.dtype))
        total: Array | None = None
        for lo in range(0, shape[0], rows):
            hi = min(shape[0], lo + rows)
            if out is not None:
                out[lo:hi] = self._piece(n, lo, hi)
            else:
                part = self.compute(n, [self._piece(n.src[0], lo, hi)])
                total = part if total is None else _joined(n, total, part)
        return total if out is None else out

    def release(self, n: Node) -> None:
        """One reader of a value is done. After the last one it goes, or what it would have been computed from."""
        self.used[n] -= 1
        if not self.used[n] and self.values.pop(n, None) is None:
            for s in n.src:
                self.release(s)

    def _piece(self, n: Node, lo: int, hi: int) -> Array:
        if n in self.values:
            piece: Array = self.values[n][lo:hi]
            return piece
        if n.op is Op.IOTA:
            return np.arange(lo, hi).astype(array_type(n.dtype), copy=False)
        if n.op is Op.FLIP:
            (size, *_) = _known(n)
            return self._piece(n.src[0], size - hi, size - lo)[::-1]
        return self.compute(n, [self._piece(s, lo, hi) for s in n.src])


def _known(n: Node) -> tuple[int, ...]:
    """The shape of a value all sizes of which are known; () for others."""
    known = tuple(d for d in n.shape if isinstance(d, int))
    return known if len(known) == len(n.shape) else ()


def _is_huge(n: Node) -> bool:
    return math.prod(_known(n)) >= HUGE


def _joined(n: Node, a: Array, b: Array) -> Array:
    joined = np.maximum(a, b) if n.argument(ReduceArg).combine is Combine.MAX else np.add(a, b)
    return np.asarray(joined, array_type(n.dtype))
