"""Sorting by NumPy: elements alone, and their places, which cost several times as much."""

from __future__ import annotations

from typing import Any

import numpy as np

from lazygrad.dtype import DType, dtypes

Array = np.ndarray[Any, Any]

SORTED = frozenset(
    {dtypes.float32, dtypes.float64, dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64}
    | {dtypes.uint8, dtypes.uint16, dtypes.uint32, dtypes.uint64}
)  # dtypes that NumPy has, and sorts
_LOW = (1 << 32) - 1


def is_sorted_on_host(kind: DType) -> bool:
    """Whether the functions below take elements of this dtype."""
    return kind in SORTED


def elements_in_order(x: Array, descending: bool) -> Array | None:
    """The elements along the last dimension in order; None where it tells their places: zeros of both signs are equal,
    and so is every nan, but they are not the same."""
    values = np.sort(x)
    if x.dtype.kind == "f" and (np.isnan(values[..., -1]).any() or _has_both_zeros(values)):
        return None
    return np.ascontiguousarray(values[..., ::-1]) if descending else values


def _has_both_zeros(values: Array) -> bool:
    """Whether there are 0.0 and -0.0 among sorted elements."""
    if values.ndim == 1:
        zero = values.dtype.type(0)  # not Python's, for which all would become float64
        values = values[np.searchsorted(values, zero) : np.searchsorted(values, zero, "right")]
    negative, equal = np.signbit(values), values == 0
    return bool((negative & equal).any() and (~negative & equal).any())


def places_in_order(x: Array, descending: bool) -> Array:
    """Their places, int64: equal elements as they are, nan is the greatest. By packed keys, see `order`.

    >>> places_in_order(np.array([2.0, 1.0, 2.0, 0.0]), True).tolist()
    [0, 2, 1, 3]
    """
    key = _keys(x)
    key = ~key if descending else key
    if key.dtype.itemsize == 4:
        return _sorted_with_places(key)
    low = _sorted_with_places(((key & _LOW) - (1 << 31)).astype(np.int32))
    high = np.take_along_axis((key >> 32).astype(np.int32), low, -1)
    return np.take_along_axis(low, _sorted_with_places(high), -1)


def _sorted_with_places(key: Array) -> Array:
    packed = key.astype(np.int64)
    packed <<= 32
    packed |= np.arange(key.shape[-1])
    packed.sort()
    packed &= _LOW
    return packed


def _keys(x: Array) -> Array:
    """Integers of 32 or 64 bits in the order of the elements."""
    signed = np.dtype(f"i{x.dtype.itemsize}")
    if x.dtype.kind == "i":
        return x if x.dtype.itemsize >= 4 else x.astype(np.int32)
    if x.dtype.kind == "u":
        return x.view(signed) ^ np.iinfo(signed).min if x.dtype.itemsize >= 4 else x.astype(np.int32)
    bits = x.view(signed)
    key = bits >> (8 * signed.itemsize - 1)  # -1 for negative floats, which descend with their bits
    key &= np.iinfo(signed).max
    key ^= bits
    key += key == -1  # that of -0.0
    if (nan := np.isnan(x)).any():
        key[nan] = np.iinfo(signed).max
    return key
