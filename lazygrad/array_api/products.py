"""Products of matrices and vectors, of two arrays in their common dtype."""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.array_api.promotion import alike, an_array
from lazygrad.linear_algebra import powers
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
    left, right = alike("vecdot", x1, x2)
    return powers.vecdot(left, right, dim=axis)
