"""Sums of products by matrix multiplication, and exp, for an evaluator that should be fast rather than literal.

Taken literally, a matmul is a sum over a product of two EXPANDs, and that product has m*n*k elements.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from lazygrad.ir.build import constant_value
from lazygrad.ir.elements import Array
from lazygrad.ir.node import Node
from lazygrad.ir.op import Combine, Op, ReduceArg


def contractions(order: Sequence[Node], uses: Mapping[Node, int]) -> dict[Node, Node]:
    """REDUCE -> the MUL that it sums, where nothing else needs that product; not for 16-bit floats, which round it."""
    return {
        n: n.src[0]
        for n in order
        if n.op is Op.REDUCE
        and n.argument(ReduceArg).combine is Combine.ADD
        and n.src[0].op is Op.MUL
        and n.dtype.is_float
        and n.dtype.itemsize >= 4
        and uses[n.src[0]] == 1
    }


def natural_exponentials(order: Sequence[Node]) -> dict[Node, Node]:
    """Powers of 2 that are exp(x), and the product x * log2(e) that each is a power by."""
    return {
        n: n.src[0]
        for n in order
        if n.op is Op.EXP2 and n.src[0].op is Op.MUL and constant_value(n.src[0].src[1]) == math.log2(math.e)
    }


def sum_of_product(a: Array, b: Array, axes: Collection[int]) -> Array:
    """(a * b).sum(axes) as one batched matmul; an axis that is only a repetition (stride 0) is never repeated.

    >>> a, b = np.ones((2, 3)), np.ones((3, 4))
    >>> left, right = np.broadcast_to(a[:, :, None], (2, 3, 4)), np.broadcast_to(b, (2, 3, 4))
    >>> sum_of_product(left, right, [1]).tolist()
    [[3.0, 3.0, 3.0, 3.0], [3.0, 3.0, 3.0, 3.0]]
    """
    shape = a.shape
    of_a, of_b = _varying(a), _varying(b)
    kept = [i for i in range(a.ndim) if i not in axes]
    both = [i for i in kept if i in of_a and i in of_b]
    rows, columns = [i for i in kept if i in of_a - of_b], [i for i in kept if i in of_b - of_a]
    inner = [i for i in axes if i in of_a and i in of_b]
    left = _arranged(a, of_a, both, rows, inner, shape)
    right = _arranged(b, of_b, both, columns, inner, shape)
    product = _deep_product(left, right.swapaxes(-1, -2))
    product *= math.prod(shape[i] for i in axes if i not in of_a | of_b)
    order = [*both, *rows, *columns, *(i for i in kept if i not in of_a | of_b)]
    sizes = [shape[i] if i in of_a | of_b else 1 for i in order]
    result = product.reshape(sizes).transpose([order.index(i) for i in kept])
    return np.broadcast_to(result, [shape[i] for i in kept])


DEPTH = 1024  # of a product that BLAS may add up as it likes


def _deep_product(a: Array, b: Array) -> Array:
    """a @ b, whose products are added up over stretches of the depth, in a wider type."""
    depth = a.shape[-1]
    if depth <= DEPTH:
        return np.asarray(np.matmul(a, b))
    total: Any = 0
    for first in range(0, depth, DEPTH):
        part = np.matmul(a[..., first : first + DEPTH], b[..., first : first + DEPTH, :])
        total = np.add(total, part, dtype=np.float64 if part.dtype.itemsize < 8 else np.longdouble)
    return np.asarray(total).astype(a.dtype)


def combined(function: np.ufunc, x: Array, axes: Sequence[int]) -> Array:
    """The reduction of `x` over `axes` by `function`: NumPy adds in pairs only along a contiguous axis, made here.

    >>> combined(np.add, np.ones((3, 4), "float32"), [0])
    array([3., 3., 3., 3.], dtype=float32)
    """
    kept = [i for i in range(x.ndim) if i not in axes]
    count = math.prod(x.shape[i] for i in axes)
    rows = x.transpose(*kept, *axes).reshape(*(x.shape[i] for i in kept), count)
    return np.asarray(function.reduce(np.ascontiguousarray(rows), axis=-1, dtype=x.dtype))


def _varying(x: Array) -> set[int]:
    """The axes along which `x` is not a repetition."""
    return {i for i, (n, stride) in enumerate(zip(x.shape, x.strides)) if n == 1 or stride != 0}


def _arranged(
    x: Array, varying: set[int], batch: list[int], own: list[int], inner: list[int], shape: tuple[int, ...]
) -> Array:
    """(batch, own, inner), other axes of `x` summed."""
    bare = x[tuple(slice(None) if i in varying else slice(0, 1) for i in range(x.ndim))]
    rest = tuple(i for i in range(x.ndim) if i not in (*batch, *own, *inner))
    summed = np.expand_dims(combined(np.add, bare, rest), rest) if any(bare.shape[i] != 1 for i in rest) else bare
    sizes = [math.prod(shape[i] for i in group) for group in (batch, own, inner)]
    return np.transpose(summed, [*batch, *own, *inner, *rest]).reshape(sizes)
