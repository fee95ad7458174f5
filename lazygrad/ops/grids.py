"""Functions of several tensors whose results have one shape: broadcast together, grids, and products of sets."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from lazygrad.dtype import dtypes
from lazygrad.engine.run import upload
from lazygrad.errors import ArgumentError, DTypeError, ShapeError
from lazygrad.ir.signature import Shape
from lazygrad.ops.arguments import new_shape, steps
from lazygrad.ops.broadcast import broadcast_shape
from lazygrad.ops.core import Core, fail
from lazygrad.ops.inside import inside
from lazygrad.ops.joining import check_tensors, stack
from lazygrad.ops.operands import not_a_tensor
from lazygrad.ops.rearranging import Rearranging

T = TypeVar("T", bound=Rearranging)


def _listed(what: str, tensors: tuple[Any, ...]) -> list[Any]:
    """Tensors as `f(a, b)` or `f([a, b])`."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    check_tensors(what, list(given))
    return list(given)


def broadcast_tensors(*tensors: T) -> tuple[T, ...]:
    """Every tensor expanded to the shape that all of them broadcast to.

    >>> from lazygrad import Tensor
    >>> [x.tolist() for x in broadcast_tensors(Tensor([1, 2]), Tensor([[3]]))]
    [[[1, 2]], [[3, 3]]]
    """
    given = _listed("broadcast_tensors", tensors)
    shape = broadcast_shape("broadcast_tensors", *(t.shape for t in given))
    return tuple(t.expand(shape) for t in given)


def broadcast_shapes(*shapes: Any) -> Shape:
    """The shape that all of these broadcast to; a number is a shape of one dimension.

    >>> broadcast_shapes((2, 1), (3,), 1)
    (2, 3)
    """
    if not shapes:
        return ()
    return broadcast_shape("broadcast_shapes", *(new_shape((s,), "broadcast_shapes") for s in shapes))


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Any, ...]:
    """The coordinates of a grid's points, a tensor for each of the vectors given, whose sizes are the grid's.

    Args:
        indexing: "ij": dimension k goes along vector k; "xy": the first two are exchanged.

    >>> from lazygrad import Tensor
    >>> [x.tolist() for x in meshgrid(Tensor([1, 2]), Tensor([3, 4]))]
    [[[1, 1], [2, 2]], [[3, 4], [3, 4]]]
    """
    given = _listed("meshgrid", tensors)
    if indexing not in ("ij", "xy"):
        fail(ArgumentError, f"meshgrid: indexing {indexing!r} is neither 'ij' nor 'xy'")
    if any(t.ndim > 1 for t in given):
        fail(ShapeError, f"meshgrid: shapes {[list(t.shape) for t in given]}; coordinates are vectors or numbers")
    if any(t.dtype is not given[0].dtype for t in given):
        fail(DTypeError, f"meshgrid: dtypes {', '.join(str(t.dtype) for t in given)} differ; cast some of them first")
    given = [t.reshape(-1) if not t.ndim else t for t in given]
    turned = indexing == "xy" and len(given) > 1
    order = [1, 0, *range(2, len(given))] if turned else list(range(len(given)))
    shape = tuple(given[k].shape[0] for k in order)
    return tuple(
        t.reshape([t.shape[0] if place == order.index(k) else 1 for place in range(len(given))]).expand(shape)
        for k, t in enumerate(given)
    )


def cartesian_prod(*tensors: Any) -> Any:
    """Every choice of one element of each vector, as rows: (product of the sizes, number of vectors).

    >>> from lazygrad import Tensor
    >>> cartesian_prod(Tensor([1, 2]), Tensor([3, 4])).tolist()
    [[1, 3], [1, 4], [2, 3], [2, 4]]
    """
    given = _listed("cartesian_prod", tensors)
    if any(t.ndim != 1 for t in given):
        fail(ShapeError, f"cartesian_prod: shapes {[list(t.shape) for t in given]}; sets are vectors")
    if len(given) == 1:
        return given[0]
    return stack([t.reshape(-1) for t in meshgrid(*given)], 1)


def combinations(input: T, r: int = 2, with_replacement: bool = False) -> T:
    """Every choice of `r` elements of a vector, as rows, in its order; `with_replacement`, an element again and again.

    >>> from lazygrad import Tensor
    >>> combinations(Tensor([1, 2, 3])).tolist()
    [[1, 2], [1, 3], [2, 3]]
    """
    if not isinstance(input, Core):
        not_a_tensor("combinations", input)
    if input.ndim != 1:
        fail(ShapeError, f"combinations: a set is a vector, not of shape {list(input.shape)}")
    if r < 0:
        fail(ArgumentError, f"combinations: choices of {r} elements; they are at least 0")
    if r == 0:
        return input._new(upload(np.zeros(0, input.dtype.storage), input.dtype, input.device))
    r = steps("combinations", "r", r)
    n = input._known("combinations", 0)
    places = _choices(n, r, with_replacement)
    return input[input._new(upload(places, dtypes.int64, input.device))]


def _choices(n: int, r: int, again: bool) -> np.ndarray[Any, Any]:
    chosen = (itertools.combinations_with_replacement if again else itertools.combinations)(range(n), r)
    count = math.comb(n + r - 1, r) if again else math.comb(n, r)
    if n == 0:
        return np.zeros((0, r), np.int64)
    return np.fromiter(itertools.chain.from_iterable(chosen), np.int64, count * r).reshape(count, r)


def unravel_index(indices: T, shape: int | Sequence[int]) -> tuple[T, ...]:
    """The places along each dimension of `shape` that places in a row stand for, in int64.

    BoundsError, when a value is read, for places outside.

    >>> from lazygrad import Tensor
    >>> [x.tolist() for x in unravel_index(Tensor([1, 5]), (2, 3))]
    [[0, 1], [1, 2]]
    """
    if not isinstance(indices, Core):
        not_a_tensor("unravel_index", indices)
    indices._check_index("unravel_index", indices)
    sizes = new_shape((shape,), "unravel_index")
    left = indices._new(inside("unravel_index", indices.node, math.prod(sizes))).cast(dtypes.int64)
    places: list[T] = []
    for n in reversed(sizes):
        places.append(left.remainder(max(n, 1)))  # type: ignore[type-var]
        left = left.floor_divide(max(n, 1))  # type: ignore[type-var]
    return tuple(reversed(places))
