"""Distributions of whole numbers from 0 on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from lazygrad.distributions.distribution import Distribution, Number
from lazygrad.distributions.odds import OfOdds
from lazygrad.tensor import Tensor


class Geometric(OfOdds):
    """How many failures come before a success of probability `probs`.

    >>> Geometric(0.25).mean
    tensor(3.)
    """

    within: ClassVar[dict[str, str]] = {**OfOdds.within, "value": "a whole number from 0 on"}

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        return (self._uniform(sample_shape).log() / (-self.probs.detach()).log1p()).floor()

    def _log_prob(self, value: Tensor) -> Tensor:
        never = self.probs.eq(1) & value.eq(0)
        failing = (-self.probs.masked_fill(never, 0)).log1p()
        return value * failing + self.probs.log()

    def entropy(self) -> Tensor:
        """See `Distribution`."""
        return self._cross_entropy(self.probs) / self.probs

    @property
    def mean(self) -> Tensor:
        """See `Distribution`."""
        return self.probs.reciprocal() - 1

    @property
    def mode(self) -> Tensor:
        """0."""
        return self.probs.zeros_like()

    @property
    def variance(self) -> Tensor:
        """See `Distribution`."""
        return (self.probs.reciprocal() - 1) / self.probs


class Binomial(OfOdds):
    """How many of `total_count` tries succeed, each with probability `probs`.

    >>> Binomial(10, 0.25).mean
    tensor(2.5000)
    """

    within: ClassVar[dict[str, str]] = {
        **OfOdds.within,
        "total_count": "a whole number from 0 on",
        "value": "a whole number from 0 on",
    }
    total_count: Tensor

    def __init__(
        self,
        total_count: Number = 1,
        probs: Number | None = None,
        logits: Number | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(probs, logits, validate_args, total_count=total_count)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        shape = self._extended(sample_shape)
        return self.total_count.expand(shape).binomial(self.probs.detach().expand(shape))

    def _log_prob(self, value: Tensor) -> Tensor:
        n, logits = self.total_count, self.logits
        ways = (n + 1).lgamma() - (value + 1).lgamma() - (n - value + 1).lgamma()
        # log(1 - p) = -(max(logit, 0) + log(1 + exp(-|logit|)))
        return ways + value * logits - n * (logits.clamp(min=0) + (-logits.abs()).exp().log1p())

    @property
    def mean(self) -> Tensor:
        """See `Distribution`."""
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        """See `Distribution`."""
        return ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count)

    @property
    def variance(self) -> Tensor:
        """See `Distribution`."""
        return self.total_count * self.probs * (1 - self.probs)


class Poisson(Distribution):
    """Poisson, whose mean is `rate`.

    >>> Poisson(2.0).log_prob(Tensor(0.0))
    tensor(-2.)
    """

    within: ClassVar[dict[str, str]] = {"rate": "not negative", "value": "a whole number from 0 on"}
    rate: Tensor

    def __init__(self, rate: Number, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, rate=rate)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        return self.rate.expand(self._extended(sample_shape)).poisson()

    def _log_prob(self, value: Tensor) -> Tensor:
        return value.xlogy(self.rate) - self.rate - (value + 1).lgamma()

    @property
    def mean(self) -> Tensor:
        """`rate`."""
        return self.rate

    @property
    def mode(self) -> Tensor:
        """See `Distribution`."""
        return self.rate.floor()

    @property
    def variance(self) -> Tensor:
        """`rate`."""
        return self.rate
