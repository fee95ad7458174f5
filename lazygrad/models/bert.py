"""BERT: every token sees all others. The mean of what it makes of a text's tokens is the text's embedding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lazygrad import nn
from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.index.expr import dim_max
from lazygrad.models.config import LanguageConfig, require_divides
from lazygrad.models.pretrained import Pretrained
from lazygrad.ops.mode import no_grad
from lazygrad.tensor import Tensor


@dataclass(frozen=True, kw_only=True)
class BertConfig(LanguageConfig):
    """The sizes of a BERT, by the names in its `config.json`; the defaults are those of the base model.

    Args:
        vocab_size, hidden_size, intermediate_size: tokens, channels, and channels inside the MLP.
        num_hidden_layers, num_attention_heads: blocks, and heads in each, which divide the channels.
        max_position_embeddings, type_vocab_size: the most tokens, and kinds of them.
        layer_norm_eps: added to variances.
        hidden_dropout_prob, attention_probs_dropout_prob: how likely training drops a value.
        hidden_act: "gelu" or "relu".
    """

    model_type: ClassVar[str] = "bert"
    architecture: ClassVar[str] = "BertModel"
    layer_counts: ClassVar[tuple[str, ...]] = ("num_hidden_layers",)
    sizes: ClassVar[tuple[str, ...]] = (
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "max_position_embeddings", "type_vocab_size",
    )  # fmt: skip
    fixed: ClassVar[dict[str, Any]] = {
        "position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False
    }  # fmt: skip

    vocab_size: int = 30522
    hidden_size: int = 768
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    hidden_act: str = "gelu"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_divides("hidden_size", "heads", self.hidden_size, self.num_attention_heads)
        if self.hidden_act not in ("gelu", "relu"):
            raise ArgumentError(f"hidden_act is {self.hidden_act!r:.60}; use gelu or relu")


class Embeddings(nn.Module):
    """Token, position and kind of token, added and normalized: (batch, time) to (batch, time, channels)."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.word_embeddings = nn.Embedding(config.vocab_size, width)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, width)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, tokens: Tensor, kinds: Tensor | None) -> Tensor:
        kind = self.token_type_embeddings.weight[0] if kinds is None else self.token_type_embeddings(kinds)
        x = self.word_embeddings(tokens) + self.position_embeddings.weight[: tokens.shape[1]] + kind
        return self.dropout.forward(self.LayerNorm(x))


class Added(nn.Module):
    """A linear layer whose result is added to what was there before, and the sum normalized."""

    def __init__(self, inputs: int, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        return self.LayerNorm.forward(before + self.dropout(self.dense(x)))


class SelfAttention(nn.Module):
    """Each position gathers from all: (batch, time, channels) to the same."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.heads, self.drop = config.num_attention_heads, config.attention_probs_dropout_prob
        self.query, self.key, self.value = (nn.Linear(config.hidden_size, config.hidden_size) for _ in range(3))

    def forward(self, x: Tensor, seen: Tensor | None) -> Tensor:
        q, k, v = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        y: Tensor = q.scaled_dot_product_attention(k, v, seen, self.drop if self.training else 0.0)
        return y.transpose(1, 2).flatten(-2)


class Layer(nn.Module):
    """Attention, then two linear layers; each is added to its input, and the sum normalized."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        inner = config.intermediate_size
        self.attention = nn.ModuleDict({"self": SelfAttention(config), "output": Added(config.hidden_size, config)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(config.hidden_size, inner)})
        self.output = Added(inner, config)
        self.activation = nn.functional.gelu if config.hidden_act == "gelu" else nn.functional.relu

    def forward(self, x: Tensor, seen: Tensor | None) -> Tensor:
        x = self.attention["output"](self.attention["self"](x, seen), x)
        return self.output.forward(self.activation(self.intermediate["dense"](x)), x)


class Bert(Pretrained):
    """What each token of a text means there: (batch, time) to hidden states (batch, time, channels).

    >>> sizes = dict(vocab_size=50, hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    >>> Bert(BertConfig(**sizes))(Tensor([[1, 2, 3]])).shape
    (1, 3, 8)
    """

    config_class = BertConfig
    layer_names: ClassVar[dict[str, str]] = {"num_hidden_layers": "encoder.layer."}
    config: BertConfig

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.embeddings = Embeddings(config)
        layers = nn.ModuleList([Layer(config) for _ in range(config.num_hidden_layers)])
        self.encoder = nn.ModuleDict({"layer": layers})
        self.layers = list(layers)
        self._draw_weights()

    def forward(
        self, ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> Tensor:
        """Hidden states (batch, time, hidden_size) of tokens (batch, time), time <= max_position_embeddings.

        Args:
            attention_mask: (batch, time), 0 where a token is padding, which no token sees.
            token_type_ids: (batch, time), which of two texts a token belongs to; None for the first.

        ShapeError for tokens that are not (batch, time), or too many.
        """
        if ids.ndim != 2 or dim_max(ids.shape[1]) > self.config.max_position_embeddings:
            raise ShapeError(
                f"Bert takes tokens of shape (batch, time), time at most {self.config.max_position_embeddings}; "
                f"these have shape {tuple(ids.shape)}: cut the texts"
            )
        seen = None if attention_mask is None else (attention_mask != 0)[:, None, None, :]
        x = self.embeddings.forward(ids, token_type_ids)
        for layer in self.layers:
            x = layer(x, seen)
        return x

    def embed(self, texts: str | Sequence[str], tokenizer: Any, *, normalize: bool = True) -> Tensor:
        """One vector for each text, (texts, hidden_size): the mean of its tokens' hidden states, of length 1 unless
        `normalize` is False. The closer two texts are in meaning, the larger is the product of their vectors.

        Args:
            texts: one or more; what has more tokens than the model takes is cut there.
            tokenizer: has `encode(text)`, which gives the ids, or something with `ids`, as the package tokenizers does.

        ArgumentError for no texts, or one that has no tokens.
        """
        several = [texts] if isinstance(texts, str) else list(texts)
        encoded = [tokenizer.encode(text) for text in several]
        rows = [list(getattr(ids, "ids", ids))[: self.config.max_position_embeddings] for ids in encoded]
        if not rows or not all(rows):
            raise ArgumentError("embed takes at least one text, and each has at least one token")
        longest = max(len(row) for row in rows)
        ids = np.array([row + [0] * (longest - len(row)) for row in rows])
        mask = np.arange(longest) < np.array([[len(row)] for row in rows])
        device = self.embeddings.word_embeddings.weight.device
        training = self.training
        self.eval()
        try:
            with no_grad():
                given = Tensor(mask, device=device)
                states = self.forward(Tensor(ids, device=device), given)
                mean = (states * given.cast(states.dtype).unsqueeze(-1)).sum(1) / given.sum(1, keepdim=True)
                return nn.functional.normalize(mean, dim=-1).realize() if normalize else mean.realize()
        finally:
            self.train(training)

    @classmethod
    def _name_here(cls, name: str, config: BertConfig) -> str | None:
        """Without what other models have in front; no heads, no positions counted out, and today's names of norms."""
        own = name.removeprefix("bert.")
        if own.startswith(("pooler.", "cls.")) or own == "embeddings.position_ids":
            return None
        return own.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
