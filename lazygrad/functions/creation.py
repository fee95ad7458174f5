"""Functions that make tensors: class methods of `Tensor`, as PyTorch has them beside it."""

from lazygrad.functions.made import function
from lazygrad.tensor import Tensor

__all__ = [
    "arange",
    "empty",
    "empty_like",
    "empty_permuted",
    "empty_strided",
    "eye",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "linspace",
    "logspace",
    "ones",
    "ones_like",
    "scalar_tensor",
    "tril_indices",
    "triu_indices",
    "zeros",
    "zeros_like",
]

arange = Tensor.arange
empty = Tensor.empty
empty_permuted = Tensor.empty_permuted
empty_strided = Tensor.empty_strided
eye = Tensor.eye
from_dlpack = Tensor.from_dlpack
from_numpy = Tensor.from_numpy
full = Tensor.full
linspace = Tensor.linspace
logspace = Tensor.logspace
ones = Tensor.ones
scalar_tensor = Tensor.scalar_tensor
tril_indices = Tensor.tril_indices
triu_indices = Tensor.triu_indices
zeros = Tensor.zeros
empty_like = function(Tensor.empty_like)
full_like = function(Tensor.full_like)
ones_like = function(Tensor.ones_like)
zeros_like = function(Tensor.zeros_like)
