"""Functions of several tensors: joined along a dimension by name, or as blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from lazygrad.errors import ShapeError
from lazygrad.ops.core import fail
from lazygrad.ops.joining import cat, check_tensors
from lazygrad.ops.rearranging import Rearranging
from lazygrad.ops.signatures import checked

T = TypeVar("T", bound=Rearranging)


@checked
def concat(tensors: Sequence[T], dim: int = 0) -> T:
    """`cat`.

    >>> from lazygrad import Tensor
    >>> concat([Tensor([1]), Tensor([2])]).tolist()
    [1, 2]
    """
    return cat(tensors, dim)


@checked
def concatenate(tensors: Sequence[T], dim: int = 0) -> T:
    """`cat`, by NumPy's name.

    >>> from lazygrad import Tensor
    >>> concatenate([Tensor([[1]]), Tensor([[2]])], axis=1).tolist()
    [[1, 2]]
    """
    return cat(tensors, dim)


def hstack(tensors: Sequence[T]) -> T:
    """Tensors side by side: along the columns, vectors one after the other.

    >>> from lazygrad import Tensor
    >>> hstack([Tensor([1]), Tensor([2])]).tolist()
    [1, 2]
    """
    check_tensors("hstack", tensors)
    parts = [_at_least_1d(t) for t in tensors]
    return cat(parts, 0 if parts[0].ndim == 1 else 1)


def vstack(tensors: Sequence[T]) -> T:
    """Tensors below each other: along the rows, vectors being rows.

    >>> from lazygrad import Tensor
    >>> vstack([Tensor([1, 2]), Tensor([3, 4])]).tolist()
    [[1, 2], [3, 4]]
    """
    check_tensors("vstack", tensors)
    return cat([_at_least_2d(t) for t in tensors], 0)


def row_stack(tensors: Sequence[T]) -> T:
    """`vstack`.

    >>> from lazygrad import Tensor
    >>> row_stack([Tensor([1, 2]), Tensor([3, 4])]).tolist()
    [[1, 2], [3, 4]]
    """
    return vstack(tensors)


def dstack(tensors: Sequence[T]) -> T:
    """Tensors behind each other: along dimension 2, vectors being the row of a matrix of size (1, n, 1).

    >>> from lazygrad import Tensor
    >>> dstack([Tensor([1, 2]), Tensor([3, 4])]).tolist()
    [[[1, 3], [2, 4]]]
    """
    check_tensors("dstack", tensors)
    return cat([_at_least_3d(t) for t in tensors], 2)


def column_stack(tensors: Sequence[T]) -> T:
    """Vectors as the columns of a matrix; matrices side by side.

    >>> from lazygrad import Tensor
    >>> column_stack([Tensor([1, 2]), Tensor([3, 4])]).tolist()
    [[1, 3], [2, 4]]
    """
    check_tensors("column_stack", tensors)
    return hstack([t.reshape(-1, 1) if t.ndim < 2 else t for t in tensors])


def block_diag(*tensors: T) -> T:
    """The matrix with these matrices (vectors are rows) along its diagonal, and zeros elsewhere.

    >>> from lazygrad import Tensor
    >>> block_diag(Tensor([[1, 2]]), Tensor([[3], [4]])).tolist()
    [[1, 2, 0], [0, 0, 3], [0, 0, 4]]
    """
    check_tensors("block_diag", tensors)
    if any(t.ndim > 2 for t in tensors):
        fail(ShapeError, f"block_diag: shapes {[list(t.shape) for t in tensors]}; blocks have at most two dimensions")
    blocks = [_at_least_2d(t) for t in tensors]
    widths = [b.shape[1] for b in blocks]
    return cat([b.pad((sum(widths[:i]), sum(widths[i + 1 :]))) for i, b in enumerate(blocks)], 0)


def atleast_1d(*tensors: Any) -> Any:
    """Each tensor, numbers as vectors of one element; one tensor alone, or a tuple.

    >>> from lazygrad import Tensor
    >>> atleast_1d(Tensor(1)).shape
    (1,)
    """
    return _each("atleast_1d", tensors, _at_least_1d)


def atleast_2d(*tensors: Any) -> Any:
    """Each tensor, vectors as rows of a matrix; one tensor alone, or a tuple.

    >>> from lazygrad import Tensor
    >>> atleast_2d(Tensor([1, 2])).shape
    (1, 2)
    """
    return _each("atleast_2d", tensors, _at_least_2d)


def atleast_3d(*tensors: Any) -> Any:
    """Each tensor, vectors of shape (1, n, 1), matrices of shape (n, m, 1); one tensor alone, or a tuple.

    >>> from lazygrad import Tensor
    >>> atleast_3d(Tensor([1, 2])).shape
    (1, 2, 1)
    """
    return _each("atleast_3d", tensors, _at_least_3d)


def _each(what: str, tensors: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    elif len(tensors) == 1:
        check_tensors(what, tensors)
        return change(tensors[0])
    if tensors:
        check_tensors(what, tensors)
    return tuple(change(t) for t in tensors)


def _at_least_1d(t: T) -> T:
    return t if t.ndim else t.reshape(1)


def _at_least_2d(t: T) -> T:
    return t if t.ndim > 1 else _at_least_1d(t).unsqueeze(0)


def _at_least_3d(t: T) -> T:
    return t if t.ndim > 2 else _at_least_2d(t).unsqueeze(-1)
