"""Products of many matrices, in the cheapest order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.index.expr import Expr
from lazygrad.ops.autocast import autocasting
from lazygrad.ops.core import Core, fail
from lazygrad.ops.operands import not_a_tensor


@autocasting
def multi_dot(tensors: Sequence[Any]) -> Any:
    """The product of two matrices or more, in the order of the fewest multiplications; the first and the last one may
    be vectors.

    The order is found by dynamic programming over the sizes (Cormen et al., Introduction to Algorithms, 15.2).

    >>> from lazygrad import Tensor
    >>> multi_dot([Tensor.ones(2, 3), Tensor.ones(3, 4), Tensor.ones(4)]).tolist()
    [12.0, 12.0]
    """
    if not isinstance(tensors, (list, tuple)):
        not_a_tensor("multi_dot", tensors, "a list of Tensors")
    if len(tensors) < 2:
        fail(ArgumentError, f"multi_dot: takes two tensors or more, not {len(tensors)}")
    for k, t in enumerate(tensors):
        if not isinstance(t, Core):
            not_a_tensor("multi_dot", t, "Tensors")
        if t.ndim != 2 and not (t.ndim == 1 and k in (0, len(tensors) - 1)):
            fail(ShapeError, f"multi_dot: tensor {k} of shape {list(t.shape)} is no matrix; vectors are at the ends")
    shapes = [(1, *t.shape) if t.ndim == 1 and k == 0 else (*t.shape, 1)[:2] for k, t in enumerate(tensors)]
    if any(a[1] != b[0] for a, b in pairwise(shapes)):
        fail(ShapeError, f"multi_dot: shapes {', '.join(str(list(t.shape)) for t in tensors)} do not fit")
    sizes = [n.hi if isinstance(n, Expr) else n for n in (shapes[0][0], *(s[1] for s in shapes))]
    return _product(list(tensors), _cheapest(sizes), 0, len(tensors) - 1)


def _cheapest(sizes: Sequence[int]) -> dict[tuple[int, int], int]:
    """For every run of matrices from i to j, the last one of the left factor of their last product."""
    n = len(sizes) - 1
    cost: dict[tuple[int, int], int] = {(i, i): 0 for i in range(n)}
    best: dict[tuple[int, int], int] = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            costs = [cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1] for k in range(i, j)]
            cost[i, j] = min(costs)
            best[i, j] = i + costs.index(cost[i, j])
    return best


def _product(tensors: list[Any], best: dict[tuple[int, int], int], i: int, j: int) -> Any:
    if i == j:
        return tensors[i]
    k = best[i, j]
    return _product(tensors, best, i, k).matmul(_product(tensors, best, k + 1, j))


@autocasting
def chain_matmul(*matrices: Any) -> Any:
    """The product of matrices in the order of the fewest multiplications, as `linalg.multi_dot`.

    >>> from lazygrad import Tensor
    >>> chain_matmul(Tensor.ones(2, 3), Tensor.ones(3, 4)).shape
    (2, 4)
    """
    for matrix in matrices:
        if not isinstance(matrix, Core):
            not_a_tensor("chain_matmul", matrix, "Tensors")
    return matrices[0] if len(matrices) == 1 else multi_dot(matrices)
