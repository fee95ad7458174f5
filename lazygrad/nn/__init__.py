"""Modules and layers, by PyTorch's names; their functional forms are methods of Tensor."""

from typing import TYPE_CHECKING

from lazygrad.absent import absent_from
from lazygrad.nn import (
    adaptive,
    cells,
    containers,
    convolution,
    dropouts,
    embedding,
    functional,
    init,
    lazy,
    linear,
    losses,
    paddings,
    parallel,
    parameter_containers,
    pools,
    reshaping,
    transposed,
    utils,
)
from lazygrad.nn.activations import (
    CELU,
    ELU,
    GELU,
    GLU,
    SELU,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    RReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softmax2d,
    Softmin,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
    Threshold,
)
from lazygrad.nn.adaptive import *
from lazygrad.nn.attention import MultiheadAttention
from lazygrad.nn.cells import *
from lazygrad.nn.containers import *
from lazygrad.nn.convolution import *
from lazygrad.nn.dropouts import *
from lazygrad.nn.embedding import *
from lazygrad.nn.lazy import *
from lazygrad.nn.linear import *
from lazygrad.nn.losses import *
from lazygrad.nn.module import Module
from lazygrad.nn.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    GroupNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    LayerNorm,
    LocalResponseNorm,
    RMSNorm,
    SyncBatchNorm,
)
from lazygrad.nn.paddings import *
from lazygrad.nn.parallel import *
from lazygrad.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter
from lazygrad.nn.parameter_containers import *
from lazygrad.nn.pools import *
from lazygrad.nn.recurrent import GRU, LSTM, RNN, RNNBase
from lazygrad.nn.reshaping import *
from lazygrad.nn.state import LoadResult
from lazygrad.nn.transformer import (
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)
from lazygrad.nn.transposed import *
from lazygrad.optim.clip import clip_grad_norm_, clip_grad_value_

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "GRU",
    "LSTM",
    "RNN",
    "SELU",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Buffer",
    "GroupNorm",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LayerNorm",
    "LeakyReLU",
    "LoadResult",
    "LocalResponseNorm",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "Module",
    "MultiheadAttention",
    "PReLU",
    "Parameter",
    "RMSNorm",
    "RNNBase",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "SyncBatchNorm",
    "Tanh",
    "Tanhshrink",
    "Threshold",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "UninitializedBuffer",
    "UninitializedParameter",
    "clip_grad_norm_",
    "clip_grad_value_",
    "functional",
    "init",
    "utils",
]
__all__ += adaptive.__all__
__all__ += cells.__all__
__all__ += containers.__all__
__all__ += convolution.__all__
__all__ += dropouts.__all__
__all__ += embedding.__all__
__all__ += lazy.__all__
__all__ += linear.__all__
__all__ += losses.__all__
__all__ += paddings.__all__
__all__ += parallel.__all__
__all__ += parameter_containers.__all__
__all__ += pools.__all__
__all__ += reshaping.__all__
__all__ += transposed.__all__

if not TYPE_CHECKING:
    __getattr__ = absent_from("lazygrad.nn")
