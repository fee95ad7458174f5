"""Functions that make tensors: class methods of `Tensor`, as PyTorch has them beside it."""

from lazygrad.functions.made import function
from lazygrad.tensor import Tensor

__all__ = [
    "arange",
    "empty",
    "empty_like",
    "eye",
    "from_numpy",
    "full",
    "full_like",
    "linspace",
    "ones",
    "ones_like",
    "rand",
    "rand_like",
    "randint",
    "randn",
    "randn_like",
    "zeros",
    "zeros_like",
]

arange = Tensor.arange
empty = Tensor.empty
eye = Tensor.eye
from_numpy = Tensor.from_numpy
full = Tensor.full
linspace = Tensor.linspace
ones = Tensor.ones
rand = Tensor.rand
randint = Tensor.randint
randn = Tensor.randn
zeros = Tensor.zeros
empty_like = function(Tensor.empty_like)
full_like = function(Tensor.full_like)
ones_like = function(Tensor.ones_like)
rand_like = function(Tensor.rand_like)
randn_like = function(Tensor.randn_like)
zeros_like = function(Tensor.zeros_like)
