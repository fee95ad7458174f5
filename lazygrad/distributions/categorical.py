"""Distributions of categories."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from lazygrad.distributions.distribution import Number, as_float, edges
from lazygrad.distributions.odds import OfOdds
from lazygrad.functions.shapes import broadcast_shapes
from lazygrad.nn.functional import one_hot
from lazygrad.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self


class Categorical(OfOdds):
    """The number of a category, 0, 1, ..., int64, of probabilities in proportion to `probs` along the last dimension;
    or of `logits`, their logarithms up to a constant.

    >>> Categorical(Tensor([1.0, 3.0])).probs
    tensor([0.2500, 0.7500])
    """

    event_dims = 1
    within: ClassVar[dict[str, str]] = {"probs": "a sum above 0 of numbers from 0 on", "logits": "real"}

    def __init__(
        self, probs: Number | None = None, logits: Number | None = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits, validate_args)
        self._event_shape: tuple[int, ...] = ()
        if "probs" in self._given:
            self.probs = self.probs / self.probs.sum(-1, keepdim=True)
        else:
            self.logits = self.logits - self.logits.logsumexp(-1, keepdim=True)

    def _probs_of(self, logits: Tensor) -> Tensor:
        return logits.softmax(-1)

    def _logits_of(self, probs: Tensor) -> Tensor:
        return probs.clamp(*edges(probs)).log()

    @property
    def param_shape(self) -> tuple[Any, ...]:
        """The shape of `probs` and `logits`."""
        return tuple(self._any.shape)

    def expand(self, batch_shape: Sequence[int]) -> Self:
        """See `Distribution`."""
        grown: dict[str, Any] = {n: v.expand(*batch_shape, v.shape[-1]) for n, v in self._given.items()}
        return type(self)(**grown, validate_args=self._validates)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        rows = self.probs.detach().reshape(-1, self.param_shape[-1])
        drawn = rows.multinomial(math.prod(sample_shape), replacement=True)
        return drawn.transpose(0, 1).reshape(*sample_shape, *self.batch_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of the categories of these numbers."""
        logits = self.logits
        value = Tensor.as_tensor(value, device=logits.device).cast("int64").unsqueeze(-1)
        shape = broadcast_shapes(value.shape[:-1], logits.shape[:-1])
        rows = logits.expand(*shape, logits.shape[-1])
        return rows.gather(-1, value.expand(*shape, 1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """See `Distribution`."""
        least = {"float64": -1.7976931348623157e308, "float16": -65504.0}.get(self.logits.dtype.name, -3.38e38)
        return -(self.logits.clamp(min=least) * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All categories, along a new first dimension."""
        n = self.param_shape[-1]
        values = Tensor.arange(n, device=self._any.device).reshape(n, *[1] * len(self.batch_shape))
        return values.expand(n, *self.batch_shape) if expand else values

    @property
    def mean(self) -> Tensor:
        """nan: categories have no order."""
        return self.probs.sum(-1).full_like(math.nan)

    @property
    def variance(self) -> Tensor:
        """nan."""
        return self.mean

    @property
    def mode(self) -> Tensor:
        """The most probable category."""
        return self.probs.argmax(-1)


class OneHotCategorical(Categorical):
    """A category as a row that is 1 at its place, and else 0.

    >>> OneHotCategorical(Tensor([1.0, 3.0])).log_prob(Tensor([1.0, 0.0]))
    tensor(-1.3863)
    """

    def __init__(
        self, probs: Number | None = None, logits: Number | None = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits, validate_args)
        self._event_shape = self.param_shape[-1:]

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        return self._one_hot(super().sample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of the categories at whose places rows are 1."""
        return super().log_prob(as_float(value, self._any).argmax(-1))

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All categories, along a new first dimension."""
        return self._one_hot(super().enumerate_support(expand))

    def _one_hot(self, places: Tensor) -> Tensor:
        return one_hot(places, self.param_shape[-1]).cast(self._any.dtype)

    @property
    def mean(self) -> Tensor:
        """`probs`."""
        return self.probs

    @property
    def variance(self) -> Tensor:
        """See `Distribution`."""
        return self.probs * (1 - self.probs)

    @property
    def mode(self) -> Tensor:
        """The most probable category."""
        return self._one_hot(self.probs.argmax(-1))


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """`OneHotCategorical` whose samples have the gradient of the probabilities.

    Bengio, Léonard and Courville, "Estimating or propagating gradients through stochastic neurons" (2013).

    >>> OneHotCategoricalStraightThrough(Tensor([0.0, 3.0])).rsample()
    tensor([0., 1.])
    """

    has_rsample = True

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """See `Distribution`."""
        return self.sample(sample_shape) + (self.probs - self.probs.detach())
