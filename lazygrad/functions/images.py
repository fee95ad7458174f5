"""What `nn.functional` and PyTorch itself have, of images and layers."""

from lazygrad.functions.made import function
from lazygrad.tensor import Tensor

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_max_pool1d",
    "avg_pool1d",
    "bilinear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "group_norm",
    "layer_norm",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "rms_norm",
]

adaptive_avg_pool1d = function(Tensor.adaptive_avg_pool1d)
adaptive_max_pool1d = function(Tensor.adaptive_max_pool1d)
avg_pool1d = function(Tensor.avg_pool1d)
bilinear = function(Tensor.bilinear)
conv1d = function(Tensor.conv1d)
conv2d = function(Tensor.conv2d)
conv3d = function(Tensor.conv3d)
conv_transpose1d = function(Tensor.conv_transpose1d)
conv_transpose2d = function(Tensor.conv_transpose2d)
conv_transpose3d = function(Tensor.conv_transpose3d)
group_norm = function(Tensor.group_norm)
layer_norm = function(Tensor.layer_norm)
max_pool1d = function(Tensor.max_pool1d)
max_pool2d = function(Tensor.max_pool2d)
max_pool3d = function(Tensor.max_pool3d)
rms_norm = function(Tensor.rms_norm)
