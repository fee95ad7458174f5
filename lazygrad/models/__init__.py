"""Models, written naively with Tensor operations."""

from lazygrad.models.bert import Bert, BertConfig
from lazygrad.models.gpt import GPT, GPTConfig
from lazygrad.models.gpt2 import GPT2, GPT2Config
from lazygrad.models.llama import Llama, LlamaConfig
from lazygrad.models.mistral import Mistral, MistralConfig
from lazygrad.models.qwen2 import Qwen2, Qwen2Config
from lazygrad.models.rotary import Rotary

__all__ = [
    "GPT",
    "GPT2",
    "Bert",
    "BertConfig",
    "GPT2Config",
    "GPTConfig",
    "Llama",
    "LlamaConfig",
    "Mistral",
    "MistralConfig",
    "Qwen2",
    "Qwen2Config",
    "Rotary",
]
