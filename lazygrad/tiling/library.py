"""Functions of the device's own library, for what is rare and hard to get exactly right."""

from __future__ import annotations

from lazygrad.dtype import DType
from lazygrad.index.expr import Const, Expr, Var

from .lower_context import Context
from .machine import Code, For, LoadFrom, Operand, Register, StoreTo
from .program import Array, Scope


def call(context: Context, function: str, dtype: DType, *src: Operand) -> Operand:
    """`function` of scalars or, in a loop through scratch memory, of every lane.

    The library's own vector forms are unrolled 16 times and so slow to compile, or less exact than the scalar form.
    """
    lanes = max(s.lanes for s in src)
    if lanes == 1:
        return context.compute(Code.CALL, dtype, *src, detail=function)
    arrays = [_scratch(context, f"{function}_{k}", dtype, lanes) for k in range(len(src) + 1)]
    for array, s in zip(arrays, src):
        context.emit(StoreTo(array, (Const(0),), s, lanes))
    counter = Var(context.names.exact("lane"), 0, lanes - 1)
    with context.scope() as body:
        operands = [_element(context, array, counter, 1) for array in arrays[:-1]]
        result = context.compute(Code.CALL, dtype, *operands, detail=function)
        context.emit(StoreTo(arrays[-1], (counter,), result, 1))
    context.emit(For(counter, Const(0), Const(lanes), body))
    return _element(context, arrays[-1], Const(0), lanes)


def _element(context: Context, array: Array, at: Expr, lanes: int) -> Register:
    register = context.register(array.dtype, lanes)
    context.emit(LoadFrom(register, array, (at,)))
    return register


def _scratch(context: Context, name: str, dtype: DType, lanes: int) -> Array:
    """Memory for the lanes of one operand; the same for every call, since each is done before the next begins."""
    key = f"{name}_{dtype.name}_{lanes}"
    for array in context.declared:
        if array.name == key:
            return array
    return context.declare(Array(key, dtype, lanes, Scope.PRIVATE))
