"""Integer division, shifts and integers from floats, for every operand: rounding down, 0 for a zero divisor, any shift
count, any float, no traps.
"""

from __future__ import annotations

from lazygrad.dtype import DType, dtypes

from .lower_context import Context
from .machine import Code, Immediate, Operand
from .masks import compare, constant, select


def floor_quotient(context: Context, dtype: DType, a: Operand, b: Operand) -> Operand:
    """a / b rounded down; 0 where b is 0; the lowest integer divided by -1 is itself."""
    if isinstance(b, Immediate):
        return _by_constant(context, dtype, a, b)[0]
    return _by_register(context, dtype, a, b)[0]


def floor_remainder(context: Context, dtype: DType, a: Operand, b: Operand) -> Operand:
    """a - floor_quotient(a, b) * b, which has the sign of b; 0 where b is 0."""
    if isinstance(b, Immediate):
        return _by_constant(context, dtype, a, b)[1]
    return _by_register(context, dtype, a, b)[1]


def _by_constant(context: Context, dtype: DType, a: Operand, b: Immediate) -> tuple[Operand, Operand]:
    zero = constant(0, dtype)
    divisor = int(b.value)
    if divisor == 0:
        return zero, zero
    if divisor == -1:
        return context.compute(Code.NEG, dtype, a), zero
    if divisor > 0 and divisor & (divisor - 1) == 0:
        shift, rest = constant(divisor.bit_length() - 1, dtype), constant(divisor - 1, dtype)
        return context.compute(Code.SHR, dtype, a, shift), context.compute(Code.AND, dtype, a, rest)
    return _floor(context, dtype, a, b)


def _by_register(context: Context, dtype: DType, a: Operand, b: Operand) -> tuple[Operand, Operand]:
    """The division is done with 1 in place of divisors that would trap."""
    zero, one = constant(0, dtype), constant(1, dtype)
    is_zero = compare(context, Code.EQ, dtype, b, zero, native=True)
    safe = select(context, is_zero, one, b)
    if dtype.kind == "int":
        is_minus_one = compare(context, Code.EQ, dtype, b, constant(-1, dtype), native=True)
        safe = select(context, is_minus_one, one, safe)
    quotient, remainder = _floor(context, dtype, a, safe)
    if dtype.kind == "int":
        quotient = select(context, is_minus_one, context.compute(Code.NEG, dtype, a), quotient)
    return select(context, is_zero, zero, quotient), select(context, is_zero, zero, remainder)


def _floor(context: Context, dtype: DType, a: Operand, b: Operand) -> tuple[Operand, Operand]:
    """Quotient and remainder by a divisor that does not trap, corrected where the remainder has the other sign."""
    quotient = context.compute(Code.DIV, dtype, a, b)
    remainder = context.compute(Code.SUB, dtype, a, context.compute(Code.MUL, dtype, quotient, b))
    if dtype.kind == "uint":
        return quotient, remainder
    zero = constant(0, dtype)
    if isinstance(b, Immediate):
        below, above = (remainder, zero) if b.value > 0 else (zero, remainder)
        wrong = compare(context, Code.LT, dtype, below, above, native=True)
    else:
        is_zero = compare(context, Code.EQ, dtype, remainder, zero, native=True)
        signs = select(context, is_zero, zero, context.compute(Code.XOR, dtype, remainder, b))
        wrong = compare(context, Code.LT, dtype, signs, zero, native=True)
    lower = context.compute(Code.SUB, dtype, quotient, constant(1, dtype))
    moved = context.compute(Code.ADD, dtype, remainder, b)
    return select(context, wrong, lower, quotient), select(context, wrong, moved, remainder)


def _unsigned(context: Context, dtype: DType, a: Operand) -> tuple[DType, Operand]:
    if dtype.kind == "uint":
        return dtype, a
    unsigned = {1: dtypes.uint8, 2: dtypes.uint16, 4: dtypes.uint32, 8: dtypes.uint64}[dtype.itemsize]
    if isinstance(a, Immediate):
        return unsigned, constant(a.value, unsigned)
    return unsigned, context.compute(Code.BITCAST, unsigned, a)


def shift_left(context: Context, dtype: DType, a: Operand, count: Operand) -> Operand:
    """a << count; 0 for counts outside 0..bits-1."""
    if isinstance(count, Immediate):
        return context.compute(Code.SHL, dtype, a, count) if 0 <= count.value < dtype.bits else constant(0, dtype)
    unsigned, number = _unsigned(context, dtype, count)
    inside = compare(context, Code.LT, unsigned, number, constant(dtype.bits, unsigned), native=True)
    return select(
        context, inside, context.compute(Code.SHL, dtype, a, _held(context, dtype, count)), constant(0, dtype)
    )


def shift_right(context: Context, dtype: DType, a: Operand, count: Operand) -> Operand:
    """a >> count; for counts outside 0..bits-1 the sign remains: 0 or -1."""
    last = constant(dtype.bits - 1, dtype)
    signed = dtype.kind == "int"
    if isinstance(count, Immediate):
        if not 0 <= count.value < dtype.bits:
            return context.compute(Code.SHR, dtype, a, last) if signed else constant(0, dtype)
        return context.compute(Code.SHR, dtype, a, count)
    unsigned, number = _unsigned(context, dtype, count)
    inside = compare(context, Code.LT, unsigned, number, constant(dtype.bits, unsigned), native=True)
    shifted = context.compute(Code.SHR, dtype, a, _held(context, dtype, select(context, inside, count, last)))
    return shifted if signed else select(context, inside, shifted, constant(0, dtype))


def _held(context: Context, dtype: DType, count: Operand) -> Operand:
    return context.compute(Code.AND, dtype, count, constant(dtype.bits - 1, dtype))


def from_float(context: Context, source: DType, a: Operand, wanted: DType) -> Operand:
    """The whole part of a float of type `source`: as `cast_array` in `ir/elements.py` says, for nan and beyond, too.

    Machines differ in what they make of floats that do not fit, so those are replaced before the conversion.
    """
    wide = dtypes.int32 if wanted.itemsize < 4 or wanted is dtypes.int32 else dtypes.int64
    least, beyond = constant(wide.min, source), constant(-wide.min, source)
    is_below = compare(context, Code.LT, source, a, beyond, native=True)
    held = select(context, is_below, a, least)  # nan is not below
    held = select(context, compare(context, Code.LT, source, held, least, native=True), least, held)
    whole = context.compute(Code.CONVERT, wide, held)
    if wanted is wide:
        return whole
    whole = context.compute(Code.CONVERT, wanted, whole)
    if wanted is not dtypes.uint64:
        return whole
    is_upper = compare(context, Code.LE, source, beyond, a, native=True)
    zero, end = constant(0, source), constant(-2 * int(wide.min), source)
    upper = select(context, compare(context, Code.LT, source, a, end, native=True), a, zero)
    upper = context.compute(Code.CONVERT, wanted, select(context, is_upper, upper, zero))
    return select(context, is_upper, upper, whole)
