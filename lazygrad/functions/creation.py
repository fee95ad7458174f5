"""Functions that make tensors: class methods of `Tensor`, as PyTorch has them beside it."""

from lazygrad.functions.made import function
from lazygrad.signal.periodic import bartlett_window, blackman_window, hamming_window, hann_window, kaiser_window
from lazygrad.tensor import Tensor

__all__ = [
    "arange",
    "as_tensor",
    "asarray",
    "bartlett_window",
    "blackman_window",
    "empty",
    "empty_like",
    "empty_permuted",
    "empty_strided",
    "eye",
    "from_dlpack",
    "from_numpy",
    "frombuffer",
    "full",
    "full_like",
    "hamming_window",
    "hann_window",
    "kaiser_window",
    "linspace",
    "logspace",
    "ones",
    "ones_like",
    "range",
    "scalar_tensor",
    "tensor",
    "tril_indices",
    "triu_indices",
    "zeros",
    "zeros_like",
]

arange = Tensor.arange
as_tensor = Tensor.as_tensor
asarray = Tensor.asarray
empty = Tensor.empty
empty_permuted = Tensor.empty_permuted
empty_strided = Tensor.empty_strided
eye = Tensor.eye
from_dlpack = Tensor.from_dlpack
from_numpy = Tensor.from_numpy
frombuffer = Tensor.frombuffer
full = Tensor.full
linspace = Tensor.linspace
logspace = Tensor.logspace
ones = Tensor.ones
range = Tensor.range
scalar_tensor = Tensor.scalar_tensor
tensor = Tensor.tensor
tril_indices = Tensor.tril_indices
triu_indices = Tensor.triu_indices
zeros = Tensor.zeros
empty_like = function(Tensor.empty_like)
full_like = function(Tensor.full_like)
ones_like = function(Tensor.ones_like)
zeros_like = function(Tensor.zeros_like)
