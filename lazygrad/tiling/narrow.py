"""16-bit floats by integer arithmetic on float32 registers: rounding to nearest even, inf, nan and subnormals kept."""

from __future__ import annotations

from lazygrad.dtype import DType, dtypes

from .lower_context import Context
from .machine import Code, Operand, Register
from .masks import compare, constant, select
from .program import compute_dtype

U32, U64 = dtypes.uint32, dtypes.uint64
F32, F64 = dtypes.float32, dtypes.float64


def _op(context: Context, code: Code, a: Operand, number: int) -> Operand:
    return context.compute(code, U32, a, constant(number, U32))


def _as(context: Context, dtype: DType, a: Operand) -> Operand:
    return context.compute(Code.BITCAST, dtype, a)


def from_bfloat16(context: Context, bits: Operand) -> Operand:
    """uint16 bits of bfloat16 -> float32."""
    if "from_bfloat16" in context.device.native:
        return context.compute(Code.CALL, F32, bits, detail="from_bfloat16")
    wide = context.compute(Code.CONVERT, U32, bits)
    return _as(context, F32, _op(context, Code.SHL, wide, 16))


def to_bfloat16(context: Context, value: Operand) -> Operand:
    """float32 -> uint16 bits of the nearest bfloat16."""
    if "to_bfloat16" in context.device.native:
        return context.compute(Code.CALL, dtypes.uint16, value, detail="to_bfloat16")
    bits = _as(context, U32, _register(context, value))
    last = _op(context, Code.AND, _op(context, Code.SHR, bits, 16), 1)
    rounded = context.compute(Code.ADD, U32, _op(context, Code.ADD, bits, 0x7FFF), last)
    is_nan = compare(context, Code.NE, F32, value, value, native=True)
    kept = select(context, is_nan, _op(context, Code.OR, bits, 0x400000), rounded)
    return context.compute(Code.CONVERT, dtypes.uint16, _op(context, Code.SHR, kept, 16))


def from_float16(context: Context, bits: Operand) -> Operand:
    """uint16 bits of float16 -> float32: the exponent is moved by a multiplication, which normalizes subnormals."""
    if "from_float16" in context.device.native:
        return context.compute(Code.CALL, F32, bits, detail="from_float16")
    wide = context.compute(Code.CONVERT, U32, bits)
    magnitude = _op(context, Code.AND, wide, 0x7FFF)
    sign = _op(context, Code.SHL, _op(context, Code.AND, wide, 0x8000), 16)
    shifted = _as(context, F32, _op(context, Code.SHL, magnitude, 13))
    scaled = _as(context, U32, context.compute(Code.MUL, F32, shifted, constant(2.0**112, F32)))
    special = compare(context, Code.LE, U32, constant(0x7C00, U32), magnitude, native=True)
    value = select(context, special, _op(context, Code.OR, scaled, 0x7F800000), scaled)
    return _as(context, F32, context.compute(Code.OR, U32, value, sign))


def to_float16(context: Context, value: Operand) -> Operand:
    """float32 -> uint16 bits of the nearest float16."""
    if "to_float16" in context.device.native:
        return context.compute(Code.CALL, dtypes.uint16, value, detail="to_float16")
    bits = _as(context, U32, _register(context, value))
    sign = _op(context, Code.AND, bits, 0x80000000)
    magnitude = context.compute(Code.XOR, U32, bits, sign)
    # Adding 0.5 lets the float adder round a result that will be subnormal.
    half = context.compute(Code.ADD, F32, _as(context, F32, magnitude), constant(0.5, F32))
    small = _op(context, Code.SUB, _as(context, U32, half), 0x3F000000)
    last = _op(context, Code.AND, _op(context, Code.SHR, magnitude, 13), 1)
    rebased = _op(context, Code.ADD, magnitude, ((15 - 127) << 23) + 0xFFF)
    normal = _op(context, Code.SHR, context.compute(Code.ADD, U32, rebased, last), 13)
    is_small = compare(context, Code.LT, U32, magnitude, constant(113 << 23, U32), native=True)
    result = select(context, is_small, small, normal)
    is_large = compare(context, Code.LE, U32, constant(143 << 23, U32), magnitude, native=True)
    result = select(context, is_large, constant(0x7C00, U32), result)
    is_nan = compare(context, Code.LT, U32, constant(255 << 23, U32), magnitude, native=True)
    result = select(context, is_nan, constant(0x7E00, U32), result)
    result = context.compute(Code.OR, U32, result, _op(context, Code.SHR, sign, 16))
    return context.compute(Code.CONVERT, dtypes.uint16, result)


def to_odd(context: Context, value: Operand) -> Operand:
    """float64 -> the float32 next to it towards 0, with its last bit set unless it is exact: it can be rounded again as
    if it were the float64 (S. Boldo, G. Melquiond, "When double rounding is odd", 2005)."""
    value = _register(context, value)
    near = context.compute(Code.CONVERT, F32, value)
    back = context.compute(Code.CONVERT, F64, near)
    larger = [context.compute(Code.AND, U64, _as(context, U64, v), constant(2**63 - 1, U64)) for v in (value, back)]
    bits = _as(context, U32, near)
    beyond = compare(context, Code.LT, U64, larger[0], larger[1], native=True)
    toward = select(
        context,
        beyond,
        context.compute(Code.CONVERT, U64, _op(context, Code.SUB, bits, 1)),
        context.compute(Code.CONVERT, U64, bits),
    )
    inexact = compare(context, Code.NE, F64, value, back, native=True)
    odd = context.compute(Code.OR, U64, toward, constant(1, U64))
    return _as(context, F32, context.compute(Code.CONVERT, U32, select(context, inexact, odd, toward)))


def rounded(context: Context, value: Operand, dtype: DType) -> Operand:
    """A float32 value rounded to what `dtype`, a 16-bit float, can hold."""
    if dtype is dtypes.bfloat16:
        return from_bfloat16(context, to_bfloat16(context, value))
    return from_float16(context, to_float16(context, value))


def bitcast(context: Context, a: Operand, source: DType, target: DType) -> Operand:
    """The bits of a value of type `source` as a value of `target`, which is as wide."""
    narrow = {dtypes.bfloat16: (to_bfloat16, from_bfloat16), dtypes.float16: (to_float16, from_float16)}
    a = _register(context, a)
    if source in narrow:
        a = narrow[source][0](context, a)
    if target in narrow:
        unsigned = a if a.dtype is dtypes.uint16 else context.compute(Code.BITCAST, dtypes.uint16, a)
        return narrow[target][1](context, unsigned)
    return a if a.dtype is target else context.compute(Code.BITCAST, compute_dtype(target), a)


def _register(context: Context, a: Operand) -> Operand:
    """A constant put into a register, so that its type is certain."""
    return a if isinstance(a, Register) else context.compute(Code.COPY, a.dtype, a)
