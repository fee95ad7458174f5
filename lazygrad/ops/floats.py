"""The parts of floats: their signs, exponents and neighbours, nan and infinities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lazygrad.dtype import Scalar, dtypes
from lazygrad.errors import DTypeError
from lazygrad.ir.node import bitcast
from lazygrad.ops.core import Core, Operand, fail
from lazygrad.ops.functions import Functions
from lazygrad.ops.pairs import Frexp
from lazygrad.ops.precision import in_float
from lazygrad.ops.promotion import in_floats, together
from lazygrad.ops.slopes import slopes

if TYPE_CHECKING:
    from typing_extensions import Self

_INTEGERS = {16: dtypes.int16, 32: dtypes.int32, 64: dtypes.int64}
_MANTISSA = {dtypes.float16: 10, dtypes.bfloat16: 7, dtypes.float32: 23, dtypes.float64: 52}
_LARGEST = {
    dtypes.float16: 65504.0,
    dtypes.bfloat16: float((1 << 8) - 1) * 2.0**120,
    dtypes.float32: float((1 << 24) - 1) * 2.0**104,
    dtypes.float64: float((1 << 53) - 1) * 2.0**971,
}


def _ratio(x: Any, sign: Any) -> Any:
    """The slope of `copysign` by x: 1 or -1, and 0 at 0."""
    return x.eq(0)._choose(0.0, x.copysign(sign) / x)


class Floats(Functions):
    """What the bits of a float say. Integers count as floats without a fraction."""

    __slots__ = ()

    def _bits(self) -> Self:
        """The bits of floats, as signed integers of the same size."""
        return self._new(bitcast(self._in(), _INTEGERS[self.dtype.bits]))

    def _of_bits(self, bits: Self) -> Self:
        """`bits` as floats of this tensor's dtype."""
        return self._new(bitcast(bits.node, self.dtype))

    def signbit(self) -> Self:
        """Whether each element has a minus, as -0.0 and some nan have one.

        >>> Tensor([-0.0, 0.0, -2.0]).signbit().tolist()
        [True, False, True]
        """
        if self.dtype.is_float:
            return self._bits() < 0
        return self._new((self < 0).node) if self.dtype.is_int else self._new((self ^ self).node)

    @in_floats
    @slopes(_ratio, None)
    def copysign(self, other: Operand) -> Self:
        """The size of each element with the sign of `other`'s, which may be a zero's. Integers give float32.

        >>> Tensor([1.0, -2.0]).copysign(Tensor([-0.0, 3.0])).tolist()
        [-1.0, 2.0]
        """
        bits, sign = self._bits(), other._bits()  # type: ignore[union-attr]  # like self, by `in_floats`
        least = bits.dtype.min
        return self._of_bits((bits & ~int(least)) | (sign & int(least)))

    def nextafter(self, other: Operand) -> Self:
        """The next float after each element on the way to `other`'s; that itself where both are equal.

        DTypeError for integers.

        >>> Tensor([1.0, 0.0]).nextafter(Tensor([2.0, -1.0])).tolist()
        [1.0000001192092896, -1.401298464324817e-45]
        """
        x, goal = together("nextafter", self, other)
        if not x.dtype.is_float:
            fail(DTypeError, f"nextafter: the floats after {x.dtype} are not known; cast first, e.g. .float()")
        return x._next(goal)

    @slopes(lambda x, goal: x.ne(goal).cast(x.dtype), None)
    def _next(self, goal: Self) -> Self:
        bits = self._bits()
        away = (self < goal) ^ (bits < 0)  # the bits of floats count upwards from 0, for both signs
        stepped = bits + away._choose(1, -1).cast(bits.dtype)
        first = (goal._bits() & int(bits.dtype.min)) | 1
        result = self._of_bits((bits << 1).eq(0)._choose(first, stepped))
        nothing = (self.isnan() | goal.isnan())._choose(float("nan"), result)
        return self.eq(goal)._choose(goal, nothing)

    def frexp(self) -> Frexp[Self]:
        """(mantissa, exponent) with self = mantissa * 2**exponent, where 0.5 <= |mantissa| < 1, or both are 0.

        The exponent is int32. Infinities and nan are their own mantissa. DTypeError for integers.

        >>> [x.tolist() for x in Tensor([8.0, -0.75]).frexp()]
        [[0.5, -0.75], [4, 0]]
        """
        if not self.dtype.is_float:
            fail(DTypeError, f"frexp: takes floats, not {self.dtype}; cast first, e.g. .float()")
        x = self.cast(dtypes.float32) if self.dtype.is_half else self
        mantissa, width = _MANTISSA[x.dtype], x.dtype.bits - 1 - _MANTISSA[x.dtype]
        bias = (1 << (width - 1)) - 1
        small = x.detach().abs() < 2.0 ** (1 - bias)
        normal = small._choose(x * 2.0**mantissa, x)
        field = (normal.detach()._bits() >> mantissa) & ((1 << width) - 1)
        special = field.eq((1 << width) - 1) | normal.eq(0)
        shift = special._choose(0, field - (bias - 1))
        scale = x._of_bits((bias - shift) << mantissa)  # 2**-shift; below the normal numbers for the largest exponent
        halved = normal * 0.5 * x._of_bits((bias - shift + 1) << mantissa)
        parts = shift.eq(bias + 1)._choose(halved, normal * scale)
        exponent = shift - small.cast(shift.dtype) * (normal.ne(0)._choose(mantissa, 0).cast(shift.dtype))
        return Frexp(special._choose(x, parts).cast(self.dtype), exponent.cast(dtypes.int32))

    def ldexp(self, other: Operand) -> Self:
        """self * 2**other.

        >>> Tensor([0.5, 3.0]).ldexp(Tensor([4, -1])).tolist()
        [8.0, 1.5]
        """
        return self * self._beside(other).exp2()

    def nan_to_num(self, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None = None) -> Self:
        """nan and infinities replaced: by default with 0, and with the largest and the lowest number of the dtype.

        >>> Tensor([float("nan"), float("inf"), 2.0]).nan_to_num(1.0, posinf=9.0).tolist()
        [1.0, 9.0, 2.0]
        """
        if not self.dtype.is_float:
            return self._apart()
        largest = _LARGEST[self.dtype]
        high, low = (largest if posinf is None else posinf), (-largest if neginf is None else neginf)
        x = self.isnan()._choose(self._number(0.0 if nan is None else nan), self)
        return self.eq(float("inf"))._choose(self._number(high), self.eq(float("-inf"))._choose(self._number(low), x))

    def _number(self, value: Scalar) -> Self:
        """A number in this tensor's dtype, rounded also beyond its finite ones."""
        return self._new(self._beside(value).node) if self.dtype is dtypes.float64 else self._narrow_number(value)

    def _narrow_number(self, value: Scalar) -> Self:
        return self.cast(dtypes.float64)._beside(float(value)).cast(self.dtype)

    def fmax(self, other: Operand) -> Self:
        """The larger of both elements, or the one that is not nan; of equal ones the first gets the gradient.

        >>> Tensor([1.0, float("nan")]).fmax(Tensor([2.0, 3.0])).tolist()
        [2.0, 3.0]
        """
        a, b = together("fmax", self, other)
        return ((a >= b) | b.isnan())._choose(a, b)

    def fmin(self, other: Operand) -> Self:
        """The smaller of both elements, or the one that is not nan; of equal ones the first gets the gradient.

        >>> Tensor([1.0, float("nan")]).fmin(Tensor([2.0, 3.0])).tolist()
        [1.0, 3.0]
        """
        a, b = together("fmin", self, other)
        return ((a <= b) | b.isnan())._choose(a, b)

    def sgn(self) -> Self:
        """`sign`, as real numbers have it.

        >>> Tensor([-2.0, 0.0]).sgn().tolist()
        [-1.0, 0.0]
        """
        return self.sign()

    def heaviside(self, values: Core) -> Self:
        """0 where the element is negative, `values` where it is 0, else 1 (0 for nan). There is no gradient.

        DTypeError where both have different dtypes.

        >>> Tensor([-1.0, 0.0, 2.0]).heaviside(Tensor([0.5])).tolist()
        [0.0, 0.5, 1.0]
        """
        self._same_device("heaviside", values)
        if values.dtype is not self.dtype:
            fail(DTypeError, f"heaviside: {self.dtype} and values of {values.dtype}; cast one of them")
        x, at_zero = (t.detach() for t in together("heaviside", self, values))
        return x.eq(0)._choose(at_zero, (x > 0).cast(x.dtype))

    @in_float
    def deg2rad(self) -> Self:
        """Degrees as radians.

        >>> Tensor([180.0]).deg2rad()
        tensor([3.1416])
        """
        return self * 0.017453292519943295

    @in_float
    def rad2deg(self) -> Self:
        """Radians as degrees.

        >>> Tensor([1.0]).rad2deg()
        tensor([57.2958])
        """
        return self * 57.29577951308232
