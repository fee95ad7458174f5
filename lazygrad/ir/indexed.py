"""Elements by their places: what gathers and scatters mean, in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazygrad.dtype import DType
from lazygrad.index.expr import Dim
from lazygrad.ir.elements import array_type
from lazygrad.ir.node import Node
from lazygrad.ir.op import AxisArg, Combine, ScatterArg

Array = NDArray[Any]
Sizes = Callable[[Sequence[Dim]], tuple[int, ...]]

UFUNC: dict[Combine, np.ufunc] = {Combine.ADD: np.add, Combine.MUL: np.multiply, Combine.MAX: np.maximum}


def exact_type(dtype: DType, combine: Combine) -> np.dtype[Any]:
    """A type in which a sum or product of very many numbers of `dtype` rounds less than they do; else `dtype`'s own."""
    if combine is Combine.MAX or not dtype.is_float:
        return array_type(dtype)
    return np.dtype(np.float64 if dtype.itemsize < 8 else np.longdouble)


def gather(n: Node, sizes: Sizes, src: Sequence[Array]) -> Array:
    """0 where an index is outside."""
    axis = n.argument(AxisArg).axis
    inside, places = _places(src[0].shape, src[1], axis)
    out = np.zeros(src[1].shape, src[0].dtype)
    out[inside] = src[0].reshape(-1)[places]
    return out


def scatter(n: Node, sizes: Sizes, src: Sequence[Array]) -> Array:
    """One flat list of updates in row-major order of the index, so that "later" is well defined."""
    arg = n.argument(ScatterArg)
    inside, places = _places(src[0].shape, src[1], arg.axis)
    exact = exact_type(n.dtype, arg.combine)
    out = src[0].astype(exact).reshape(-1)  # a copy: updates must not reach the base
    updates = src[2][inside].astype(exact)
    if arg.combine is Combine.SET:
        out[places] = updates
    else:
        UFUNC[arg.combine].at(out, places, updates)
    return out.reshape(src[0].shape).astype(array_type(n.dtype))


def _places(shape: tuple[int, ...], index: Array, axis: int) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """(which elements of `index` are in range along `axis`, the flat positions that those address in `shape`)."""
    inside = (index >= 0) & (index < shape[axis])
    coordinates = list(np.nonzero(inside))
    coordinates[axis] = index[inside].astype(np.intp)
    if not all(shape):
        return inside, np.zeros(0, np.intp)
    return inside, np.ravel_multi_index(coordinates, shape)
