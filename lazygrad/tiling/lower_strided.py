"""Loads with a small stride between lanes: whole vectors, from which shuffles pick the wanted elements."""

from __future__ import annotations

from lazygrad.dtype import DType
from lazygrad.index.expr import Expr

from .lower_context import Context
from .machine import Code, LoadFrom, Operand
from .program import Array

LONGEST = 4  # steps that pay: a vector and a shuffle for each
FEWEST = 4  # lanes that pay


def strided(context: Context, array: Array, first: Expr, step: int, lanes: int, dtype: DType) -> Operand:
    """Elements first, first + step, ... of `array` in the lanes; nothing beyond the last one is read."""
    span = (lanes - 1) * step + 1  # elements from the first to the last
    starts = [k * lanes for k in range(span // lanes)]
    if starts[-1] + lanes < span:
        starts.append(span - lanes)
    result: Operand | None = None
    for start in starts:
        register = context.register(dtype, lanes, array.name)
        context.emit(LoadFrom(register, array, (first + start,)))
        # The lanes that this vector holds are taken from it, all others from the result so far.
        inside = [0 <= k * step - start < lanes for k in range(lanes)]
        if result is None:
            picked = tuple(k * step if here else 0 for k, here in enumerate(inside))
            result = context.compute(Code.SHUFFLE, dtype, register, register, detail=picked)
        else:
            picked = tuple(lanes + k * step - start if here else k for k, here in enumerate(inside))
            result = context.compute(Code.SHUFFLE, dtype, result, register, detail=picked)
    assert result is not None
    return result
