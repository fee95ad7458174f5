"""Activation functions. 16-bit floats are computed in float32."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lazygrad.errors import ArgumentError, DTypeError, ShapeError
from lazygrad.ops.core import Core, fail
from lazygrad.ops.functions import Functions
from lazygrad.ops.precision import in_float

if TYPE_CHECKING:
    from typing_extensions import Self

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


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
        return self._bent(alpha)

    def _bent(self, alpha: float, rate: float = 1.0) -> Self:
        """The element where it is positive, else alpha * (exp(rate * element) - 1)."""
        straight = self > 0
        below = straight._choose(0.0, self)
        return straight._choose(self, (below if rate == 1 else below * rate).expm1() * alpha)

    @in_float
    def celu(self, alpha: float = 1.0) -> Self:
        """The element where it is positive, else alpha * (exp(element / alpha) - 1). ArgumentError for an alpha of 0.

        >>> Tensor([-1.0, 2.0]).celu(2.0)
        tensor([-0.7869,  2.0000])
        """
        if not alpha:
            fail(ArgumentError, "celu: alpha is 0; elements are divided by it")
        return self._bent(alpha, 1 / alpha)

    @in_float
    def selu(self) -> Self:
        """`elu` scaled so that layers keep mean 0 and variance 1 (Klambauer et al., Self-Normalizing Neural Networks).

        >>> Tensor([-1.0, 2.0]).selu()
        tensor([-1.1113,  2.1014])
        """
        return self._bent(_SELU_ALPHA) * _SELU_SCALE

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
    def quick_gelu(self) -> Self:
        """self * sigmoid(1.702 * self), which is near `gelu`.

        >>> Tensor([-1.0, 2.0]).quick_gelu()
        tensor([-0.1542,  1.9357])
        """
        return self * (self * 1.702).sigmoid()

    @in_float
    def mish(self) -> Self:
        """self * tanh(softplus(self)).

        >>> Tensor([-1.0, 2.0]).mish()
        tensor([-0.3034,  1.9440])
        """
        return self * self._softplus(1).tanh()

    @in_float
    def softplus(self, beta: float = 1.0, threshold: float = 20.0) -> Self:
        """log(1 + exp(beta * self)) / beta; where beta * self is above `threshold`, self.

        >>> Tensor([0.0, 1.0]).softplus()
        tensor([0.6931, 1.3133])
        """
        scaled = self if beta == 1 else self * beta
        return (scaled > threshold)._choose(self, self._softplus(beta))

    def _softplus(self, beta: float) -> Self:
        x = self if beta == 1 else self * beta  # may overflow; what is added to the logarithm must not
        curve = x._decay(1).log1p()
        return (x < 0)._choose(0.0, self) + (curve if beta == 1 else curve / beta)  # both bend at 0 in the same way

    @in_float
    def logsigmoid(self) -> Self:
        """log(sigmoid(self)).

        >>> Tensor([0.0]).logsigmoid()
        tensor([-0.6931])
        """
        return -(-self)._softplus(1)

    @in_float
    def softsign(self) -> Self:
        """self / (1 + |self|).

        >>> Tensor([-1.0, 3.0]).softsign().tolist()
        [-0.5, 0.75]
        """
        return self / (self.abs() + 1)

    @in_float
    def tanhshrink(self) -> Self:
        """self - tanh(self).

        >>> Tensor([1.0]).tanhshrink()
        tensor([0.2384])
        """
        return self - self.tanh()

    def hardshrink(self, lambd: float = 0.5) -> Self:
        """0 from -lambd to lambd, they included; elsewhere the element.

        >>> Tensor([0.5, -2.0]).hardshrink().tolist()
        [0.0, -2.0]
        """
        outside = (self > lambd) | (self < -lambd)
        return outside._choose(self, self.isnan()._choose(self.detach(), 0.0)).cast(self.dtype)

    def softshrink(self, lambd: float = 0.5) -> Self:
        """The element moved towards 0 by `lambd`, and 0 where it would pass it. ArgumentError for a negative `lambd`.

        >>> Tensor([0.25, -2.0]).softshrink().tolist()
        [0.0, -1.5]
        """
        if lambd < 0:
            fail(ArgumentError, f"softshrink: lambd is {lambd}; it must not be negative")
        inside = self.isnan()._choose(self.detach(), 0.0)
        return (self > lambd)._choose(self - lambd, (self < -lambd)._choose(self + lambd, inside))

    def threshold(self, threshold: float, value: float) -> Self:
        """The element where it is above `threshold`, else `value`.

        >>> Tensor([0.1, 2.0]).threshold(1.0, 5.0).tolist()
        [5.0, 2.0]
        """
        return (self <= threshold)._choose(value, self).cast(self.dtype)

    @in_float
    def hardsigmoid(self) -> Self:
        """self / 6 + 1/2, held in [0, 1]; its gradient is 0 at both ends already.

        >>> Tensor([-3.0, 0.0, 1.5]).hardsigmoid().tolist()
        [0.0, 0.5, 0.75]
        """
        return (self + 3).hardtanh(0, 6) / 6

    @in_float
    def hardswish(self) -> Self:
        """self times `hardsigmoid` of it.

        >>> Tensor([-3.0, 1.0, 4.0]).hardswish()
        tensor([-0.0000, 0.6667, 4.0000])
        """
        low, high = self <= -3, self >= 3
        bent = (low | high)._choose(0.0, self)
        return low._choose(self.detach() * 0, high._choose(self, bent * (bent + 3) / 6))

    def prelu(self, weight: Core) -> Self:
        """The element where it is positive, else `weight` times it: one number, or one for each place along dim 1.

        ShapeError for any other number of weights, DTypeError for weights of another dtype.

        >>> Tensor([[-1.0, -1.0]]).prelu(Tensor([0.5, 0.25])).tolist()
        [[-0.5, -0.25]]
        """
        self._same_device("prelu", weight)
        channels = self.shape[1] if self.ndim > 1 else 1
        if weight.ndim > 1 or weight.numel() not in (1, channels):  # type: ignore[attr-defined]
            given = f"weights of shape {list(weight.shape)}"
            fail(ShapeError, f"prelu: {given} for {channels} channels of {list(self.shape)}")
        if weight.dtype is not self.dtype:
            fail(DTypeError, f"prelu: {self.dtype} and weights of {weight.dtype}; cast one of them")
        slope = self._beside(weight)
        places = tuple(-1 if i == 1 else 1 for i in range(self.ndim))
        slope = slope.reshape(places if self.ndim > 1 else ())  # type: ignore[attr-defined]
        return self * (self > 0)._choose(1.0, slope)  # so that the weight, also nan, has no part in positive elements

    def hardtanh(self, min_val: float = -1.0, max_val: float = 1.0) -> Self:
        """Elements below `min_val` become it, those above `max_val` become that; at both the gradient is 0 already.

        >>> Tensor([-3.0, 0.5, 3.0]).hardtanh().tolist()
        [-1.0, 0.5, 1.0]
        """
        if min_val > max_val:
            fail(ArgumentError, f"hardtanh: min_val {min_val} is greater than max_val {max_val}")
        if self.dtype.is_int:
            min_val, max_val = int(min_val), int(max_val)
        inner = self._without_slope_at_nan()
        return (self <= min_val)._choose(min_val, (self >= max_val)._choose(max_val, inner))
