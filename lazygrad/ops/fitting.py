"""Whether a Python number fits the dtype that it is used in: one that does not is an error, never another number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lazygrad.dtype import ALL, DType, Scalar, dtypes
from lazygrad.errors import DTypeError, located
from lazygrad.ir.node import Node, const
from lazygrad.ir.signature import Shape

_constants: dict[tuple[object, ...], Node] = {}  # the ones made last: most scalars of a program come again and again
_CONSTANTS_KEPT = 1024
# What rounds to a finite number is below these: half a last place above the largest one.
_BEYOND_FLOATS = {
    dtypes.float16: 65520,
    dtypes.bfloat16: ((1 << 9) - 1) << 119,
    dtypes.float32: ((1 << 25) - 1) << 103,
    dtypes.float64: ((1 << 54) - 1) << 970,
}
_RANGE: dict[DType, tuple[Scalar, Scalar]] = {
    d: (d.min, d.max) if d.is_int else (1 - _BEYOND_FLOATS[d], _BEYOND_FLOATS[d] - 1) if d.is_float else (0, 1)
    for d in ALL
}
_MODULAR = frozenset({"add", "sub", "mul", "and", "or", "xor"})  # right modulo 2**bits: x + -1 of unsigned integers


class RangeError(DTypeError, OverflowError):
    """A finite number outside what a dtype holds.

    Attributes:
        value: the number.
        wide: a floating dtype that holds it, where the one that does not is floating, too.
    """

    def __init__(self, message: str, value: Scalar, wide: DType | None) -> None:
        super().__init__(message)
        self.value, self.wide = value, wide


def fitting(what: str, value: Scalar, dtype: DType) -> Scalar:
    """`value`, as a number that `dtype` holds: floats lose their fraction in integers, and are rounded in floats.

    Raises:
        RangeError: naming `what` needed it; also for nan and infinities in integers. Negative numbers beside unsigned
            integers are no error in operations that are right modulo a power of 2.

    >>> fitting("full", 2.5, dtypes.int8), fitting("add", -1, dtypes.uint8)
    (2, -1)
    """
    low, high = _RANGE[dtype]
    if low <= value <= high and (dtype.is_float or not isinstance(value, float)):
        return value
    return value if dtype.is_bool else _unusual(what, value, dtype)


def fitted(what: str, value: Scalar, dtype: DType, shape: Shape = ()) -> Node:
    """`fitting`, as every element of `shape`."""
    return const(fitting(what, value, dtype), dtype, shape)


def constant(value: Scalar, dtype: DType, shape: Shape) -> Node:
    """`value` expanded to `shape`; remembered, because that is three nodes to look up."""
    if not value:  # 0.0 and -0.0 are equal, but not the same
        return const(value, dtype, shape)
    key = (value, type(value), dtype.rank, shape)
    found = _constants.get(key)
    if found is None:
        if len(_constants) >= _CONSTANTS_KEPT:
            _constants.clear()
        found = _constants[key] = const(value, dtype, shape)
    return found


def _unusual(what: str, value: Scalar, dtype: DType) -> Scalar:
    finite = not isinstance(value, float) or math.isfinite(value)
    if dtype.is_float and not finite:
        return value
    low, high = _RANGE[dtype]
    if dtype.is_int and finite:
        whole = int(value)
        if low <= whole <= high or (dtype.kind == "uint" and what in _MODULAR and -high <= whole < 0):
            return whole
    message = f"{what}: {value} does not fit {dtype}; cast the tensor to a dtype that holds it first"
    raise RangeError(located(message), value, _wider(value, dtype))


def _wider(value: Scalar, dtype: DType) -> DType | None:
    if not dtype.is_float:
        return None
    return next((d for d in (dtypes.float32, dtypes.float64) if abs(value) <= _RANGE[d][1]), None)


def all_fitting(what: str, numbers: np.ndarray[Any, Any], dtype: DType) -> None:
    """Raise `RangeError` unless every one of these Python numbers, made an array of, fits the integers of `dtype`."""
    if dtype.is_int and numbers.dtype.kind in "iuf" and numbers.size:
        for extreme in (numbers.min(), numbers.max()):
            fitting(what, extreme.item(), dtype)


def as_written(data: Any, floats: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The integers of `data`, of which NumPy made floats, because some of them are beyond int64 and others below.

    RangeError for what no integer type holds together.

    >>> as_written([2**63 + 1, 1], np.array([2**63 + 1, 1])).tolist()
    [9223372036854775809, 1]
    """
    if not floats.size or not floats.max() >= 2.0**63:
        return floats
    numbers = np.array(data, object)
    if not all(isinstance(number, int) for number in numbers.flat):
        return floats
    fitting("Tensor", numbers.min(), dtypes.uint64)
    return numbers.astype(np.uint64)
