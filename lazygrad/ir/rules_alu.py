"""Simplification rules for elementwise primitives and identities."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from lazygrad.dtype import DType, Scalar, dtypes
from lazygrad.ir.build import constant_value, filled_like
from lazygrad.ir.evaluate import Array, evaluate
from lazygrad.ir.node import Node, alu, bitcast, cast, const, where, with_sources
from lazygrad.ir.op import DeviceArg, Op

Rule = Callable[[Node], "Node | None"]


def fold_constants(n: Node) -> Node | None:
    """An op on constants is the constant that the evaluator finds."""
    values = [constant_value(s) for s in n.src]
    if any(v is None for v in values):
        return None
    scalars = tuple(const(v, s.dtype) for v, s in zip(values, n.src) if v is not None)
    scalar = with_sources(n, scalars)
    return const(evaluate([scalar], _no_buffers)[0].item(), n.dtype, n.shape)


def _no_buffers(n: Node) -> Array:
    return np.empty(0)


def constant_right(n: Node) -> Node | None:
    """Of a commutative op, so that the rules below look at one side only."""
    a, b = n.src
    return alu(n.op, b, a) if constant_value(a) is not None and constant_value(b) is None else None


def add_zero(n: Node) -> Node | None:
    """x + 0 of integers and bools; of floats x + -0.0, because -0.0 + 0.0 is 0.0."""
    zero = constant_value(n.src[1])
    if zero is None or zero != 0 or (n.dtype.is_float and math.copysign(1, zero) > 0):
        return None
    return n.src[0]


def mul_one(n: Node) -> Node | None:
    return n.src[0] if constant_value(n.src[1]) == 1 else None


def mul_zero(n: Node) -> Node | None:
    """Not of floats: nan * 0 is nan, -1 * 0 is -0.0."""
    return n.src[1] if not n.dtype.is_float and constant_value(n.src[1]) == 0 else None


def double_negation(n: Node) -> Node | None:
    inner = n.src[0]
    if n.dtype.is_float and inner.op is Op.MUL and constant_value(n.src[1]) == constant_value(inner.src[1]) == -1:
        return inner.src[0]
    return None


def join_constants(n: Node) -> Node | None:
    """(x op c) op d = x op (c op d) for the ops that are associative: those of integers and bools."""
    inner = n.src[0]
    if n.dtype.is_float or inner.op is not n.op or constant_value(n.src[1]) is None:
        return None
    if constant_value(inner.src[1]) is None:
        return None
    return alu(n.op, inner.src[0], alu(n.op, inner.src[1], n.src[1]))


def div_one(n: Node) -> Node | None:
    return n.src[0] if constant_value(n.src[1]) == 1 else None


def div_power_of_two(n: Node) -> Node | None:
    """A multiplication by the reciprocal, where that is exact and far from the subnormals of every dtype."""
    divisor = constant_value(n.src[1])
    if divisor is None or not 2**-12 <= abs(divisor) <= 2**12 or abs(math.frexp(divisor)[0]) != 0.5:
        return None
    return alu(Op.MUL, n.src[0], filled_like(n, 1 / divisor))


def mod_one(n: Node) -> Node | None:
    return filled_like(n, 0) if n.dtype.is_int and constant_value(n.src[1]) == 1 else None


def with_itself(n: Node) -> Node | None:
    """x max x, x and x, x or x are x; x xor x is 0; x < x is false; x != x is false unless x may be nan."""
    a, b = n.src
    if a is not b:
        return None
    if n.op in (Op.MAX, Op.AND, Op.OR):
        return a
    return None if n.op is Op.NE and a.dtype.is_float else const(0, n.dtype, n.shape)


def bits_constant(n: Node) -> Node | None:
    """x and 0, x and ~0, x or 0, x or ~0, x xor 0."""
    c, ones = constant_value(n.src[1]), _all_ones(n.dtype)
    if c == 0:
        return n.src[1] if n.op is Op.AND else n.src[0]
    if c == ones and n.op is not Op.XOR:
        return n.src[0] if n.op is Op.AND else n.src[1]
    return None


def _all_ones(dtype: DType) -> Scalar:
    return -1 if dtype.kind == "int" else dtype.max


def shift_zero(n: Node) -> Node | None:
    return n.src[0] if constant_value(n.src[1]) == 0 else None


def ne_bool(n: Node) -> Node | None:
    """x != false is x, x != true is not x."""
    a, b = n.src
    if not a.dtype.is_bool or constant_value(b) is None:
        return None
    return alu(Op.XOR, a, b) if constant_value(b) else a


def small_power(n: Node) -> Node | None:
    """x**0, x**1, x**2 and x**-1."""
    x, power = n.src[0], constant_value(n.src[1])
    if power in (0, 1):
        return x if power == 1 else filled_like(n, 1)
    if power == 2:
        return alu(Op.MUL, x, x)
    return alu(Op.DIV, filled_like(n, 1), x) if power == -1 else None


def where_constant(n: Node) -> Node | None:
    condition = constant_value(n.src[0])
    return None if condition is None else n.src[1] if condition else n.src[2]


def where_same(n: Node) -> Node | None:
    return n.src[1] if n.src[1] is n.src[2] else None


def where_not(n: Node) -> Node | None:
    """where(not c, a, b) = where(c, b, a)."""
    c = n.src[0]
    if c.op is Op.XOR and constant_value(c.src[1]) is True:
        return where(c.src[0], n.src[2], n.src[1])
    return None


def where_bool(n: Node) -> Node | None:
    """where(c, true, false) is c."""
    chosen = tuple(constant_value(s) for s in n.src[1:])
    return n.src[0] if n.dtype.is_bool and chosen == (True, False) else None


def where_nested(n: Node) -> Node | None:
    """Inside a branch of where(c, ...) another where(c, ...) has made its choice."""
    c, a, b = n.src
    if a.op is Op.WHERE and a.src[0] is c:
        return where(c, a.src[1], b)
    return where(c, a, b.src[2]) if b.op is Op.WHERE and b.src[0] is c else None


def cast_of_cast(n: Node) -> Node | None:
    """One cast does for two where the first loses nothing, or where both only drop high bits of integers."""
    inner = n.src[0]
    if inner.op is not Op.CAST:
        return None
    start, middle, end = inner.src[0].dtype, inner.dtype, n.dtype
    truncates = start.is_int and middle.is_int and end.is_int and end.bits <= middle.bits
    rounds_twice = start.is_int and start.bits > 16 and end.is_float and end.bits == 16
    return cast(inner.src[0], end) if truncates or (holds(middle, start) and not rounds_twice) else None


MANTISSA = {dtypes.float16: 11, dtypes.bfloat16: 8, dtypes.float32: 24, dtypes.float64: 53}


def holds(wide: DType, narrow: DType) -> bool:
    """Whether every value of `narrow` is a value of `wide`.

    >>> holds(dtypes.float32, dtypes.int16), holds(dtypes.float32, dtypes.int32), holds(dtypes.uint8, dtypes.int8)
    (True, False, False)
    """
    if wide is narrow or narrow.is_bool:
        return True
    if wide.is_bool:
        return False
    if wide.is_float and narrow.is_float:
        return wide.itemsize > narrow.itemsize
    if wide.is_float:
        return narrow.bits - (narrow.kind == "int") <= MANTISSA[wide]
    if narrow.is_float:
        return False
    return wide.bits > narrow.bits and (wide.kind == "int" or narrow.kind == "uint")


def bitcast_of_bitcast(n: Node) -> Node | None:
    return bitcast(n.src[0].src[0], n.dtype) if n.src[0].op is Op.BITCAST else None


def drop_gradient_mark(n: Node) -> Node | None:
    return n.src[0]


def copy_home(n: Node) -> Node | None:
    return n.src[0] if n.src[0].device == n.argument(DeviceArg).device else None


ALU_RULES: dict[Op, tuple[Rule, ...]] = {
    Op.ADD: (fold_constants, constant_right, add_zero, join_constants),
    Op.MUL: (fold_constants, constant_right, mul_one, mul_zero, double_negation, join_constants),
    Op.DIV: (fold_constants, div_one, div_power_of_two),
    Op.IDIV: (fold_constants, div_one),
    Op.MOD: (fold_constants, mod_one),
    Op.MAX: (fold_constants, with_itself),
    Op.POW: (fold_constants, small_power),
    Op.LT: (fold_constants, with_itself),
    Op.NE: (fold_constants, constant_right, with_itself, ne_bool),
    Op.AND: (fold_constants, constant_right, with_itself, bits_constant, join_constants),
    Op.OR: (fold_constants, constant_right, with_itself, bits_constant, join_constants),
    Op.XOR: (fold_constants, constant_right, with_itself, bits_constant, join_constants),
    Op.SHL: (fold_constants, shift_zero),
    Op.SHR: (fold_constants, shift_zero),
    Op.WHERE: (fold_constants, where_constant, where_same, where_not, where_bool, where_nested),
    Op.CAST: (fold_constants, cast_of_cast),
    Op.BITCAST: (fold_constants, bitcast_of_bitcast),
    Op.DETACH: (drop_gradient_mark,),
    Op.CALL: (drop_gradient_mark,),
    Op.COPY: (copy_home,),
    **dict.fromkeys((Op.EXP2, Op.EXPM1, Op.LOG2, Op.SIN, Op.COS, Op.SQRT, Op.ERF, Op.TRUNC), (fold_constants,)),
}
