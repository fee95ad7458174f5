"""Models, written naively with Tensor operations."""

from lazygrad.models.gpt import GPT, GPTConfig

__all__ = ["GPT", "GPTConfig"]
