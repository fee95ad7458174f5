"""Qwen2: a Llama whose queries, keys and values have biases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lazygrad.errors import ArgumentError
from lazygrad.models.llama import Llama, LlamaConfig

_KINDS = ("full_attention", "sliding_attention")


@dataclass(frozen=True, kw_only=True)
class Qwen2Config(LlamaConfig):
    """The sizes of a Qwen2: those of `LlamaConfig` and

    Args:
        use_sliding_window: whether some layers see only `sliding_window` tokens, each itself included.
        max_window_layers: how many layers, from the first, see all tokens all the same.
        layer_types: "full_attention" or "sliding_attention" for each layer, in place of `max_window_layers`.
    """

    model_type: ClassVar[str] = "qwen2"
    architecture: ClassVar[str] = "Qwen2ForCausalLM"
    sizes: ClassVar[tuple[str, ...]] = (*LlamaConfig.sizes, "sliding_window")

    vocab_size: int = 151936
    intermediate_size: int = 22016
    num_key_value_heads: int | None = 32
    max_position_embeddings: int = 32768
    use_sliding_window: bool = False
    sliding_window: int | None = 4096
    max_window_layers: int = 28
    layer_types: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        kinds = self.layer_types
        if kinds is not None and (len(kinds) != self.num_hidden_layers or not set(kinds) <= set(_KINDS)):
            raise ArgumentError(f"layer_types is not one of {' and '.join(_KINDS)} for each layer")

    @property
    def biases(self) -> tuple[bool, bool]:
        """See `LlamaConfig.biases`."""
        return True, False

    def window(self, layer: int) -> int | None:
        """See `LlamaConfig.window`."""
        if self.layer_types is not None:
            slides = self.layer_types[layer] == "sliding_attention"
        else:
            slides = layer >= self.max_window_layers
        return self.sliding_window if slides and self.use_sliding_window else None


class Qwen2(Llama):
    """Predicts the next token at every position: integer tokens (batch, time) to logits (batch, time, vocabulary).

    >>> sizes = dict(vocab_size=50, hidden_size=8, intermediate_size=16, num_hidden_layers=1)
    >>> model = Qwen2(Qwen2Config(**sizes, num_attention_heads=4, num_key_value_heads=2))
    >>> model(Tensor([[1, 2, 3]])).shape
    (1, 3, 50)
    """

    config_class = Qwen2Config
    config: Qwen2Config
