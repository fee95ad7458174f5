"""Padding: constant, and by what is near the edge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lazygrad.dtype import Scalar
from lazygrad.errors import ArgumentError, ModeError, ShapeError
from lazygrad.index.expr import Dim, Expr, as_dim, maximum
from lazygrad.ir import node as graph
from lazygrad.ir.node import Node
from lazygrad.ops.concatenation import side_by_side
from lazygrad.ops.core import Core, fail, scalar
from lazygrad.ops.fitting import fitting

if TYPE_CHECKING:
    from typing_extensions import Self

Pairs = list[tuple[Dim, Dim]]  # (before, after) of each dimension
_MODES = ("constant", "reflect", "replicate", "circular")


class Padding(Core):
    """Padding."""

    __slots__ = ()

    def pad(self, pad: Sequence[Any], mode: str = "constant", value: Scalar | None = None) -> Self:
        """More elements at the edges, or with negative sizes fewer.

        Args:
            pad: (before, after) of the last dimension, then of the one before it..., as PyTorch counts them; or a pair
                for every dimension from the first one on, None where nothing changes.
            mode: "constant"; "reflect" (mirrored at the last element, which is not repeated); "replicate" (the last
                element again and again); or "circular" (from the other end).
            value: the constant, 0 unless given.

        ShapeError for sizes that do not fit; for "reflect" they are less than the dimension, for "circular" at most it.

        >>> Tensor([[1, 2]]).pad((1, 0, 0, 1)).tolist()
        [[0, 1, 2], [0, 0, 0]]
        >>> Tensor([[1, 2, 3]]).pad(((0, 0), (2, -1)), "reflect").tolist()
        [[3, 2, 1, 2]]
        """
        if mode not in _MODES:
            fail(ModeError, f"pad: mode {mode!r} is none of {', '.join(_MODES)}")
        pairs = self._pairs(pad)
        if mode != "constant":
            if value:
                fail(ArgumentError, f"pad: mode {mode!r} takes no value; {value!r} was given")
            return self._out(_by_edges(self._in(), mode, pairs))
        fill = fitting("pad", scalar("pad", 0 if value is None else value), self.dtype)
        return self._out(graph.pad(_cropped(self._in(), pairs), _grown(pairs), fill))

    def constant_pad_nd(self, pad: Sequence[Dim], value: Scalar = 0) -> Self:
        """`pad` with a constant.

        >>> Tensor([1]).constant_pad_nd((1, 1), 5).tolist()
        [5, 1, 5]
        """
        return self.pad(pad, "constant", value)

    def _pairs(self, pad: Sequence[Any]) -> Pairs:
        shape = list(self.shape)
        by_dim = bool(len(pad)) and all(p is None or isinstance(p, (tuple, list)) for p in pad)
        if by_dim:
            pairs = [(0, 0) if p is None else tuple(p) for p in pad]
        else:
            flat = tuple(pad)
            pairs = [(0, 0)] * (self.ndim - len(flat) // 2) + [flat[i : i + 2] for i in range(0, len(flat), 2)][::-1]
        sizes = [n for pair in pairs for n in pair]
        if len(pairs) != self.ndim or any(len(p) != 2 for p in pairs) or not all(map(_is_size, sizes)):
            fail(ShapeError, f"pad: {list(pad)} are not pairs of sizes for the dimensions of shape {shape}")
        for (lo, hi), n in zip(pairs, shape):
            if all(isinstance(v, int) for v in (lo, hi, n)) and (n + lo + hi < 0 or -lo > n or -hi > n):
                fail(ShapeError, f"pad: {list(pad)} takes more elements away than shape {shape} has")
        return pairs


def _is_size(n: Any) -> bool:
    return isinstance(n, Expr) or (isinstance(n, int) and not isinstance(n, bool))


def _positive(n: Dim) -> Dim:
    """`n`, or 0 where it is negative."""
    return as_dim(maximum(n, 0))


def _cropped(x: Node, pairs: Pairs) -> Node:
    return graph.shrink(x, [(_positive(-lo), n - _positive(-hi)) for (lo, hi), n in zip(pairs, x.shape)])


def _grown(pairs: Pairs) -> Pairs:
    return [(_positive(lo), _positive(hi)) for lo, hi in pairs]


def _by_edges(x: Node, mode: str, pairs: Pairs) -> Node:
    """Padded with elements of `x`. What is cut off is there for mirroring, but does not come in from the other end."""
    if mode == "circular":
        x = _cropped(x, pairs)
    for axis, (lo, hi) in enumerate(_grown(pairs)):
        if lo == 0 and hi == 0:
            continue
        n = x.shape[axis]
        if not (isinstance(n, int) and isinstance(lo, int) and isinstance(hi, int)):
            fail(ShapeError, f"pad: mode {mode!r} needs known sizes, not those of dim {axis} of shape {list(x.shape)}")
        most = {"reflect": n - 1, "circular": n}.get(mode, max(lo, hi) if n else 0)
        if lo > most or hi > most:
            fail(ShapeError, f"pad: {(lo, hi)} is too much for mode {mode!r} and dim {axis} of shape {list(x.shape)}")
        x = _along(x, mode, axis, lo, hi)
    return x if mode == "circular" else _cropped(x, [(min(lo, 0), min(hi, 0)) for lo, hi in pairs])  # type: ignore[type-var]


def _along(x: Node, mode: str, axis: int, lo: int, hi: int) -> Node:
    n = x.shape[axis]
    assert isinstance(n, int)

    def part(first: int, last: int) -> Node:
        return graph.shrink(x, [(first, last) if i == axis else (0, m) for i, m in enumerate(x.shape)])

    if mode == "reflect":
        before, after = (graph.flip(part(*ends), [axis]) for ends in ((1, 1 + lo), (n - 1 - hi, n - 1)))
    elif mode == "circular":
        before, after = part(n - lo, n), part(0, hi)
    else:
        before, after = (
            graph.expand(edge, (*x.shape[:axis], count, *x.shape[axis + 1 :]))
            for edge, count in ((part(0, 1), lo), (part(n - 1, n), hi))
        )
    return side_by_side([before, x, after], axis)
