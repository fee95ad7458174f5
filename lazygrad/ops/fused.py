"""What is made of a few operators: PyTorch's names for it, and functions of integers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

from lazygrad.errors import ArgumentError, DTypeError
from lazygrad.ops.core import Core, Operand, fail, scalar
from lazygrad.ops.fitting import fitted
from lazygrad.ops.functions import Functions
from lazygrad.ops.layout import same
from lazygrad.ops.operands import not_a_tensor
from lazygrad.ops.precision import rounded_once
from lazygrad.ops.promotion import result_type, together

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T", bound="Fused")


class Fused(Functions):
    """Products and quotients that are added, limits, divisors, operators on bits by name."""

    __slots__ = ()

    @rounded_once
    def addcmul(self, tensor1: Operand, tensor2: Operand, *, value: float = 1) -> Self:
        """self + value * tensor1 * tensor2.

        >>> Tensor([1.0]).addcmul(Tensor([2.0]), Tensor([3.0]), value=0.5).tolist()
        [4.0]
        """
        x, a, b = together("addcmul", self, tensor1, tensor2)
        return x + (a if value == 1 else a * value) * b

    @rounded_once
    def addcdiv(self, tensor1: Operand, tensor2: Operand, *, value: float = 1) -> Self:
        """self + value * tensor1 / tensor2. DTypeError where the quotient would be one of integers.

        >>> Tensor([1.0]).addcdiv(Tensor([2.0]), Tensor([4.0]), value=2).tolist()
        [2.0]
        """
        if not result_type("addcdiv", self._beside(tensor1), tensor2).is_float:
            fail(DTypeError, "addcdiv: integers are not divided by integers here; cast them first, e.g. .float()")
        x, a, b = together("addcdiv", self, tensor1, tensor2)
        return x + (a if value == 1 else a * value) / b

    def clamp_min(self, min: Operand) -> Self:
        """`clamp` from below only.

        >>> Tensor([1, 9]).clamp_min(5).tolist()
        [5, 9]
        """
        return self.clamp(min=min) if min is not None else not_a_tensor("clamp_min", min, "a Tensor or a number")

    def clamp_max(self, max: Operand) -> Self:
        """`clamp` from above only.

        >>> Tensor([1, 9]).clamp_max(5).tolist()
        [1, 5]
        """
        return self.clamp(max=max) if max is not None else not_a_tensor("clamp_max", max, "a Tensor or a number")

    def true_divide(self, other: Operand) -> Self:
        """`div`.

        >>> Tensor([1]).true_divide(2).tolist()
        [0.5]
        """
        return self.div(other)

    def rsub(self, other: Operand, *, alpha: float = 1) -> Self:
        """other - alpha * self. DTypeError for bools.

        >>> Tensor([1, 2]).rsub(10, alpha=2).tolist()
        [8, 6]
        """
        return self._beside(other).sub(self, alpha=alpha)

    @property
    def real(self) -> Self:
        """The tensor itself: there are no complex numbers.

        >>> Tensor([1.0]).real.tolist()
        [1.0]
        """
        return self

    def conj(self) -> Self:
        """The tensor itself: there are no complex numbers.

        >>> Tensor([1.0]).conj().tolist()
        [1.0]
        """
        return self._view(self._in(), same)

    def fill(self, value: Operand) -> Self:
        """`value`, a number or a tensor of one, in every place of a new tensor like this one.

        >>> Tensor([1, 2]).fill(7).tolist()
        [7, 7]
        """
        filled = value if isinstance(value, Core) else self._new(fitted("fill", scalar("fill", value), self.dtype))
        if filled.ndim:
            fail(ArgumentError, f"fill: takes one number, not a tensor of shape {list(filled.shape)}")
        return (self * 0).ne(0)._choose(filled, filled).cast(self.dtype)

    # ---- integers ----

    def gcd(self, other: Core) -> Self:
        """The greatest common divisor, not negative; gcd(0, 0) is 0. DTypeError for floats and bools.

        By Euclid's algorithm, with as many steps as two numbers of the dtype may need.

        >>> Tensor([12, 0]).gcd(Tensor([18, -5])).tolist()
        [6, 5]
        """
        a, b = (x.abs() for x in self._integers("gcd", other))
        for _ in range(math.ceil(a.dtype.bits / math.log2((1 + math.sqrt(5)) / 2)) + 1):
            done = b.eq(0)
            a, b = done._choose(a, b), done._choose(b, a % b)
        return a

    def lcm(self, other: Core) -> Self:
        """The least common multiple, not negative; 0 beside 0. DTypeError for floats and bools.

        >>> Tensor([4, 0]).lcm(Tensor([6, 5])).tolist()
        [12, 0]
        """
        a, b = self._integers("lcm", other)
        return (a // a.gcd(b) * b).abs()

    def _integers(self, what: str, other: Core) -> tuple[Self, ...]:
        operands = together(what, self, other)
        if not operands[0].dtype.is_int:
            fail(DTypeError, f"{what}: takes integers, not {operands[0].dtype}")
        return operands

    def bitwise_and(self, other: Operand) -> Self:
        """The bits that both have (of bools: and).

        >>> Tensor([6]).bitwise_and(3).tolist()
        [2]
        """
        return self & other

    def bitwise_or(self, other: Operand) -> Self:
        """The bits that any of both has (of bools: or).

        >>> Tensor([6]).bitwise_or(3).tolist()
        [7]
        """
        return self | other

    def bitwise_xor(self, other: Operand) -> Self:
        """The bits that exactly one of both has.

        >>> Tensor([6]).bitwise_xor(3).tolist()
        [5]
        """
        return self ^ other

    def bitwise_left_shift(self, other: Operand) -> Self:
        """The bits moved up by `other` places.

        >>> Tensor([3]).bitwise_left_shift(2).tolist()
        [12]
        """
        return self << other

    def bitwise_right_shift(self, other: Operand) -> Self:
        """The bits moved down by `other` places, the sign staying.

        >>> Tensor([-8]).bitwise_right_shift(1).tolist()
        [-4]
        """
        return self >> other


def real(input: T) -> T:
    """`input` itself: there are no complex numbers.

    >>> real(Tensor([1.0])).tolist()
    [1.0]
    """
    return input.real
