"""Distributions whose samples are a formula of uniform numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from lazygrad.distributions.distribution import Distribution, Number
from lazygrad.tensor import Tensor

EULER = 0.57721566490153286060


class _ByInversion(Distribution):
    """Base: samples are `icdf` of uniform numbers."""

    has_rsample = True

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        return self._inverse(self._uniform(sample_shape))

    def icdf(self, value: Tensor) -> Tensor:
        """See `Distribution`."""
        return self._inverse(self._valued(value))

    def _inverse(self, p: Tensor) -> Tensor:
        raise NotImplementedError


class Uniform(_ByInversion):
    """Uniform from `low` to `high`.

    >>> Uniform(1.0, 3.0).log_prob(Tensor([2.0, 4.0]))
    tensor([-0.6931,    -inf])
    """

    low: Tensor
    high: Tensor

    def __init__(self, low: Number, high: Number, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, low=low, high=high)

    def _inverse(self, p: Tensor) -> Tensor:
        return self.low + p * (self.high - self.low)

    def _log_prob(self, value: Tensor) -> Tensor:
        outside = (value < self.low) | (value >= self.high)
        return (-(self.high - self.low).log() + value * 0).masked_fill(outside, -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        """See `Distribution`."""
        return ((self._valued(value) - self.low) / (self.high - self.low)).clamp(0, 1)

    def entropy(self) -> Tensor:
        """See `Distribution`."""
        return (self.high - self.low).log()

    @property
    def mean(self) -> Tensor:
        """See `Distribution`."""
        return (self.low + self.high) / 2

    @property
    def mode(self) -> Tensor:
        """nan: there are many."""
        return self.low * math.nan

    @property
    def variance(self) -> Tensor:
        """See `Distribution`."""
        return (self.high - self.low).square() / 12


class Exponential(_ByInversion):
    """Exponential, whose mean is 1 / `rate`.

    >>> Exponential(2.0).mean
    tensor(0.5000)
    """

    within: ClassVar[dict[str, str]] = {"rate": "positive", "value": "not negative"}
    rate: Tensor

    def __init__(self, rate: Number, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, rate=rate)

    def _inverse(self, p: Tensor) -> Tensor:
        return -(-p).log1p() / self.rate

    def _log_prob(self, value: Tensor) -> Tensor:
        return self.rate.log() - self.rate * value

    def cdf(self, value: Tensor) -> Tensor:
        """See `Distribution`."""
        return -(-self.rate * self._valued(value)).expm1()

    def entropy(self) -> Tensor:
        """See `Distribution`."""
        return 1 - self.rate.log()

    @property
    def mean(self) -> Tensor:
        """See `Distribution`."""
        return self.rate.reciprocal()

    @property
    def mode(self) -> Tensor:
        """0."""
        return self.rate.zeros_like()

    @property
    def variance(self) -> Tensor:
        """See `Distribution`."""
        return self.rate.square().reciprocal()


class _Placed(_ByInversion):
    """Base: what is moved by `loc` and made wider by `scale`."""

    within: ClassVar[dict[str, str]] = {"loc": "real", "scale": "positive", "value": "real"}
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Number, scale: Number, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, loc=loc, scale=scale)

    def _standard(self, value: Number) -> Tensor:
        return (self._valued(value) - self.loc) / self.scale

    @property
    def mode(self) -> Tensor:
        """`loc`."""
        return self.loc


class Laplace(_Placed):
    """Laplace: exponential on both sides of `loc`.

    >>> Laplace(0.0, 1.0).entropy()
    tensor(1.6931)
    """

    def _inverse(self, p: Tensor) -> Tensor:
        side = p - 0.5
        return self.loc - self.scale * side.sign() * (side.abs() * -2).log1p()

    def _log_prob(self, value: Tensor) -> Tensor:
        return -(self.scale * 2).log() - (value - self.loc).abs() / self.scale

    def cdf(self, value: Tensor) -> Tensor:
        """See `Distribution`."""
        z = self._standard(value)
        return 0.5 - 0.5 * z.sign() * (-z.abs()).expm1()

    def entropy(self) -> Tensor:
        """See `Distribution`."""
        return (self.scale * 2).log() + 1

    @property
    def mean(self) -> Tensor:
        """`loc`."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """See `Distribution`."""
        return self.scale.square() * 2


class Cauchy(_Placed):
    """Cauchy around the median `loc`, half as wide at half height as `scale` says.

    >>> Cauchy(0.0, 1.0).cdf(Tensor(1.0))
    tensor(0.7500)
    """

    def _inverse(self, p: Tensor) -> Tensor:
        return self.loc + self.scale * ((p - 0.5) * math.pi).tan()

    def _log_prob(self, value: Tensor) -> Tensor:
        return -math.log(math.pi) - self.scale.log() - ((value - self.loc) / self.scale).square().log1p()

    def cdf(self, value: Tensor) -> Tensor:
        """See `Distribution`."""
        return self._standard(value).atan() / math.pi + 0.5

    def entropy(self) -> Tensor:
        """See `Distribution`."""
        return self.scale.log() + math.log(4 * math.pi)

    @property
    def mean(self) -> Tensor:
        """nan: there is none."""
        return self.loc.full_like(math.nan)

    @property
    def variance(self) -> Tensor:
        """inf."""
        return self.loc.full_like(math.inf)


class Gumbel(_Placed):
    """Gumbel: of the largest of many.

    >>> Gumbel(0.0, 1.0).mean
    tensor(0.5772)
    """

    def _inverse(self, p: Tensor) -> Tensor:
        return self.loc - self.scale * (-p.log()).log()

    def _log_prob(self, value: Tensor) -> Tensor:
        y = (self.loc - value) / self.scale
        return y - y.exp() - self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        """See `Distribution`."""
        return (-(-self._standard(value)).exp()).exp()

    def entropy(self) -> Tensor:
        """See `Distribution`."""
        return self.scale.log() + (1 + EULER)

    @property
    def mean(self) -> Tensor:
        """See `Distribution`."""
        return self.loc + self.scale * EULER

    @property
    def variance(self) -> Tensor:
        """See `Distribution`."""
        return self.scale.square() * (math.pi**2 / 6)
