"""What distributions of probabilities, or of the logarithms of their odds, share."""

from __future__ import annotations

from typing import Any, ClassVar

from lazygrad.distributions.distribution import Distribution, Number, edges
from lazygrad.errors import ArgumentError, fail
from lazygrad.nn.functional import binary_cross_entropy_with_logits
from lazygrad.tensor import Tensor


class OfOdds(Distribution):
    """Base of those made of `probs`, probabilities, or of `logits`, the logarithms of their odds.

    ArgumentError for both, or neither.
    """

    within: ClassVar[dict[str, str]] = {"probs": "in [0, 1]", "logits": "real"}

    def __init__(
        self, probs: Number | None = None, logits: Number | None = None, validate_args: bool | None = None, **more: Any
    ) -> None:
        if (probs is None) == (logits is None):
            fail(ArgumentError, f"{type(self).__name__}: give either probs or logits")
        given = {"probs": probs} if logits is None else {"logits": logits}
        super().__init__(validate_args, **given, **more)

    probs: Tensor
    logits: Tensor

    def __getattr__(self, name: str) -> Any:
        """The other one of `probs` and `logits`, made when it is asked for."""
        if name == "probs" and "logits" in self.__dict__:
            self.probs = self._probs_of(self.logits)
        elif name == "logits" and "probs" in self.__dict__:
            self.logits = self._logits_of(self.probs)
        else:
            raise AttributeError(f"{type(self).__name__} has no {name!r}")
        return self.__dict__[name]

    def _probs_of(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()

    def _logits_of(self, probs: Tensor) -> Tensor:
        inside = probs.clamp(*edges(probs))
        return inside.log() - (-inside).log1p()

    def _cross_entropy(self, value: Tensor) -> Tensor:
        logits, value = self.logits + value * 0, value + self.logits * 0
        return binary_cross_entropy_with_logits(logits, value, reduction="none")
