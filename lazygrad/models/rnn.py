"""A language model that reads one token after the other and remembers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lazygrad import nn
from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.models.config import Config
from lazygrad.models.pretrained import Sized
from lazygrad.tensor import Tensor

_CELLS: dict[str, type[nn.RNN] | type[nn.LSTM] | type[nn.GRU]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


@dataclass(frozen=True, kw_only=True)
class RNNLanguageModelConfig(Config):
    """The arguments of `RNNLanguageModel`."""

    model_type: ClassVar[str] = "lazygrad_rnn"
    architecture: ClassVar[str] = "RNNLanguageModel"
    layer_counts: ClassVar[tuple[str, ...]] = ("num_layers",)
    sizes: ClassVar[tuple[str, ...]] = ("vocab_size", "embedding_dim", "hidden_size", "num_layers")

    vocab_size: int
    embedding_dim: int
    hidden_size: int
    num_layers: int
    cell: str
    dropout: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cell not in _CELLS:
            raise ArgumentError(f"cell is {self.cell!r:.60}; use {', '.join(_CELLS)}")


class RNNLanguageModel(Sized):
    """Predicts the next token at every position: integer tokens (batch, time) to logits (batch, time, vocab_size).

    Args:
        vocab_size: tokens.
        embedding_dim, hidden_size: channels of a token, and of what is remembered.
        num_layers: layers, one on the other.
        cell: "rnn", "lstm" or "gru".
        dropout: how likely training drops a value between layers, and around them.

    >>> model = RNNLanguageModel(vocab_size=10, embedding_dim=4, hidden_size=8, cell="gru")
    >>> model(Tensor([[1, 2, 3]])).shape
    (1, 3, 10)
    >>> logits, state = model.step(Tensor([[1, 2]]))
    >>> model.step(Tensor([[3]]), state)[0].shape
    (1, 1, 10)
    """

    config_class = RNNLanguageModelConfig
    layer_names: ClassVar[dict[str, str]] = {"num_layers": "rnn.weight_ih_l"}
    config: RNNLanguageModelConfig

    def __init__(
        self,
        vocab_size: int,
        embedding_dim: int = 128,
        hidden_size: int = 256,
        num_layers: int = 1,
        cell: str = "lstm",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(
            vocab_size=vocab_size, embedding_dim=embedding_dim, hidden_size=hidden_size, num_layers=num_layers,
            cell=cell, dropout=dropout,
        )  # fmt: skip
        between = dropout if num_layers > 1 else 0.0
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.rnn = _CELLS[cell](embedding_dim, hidden_size, num_layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden_size, vocab_size)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of the token that follows each: (batch, time) to (batch, time, vocab_size).

        ShapeError for tokens of another shape.
        """
        return self.step(tokens)[0]

    def step(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """The logits, and what the model remembers after them, which the next call takes to go on there.

        Args:
            tokens: (batch, time).
            state: what the call before gave; None at the start of a text.
        """
        if tokens.ndim != 2:
            raise ShapeError(f"RNNLanguageModel takes tokens (batch, time); these have shape {tuple(tokens.shape)}")
        x, state = self.rnn(self.dropout(self.embedding(tokens)), state)
        return self.head.forward(self.dropout(x)), state
