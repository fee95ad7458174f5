"""Shapes, joining and repeating."""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.array_api.promotion import alike, an_array
from lazygrad.errors import ShapeError
from lazygrad.ops.core import fail
from lazygrad.ops.grids import broadcast_tensors
from lazygrad.ops.joining import cat
from lazygrad.ops.joining import stack as stacked
from lazygrad.tensor import Tensor

__all__ = [
    "broadcast_arrays",
    "broadcast_to",
    "concat",
    "expand_dims",
    "flip",
    "moveaxis",
    "permute_dims",
    "repeat",
    "reshape",
    "roll",
    "squeeze",
    "stack",
    "tile",
    "unstack",
]

Axes = int | tuple[int, ...]


def broadcast_arrays(*arrays: Tensor) -> list[Tensor]:
    """All in their common shape.

    >>> [x.shape for x in broadcast_arrays(Tensor([1, 2]), Tensor([[3], [4]]))]
    [(2, 2), (2, 2)]
    """
    return list(broadcast_tensors(*arrays))


def broadcast_to(x: Tensor, /, shape: tuple[int, ...]) -> Tensor:
    """`x` repeated to `shape`.

    >>> broadcast_to(Tensor([1, 2]), (2, 2)).tolist()
    [[1, 2], [1, 2]]
    """
    return an_array("broadcast_to", x).expand(shape)


def concat(arrays: Sequence[Tensor], /, *, axis: int | None = 0) -> Tensor:
    """The arrays one after the other along `axis`; None joins all elements, flat. In their common dtype.

    >>> concat([Tensor([[1], [2]]), Tensor([[3]])], axis=None).tolist()
    [1, 2, 3]
    """
    joined = alike("concat", *arrays)
    return cat([t.flatten() for t in joined]) if axis is None else cat(joined, axis)


def expand_dims(x: Tensor, /, axis: int) -> Tensor:
    """`x` with a dimension of size 1 more, at `axis`.

    >>> expand_dims(Tensor([1, 2]), 1).shape
    (2, 1)
    """
    return an_array("expand_dims", x).unsqueeze(axis)


def flip(x: Tensor, /, *, axis: Axes | None = None) -> Tensor:
    """`x` backwards along `axis`; None means all.

    >>> flip(Tensor([[1, 2], [3, 4]])).tolist()
    [[4, 3], [2, 1]]
    """
    return an_array("flip", x).flip(tuple(range(x.ndim)) if axis is None else axis)


def moveaxis(x: Tensor, source: Axes, destination: Axes, /) -> Tensor:
    """`x` with dimensions moved from `source` to `destination`; the others keep their order.

    >>> moveaxis(zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    return an_array("moveaxis", x).moveaxis(source, destination)


def permute_dims(x: Tensor, /, axes: tuple[int, ...]) -> Tensor:
    """`x` with its dimensions in the order `axes`.

    >>> permute_dims(zeros((2, 3)), (1, 0)).shape
    (3, 2)
    """
    return an_array("permute_dims", x).permute(axes)


def repeat(x: Tensor, repeats: int | Tensor, /, *, axis: int | None = None) -> Tensor:
    """Every element along `axis` so many times; None means those of the flat array.

    >>> repeat(Tensor([1, 2]), 2).tolist(), repeat(Tensor([1, 2]), Tensor([0, 3])).tolist()
    ([1, 1, 2, 2], [2, 2, 2])
    """
    return an_array("repeat", x).repeat_interleave(repeats, axis)


def reshape(x: Tensor, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Tensor:
    """The elements, in row-major order, in another shape, where -1 is what is left. A new array with `copy`; never a
    copy otherwise.

    >>> reshape(Tensor([1, 2, 3, 4]), (2, -1)).tolist()
    [[1, 2], [3, 4]]
    """
    shaped = an_array("reshape", x).reshape(shape)
    return shaped.clone() if copy else shaped


def roll(x: Tensor, /, shift: Axes, *, axis: Axes | None = None) -> Tensor:
    """Elements shifted along `axis`, around its end; None shifts the flat array and keeps the shape.

    >>> roll(Tensor([1, 2, 3]), 1).tolist()
    [3, 1, 2]
    """
    return an_array("roll", x).roll(shift, axis)


def squeeze(x: Tensor, /, axis: Axes) -> Tensor:
    """`x` without the dimensions `axis`. ShapeError where their size is not 1.

    >>> squeeze(Tensor([[1, 2]]), 0).tolist()
    [1, 2]
    """
    for one in an_array("squeeze", x)._axes(axis):
        if x.shape[one] != 1:
            fail(ShapeError, f"squeeze: dimension {one} of shape {list(x.shape)} is not of size 1")
    return x.squeeze(axis)


def stack(arrays: Sequence[Tensor], /, *, axis: int = 0) -> Tensor:
    """Arrays of one shape along a new dimension at `axis`, in their common dtype.

    >>> stack([Tensor([1, 2]), Tensor([3, 4])], axis=1).tolist()
    [[1, 3], [2, 4]]
    """
    return stacked(alike("stack", *arrays), axis)


def tile(x: Tensor, repetitions: tuple[int, ...], /) -> Tensor:
    """The whole array so many times along each dimension.

    >>> tile(Tensor([1, 2]), (2, 2)).tolist()
    [[1, 2, 1, 2], [1, 2, 1, 2]]
    """
    return an_array("tile", x).tile(repetitions)


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The parts of `x` along `axis`, without that dimension.

    >>> [part.tolist() for part in unstack(Tensor([[1, 2], [3, 4]]), axis=1)]
    [[1, 3], [2, 4]]
    """
    return an_array("unstack", x).unbind(axis)
