"""Shapes that meet, by NumPy's rule."""

from __future__ import annotations

from lazygrad.errors import ShapeError, fail
from lazygrad.index.expr import Dim
from lazygrad.ir.node import Node, expand, reshape
from lazygrad.ir.signature import Shape


def broadcast_shape(what: str, *shapes: Shape) -> Shape:
    """The one shape that all `shapes` broadcast to, by NumPy's rule; ShapeError where there is none."""
    result: list[Dim] = []
    longest = max(len(s) for s in shapes)
    for place in range(-longest, 0):
        sizes = [s[place] for s in shapes if len(s) >= -place]
        wide = [n for n in sizes if n != 1]
        if any(n != wide[0] for n in wide):
            both = " and ".join(str(list(s)) for s in shapes)
            fail(ShapeError, f"{what}: shapes {both} do not broadcast: sizes {wide[0]} and {wide[-1]} at dim {place}")
        result.append(wide[0] if wide else 1)
    return tuple(result)


def broadcast_to(x: Node, shape: Shape) -> Node:
    """`x` with dimensions added in front, and those of size 1 repeated."""
    if x.shape == shape:
        return x
    return expand(reshape(x, (1,) * (len(shape) - len(x.shape)) + x.shape), shape)
