"""Distributions beside each other as one of tensors."""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.distributions.distribution import Distribution
from lazygrad.errors import ArgumentError, fail
from lazygrad.tensor import Tensor


class Independent(Distribution):
    """A distribution whose last batch dimensions are dimensions of its samples: probabilities are multiplied over them.

    ArgumentError for more dimensions than it has.

    >>> from lazygrad.distributions import Normal
    >>> Independent(Normal(Tensor.zeros(2, 3), 1.0), 1).log_prob(Tensor.zeros(2, 3)).shape
    (2,)
    """

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        batch, n = base_distribution.batch_shape, reinterpreted_batch_ndims
        if not 0 <= n <= len(batch):
            fail(ArgumentError, f"Independent: {n} of {len(batch)} batch dimensions")
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, n
        self._batch_shape = batch[: len(batch) - n]
        self._event_shape = batch[len(batch) - n :] + base_distribution.event_shape

    @property
    def has_rsample(self) -> bool:  # type: ignore[override] # the base's
        """Whether the base has it."""
        return self.base_dist.has_rsample

    def expand(self, batch_shape: Sequence[int]) -> Independent:
        """See `Distribution`."""
        n = self.reinterpreted_batch_ndims
        return Independent(self.base_dist.expand((*batch_shape, *self.event_shape[:n])), n)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """See `Distribution`."""
        return self.summed(self.base_dist.log_prob(value))

    def entropy(self) -> Tensor:
        """See `Distribution`."""
        return self.summed(self.base_dist.entropy())

    def summed(self, each: Tensor) -> Tensor:
        """The sum over the dimensions that became those of samples."""
        n = self.reinterpreted_batch_ndims
        return each.sum(tuple(range(-n, 0))) if n else each

    @property
    def mean(self) -> Tensor:
        """The base's."""
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        """The base's."""
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        """The base's."""
        return self.base_dist.variance

    def __repr__(self) -> str:
        return f"Independent({self.base_dist!r}, {self.reinterpreted_batch_ndims})"
