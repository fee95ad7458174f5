"""Llama: rotary positions, heads that share keys and values, and a gated MLP. Mistral and Qwen2 differ in settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from lazygrad import nn
from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.io.json_table import JsonTable
from lazygrad.models.config import Json, LanguageConfig, require_divides
from lazygrad.models.masks import causal_attention
from lazygrad.models.pretrained import Pretrained
from lazygrad.models.rotary import Rotary, angles, turned
from lazygrad.tensor import Tensor

MOST_FEATURES = 1 << 16  # of a head; each pair's speed is computed when a model is made
Angles = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class LlamaConfig(LanguageConfig):
    """The sizes of a Llama, by the names in its `config.json`.

    Args:
        vocab_size, hidden_size: tokens and channels.
        intermediate_size: channels inside the MLP.
        num_hidden_layers, num_attention_heads: blocks, and heads of queries in each.
        num_key_value_heads: heads of keys and values, which divide those of queries; None for as many.
        head_dim: features of a head; None for hidden_size / num_attention_heads.
        max_position_embeddings: the longest text that it has learned from.
        rms_norm_eps: added to mean squares.
        rotary: how positions are told apart; in files `rope_parameters`, or `rope_theta` and `rope_scaling`.
        tie_word_embeddings: whether the head is the embedding's table.
        attention_bias, mlp_bias: whether the linear layers there have biases.
    """

    model_type: ClassVar[str] = "llama"
    architecture: ClassVar[str] = "LlamaForCausalLM"
    layer_counts: ClassVar[tuple[str, ...]] = ("num_hidden_layers",)
    sizes: ClassVar[tuple[str, ...]] = (
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "head_dim", "max_position_embeddings",
    )  # fmt: skip
    fixed: ClassVar[dict[str, Any]] = {"hidden_act": "silu", "pretraining_tp": 1}

    vocab_size: int = 32000
    hidden_size: int = 4096
    intermediate_size: int = 11008
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    max_position_embeddings: int = 2048
    rms_norm_eps: float = 1e-6
    rotary: Rotary = field(default_factory=Rotary)
    tie_word_embeddings: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head_dim is None:
            require_divides("hidden_size", "heads", self.hidden_size, self.num_attention_heads)
        require_divides("num_attention_heads", "heads of keys", self.num_attention_heads, self.key_heads)
        if self.features % 2 or self.features > MOST_FEATURES:
            raise ArgumentError(
                f"head_dim is {self.features}; features are turned in pairs, so it is even, and at most {MOST_FEATURES}"
            )

    @property
    def key_heads(self) -> int:
        """Heads of keys and values."""
        return self.num_key_value_heads or self.num_attention_heads

    @property
    def features(self) -> int:
        """Features of a head."""
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def biases(self) -> tuple[bool, bool]:
        """Whether the layers that make queries, keys and values have biases, and the one behind attention."""
        return self.attention_bias, self.attention_bias

    def window(self, layer: int) -> int | None:
        """How many tokens, itself included, each sees at most in a layer; None for all before it."""
        return None

    @classmethod
    def _entry(cls, table: JsonTable, name: str, kind: str) -> Any:
        return Rotary.of_json(table) if kind == "Rotary" else super()._entry(table, name, kind)

    other_names: ClassVar[dict[str, str]] = {
        "rope_theta": "rotary", "rope_scaling": "rotary", "rope_parameters": "rotary"
    }  # fmt: skip

    def to_json(self) -> Json:
        """What a file says, in the newer spelling."""
        values = super().to_json()
        del values["rotary"]
        if self.head_dim is None:
            del values["head_dim"]  # Transformers' Qwen2 takes no null there
        return {
            **values, "rope_parameters": self.rotary.to_json(), "hidden_act": "silu",
            "num_key_value_heads": self.key_heads,
        }  # fmt: skip


class Attention(nn.Module):
    """Each position gathers from itself and those before it: (batch, time, channels) to the same."""

    def __init__(self, config: LlamaConfig, layer: int) -> None:
        super().__init__()
        width, (bias, output_bias) = config.hidden_size, config.biases
        self.features, self.window = config.features, config.window(layer)
        self.q_proj = nn.Linear(width, config.num_attention_heads * self.features, bias)
        self.k_proj = nn.Linear(width, config.key_heads * self.features, bias)
        self.v_proj = nn.Linear(width, config.key_heads * self.features, bias)
        self.o_proj = nn.Linear(config.num_attention_heads * self.features, width, output_bias)

    def forward(self, x: Tensor, turns: Angles, mask: Tensor | None) -> Tensor:
        q, k, v = (
            project(x).unflatten(-1, (-1, self.features)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        y = causal_attention(turned(q, *turns), turned(k, *turns), v, mask, self.window)
        return self.o_proj.forward(y.transpose(1, 2).flatten(-2))


class MLP(nn.Module):
    """Two linear layers with SwiGLU between them: one half of the channels opens and shuts the other."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, config.mlp_bias)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, config.mlp_bias)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, config.mlp_bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj.forward(self.gate_proj(x).silu() * self.up_proj(x))


class Block(nn.Module):
    """Attention and MLP, each added to what it reads through a norm."""

    def __init__(self, config: LlamaConfig, layer: int) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.self_attn = Attention(config, layer)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, turns: Angles, mask: Tensor | None) -> Tensor:
        x = x + self.self_attn.forward(self.input_layernorm(x), turns, mask)
        return x + self.mlp.forward(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """All of it but the head: tokens (batch, time) to (batch, time, channels)."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList([Block(config, i) for i in range(config.num_hidden_layers)])
        self.norm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        speeds = config.rotary.speeds(config.features, config.max_position_embeddings)
        self.speeds = Tensor(speeds.astype(np.float32))  # also where the model computes in 16 bits
        self.scale = config.rotary.scale

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        x: Tensor = self.embed_tokens(tokens)
        cosines, sines = angles(tokens.shape[1], self.speeds.to(x.device), self.scale)
        for layer in self.layers:
            x = layer(x, (cosines.cast(x.dtype), sines.cast(x.dtype)), mask)
        return self.norm.forward(x)


class Llama(Pretrained):
    """Predicts the next token at every position: integer tokens (batch, time) to logits (batch, time, vocabulary).

    >>> sizes = dict(vocab_size=50, hidden_size=8, intermediate_size=16, num_hidden_layers=1)
    >>> model = Llama(LlamaConfig(**sizes, num_attention_heads=4, num_key_value_heads=2))
    >>> model(Tensor([[1, 2, 3]])).shape
    (1, 3, 50)
    """

    config_class = LlamaConfig
    layer_names: ClassVar[dict[str, str]] = {"num_hidden_layers": "model.layers."}
    config: LlamaConfig

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(config)
        self.model = Decoder(config)
        self.lm_head = None if config.tie_word_embeddings else nn.Linear(config.hidden_size, config.vocab_size, False)
        self._draw_weights()

    def forward(self, tokens: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Logits of the next token: tokens (batch, time) to (batch, time, vocab_size).

        Args:
            attention_mask: (batch, time), 0 where a token is padding, which no other token sees.

        ShapeError for tokens that are not (batch, time).
        """
        if tokens.ndim != 2:
            name = type(self).__name__
            raise ShapeError(f"{name} takes tokens of shape (batch, time); these have shape {tuple(tokens.shape)}")
        x = self.model.forward(tokens, attention_mask)
        return x.linear(self.model.embed_tokens.weight) if self.lm_head is None else self.lm_head.forward(x)

    @classmethod
    def _name_here(cls, name: str, config: LlamaConfig) -> str | None:
        """Speeds are made here; where the head is the embedding's table, one in the file is that."""
        is_tied = config.tie_word_embeddings and name == "lm_head.weight"
        return None if is_tied or name.endswith("rotary_emb.inv_freq") else name
