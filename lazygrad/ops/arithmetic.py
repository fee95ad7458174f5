"""Arithmetic with broadcasting and PyTorch's promotion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from lazygrad.dtype import dtypes, get_default_dtype, promote_scalar
from lazygrad.errors import ArgumentError, DTypeError
from lazygrad.ir.build import mul
from lazygrad.ir.call import FLAT
from lazygrad.ir.node import call, cast, const, node
from lazygrad.ir.op import Op
from lazygrad.ops.core import Core, Operand, fail, promote_shaped
from lazygrad.ops.fitting import RangeError, fitting
from lazygrad.ops.precision import in_float
from lazygrad.ops.quotient import floor_quotient, fmod, truncated_quotient
from lazygrad.ops.rounding import Rounding

if TYPE_CHECKING:
    from typing_extensions import Self


class Arithmetic(Rounding):
    """Operators on numbers. Each takes a tensor or a Python scalar; shapes broadcast; dtypes promote."""

    __slots__ = ()

    def add(self, other: Operand, *, alpha: float = 1) -> Self:
        """self + alpha * other (of bools: or).

        >>> Tensor([1, 2]).add(Tensor([10, 20]), alpha=2).tolist()
        [21, 42]
        """
        return self._binary(Op.ADD, other if alpha == 1 else self._beside(other)._meeting(self).mul(alpha))

    def sub(self, other: Operand, *, alpha: float = 1) -> Self:
        """self - alpha * other. DTypeError for bools.

        >>> Tensor([1.0, 2.0]).sub(1).tolist()
        [0.0, 1.0]
        """
        if isinstance(other, (bool, int, float)) and not isinstance(other, bool) and not self.dtype.is_bool:
            taken = other * alpha
            fitting("sub", taken, promote_scalar(self.dtype, taken))
            return self._binary(Op.ADD, taken if self.dtype.is_int and taken == self.dtype.min else -taken)
        right = self._beside(other)
        if self.dtype.is_bool and right.dtype.is_bool:
            fail(DTypeError, "sub: not defined for bool; use ^ or .logical_xor() for a difference of masks")
        return self._binary(Op.ADD, right._meeting(self).mul(-alpha))

    def _meeting(self, other: Operand) -> Self:
        """self in the type in which it meets `other`: there it can be negated and scaled (uint8 has no -1)."""
        if isinstance(other, (bool, int, float)):
            return self.cast(promote_scalar(self.dtype, other))
        return self.cast(promote_shaped(self._in(), self._beside(other)._in()))

    def mul(self, other: Operand) -> Self:
        """self * other (of bools: and).

        >>> Tensor([1.0, 2.0]).mul(Tensor([[2.0], [3.0]])).tolist()
        [[2.0, 4.0], [3.0, 6.0]]
        """
        return self._binary(Op.MUL, other)

    def div(self, other: Operand, *, rounding_mode: str | None = None) -> Self:
        """self / other as floats; `rounding_mode` 'floor' or 'trunc' rounds the quotient.

        >>> Tensor([7, -7]).div(2).tolist(), Tensor([7, -7]).div(2, rounding_mode="trunc").tolist()
        ([3.5, -3.5], [3, -3])
        """
        return _divide(self, other, rounding_mode)

    def floor_divide(self, other: Operand) -> Self:
        """The quotient rounded towards minus infinity, in the promoted dtype. Integers divided by 0 give 0.

        >>> Tensor([7, -7]).floor_divide(2).tolist()
        [3, -4]
        """
        return _divide(self, other, "floor")

    def remainder(self, other: Operand) -> Self:
        """The remainder with the sign of the divisor, as Python's %. Integers divided by 0 give 0.

        >>> (Tensor([7, -7]) % 3).tolist()
        [1, 2]
        """
        return self._binary(Op.MOD, other)

    def fmod(self, other: Operand) -> Self:
        """The remainder with the sign of the dividend, as C's fmod.

        >>> Tensor([7.0, -7.0]).fmod(3).tolist()
        [1.0, -1.0]
        """
        a, b = self._pair("fmod", other)
        return self._out(fmod(a, b), *((other,) if isinstance(other, Core) else ()))

    def pow(self, exponent: Operand) -> Self:
        """self ** exponent. Integers stay integers; a negative integer exponent as a scalar raises DTypeError.

        >>> Tensor([1.0, 2.0, 3.0]).pow(2).tolist(), Tensor([2, 3]).pow(3).tolist()
        ([1.0, 4.0, 9.0], [8, 27])
        """
        if isinstance(exponent, (int, float)) and (short := _short_power(self, exponent)) is not None:
            return short
        if self.dtype.is_float:
            return self._binary(Op.POW, exponent)
        a, b = self._pair("pow", exponent)
        if a.dtype.is_float:
            return self._binary(Op.POW, exponent)
        return _integer_power(self._new(a), self._new(b))

    def neg(self) -> Self:
        """-self. DTypeError for bools.

        >>> Tensor([1, -2]).neg().tolist()
        [-1, 2]
        """
        if self.dtype.is_bool:
            fail(DTypeError, "neg: not defined for bool; use ~ or .logical_not()")
        return self._binary(Op.MUL, -1)

    def abs(self) -> Self:
        """The absolute value; its gradient at 0 is 0.

        >>> Tensor([1, -2]).abs().tolist()
        [1, 2]
        """
        if self.dtype.kind in ("bool", "uint"):
            return self._apart()
        larger = self._binary(Op.MAX, self.neg())
        return larger._binary(Op.ADD, 0.0) if self.dtype.is_float else larger  # of both zeros, MAX may give either

    def maximum(self, other: Operand) -> Self:
        """The larger of both elements, nan if either is; equal ones share the gradient.

        >>> Tensor([1, 5]).maximum(3).tolist()
        [3, 5]
        """
        return self._binary(Op.MAX, other)

    def minimum(self, other: Operand) -> Self:
        """The smaller of both elements, nan if either is; equal ones share the gradient.

        >>> Tensor([1, 5]).minimum(3).tolist()
        [1, 3]
        """
        a, b = self._pair("minimum", other)
        requires = (other,) if isinstance(other, Core) else ()
        if a.dtype.is_bool:
            return self._out(node(Op.AND, (a, b)), *requires)
        flip = const(-1, a.dtype, a.shape)
        if not a.dtype.is_float:  # -x overflows at the lowest integer, and orders unsigned ones wrongly; ~x does not
            largest = node(Op.MAX, (node(Op.XOR, (a, flip)), node(Op.XOR, (b, flip))))
            return self._out(node(Op.XOR, (largest, flip)), *requires)
        largest = node(Op.MAX, (node(Op.MUL, (a, flip)), node(Op.MUL, (b, flip))))
        return self._out(node(Op.MUL, (largest, flip)), *requires)

    @in_float
    def reciprocal(self) -> Self:
        """1 / self.

        >>> Tensor([2.0, 4.0]).reciprocal().tolist()
        [0.5, 0.25]
        """
        return self._binary(Op.DIV, 1, reverse=True)

    def safe_div(self, other: Operand, eps: float = 1e-8) -> Self:
        """self / other, where a divisor nearer to 0 than `eps` counts as `eps` with its sign.

        >>> Tensor([1.0, 1.0]).safe_div(Tensor([2.0, 0.0]), eps=0.5).tolist()
        [0.5, 2.0]
        """
        divisor = self._beside(other)
        divisor = divisor if divisor.dtype.is_float else divisor.cast(get_default_dtype())  # integers hold no `eps`
        least = (divisor < 0)._choose(-eps, eps).cast(divisor.dtype)
        return self.div((divisor.abs() < eps)._choose(least, divisor))

    # ---- operators ----

    def __add__(self, other: Operand) -> Self:
        return self._binary(Op.ADD, other)

    __radd__ = __add__

    def __sub__(self, other: Operand) -> Self:
        return self.sub(other)

    def __rsub__(self, other: Operand) -> Self:
        return (self if self.dtype.is_bool else self._meeting(other)).neg()._binary(Op.ADD, other)

    def __mul__(self, other: Operand) -> Self:
        if type(other) in _REPEATED and self.dtype.is_int and not self.shape:
            return NotImplemented  # [0] * n: Python repeats the list
        return self._binary(Op.MUL, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> Self:
        return _divide(self, other, None)

    def __rtruediv__(self, other: Operand) -> Self:
        return _divide(self._beside(other), self, None)

    def __floordiv__(self, other: Operand) -> Self:
        return _divide(self, other, "floor")

    def __rfloordiv__(self, other: Operand) -> Self:
        return _divide(self._beside(other), self, "floor")

    def __mod__(self, other: Operand) -> Self:
        return self._binary(Op.MOD, other)

    def __rmod__(self, other: Operand) -> Self:
        return self._binary(Op.MOD, other, reverse=True)

    def __divmod__(self, other: Operand) -> tuple[Self, Self]:
        return self // other, self % other

    def __rdivmod__(self, other: Operand) -> tuple[Self, Self]:
        return other // self, other % self

    def __pow__(self, other: Operand) -> Self:
        return self.pow(other)

    def __rpow__(self, other: Operand) -> Self:
        return self._beside(other).pow(self)

    def __neg__(self) -> Self:
        return self.neg()

    def __pos__(self) -> Self:
        return self

    def __abs__(self) -> Self:
        return self.abs()

    def __round__(self, digits: int | None = None) -> Self:
        return self.round(decimals=digits or 0)


T = TypeVar("T", bound=Arithmetic)
_REPEATED: frozenset[Any] = frozenset({list, tuple, str, bytes})


def _divide(a: T, other: Operand, rounding: str | None) -> T:
    try:
        x, y = a._pair("div", other)
    except RangeError as error:
        if error.wide is None:
            raise
        return _divide(a.cast(error.wide), other, rounding).cast(promote_scalar(a.dtype, error.value))
    others = (other,) if isinstance(other, Core) else ()
    if rounding not in (None, "floor", "trunc"):
        fail(ArgumentError, f"div: rounding_mode is None, 'floor' or 'trunc', not {rounding!r}")
    if rounding is None:
        kind = x.dtype if x.dtype.is_float else get_default_dtype()
        return a._out(node(Op.DIV, (cast(x, kind), cast(y, kind))), *others)
    quotient = floor_quotient(x, y) if rounding == "floor" else truncated_quotient(x, y)
    return a._out(call(quotient, (x, y), FLAT) if quotient.dtype.is_float else quotient, *others)


def _short_power(a: T, exponent: float) -> T | None:
    """The power by multiplications and roots, where the exponent is a scalar that allows it."""
    if exponent == 1 and isinstance(exponent, int):
        return a._apart()
    if a.dtype.is_float:
        x = a._in()
        if exponent == 3 and x.dtype.is_half:  # rounded once
            x = cast(x, dtypes.float32)
            return a._out(cast(mul(mul(x, x), x), a.dtype))
        if exponent in (2, 3):
            return a._out(mul(x, x) if exponent == 2 else mul(mul(x, x), x))
        if exponent == 0.5:
            return a._unary(Op.SQRT)
        return a.reciprocal() if exponent == -1 else None
    if not isinstance(exponent, int):
        return None
    if exponent < 0:
        fail(DTypeError, f"pow: {a.dtype} to the power {exponent} is no integer; cast first, e.g. .float()")
    base = a if a.dtype.is_int else a.cast(dtypes.int64)
    power = base._new(const(1, base.dtype, base.shape))
    while exponent:
        power = power * base if exponent & 1 else power
        exponent >>= 1
        base = base * base if exponent else base
    return power


def _integer_power(base: T, exponent: T) -> T:
    """Square and multiply over the bits of `exponent`; negative exponents give 0, but for the bases 1 and -1."""
    odd, negative, power = exponent & 1, exponent < 0, exponent * 0 + 1
    square, left = base, negative._choose(0, exponent)
    for _ in range(base.dtype.bits - (base.dtype.kind == "int")):
        power = (left & 1).bool()._choose(power * square, power)
        square, left = square * square, left >> 1
    signed = odd.bool()._choose(base, base * base)
    has_inverse = base.eq(1) | base.eq(-1)  # base * base is 1 for others, too, where it wraps around
    return negative._choose(has_inverse._choose(signed, 0), power)
