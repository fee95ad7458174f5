"""Dropout layers, by PyTorch's names, arguments and defaults."""

from __future__ import annotations

from typing import Any

from lazygrad.nn import functional
from lazygrad.nn.applied import Applied
from lazygrad.ops.chance import probability
from lazygrad.tensor import Tensor

__all__ = [
    "AlphaDropout",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "FeatureAlphaDropout",
]

_SHOWN = "p={p}, inplace={inplace}"


class _Dropout(Applied):
    """What dropout layers share: their probability is looked at when they are made."""

    p: float

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.p = probability(type(self).__name__, self.p)

    def forward(self, input: Tensor) -> Tensor:
        """The same shape."""
        dropped: Tensor = super().forward(input)
        return dropped


class Dropout(_Dropout, of=functional.dropout, shows=_SHOWN):
    """`functional.dropout` in training, else the input. ArgumentError for a `p` outside [0, 1].

    >>> nn.Dropout(0.5).eval()(Tensor([[1.0, 2.0]])).tolist()
    [[1.0, 2.0]]
    """


class Dropout1d(_Dropout, of=functional.dropout1d, shows=_SHOWN):
    """`functional.dropout1d` in training, else the input. ArgumentError for a `p` outside [0, 1].

    >>> nn.Dropout1d(0.5).eval()(Tensor([[1.0, 2.0]])).tolist()
    [[1.0, 2.0]]
    """


class Dropout2d(_Dropout, of=functional.dropout2d, shows=_SHOWN):
    """`functional.dropout2d` in training, else the input. ArgumentError for a `p` outside [0, 1].

    >>> nn.Dropout2d(0.5).eval()(Tensor([[1.0, 2.0]])).tolist()
    [[1.0, 2.0]]
    """


class Dropout3d(_Dropout, of=functional.dropout3d, shows=_SHOWN):
    """`functional.dropout3d` in training, else the input. ArgumentError for a `p` outside [0, 1].

    >>> nn.Dropout3d(0.5).eval()(Tensor([[1.0, 2.0]])).tolist()
    [[1.0, 2.0]]
    """


class AlphaDropout(_Dropout, of=functional.alpha_dropout, shows=_SHOWN):
    """`functional.alpha_dropout` in training, else the input. ArgumentError for a `p` outside [0, 1].

    >>> nn.AlphaDropout(0.5).eval()(Tensor([[1.0, 2.0]])).tolist()
    [[1.0, 2.0]]
    """


class FeatureAlphaDropout(_Dropout, of=functional.feature_alpha_dropout, shows=_SHOWN):
    """`functional.feature_alpha_dropout` in training, else the input. ArgumentError for a `p` outside [0, 1].

    >>> nn.FeatureAlphaDropout(0.5).eval()(Tensor([[1.0, 2.0]])).tolist()
    [[1.0, 2.0]]
    """
