"""Products of matrices and vectors, of two arrays in their common dtype."""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.array_api.promotion import alike, an_array
from lazygrad.errors import ShapeError
from lazygrad.linear_algebra import powers
from lazygrad.ops.core import fail
from lazygrad.ops.grids import broadcast_tensors
from lazygrad.tensor import Tensor

__all__ = [
    "matmul",
    "matrix_transpose",
    "tensordot",
    "vecdot",
]


def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The matrix product over the last two dimensions; 1-d arrays are a row and a column. ShapeError for 0-d ones.

    >>> matmul(Tensor([[1, 2]]), Tensor([3, 4])).tolist()
    [11]
    """
    left, right = alike("matmul", x1, x2)
    return left.matmul(right)


def matrix_transpose(x: Tensor, /) -> Tensor:
    """`x` with its last two dimensions exchanged.

    >>> matrix_transpose(Tensor([[1, 2]])).tolist()
    [[1], [2]]
    """
    return an_array("matrix_transpose", x).mT


def tensordot(x1: Tensor, x2: Tensor, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Tensor:
    """Sums of products over pairs of dimensions: those of `x1` and of `x2`, or so many last ones and first ones.

    >>> tensordot(Tensor([[1, 2]]), Tensor([3, 4]), axes=1).tolist()
    [11]
    """
    left, right = alike("tensordot", x1, x2)
    return left.tensordot(right, axes)


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The sum of the products along `axis`; other dimensions are broadcast.

    >>> vecdot(Tensor([1, 2]), Tensor([3, 4])).item()
    11
    """
    return powers.vecdot(*vectors("vecdot", x1, x2, axis), dim=axis)


def vectors(what: str, x1: Tensor, x2: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Two arrays in their common dtype and shape, whose vectors along `axis` must be of one size: ShapeError."""
    left, right = alike(what, x1, x2)
    if left.shape[left._axis(axis)] != right.shape[right._axis(axis)]:
        fail(ShapeError, f"{what}: vectors of {list(left.shape)} and {list(right.shape)} along {axis} differ in size")
    left, right = broadcast_tensors(left, right)
    return left, right
