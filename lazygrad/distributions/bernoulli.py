"""The Bernoulli distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from lazygrad.distributions.odds import OfOdds
from lazygrad.tensor import Tensor


class Bernoulli(OfOdds):
    """1 with probability `probs`, else 0.

    >>> Bernoulli(0.25).log_prob(Tensor([1.0, 0.0]))
    tensor([-1.3863, -0.2877])
    """

    within: ClassVar[dict[str, str]] = {**OfOdds.within, "value": "0 or 1"}

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        drawn: Tensor = self.probs.detach().expand(self._extended(sample_shape)).bernoulli()
        return drawn

    def _log_prob(self, value: Tensor) -> Tensor:
        return -self._cross_entropy(value)

    def entropy(self) -> Tensor:
        """See `Distribution`."""
        return self._cross_entropy(self.probs)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """0 and 1, along a new first dimension."""
        values = (
            Tensor.arange(2, device=self._any.device).cast(self._any.dtype).reshape(2, *[1] * len(self.batch_shape))
        )
        return values.expand(2, *self.batch_shape) if expand else values

    @property
    def mean(self) -> Tensor:
        """`probs`."""
        return self.probs

    @property
    def mode(self) -> Tensor:
        """See `Distribution`; nan where both are as probable."""
        return (self.probs >= 0.5).cast(self.probs.dtype).masked_fill(self.probs.eq(0.5), math.nan)

    @property
    def variance(self) -> Tensor:
        """See `Distribution`."""
        return self.probs * (1 - self.probs)
