"""Exponential, logarithm, square root and power as basic instructions, for scalars and vectors alike.

A call would spill every vector register around it, and the same expansion for vectors and for the scalars at the end
of a row makes a result independent of its position. The polynomials are minimax fits (Remez) of the stated functions
in the working precision, coefficients by rising power. Inf, nan, zeros and subnormals come out as in C's library.

The largest errors, in units in the last place for (float32, float64): exp2 (1, 1), exp (1, 1.1), log2 (3, 3),
power in float32 (1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lazygrad.dtype import DType, dtypes
from lazygrad.errors import GraphError

from . import library
from .lower_context import Context
from .machine import Code, Immediate, Operand
from .masks import compare, constant, select

F32, F64 = dtypes.float32, dtypes.float64
LOG2_E = 1.4426950408889634
LN2 = (0.6931471805599453, 2.3190468138462996e-17)  # ln 2 as a sum of two float64


@dataclass(frozen=True)
class Format:
    """A binary floating format, and the polynomials fitted for it."""

    dtype: DType
    integer: DType
    mantissa: int
    bias: int
    round_magic: float  # adding it rounds to an integer, which then stands in the low bits
    exp2_range: tuple[float, float]  # beyond: inf, and zero
    exp_range: tuple[float, float]
    exp2: tuple[float, ...]  # (2^f - 1) / f on |f| <= 1/2
    exp: tuple[float, ...]  # (e^f - 1 - f) / f^2 on |f| <= ln(2)/2
    log2: tuple[
        float, ...
    ]  # (log2((1+s)/(1-s)) / s - 2/ln 2) / s^2, in s^2, where (1+s)/(1-s) is in [sqrt 1/2, sqrt 2]
    sine: tuple[float, ...]  # (sin r / r - 1) / r^2, in r^2, on |r| <= pi/2
    ln2: tuple[float, float]
    root_half: int  # the bits of sqrt(1/2)


SINGLE = Format(
    F32, dtypes.int32, 23, 127, 12582912.0, (-151.0, 129.0), (-104.5, 89.5),
    exp2=(0.6931472028550698, 0.24022647913673364, 0.055503324710973544, 0.009618437353200043, 0.0013398874426646557,
          0.0001535336299676856),
    exp=(0.4999999345152053, 0.16666520688289242, 0.04166838739192678, 0.008368709874295898, 0.0013814612056028356),
    log2=(0.9617982771070518, 0.5767539463248329, 0.43095998132604185),
    sine=(-0.16666659550431862, 0.008333066246201792, -0.00019809602911218037, 2.6057806585148796e-06),
    ln2=(0.6931471824645996, -1.9046542121259336e-09),
    root_half=0x3F3504F3,
)  # fmt: skip
DOUBLE = Format(
    F64, dtypes.int64, 52, 1023, 6755399441055744.0, (-1076.0, 1025.0), (-746.0, 710.0),
    exp2=(0.6931471805599453, 0.2402265069591013, 0.055504108664820084, 0.00961812910759412, 0.001333355814677462,
          0.000154035304571119, 1.5252733493125119e-05, 1.3215435282395376e-06, 1.0178199573625748e-07,
          7.073783234730465e-09, 4.434770934987566e-10),
    exp=(0.5000000000000011, 0.16666666666666413, 0.041666666666530267, 0.008333333333494336, 0.0013888888943597948,
         0.00019841269506773283, 2.4801493135923025e-05, 2.7557586270668227e-06, 2.7630234012357223e-07,
         2.5000071249370793e-08),
    log2=(0.9617966939259756, 0.5770780163556755, 0.41219858307733503, 0.3205989041005299, 0.26230757588318593,
          0.22198879471682487, 0.1911588118389594, 0.19117612300416162),
    sine=(-0.16666666666666666, 0.008333333333333194, -0.0001984126984120922, 2.755731921113731e-06,
          -2.5052106872804622e-08, 1.6058939705988203e-10, -7.642991491155667e-13, 2.721174977771738e-15),
    ln2=(LN2[0], LN2[1]),
    root_half=0x3FE6A09E667F3BCD,
)  # fmt: skip


def _format(dtype: DType) -> Format:
    if dtype not in (F32, F64):
        raise GraphError(f"a floating function of {dtype}; cast it first")
    return SINGLE if dtype is F32 else DOUBLE


class _Emitter:
    """Short spellings of instructions on values of one format; Python numbers are constants of it."""

    def __init__(self, context: Context, form: Format) -> None:
        self.context, self.form = context, form

    def number(self, a: Operand | float) -> Operand:
        return constant(a, self.form.dtype) if isinstance(a, (int, float)) else a

    def op(self, code: Code, *src: Operand | float) -> Operand:
        return self.context.compute(code, self.form.dtype, *map(self.number, src))

    def bit_op(self, code: Code, a: Operand, b: Operand | int) -> Operand:
        other = constant(b, self.form.integer) if isinstance(b, int) else b
        return self.context.compute(code, self.form.integer, a, other)

    def bits(self, a: Operand) -> Operand:
        return self.context.compute(Code.BITCAST, self.form.integer, a)

    def real(self, a: Operand) -> Operand:
        return self.context.compute(Code.BITCAST, self.form.dtype, a)

    def where(
        self, code: Code, a: Operand | float, b: Operand | float, yes: Operand | float, no: Operand | float
    ) -> Operand:
        """`yes` where the comparison holds, else `no`."""
        test = compare(self.context, code, self.form.dtype, self.number(a), self.number(b), native=True)
        return select(self.context, test, self.number(yes), self.number(no))

    def polynomial(self, coefficients: tuple[float, ...], x: Operand) -> Operand:
        total = self.number(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            total = self.op(Code.FMA, total, x, c)
        return total

    def held(self, x: Operand, bounds: tuple[float, float]) -> Operand:
        """x within bounds; nan stays."""
        x = self.where(Code.LT, bounds[1], x, bounds[1], x)
        return self.where(Code.LT, x, bounds[0], bounds[0], x)

    def scaled(self, p: Operand, shifted: Operand) -> Operand:
        """p * 2^n, where `shifted` is round_magic + n; in two steps, for the full range of n."""
        form = self.form
        magic = int(np.array(form.round_magic, form.dtype.name).view(form.integer.name))
        n = self.bit_op(Code.SUB, self.bits(shifted), magic)
        for part in (half := self.bit_op(Code.SHR, n, 1), self.bit_op(Code.SUB, n, half)):
            power = self.bit_op(Code.SHL, self.bit_op(Code.ADD, part, form.bias), form.mantissa)
            p = self.op(Code.MUL, p, self.real(power))
        return p


def emitter(context: Context, dtype: DType) -> _Emitter:
    return _Emitter(context, _format(dtype))


def register(context: Context, x: Operand) -> Operand:
    return context.compute(Code.COPY, x.dtype, x) if isinstance(x, Immediate) else x


def exp2(context: Context, dtype: DType, x: Operand) -> Operand:
    """2^x: the integer part by the exponent bits, the rest by a polynomial."""
    if dtype is F32 and "exp2" in context.device.native:
        return context.compute(Code.CALL, dtype, register(context, x), detail="exp2")
    e = emitter(context, dtype)
    x = e.held(register(context, x), e.form.exp2_range)
    shifted = e.op(Code.ADD, x, e.form.round_magic)
    f = e.op(Code.SUB, x, e.op(Code.SUB, shifted, e.form.round_magic))
    return e.scaled(e.op(Code.FMA, e.polynomial(e.form.exp2, f), f, 1.0), shifted)


def exp(context: Context, dtype: DType, x: Operand) -> Operand:
    """e^x: as exp2, with the remainder after n * ln 2 taken in two parts, so that x is never rounded."""
    if dtype is F32 and "exp" in context.device.native:
        return context.compute(Code.CALL, dtype, register(context, x), detail="exp")
    e = emitter(context, dtype)
    x = e.held(register(context, x), e.form.exp_range)
    shifted = e.op(Code.FMA, x, LOG2_E, e.form.round_magic)
    n = e.op(Code.SUB, shifted, e.form.round_magic)
    f = x
    for part in e.form.ln2:
        f = e.op(Code.FMA, n, -part, f)
    p = e.op(Code.MUL, e.polynomial(e.form.exp, f), f)
    return e.scaled(e.op(Code.ADD, e.op(Code.FMA, p, f, f), 1.0), shifted)


def log2(context: Context, dtype: DType, x: Operand) -> Operand:
    """log2 x from x = m * 2^k with m near 1, by an odd polynomial in (m - 1) / (m + 1)."""
    if dtype is F32 and "log2" in context.device.native:
        return context.compute(Code.CALL, dtype, register(context, x), detail="log2")
    e = emitter(context, dtype)
    form = e.form
    x = register(context, x)
    smallest = 2.0 ** (1 - form.bias)
    normal = e.where(Code.LT, x, smallest, e.op(Code.MUL, x, 2.0**form.mantissa), x)
    offset = e.where(Code.LT, x, smallest, float(-form.mantissa), 0.0)
    bits = e.bit_op(Code.SUB, e.bits(normal), form.root_half)
    exponent = context.compute(Code.CONVERT, dtype, e.bit_op(Code.SHR, bits, form.mantissa))
    fraction = e.bit_op(Code.AND, bits, (1 << form.mantissa) - 1)
    m = e.real(e.bit_op(Code.ADD, fraction, form.root_half))
    s = e.op(Code.DIV, e.op(Code.SUB, m, 1.0), e.op(Code.ADD, m, 1.0))
    square = e.op(Code.MUL, s, s)
    p = e.op(Code.FMA, e.polynomial(form.log2, square), square, 2 * LOG2_E)
    result = e.op(Code.FMA, s, p, e.op(Code.ADD, exponent, offset))
    result = e.where(Code.LT, float(np.finfo(dtype.name).max), x, x, result)
    special = e.where(Code.EQ, x, 0.0, -math.inf, math.nan)
    return e.where(Code.LT, 0.0, x, result, special)


def sqrt(context: Context, dtype: DType, x: Operand) -> Operand:
    """The correctly rounded square root: one instruction everywhere."""
    return context.compute(Code.CALL, dtype, register(context, x), detail="sqrt")


def power(context: Context, dtype: DType, a: Operand, b: Operand) -> Operand:
    """a^b; small whole exponents by multiplication, float32 through float64 logarithms, float64 by the library."""
    if isinstance(b, Immediate) and b.value in (-2, -1, 1, 2, 3, 4):
        return _whole_power(context, dtype, a, int(b.value))
    if dtype is F64:
        return library.call(context, "pow", dtype, a, b)
    a, b = register(context, a), register(context, b)
    e = emitter(context, F32)
    magnitude = e.real(e.bit_op(Code.AND, e.bits(a), 0x7FFFFFFF))
    logarithm = log2(context, F64, context.compute(Code.CONVERT, F64, magnitude))
    exponent = context.compute(Code.MUL, F64, logarithm, context.compute(Code.CONVERT, F64, b))
    result: Operand = context.compute(Code.CONVERT, F32, exp2(context, F64, exponent))
    result = e.where(Code.EQ, magnitude, 1.0, e.where(Code.EQ, b, b, 1.0, math.nan), result)
    return _signed_power(e, a, b, result)


def _whole_power(context: Context, dtype: DType, a: Operand, n: int) -> Operand:
    e = emitter(context, dtype)
    result = a if abs(n) == 1 else e.op(Code.MUL, a, a)
    if abs(n) > 2:
        result = e.op(Code.MUL, result, a if abs(n) == 3 else result)
    return e.op(Code.DIV, 1.0, result) if n < 0 else result


def _signed_power(e: _Emitter, a: Operand, b: Operand, magnitude: Operand) -> Operand:
    """The sign of a^b for negative a, nan where the result is not real, and 1 for an exponent of 0 or a base of 1."""
    context = e.context
    whole = context.compute(Code.CALL, F32, b, detail="trunc")
    half = e.op(Code.MUL, whole, 0.5)
    odd = e.where(Code.EQ, context.compute(Code.CALL, F32, half, detail="trunc"), half, 0.0, 1.0)
    odd = e.where(Code.EQ, whole, b, odd, 0.0)
    negative = e.bit_op(Code.AND, e.bits(a), -(1 << 31))
    flipped = e.real(e.bit_op(Code.XOR, e.bits(magnitude), negative))
    result = e.where(Code.EQ, odd, 1.0, flipped, magnitude)
    not_real = e.where(Code.EQ, whole, b, result, math.nan)  # a finite negative base, an exponent that is no integer
    lowest = -float(np.finfo("float32").max)
    result = e.where(Code.LT, a, 0.0, e.where(Code.LE, lowest, a, not_real, result), result)
    result = e.where(Code.EQ, a, 1.0, 1.0, result)
    return e.where(Code.EQ, b, 0.0, 1.0, result)
