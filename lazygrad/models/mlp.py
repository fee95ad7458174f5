"""Linear layers with something between them that is not linear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from lazygrad import nn
from lazygrad.errors import ArgumentError
from lazygrad.models.config import LARGEST_SIZE, MOST_LAYERS, Config
from lazygrad.models.pretrained import Sized
from lazygrad.tensor import Tensor

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": Tensor.relu, "tanh": Tensor.tanh, "sigmoid": Tensor.sigmoid, "gelu": Tensor.gelu, "silu": Tensor.silu
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class MLPConfig(Config):
    """The arguments of `MLP`."""

    model_type: ClassVar[str] = "lazygrad_mlp"
    architecture: ClassVar[str] = "MLP"

    features: tuple[int, ...]
    activation: str
    dropout: float

    def __post_init__(self) -> None:
        if not 2 <= len(self.features) <= MOST_LAYERS or not all(1 <= n <= LARGEST_SIZE for n in self.features):
            raise ArgumentError(f"features is {list(self.features)!s:.60}; give at least 2 sizes, such as [2, 8, 1]")
        if self.activation not in _ACTIVATIONS:
            raise ArgumentError(f"activation is {self.activation!r:.60}; use {', '.join(_ACTIVATIONS)}")


class MLP(Sized):
    """(..., features[0]) to (..., features[-1]) through linear layers of the features in between.

    Two features alone are logistic regression, without its sigmoid.

    Args:
        features: of the input, of what is between the layers, and of the result.
        activation: "relu", "tanh", "sigmoid", "gelu" or "silu", between the layers.
        dropout: how likely training drops a value between the layers.

    >>> MLP([2, 8, 1], activation="tanh")(Tensor([[0.0, 1.0]])).shape
    (1, 1)
    """

    config_class = MLPConfig
    config: MLPConfig

    def __init__(self, features: Sequence[int], activation: str = "relu", dropout: float = 0.0) -> None:
        super().__init__(features=tuple(features), activation=activation, dropout=dropout)
        self.layers = nn.ModuleList([nn.Linear(n, m) for n, m in pairwise(features)])
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., features[0]) to (..., features[-1])."""
        *inner, last = self.layers
        for layer in inner:
            x = self.dropout(_ACTIVATIONS[self.config.activation](layer(x)))
        result: Tensor = last(x)
        return result
