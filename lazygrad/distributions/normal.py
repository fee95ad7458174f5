"""The normal distribution, and those made of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from lazygrad.distributions.distribution import Distribution, Number
from lazygrad.tensor import Tensor

HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


class Normal(Distribution):
    """Normal with mean `loc` and standard deviation `scale`.

    >>> Normal(0.0, 1.0).log_prob(Tensor(0.0))
    tensor(-0.9189)
    """

    has_rsample = True
    within: ClassVar[dict[str, str]] = {"loc": "real", "scale": "positive", "value": "real"}
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Number, scale: Number, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, loc=loc, scale=scale)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        return self.loc + self._normal(sample_shape) * self.scale

    def _log_prob(self, value: Tensor) -> Tensor:
        return -((value - self.loc) / self.scale).square() / 2 - self.scale.log() - HALF_LOG_TAU

    def cdf(self, value: Tensor) -> Tensor:
        """See `Distribution`."""
        return (((self._valued(value) - self.loc) / self.scale / math.sqrt(2)).erf() + 1) / 2

    def icdf(self, value: Tensor) -> Tensor:
        """See `Distribution`."""
        return self.loc + self.scale * (self._valued(value) * 2 - 1).erfinv() * math.sqrt(2)

    def entropy(self) -> Tensor:
        """See `Distribution`."""
        return self.scale.log() + (0.5 + HALF_LOG_TAU)

    @property
    def mean(self) -> Tensor:
        """`loc`."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """`loc`."""
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """`scale`."""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """`scale` squared."""
        return self.scale.square()


class LogNormal(Normal):
    """What has a normal logarithm, of mean `loc` and standard deviation `scale`.

    >>> LogNormal(0.0, 1.0).mean
    tensor(1.6487)
    """

    within: ClassVar[dict[str, str]] = {"loc": "real", "scale": "positive", "value": "positive"}

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        return super().rsample(sample_shape).exp()

    def _log_prob(self, value: Tensor) -> Tensor:
        return super()._log_prob(value.log()) - value.log()

    def cdf(self, value: Tensor) -> Tensor:
        """See `Distribution`."""
        return super().cdf(self._valued(value).log())

    def icdf(self, value: Tensor) -> Tensor:
        """See `Distribution`."""
        return super().icdf(value).exp()

    def entropy(self) -> Tensor:
        """See `Distribution`."""
        return super().entropy() + self.loc

    @property
    def mean(self) -> Tensor:
        """See `Distribution`."""
        return (self.loc + self.scale.square() / 2).exp()

    @property
    def mode(self) -> Tensor:
        """See `Distribution`."""
        return (self.loc - self.scale.square()).exp()

    @property
    def stddev(self) -> Tensor:
        """See `Distribution`."""
        return self.variance.sqrt()

    @property
    def variance(self) -> Tensor:
        """See `Distribution`."""
        square = self.scale.square()
        return square.expm1() * (self.loc * 2 + square).exp()


class HalfNormal(Distribution):
    """The absolute value of what is normal with mean 0 and standard deviation `scale`.

    >>> HalfNormal(1.0).mean
    tensor(0.7979)
    """

    has_rsample = True
    within: ClassVar[dict[str, str]] = {"scale": "positive", "value": "not negative"}
    scale: Tensor

    def __init__(self, scale: Number, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, scale=scale)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        return self._normal(sample_shape).abs() * self.scale

    def _log_prob(self, value: Tensor) -> Tensor:
        inside = -(value / self.scale).square() / 2 - self.scale.log() - (HALF_LOG_TAU - math.log(2))
        return inside.masked_fill(value < 0, -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        """See `Distribution`."""
        return (self._valued(value) / self.scale / math.sqrt(2)).erf()

    def icdf(self, value: Tensor) -> Tensor:
        """See `Distribution`."""
        return self.scale * self._valued(value).erfinv() * math.sqrt(2)

    def entropy(self) -> Tensor:
        """See `Distribution`."""
        return self.scale.log() + (0.5 + HALF_LOG_TAU - math.log(2))

    @property
    def mean(self) -> Tensor:
        """See `Distribution`."""
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def mode(self) -> Tensor:
        """0."""
        return self.scale.zeros_like()

    @property
    def variance(self) -> Tensor:
        """See `Distribution`."""
        return self.scale.square() * (1 - 2 / math.pi)
