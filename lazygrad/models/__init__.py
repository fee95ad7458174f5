"""Models, written naively with Tensor operations."""

from lazygrad.models.auto import load_model
from lazygrad.models.bert import Bert, BertConfig
from lazygrad.models.gpt import GPT, GPTConfig
from lazygrad.models.gpt2 import GPT2, GPT2Config
from lazygrad.models.lenet import LeNet5
from lazygrad.models.llama import Llama, LlamaConfig
from lazygrad.models.mistral import Mistral, MistralConfig
from lazygrad.models.mlp import MLP
from lazygrad.models.qwen2 import Qwen2, Qwen2Config
from lazygrad.models.resnet import ResNet, ResNetConfig
from lazygrad.models.rnn import RNNLanguageModel
from lazygrad.models.rotary import Rotary
from lazygrad.models.transformer import Transformer

__all__ = [
    "GPT",
    "GPT2",
    "MLP",
    "Bert",
    "BertConfig",
    "GPT2Config",
    "GPTConfig",
    "LeNet5",
    "Llama",
    "LlamaConfig",
    "Mistral",
    "MistralConfig",
    "Qwen2",
    "Qwen2Config",
    "RNNLanguageModel",
    "ResNet",
    "ResNetConfig",
    "Rotary",
    "Transformer",
    "load_model",
]
