"""Products, as PyTorch has them beside the methods."""

from lazygrad.functions.made import function
from lazygrad.tensor import Tensor

__all__ = [
    "bmm",
    "dot",
    "matmul",
    "mm",
    "outer",
]

bmm = function(Tensor.bmm)
dot = function(Tensor.dot)
matmul = function(Tensor.matmul)
mm = function(Tensor.mm)
outer = function(Tensor.outer)
