"""How elements are held in NumPy arrays: as they lie in memory, and as the evaluator computes with them.

They differ for bfloat16 only, which NumPy does not have: 16 bits in a uint16 in memory, and a float32 whose value
bfloat16 can hold in a computation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazygrad.dtype import DType, dtypes

Array = NDArray[Any]


def array_type(dtype: DType) -> np.dtype[Any]:
    """The NumPy type to compute with: that of storage, but float32 for bfloat16."""
    return np.dtype(np.float32) if dtype is dtypes.bfloat16 else dtype.storage


def cast_array(x: Array, dtype: DType) -> Array:
    """An array to compute with as one of `dtype`.

    Floats lose their fraction in integers. They go through int32, or for uint32 and types of 64 bits through int64, of
    which narrower types keep the low bits; nan and what lies beyond is the least integer there. uint64 holds its own.

    >>> cast_array(np.array([-1.5, 300.0, np.nan, 1e30]), dtypes.uint8)
    array([255,  44,   0,   0], dtype=uint8)
    >>> cast_array(np.array([-1.5, 300.0, np.nan, 1e30]), dtypes.int32)
    array([         -1,         300, -2147483648, -2147483648], dtype=int32)
    """
    if dtype is dtypes.bfloat16 and x.dtype == np.float64:
        return to_odd(x)  # to be rounded once
    if x.dtype.kind != "f" or not dtype.is_int:
        with np.errstate(over="ignore"):  # what is too large is infinite
            return x.astype(array_type(dtype), copy=False)
    wide = dtypes.int32 if dtype.itemsize < 4 or dtype is dtypes.int32 else dtypes.int64
    floats = x.astype(np.float32) if x.itemsize < 4 else x
    least, beyond = float(wide.min), -float(wide.min)
    inside = (floats >= least) & (floats < beyond)
    whole = np.where(inside, floats, least).astype(wide.storage).astype(dtype.storage)
    if dtype is not dtypes.uint64:
        return whole
    upper = (floats >= beyond) & (floats < 2 * beyond)
    held = np.where(upper, floats, 0).astype(np.uint64)
    return np.where(floats >= beyond, held, whole)


def next_value(value: float, dtype: DType, up: bool) -> float:
    """The next larger (or smaller) value of a floating dtype, from one of its finite values.

    >>> next_value(1.0, dtypes.bfloat16, up=True), next_value(0.0, dtypes.float16, up=False)
    (1.0078125, -5.960464477539063e-08)
    """
    stored = to_storage(np.array(abs(value), array_type(dtype)), dtype)
    kind = f"uint{dtype.bits}"
    size = stored.view(kind).astype(np.int64) + (1 if value == 0 or (value > 0) is up else -1)
    magnitude = float(from_storage(size.astype(kind).view(dtype.storage), dtype))
    return magnitude if (up if value == 0 else value > 0) else -magnitude


def values_between(low: float, high: float, dtype: DType) -> tuple[float, float]:
    """The smallest and the largest value of a floating dtype in [low, high); the first is larger where there is none.

    >>> values_between(0.1, 1.0, dtypes.float16)
    (0.10003662109375, 0.99951171875)
    """
    first, last = (float(from_storage(to_storage(cast_array(np.array(v), dtype), dtype), dtype)) for v in (low, high))
    first = next_value(first, dtype, up=True) if first < low else first
    return first, next_value(last, dtype, up=False) if last >= high else last


def as_bools(x: Array) -> Array:
    """A bool array whose bytes are 0 and 1, as computations expect: `x` itself where they are already.

    >>> as_bools(np.array([0, 2, 255], np.uint8).view(np.bool_)).view(np.uint8)
    array([0, 1, 1], dtype=uint8)
    """
    octets = x.view(np.uint8)
    return x if octets.size == 0 or octets.max() <= 1 else octets != 0


def round_bfloat16(x: Array) -> NDArray[np.float32]:
    """float32 array of the nearest bfloat16 values, ties to even; inf and nan are kept.

    >>> float(round_bfloat16(np.float32(1.01)))
    1.0078125
    """
    return widen_bfloat16(narrow_bfloat16(x))


def to_odd(x: NDArray[np.float64]) -> NDArray[np.float32]:
    """float32 next to each number towards 0, its last bit set unless it is exact: rounded again, it becomes what the
    float64 itself would have become.

    >>> x = np.float64(1 + 2**-8 + 2**-40)
    >>> float(round_bfloat16(x)), float(round_bfloat16(to_odd(x)))
    (1.0, 1.0078125)
    """
    near = np.asarray(x, np.float32)
    bits = near.view(np.uint32) - (np.abs(near.astype(np.float64)) > np.abs(x)).astype(np.uint32)
    return np.asarray(bits | (near != x).astype(np.uint32)).view(np.float32)


def narrow_bfloat16(x: Array) -> NDArray[np.uint16]:
    """The bits of the nearest bfloat16 values of a float32 array."""
    floats = np.asarray(x, np.float32)
    bits = floats.view(np.uint32)
    with np.errstate(over="ignore"):  # of nans, which are not taken from here
        rounded = (bits + ((bits >> 16) & 1) + np.uint32(0x7FFF)) >> 16
    return np.asarray(np.where(np.isnan(floats), (bits >> 16) | 0x40, rounded).astype(np.uint16))


def widen_bfloat16(bits: Array) -> NDArray[np.float32]:
    """float32 array of the values whose bfloat16 bits are given."""
    return np.asarray(np.asarray(bits).astype(np.uint32) << 16).view(np.float32)


def to_storage(x: Array, dtype: DType) -> Array:
    """A computed array as it lies in memory: the bits of bfloat16, everything else as it is."""
    return narrow_bfloat16(x) if dtype is dtypes.bfloat16 else x


def from_storage(x: Array, dtype: DType) -> Array:
    """The inverse of `to_storage`; an array that holds values already is only cast."""
    if dtype is dtypes.bfloat16 and x.dtype == np.uint16:
        return widen_bfloat16(x)
    return x.astype(array_type(dtype), copy=False)
