"""Comparisons, choices and masks: what every other expansion is made of."""

from __future__ import annotations

import numpy as np

from lazygrad.dtype import DType, dtypes

from .lower_context import Context
from .machine import Code, Immediate, Operand, Register

_MASKS = {1: dtypes.int8, 2: dtypes.int16, 4: dtypes.bool, 8: dtypes.int64}


def constant(value: bool | int | float, dtype: DType) -> Immediate:
    """A constant of a compute type; integers wrap around into it, floats are rounded to it."""
    if dtype.is_bool:
        return Immediate(int(bool(value)), dtype)
    if dtype.is_float:
        with np.errstate(over="ignore"):
            return Immediate(float(np.dtype(dtype.name).type(value)), dtype)
    wrapped = int(value) & ((1 << dtype.bits) - 1)
    return Immediate(
        wrapped - (1 << dtype.bits) if dtype.kind == "int" and wrapped >> (dtype.bits - 1) else wrapped, dtype
    )


def splat(context: Context, a: Operand, lanes: int) -> Operand:
    """`a` with that many lanes (a scalar bool becomes a mask; other scalars stay, since they stand for all lanes)."""
    if a.lanes == lanes or not a.dtype.is_bool:
        return a
    if isinstance(a, Immediate):
        return Immediate(-int(a.value), dtypes.int32)
    mask = context.compute(Code.NEG, dtypes.bool, a)
    return context.compute(Code.COPY, dtypes.bool, mask, lanes=lanes)


def mask_type(dtype: DType) -> DType:
    """The type of the mask that comparing vectors of `dtype` gives."""
    return _MASKS[_width(dtype)]


def compare(context: Context, code: Code, dtype: DType, a: Operand, b: Operand, native: bool = False) -> Operand:
    """A comparison of operands of `dtype` as bool; with `native`, as whatever mask it gives (for `select`)."""
    if max(a.lanes, b.lanes) == 1:
        return context.compute(code, dtypes.bool, a, b)
    own = mask_type(dtype)
    mask = context.compute(code, own, a, b)
    return mask if native or own.is_bool else context.compute(Code.CONVERT, dtypes.bool, mask)


def mask_for(context: Context, mask: Operand, dtype: DType) -> Operand:
    """A vector mask as wide as elements of `dtype`."""
    wanted = mask_type(dtype)
    is_wide_enough = _width(mask.dtype) == _width(wanted)
    return mask if is_wide_enough else context.compute(Code.CONVERT, wanted, mask)


def _width(dtype: DType) -> int:
    """Bytes of a lane."""
    return 4 if dtype.is_bool else dtype.itemsize


def any_lane(context: Context, mask: Operand) -> Register:
    """A scalar bool: whether a mask (or a scalar bool) holds in any lane."""
    if mask.lanes == 1:
        assert isinstance(mask, Register)
        return mask
    lanes = context.compute(Code.CONVERT, dtypes.int8, mask)
    words = {2: dtypes.int16, 4: dtypes.int32}.get(lanes.lanes, dtypes.int64)
    bits = context.compute(Code.BITCAST, words, lanes, lanes=lanes.lanes // words.itemsize)
    if bits.lanes > 1:
        low, high = (context.compute(Code.LANE, words, bits, detail=k, lanes=1) for k in (0, 1))
        bits = context.compute(Code.OR, words, low, high)
    return context.compute(Code.NE, dtypes.bool, bits, constant(0, words))


def select(context: Context, condition: Operand, yes: Operand, no: Operand) -> Operand:
    """`yes` where `condition` (bool or a native mask) holds, else `no`."""
    dtype = yes.dtype
    if isinstance(condition, Immediate):
        return yes if condition.value else no
    lanes = max(condition.lanes, yes.lanes, no.lanes)
    if lanes == 1 or condition.lanes == 1:
        if dtype.is_bool and lanes > 1:
            yes, no = splat(context, yes, lanes), splat(context, no, lanes)
        return context.compute(Code.SELECT, dtype, condition, yes, no, lanes=lanes)
    if dtype.is_bool:
        yes, no = splat(context, yes, lanes), splat(context, no, lanes)
    return context.compute(Code.SELECT, dtype, mask_for(context, condition, dtype), yes, no)
