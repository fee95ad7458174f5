"""Elementwise primitives that NumPy does not have as the graph means them."""

from __future__ import annotations

import math

import numpy as np

from lazygrad.ir.elements import Array


def shift_left(a: Array, count: Array) -> Array:
    """Counts outside 0 <= count < bits shift every bit out."""
    inside = (count >= 0) & (count < a.itemsize * 8)
    return np.where(inside, np.left_shift(a, np.where(inside, count, 0).astype(a.dtype)), np.zeros((), a.dtype))


def shift_right(a: Array, count: Array) -> Array:
    """Arithmetic for signed types: counts outside the range leave the sign, 0 or -1."""
    inside = (count >= 0) & (count < a.itemsize * 8)
    last = a.dtype.type(a.itemsize * 8 - 1)
    shifted = np.right_shift(a, np.where(inside, count, last).astype(a.dtype))
    return np.where(inside, shifted, shifted if a.dtype.kind == "i" else np.zeros((), a.dtype))


def erf(x: Array) -> Array:
    """The C library's, element by element."""
    return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), x.dtype)
