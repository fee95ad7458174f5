"""Sine and cosine as basic instructions, for scalars and vectors alike.

Each takes away multiples of pi by itself, in float64 also for float32 arguments: n of them, or n and a half. What is
left is exact as long as n has no more than 50 bits; larger arguments, of which there are few, go to the device's
library. A cosine made from the sine of x + pi/2 would lose what rounding the sum takes away: for a large x all of it.

The largest errors, in units in the last place for (float32, float64): sin (2, 2), cos (2, 2).
"""

from __future__ import annotations

import math

from lazygrad.dtype import DType
from lazygrad.index.expr import Var

from . import library
from .lower_context import Context
from .machine import Branch, Code, Compute, Operand, Register
from .masks import any_lane, compare, constant, select
from .vectormath import F32, F64, emitter, register

LIMIT = 2.0**50  # n * pi is exact enough below
PI = (3.141592653589793, 1.2246467991473532e-16, -2.9947698097183397e-33)  # pi as a sum of three float64


def sin(context: Context, dtype: DType, x: Operand) -> Operand:
    """sin x = (-1)^n sin r with r = x - n pi."""
    return _turned(context, dtype, x, "sin")


def cos(context: Context, dtype: DType, x: Operand) -> Operand:
    """cos x = -(-1)^n sin r with r = x - (n + 1/2) pi."""
    return _turned(context, dtype, x, "cos")


def _turned(context: Context, dtype: DType, x: Operand, function: str) -> Operand:
    """The sine of what is left of x, |r| <= pi/2, by an odd polynomial, with the sign of the half turns."""
    x, is_cosine = register(context, x), function == "cos"
    wide = emitter(context, F64)
    y = context.compute(Code.CONVERT, F64, x) if dtype is F32 else x
    magic = wide.form.round_magic
    turns: Operand | float = wide.op(Code.FMA, y, 1 / math.pi, -0.5) if is_cosine else y
    shifted = wide.op(Code.ADD, turns, magic) if is_cosine else wide.op(Code.FMA, y, 1 / math.pi, magic)
    n = wide.op(Code.SUB, shifted, magic)
    odd = wide.bits(shifted)
    if is_cosine:
        n, odd = wide.op(Code.ADD, n, 0.5), wide.bit_op(Code.ADD, odd, 1)
    r = y
    for part in PI[: 2 if dtype is F32 else 3]:
        r = wide.op(Code.FMA, n, -part, r)
    r = wide.real(wide.bit_op(Code.XOR, wide.bits(r), wide.bit_op(Code.SHL, odd, 63)))
    e = emitter(context, dtype)
    if dtype is F32:
        r = context.compute(Code.CONVERT, F32, r)
    square = e.op(Code.MUL, r, r)
    result = e.op(Code.FMA, e.op(Code.MUL, r, square), e.polynomial(e.form.sine, square), r)
    result = e.held(result, (-1.0, 1.0))
    if not is_cosine:
        result = e.where(Code.EQ, x, 0.0, x, result)  # the sign of -0.0
    assert isinstance(result, Register)
    return _of_large(context, dtype, function, x, y, result)


def _of_large(context: Context, dtype: DType, function: str, x: Operand, y: Operand, result: Register) -> Operand:
    """`result`, but by the library where x is too large; it is called only where a lane is. `y`: x in float64."""
    large = select(
        context,
        compare(context, Code.LT, dtype, x, constant(0, dtype), native=True),
        context.compute(Code.NEG, dtype, x),
        x,
    )
    mask = compare(context, Code.LT, dtype, constant(LIMIT, dtype), large)
    flag = any_lane(context, mask)
    with context.scope() as body:
        exact = library.call(context, function, F64, y)
        if dtype is F32:
            exact = context.compute(Code.CONVERT, F32, exact)
        chosen = select(context, mask, exact, result)
        context.emit(Compute(result, Code.COPY, (chosen,), declare=False))
    context.emit(Branch(Var(flag.name, 0, 1), body))
    return result
