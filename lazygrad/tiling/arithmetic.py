"""The elementwise primitives as machine instructions, for scalars and vectors alike.

What the graph promises beyond C is spelled out here: floor division without traps, shifts by any count, maxima that
keep nan, conversions of 16-bit floats, and masks for booleans.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lazygrad.dtype import DType, dtypes
from lazygrad.errors import GraphError
from lazygrad.ir.op import Combine, Op

from . import integers, library, narrow, trigonometry, vectormath
from .erf import erf
from .expm1 import expm1
from .lower_context import Context
from .machine import Code, Compute, Immediate, Operand, Register, memory_dtype
from .masks import compare, constant, mask_for, select, splat
from .program import compute_dtype

__all__ = [
    "apply",
    "cast",
    "combine",
    "combine_into",
    "compare",
    "constant",
    "from_storage",
    "lane",
    "mask_for",
    "select",
    "splat",
    "to_storage",
]

Rule = Callable[[Context, DType, Operand, Operand], Operand]


def lane(context: Context, a: Operand, k: int, dtype: DType) -> Operand:
    """Lane `k` of `a`, a value of `dtype`, as a scalar."""
    if a.lanes == 1:
        return a
    one = context.compute(Code.LANE, a.dtype, a, detail=k, lanes=1)
    return context.compute(Code.NEG, dtypes.bool, one) if dtype.is_bool else one


def apply(context: Context, op: Op, dtype: DType, types: Sequence[DType], src: Sequence[Operand]) -> Operand:
    """`op` over operands of the value types `types`; the result is in the compute type of `dtype`."""
    if op is Op.CAST:
        return cast(context, src[0], types[0], dtype)
    if op is Op.BITCAST:
        return narrow.bitcast(context, src[0], types[0], dtype)
    if op is Op.WHERE:
        return select(context, src[0], src[1], src[2])
    if op in (Op.LT, Op.NE):
        return _comparison(context, op, compute_dtype(types[0]), src[0], src[1])
    dtype = compute_dtype(dtype)
    if op in _UNARY:
        return _UNARY[op](context, dtype, src[0])
    if dtype.is_bool:
        if op not in _BOOL:
            raise GraphError(f"{op} is not defined for bool")
        return _logic(context, _BOOL[op], src[0], src[1])
    table = _FLOAT if dtype.is_float else _INTEGER
    if op not in table:
        raise GraphError(f"{op} is not defined for {dtype}")
    return table[op](context, dtype, src[0], src[1])


def combine(context: Context, how: Combine, dtype: DType, a: Operand, b: Operand) -> Operand:
    """Two partial results of a reduction in one; `a` is the running value."""
    op = {Combine.ADD: Op.ADD, Combine.MUL: Op.MUL, Combine.MAX: Op.MAX}[how]
    return apply(context, op, dtype, (dtype, dtype), (a, b))


def combine_into(context: Context, how: Combine, register: Register, other: Operand) -> None:
    """register = combine(register, other)"""
    result = combine(context, how, register.dtype, register, other)
    context.emit(Compute(register, Code.COPY, (result,), declare=False))


# ---- booleans --------------------------------------------------------------------------------------


def _logic(context: Context, code: Code, a: Operand, b: Operand) -> Operand:
    lanes = max(a.lanes, b.lanes)
    return context.compute(code, dtypes.bool, splat(context, a, lanes), splat(context, b, lanes))


def invert(context: Context, a: Operand) -> Operand:
    """Not `a`, of bool."""
    if a.lanes > 1:
        return context.compute(Code.NOT, dtypes.bool, a)
    return context.compute(Code.EQ, dtypes.bool, a, Immediate(0, dtypes.bool))


def _comparison(context: Context, op: Op, dtype: DType, a: Operand, b: Operand) -> Operand:
    if not dtype.is_bool:
        return compare(context, Code.LT if op is Op.LT else Code.NE, dtype, a, b)
    if op is Op.LT:
        return _logic(context, Code.AND, invert(context, a), b)
    for x, other in ((a, b), (b, a)):
        if isinstance(other, Immediate):
            return invert(context, x) if other.value else x
    return _logic(context, Code.XOR, a, b)


# ---- conversions -----------------------------------------------------------------------------------


def cast(context: Context, a: Operand, source: DType, target: DType) -> Operand:
    """A value of type `source` as `target`; 16-bit floats are rounded to, and stay in float32."""
    machine, wanted = compute_dtype(source), compute_dtype(target)
    if target is not wanted and source is not target:
        single = narrow.to_odd(context, a) if machine is dtypes.float64 else cast(context, a, source, wanted)
        return narrow.rounded(context, single, target)
    if machine is wanted:
        return a
    if isinstance(a, Immediate) and not (machine.is_float and not wanted.is_float):
        return constant(a.value, wanted)
    if target.is_bool:
        return compare(context, Code.NE, machine, a, constant(0, machine))
    if machine.is_bool:
        return _from_bool(context, a, wanted)
    if machine.is_float and wanted.is_int:
        return integers.from_float(context, machine, a, wanted)
    return context.compute(Code.CONVERT, wanted, a)


def _from_bool(context: Context, a: Operand, wanted: DType) -> Operand:
    if a.lanes > 1:
        a = context.compute(Code.AND, dtypes.int32, a, Immediate(1, dtypes.int32))
    return a if wanted is dtypes.int32 and a.dtype is wanted else context.compute(Code.CONVERT, wanted, a)


def from_storage(context: Context, raw: Operand, dtype: DType) -> Operand:
    """An element as it lies in memory -> its value in the compute type."""
    if dtype.is_bool and raw.lanes == 1:  # 0 or 1; comparisons that LLVM 14 gathers into vectors of bits can abort it
        return context.compute(Code.AND, dtype, raw, constant(1, memory_dtype(dtype)))
    if dtype.is_bool:
        return compare(context, Code.NE, memory_dtype(dtype), raw, constant(0, memory_dtype(dtype)))
    if memory_dtype(dtype) is compute_dtype(dtype):
        return raw
    return narrow.from_bfloat16(context, raw)


def to_storage(context: Context, value: Operand, dtype: DType) -> Operand:
    """A value in the compute type -> the element as it lies in memory."""
    if memory_dtype(dtype) is compute_dtype(dtype):
        return value
    if dtype.is_bool:
        return cast(context, value, dtypes.bool, dtypes.uint8)
    return narrow.to_bfloat16(context, value)


# ---- floats and shared -----------------------------------------------------------------------------


def _plain(code: Code) -> Rule:
    return lambda context, dtype, a, b: context.compute(code, dtype, a, b)


def _multiply(context: Context, dtype: DType, a: Operand, b: Operand) -> Operand:
    for x, other in ((a, b), (b, a)):
        if isinstance(other, Immediate) and other.value == -1:
            return context.compute(Code.NEG, dtype, x)
    return context.compute(Code.MUL, dtype, a, b)


def _maximum(context: Context, dtype: DType, a: Operand, b: Operand) -> Operand:
    """The larger one, or nan where there is one: `x < y ? y : x` keeps a nan in x only."""
    if dtype is dtypes.float32 and "maximum" in context.device.native:
        return context.compute(Code.CALL, dtype, a, b, detail="maximum")
    if isinstance(a, Immediate):
        a, b = b, a
    larger = select(context, compare(context, Code.LT, dtype, a, b, native=True), b, a)
    if dtype.is_int or (isinstance(b, Immediate) and b.value == b.value):
        return larger
    return select(context, compare(context, Code.NE, dtype, b, b, native=True), b, larger)


def _float_modulo(context: Context, dtype: DType, a: Operand, b: Operand) -> Operand:
    """The remainder with the sign of the divisor, made from the exact one with the sign of the dividend."""
    remainder = library.call(context, "fmod", dtype, a, b)
    zero = constant(0, dtype)
    moved = context.compute(Code.ADD, dtype, remainder, b)
    below = compare(context, Code.LT, dtype, b, zero)
    opposite = _logic(context, Code.XOR, compare(context, Code.LT, dtype, remainder, zero), below)
    result = select(context, opposite, moved, remainder)
    signed_zero = select(context, below, constant(-0.0, dtype), zero)
    return select(context, compare(context, Code.EQ, dtype, remainder, zero, native=True), signed_zero, result)


def _truncate(context: Context, dtype: DType, a: Operand) -> Operand:
    return context.compute(Code.CALL, dtype, a, detail="trunc") if dtype.is_float else a


_UNARY: dict[Op, Callable[[Context, DType, Operand], Operand]] = {
    Op.EXP2: vectormath.exp2,
    Op.EXPM1: expm1,
    Op.LOG2: vectormath.log2,
    Op.SIN: trigonometry.sin,
    Op.COS: trigonometry.cos,
    Op.SQRT: vectormath.sqrt,
    Op.ERF: erf,
    Op.TRUNC: _truncate,
}
_BOOL = {
    Op.ADD: Code.OR,
    Op.MAX: Code.OR,
    Op.OR: Code.OR,
    Op.MUL: Code.AND,
    Op.AND: Code.AND,
    Op.XOR: Code.XOR,
}
_FLOAT: dict[Op, Rule] = {
    Op.ADD: _plain(Code.ADD),
    Op.MUL: _multiply,
    Op.DIV: _plain(Code.DIV),
    Op.MOD: _float_modulo,
    Op.MAX: _maximum,
    Op.POW: vectormath.power,
}
_INTEGER: dict[Op, Rule] = {
    Op.ADD: _plain(Code.ADD),
    Op.MUL: _multiply,
    Op.MAX: _maximum,
    Op.AND: _plain(Code.AND),
    Op.OR: _plain(Code.OR),
    Op.XOR: _plain(Code.XOR),
    Op.IDIV: integers.floor_quotient,
    Op.MOD: integers.floor_remainder,
    Op.SHL: integers.shift_left,
    Op.SHR: integers.shift_right,
}
