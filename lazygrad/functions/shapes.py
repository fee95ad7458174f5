"""Views, indexing and joining, as PyTorch has them beside the methods."""

from lazygrad.functions.made import function
from lazygrad.ops.grids import (
    broadcast_shapes,
    broadcast_tensors,
    cartesian_prod,
    combinations,
    meshgrid,
    unravel_index,
)
from lazygrad.ops.stacking import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    block_diag,
    column_stack,
    concat,
    concatenate,
    dstack,
    hstack,
    row_stack,
    vstack,
)
from lazygrad.tensor import Tensor

__all__ = [
    "alias_copy",
    "argwhere",
    "as_strided",
    "as_strided_",
    "as_strided_copy",
    "as_strided_scatter",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "block_diag",
    "broadcast_shapes",
    "broadcast_tensors",
    "broadcast_to",
    "cartesian_prod",
    "channel_shuffle",
    "chunk",
    "clone",
    "column_stack",
    "combinations",
    "concat",
    "concatenate",
    "constant_pad_nd",
    "detach",
    "detach_copy",
    "diag",
    "diag_embed",
    "diagflat",
    "diagonal",
    "diagonal_copy",
    "diagonal_scatter",
    "dsplit",
    "dstack",
    "expand_copy",
    "flatten",
    "flip",
    "fliplr",
    "flipud",
    "gather",
    "get_device",
    "hsplit",
    "hstack",
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "index_reduce",
    "index_select",
    "is_complex",
    "is_floating_point",
    "is_nonzero",
    "is_same_size",
    "is_signed",
    "masked_fill",
    "masked_scatter",
    "masked_select",
    "meshgrid",
    "moveaxis",
    "movedim",
    "narrow",
    "narrow_copy",
    "nonzero",
    "nonzero_static",
    "numel",
    "permute",
    "permute_copy",
    "pixel_shuffle",
    "pixel_unshuffle",
    "put",
    "ravel",
    "repeat_interleave",
    "reshape",
    "resize_as_",
    "roll",
    "rot90",
    "row_stack",
    "scatter",
    "scatter_add",
    "scatter_reduce",
    "select",
    "select_copy",
    "select_scatter",
    "slice_scatter",
    "split",
    "split_copy",
    "split_with_sizes",
    "split_with_sizes_copy",
    "squeeze",
    "squeeze_copy",
    "swapaxes",
    "swapdims",
    "t",
    "t_copy",
    "take",
    "take_along_dim",
    "tensor_split",
    "tile",
    "transpose",
    "transpose_copy",
    "tril",
    "triu",
    "unbind",
    "unbind_copy",
    "unflatten",
    "unfold_copy",
    "unravel_index",
    "unsafe_chunk",
    "unsafe_split",
    "unsafe_split_with_sizes",
    "unsqueeze",
    "unsqueeze_copy",
    "vander",
    "view_copy",
    "vsplit",
    "vstack",
]

alias_copy = function(Tensor.alias_copy)
argwhere = function(Tensor.argwhere)
as_strided = function(Tensor.as_strided)
as_strided_ = function(Tensor.as_strided_)
as_strided_copy = function(Tensor.as_strided_copy)
as_strided_scatter = function(Tensor.as_strided_scatter)
broadcast_to = function(Tensor.broadcast_to)
channel_shuffle = function(Tensor.channel_shuffle)
chunk = function(Tensor.chunk)
clone = function(Tensor.clone)
constant_pad_nd = function(Tensor.constant_pad_nd)
detach = function(Tensor.detach)
detach_copy = function(Tensor.detach_copy)
diag = function(Tensor.diag)
diag_embed = function(Tensor.diag_embed)
diagflat = function(Tensor.diagflat)
diagonal = function(Tensor.diagonal)
diagonal_copy = function(Tensor.diagonal_copy)
diagonal_scatter = function(Tensor.diagonal_scatter)
dsplit = function(Tensor.dsplit)
expand_copy = function(Tensor.expand_copy)
flatten = function(Tensor.flatten)
flip = function(Tensor.flip)
fliplr = function(Tensor.fliplr)
flipud = function(Tensor.flipud)
gather = function(Tensor.gather)
get_device = function(Tensor.get_device)
hsplit = function(Tensor.hsplit)
index_add = function(Tensor.index_add)
index_copy = function(Tensor.index_copy)
index_fill = function(Tensor.index_fill)
index_put = function(Tensor.index_put)
index_reduce = function(Tensor.index_reduce)
index_select = function(Tensor.index_select)
is_complex = function(Tensor.is_complex)
is_floating_point = function(Tensor.is_floating_point)
is_nonzero = function(Tensor.is_nonzero)
is_same_size = function(Tensor.is_same_size)
is_signed = function(Tensor.is_signed)
masked_fill = function(Tensor.masked_fill)
masked_scatter = function(Tensor.masked_scatter)
masked_select = function(Tensor.masked_select)
moveaxis = function(Tensor.moveaxis)
movedim = function(Tensor.movedim)
narrow = function(Tensor.narrow)
narrow_copy = function(Tensor.narrow_copy)
nonzero = function(Tensor.nonzero)
nonzero_static = function(Tensor.nonzero_static)
numel = function(Tensor.numel)
permute = function(Tensor.permute)
permute_copy = function(Tensor.permute_copy)
pixel_shuffle = function(Tensor.pixel_shuffle)
pixel_unshuffle = function(Tensor.pixel_unshuffle)
put = function(Tensor.put)
ravel = function(Tensor.ravel)
repeat_interleave = function(Tensor.repeat_interleave)
reshape = function(Tensor.reshape)
resize_as_ = function(Tensor.resize_as_)
roll = function(Tensor.roll)
rot90 = function(Tensor.rot90)
scatter = function(Tensor.scatter)
scatter_add = function(Tensor.scatter_add)
scatter_reduce = function(Tensor.scatter_reduce)
select = function(Tensor.select)
select_copy = function(Tensor.select_copy)
select_scatter = function(Tensor.select_scatter)
slice_scatter = function(Tensor.slice_scatter)
split = function(Tensor.split)
split_copy = function(Tensor.split_copy)
split_with_sizes = function(Tensor.split_with_sizes)
split_with_sizes_copy = function(Tensor.split_with_sizes_copy)
squeeze = function(Tensor.squeeze)
squeeze_copy = function(Tensor.squeeze_copy)
swapaxes = function(Tensor.swapaxes)
swapdims = function(Tensor.swapdims)
t = function(Tensor.t)
t_copy = function(Tensor.t_copy)
take = function(Tensor.take)
take_along_dim = function(Tensor.take_along_dim)
tensor_split = function(Tensor.tensor_split)
tile = function(Tensor.tile)
transpose = function(Tensor.transpose)
transpose_copy = function(Tensor.transpose_copy)
tril = function(Tensor.tril)
triu = function(Tensor.triu)
unbind = function(Tensor.unbind)
unbind_copy = function(Tensor.unbind_copy)
unflatten = function(Tensor.unflatten)
unfold_copy = function(Tensor.unfold_copy)
unsafe_chunk = function(Tensor.unsafe_chunk)
unsafe_split = function(Tensor.unsafe_split)
unsafe_split_with_sizes = function(Tensor.unsafe_split_with_sizes)
unsqueeze = function(Tensor.unsqueeze)
unsqueeze_copy = function(Tensor.unsqueeze_copy)
vander = function(Tensor.vander)
view_copy = function(Tensor.view_copy)
vsplit = function(Tensor.vsplit)
