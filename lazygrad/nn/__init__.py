"""Modules and layers, by PyTorch's names; their functional forms are methods of Tensor."""

from lazygrad.nn import functional, init
from lazygrad.nn.activations import (
    ELU,
    GELU,
    CrossEntropyLoss,
    Dropout,
    Identity,
    LeakyReLU,
    MSELoss,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from lazygrad.nn.attention import MultiheadAttention
from lazygrad.nn.cells import GRUCell, LSTMCell, RNNCell
from lazygrad.nn.containers import ModuleDict, ModuleList, Sequential
from lazygrad.nn.convolution import AvgPool2d, Conv1d, Conv2d, Flatten, MaxPool2d, Unflatten
from lazygrad.nn.linear import Embedding, Linear
from lazygrad.nn.module import LoadResult, Module
from lazygrad.nn.normalization import BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm, RMSNorm
from lazygrad.nn.recurrent import GRU, LSTM, RNN, RNNBase
from lazygrad.nn.transformer import (
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)
from lazygrad.optim.clip import clip_grad_norm_, clip_grad_value_

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv1d",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRUCell",
    "GroupNorm",
    "Identity",
    "LSTMCell",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LoadResult",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiheadAttention",
    "RMSNorm",
    "RNNBase",
    "RNNCell",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "Unflatten",
    "clip_grad_norm_",
    "clip_grad_value_",
    "functional",
    "init",
]
