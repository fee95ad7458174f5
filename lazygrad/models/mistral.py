"""Mistral: a Llama whose tokens see only so many before them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lazygrad.models.llama import Llama, LlamaConfig


@dataclass(frozen=True, kw_only=True)
class MistralConfig(LlamaConfig):
    """The sizes of a Mistral: those of `LlamaConfig` and

    Args:
        sliding_window: how many tokens, itself included, each sees in a layer; None for all before it.
    """

    model_type: ClassVar[str] = "mistral"
    architecture: ClassVar[str] = "MistralForCausalLM"
    sizes: ClassVar[tuple[str, ...]] = (*LlamaConfig.sizes, "sliding_window")

    intermediate_size: int = 14336
    num_key_value_heads: int | None = 8
    max_position_embeddings: int = 4096 * 32
    sliding_window: int | None = None

    def window(self, layer: int) -> int | None:
        """See `LlamaConfig.window`."""
        return self.sliding_window


class Mistral(Llama):
    """Predicts the next token at every position: integer tokens (batch, time) to logits (batch, time, vocabulary).

    >>> sizes = dict(vocab_size=50, hidden_size=8, intermediate_size=16, num_hidden_layers=1)
    >>> model = Mistral(MistralConfig(**sizes, num_attention_heads=4, num_key_value_heads=2, sliding_window=2))
    >>> model(Tensor([[1, 2, 3]])).shape
    (1, 3, 50)
    """

    config_class = MistralConfig
    config: MistralConfig
