"""Views, indexing and joining, as PyTorch has them beside the methods."""

from lazygrad.functions.made import function
from lazygrad.tensor import Tensor

__all__ = [
    "broadcast_to",
    "chunk",
    "clone",
    "detach",
    "diagonal",
    "flatten",
    "flip",
    "gather",
    "index_select",
    "masked_fill",
    "masked_select",
    "movedim",
    "narrow",
    "nonzero",
    "numel",
    "permute",
    "repeat_interleave",
    "reshape",
    "roll",
    "scatter",
    "scatter_add",
    "split",
    "squeeze",
    "t",
    "take_along_dim",
    "tile",
    "transpose",
    "tril",
    "triu",
    "unbind",
    "unflatten",
    "unsqueeze",
]

broadcast_to = function(Tensor.broadcast_to)
chunk = function(Tensor.chunk)
clone = function(Tensor.clone)
detach = function(Tensor.detach)
diagonal = function(Tensor.diagonal)
flatten = function(Tensor.flatten)
flip = function(Tensor.flip)
gather = function(Tensor.gather)
index_select = function(Tensor.index_select)
masked_fill = function(Tensor.masked_fill)
masked_select = function(Tensor.masked_select)
movedim = function(Tensor.movedim)
narrow = function(Tensor.narrow)
nonzero = function(Tensor.nonzero)
numel = function(Tensor.numel)
permute = function(Tensor.permute)
repeat_interleave = function(Tensor.repeat_interleave)
reshape = function(Tensor.reshape)
roll = function(Tensor.roll)
scatter = function(Tensor.scatter)
scatter_add = function(Tensor.scatter_add)
split = function(Tensor.split)
squeeze = function(Tensor.squeeze)
t = function(Tensor.t)
take_along_dim = function(Tensor.take_along_dim)
tile = function(Tensor.tile)
transpose = function(Tensor.transpose)
tril = function(Tensor.tril)
triu = function(Tensor.triu)
unbind = function(Tensor.unbind)
unflatten = function(Tensor.unflatten)
unsqueeze = function(Tensor.unsqueeze)
