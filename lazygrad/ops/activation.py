"""Activation functions. 16-bit floats are computed in float32."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lazygrad.errors import ArgumentError
from lazygrad.ops.core import fail
from lazygrad.ops.functions import Functions
from lazygrad.ops.precision import in_float

if TYPE_CHECKING:
    from typing_extensions import Self


class Activation(Functions):
    """Elementwise nonlinearities, finite with their gradients wherever the element is."""

    __slots__ = ()

    def relu(self) -> Self:
        """The element where it is positive, else 0 (nan stays, with its gradient). The gradient at 0 is 0.

        >>> Tensor([-1.0, 2.0]).relu().tolist()
        [0.0, 2.0]
        """
        return ((self > 0) | self.isnan())._choose(self, 0)

    def relu6(self) -> Self:
        """`relu`, at most 6.

        >>> Tensor([-1.0, 2.0, 9.0]).relu6().tolist()
        [0.0, 2.0, 6.0]
        """
        return self.hardtanh(0, 6)

    @in_float
    def leaky_relu(self, negative_slope: float = 0.01) -> Self:
        """The element where it is positive, else `negative_slope` times it.

        >>> Tensor([-1.0, 2.0]).leaky_relu(0.5).tolist()
        [-0.5, 2.0]
        """
        return (self > 0)._choose(self, self * negative_slope)

    @in_float
    def elu(self, alpha: float = 1.0) -> Self:
        """The element where it is positive, else alpha * (exp(element) - 1).

        >>> Tensor([-1.0, 2.0]).elu()
        tensor([-0.6321,  2.0000])
        """
        bent = self <= 0
        return bent._choose(bent._choose(self, 0.0).expm1() * alpha, self)

    @in_float
    def silu(self) -> Self:
        """self * sigmoid(self), also called swish.

        >>> Tensor([-1.0, 2.0]).silu()
        tensor([-0.2689,  1.7616])
        """
        return self * self.sigmoid()

    @in_float
    def gelu(self, approximate: str = "none") -> Self:
        """self times the normal distribution function of it: by erf, or with 'tanh' by the usual approximation.

        >>> Tensor([-1.0, 2.0]).gelu()
        tensor([-0.1587,  1.9545])
        >>> Tensor([-1.0, 2.0]).gelu("tanh")
        tensor([-0.1588,  1.9546])
        """
        if approximate == "none":
            return self * 0.5 * ((self * math.sqrt(0.5)).erf() + 1)
        if approximate != "tanh":
            fail(ArgumentError, f"gelu: approximate is 'none' or 'tanh', not {approximate!r}")
        # 0.5 * (1 + tanh(z)) is sigmoid(2z)
        return self * (self * (self * self * 0.044715 + 1) * (2 * math.sqrt(2 / math.pi))).sigmoid()

    @in_float
    def softplus(self, beta: float = 1.0) -> Self:
        """log(1 + exp(beta * self)) / beta.

        >>> Tensor([0.0, 1.0]).softplus()
        tensor([0.6931, 1.3133])
        """
        x = self if beta == 1 else self * beta  # may overflow; what is added to the logarithm must not
        curve = x._decay(1).log1p()
        return (x < 0)._choose(0.0, self) + (curve if beta == 1 else curve / beta)  # both bend at 0 in the same way

    @in_float
    def logsigmoid(self) -> Self:
        """log(sigmoid(self)).

        >>> Tensor([0.0]).logsigmoid()
        tensor([-0.6931])
        """
        return -(-self).softplus()

    def hardtanh(self, min_val: float = -1.0, max_val: float = 1.0) -> Self:
        """Elements below `min_val` become it, those above `max_val` become that; at both the gradient is 0 already.

        >>> Tensor([-3.0, 0.5, 3.0]).hardtanh().tolist()
        [-1.0, 0.5, 1.0]
        """
        if min_val > max_val:
            fail(ArgumentError, f"hardtanh: min_val {min_val} is greater than max_val {max_val}")
        if self.dtype.is_int:
            min_val, max_val = int(min_val), int(max_val)
        return (self <= min_val)._choose(min_val, (self >= max_val)._choose(max_val, self))
