"""`torch.nn.functional` here: methods of `Tensor` as functions, and those of `lazygrad.nn.functions`; no logic."""

from typing import TYPE_CHECKING

from lazygrad.absent import absent_from
from lazygrad.functions.made import activation, changing, function
from lazygrad.nn.functions.activations import rrelu as rrelu
from lazygrad.nn.functions.attention import multi_head_attention_forward
from lazygrad.nn.functions.ctc import ctc_loss
from lazygrad.nn.functions.embeddings import embedding, embedding_bag
from lazygrad.nn.functions.linear_loss import linear_cross_entropy
from lazygrad.nn.functions.losses import (
    cosine_embedding_loss,
    gaussian_nll_loss,
    hinge_embedding_loss,
    kl_div,
    margin_ranking_loss,
    poisson_nll_loss,
    soft_margin_loss,
)
from lazygrad.nn.functions.margins import (
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from lazygrad.nn.functions.patches import fold, unfold
from lazygrad.nn.functions.resampling import (
    interpolate,
    local_response_norm,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)
from lazygrad.nn.functions.sampling import affine_grid, grid_sample
from lazygrad.ops.signatures import check_functions
from lazygrad.tensor import Tensor

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "affine_grid",
    "alpha_dropout",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "celu_",
    "channel_shuffle",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "ctc_loss",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "elu",
    "elu_",
    "embedding",
    "embedding_bag",
    "feature_alpha_dropout",
    "fold",
    "fractional_max_pool2d",
    "fractional_max_pool3d",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "grid_sample",
    "group_norm",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "hinge_embedding_loss",
    "huber_loss",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "leaky_relu_",
    "linear",
    "linear_cross_entropy",
    "local_response_norm",
    "log_softmax",
    "logsigmoid",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "mish",
    "mse_loss",
    "multi_head_attention_forward",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "pdist",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "prelu",
    "quick_gelu",
    "relu",
    "relu6",
    "relu_",
    "rms_norm",
    "rrelu",
    "rrelu_",
    "scaled_dot_product_attention",
    "selu",
    "selu_",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "threshold_",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "unfold",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]

adaptive_avg_pool1d = function(Tensor.adaptive_avg_pool1d)
adaptive_avg_pool2d = function(Tensor.adaptive_avg_pool2d)
adaptive_avg_pool3d = function(Tensor.adaptive_avg_pool3d)
adaptive_max_pool1d = function(Tensor.adaptive_max_pool1d)
adaptive_max_pool2d = function(Tensor.adaptive_max_pool2d)
adaptive_max_pool3d = function(Tensor.adaptive_max_pool3d)
avg_pool1d = function(Tensor.avg_pool1d)
avg_pool2d = function(Tensor.avg_pool2d)
avg_pool3d = function(Tensor.avg_pool3d)
batch_norm = function(Tensor.batch_norm)
instance_norm = function(Tensor.instance_norm)
bilinear = function(Tensor.bilinear)
binary_cross_entropy = function(Tensor.binary_cross_entropy)
binary_cross_entropy_with_logits = function(Tensor.binary_cross_entropy_with_logits)
celu = activation(Tensor.celu)
channel_shuffle = function(Tensor.channel_shuffle)
conv1d = function(Tensor.conv1d)
conv2d = function(Tensor.conv2d)
cosine_similarity = function(Tensor.cosine_similarity)
conv3d = function(Tensor.conv3d)
conv_transpose1d = function(Tensor.conv_transpose1d)
conv_transpose2d = function(Tensor.conv_transpose2d)
conv_transpose3d = function(Tensor.conv_transpose3d)
cross_entropy = function(Tensor.cross_entropy)
dropout = activation(Tensor.dropout)
elu = activation(Tensor.elu)
fractional_max_pool2d = function(Tensor.fractional_max_pool2d)
fractional_max_pool3d = function(Tensor.fractional_max_pool3d)
gelu = function(Tensor.gelu)
group_norm = function(Tensor.group_norm)
hardshrink = function(Tensor.hardshrink)
hardsigmoid = activation(Tensor.hardsigmoid)
hardswish = activation(Tensor.hardswish)
hardtanh = activation(Tensor.hardtanh)
huber_loss = function(Tensor.huber_loss)
l1_loss = function(Tensor.l1_loss)
layer_norm = function(Tensor.layer_norm)
leaky_relu = activation(Tensor.leaky_relu)
linear = function(Tensor.linear)
log_softmax = function(Tensor.log_softmax)
logsigmoid = function(Tensor.logsigmoid)
lp_pool1d = function(Tensor.lp_pool1d)
lp_pool2d = function(Tensor.lp_pool2d)
lp_pool3d = function(Tensor.lp_pool3d)
max_pool1d = function(Tensor.max_pool1d)
max_pool2d = function(Tensor.max_pool2d)
mish = activation(Tensor.mish)
max_pool3d = function(Tensor.max_pool3d)
max_unpool1d = function(Tensor.max_unpool1d)
max_unpool2d = function(Tensor.max_unpool2d)
max_unpool3d = function(Tensor.max_unpool3d)
mse_loss = function(Tensor.mse_loss)
nll_loss = function(Tensor.nll_loss)
normalize = function(Tensor.normalize)
one_hot = function(Tensor.one_hot)
pad = function(Tensor.pad)
pairwise_distance = function(Tensor.pairwise_distance)
pdist = function(Tensor.pdist)
pixel_shuffle = function(Tensor.pixel_shuffle)
pixel_unshuffle = function(Tensor.pixel_unshuffle)
prelu = function(Tensor.prelu)
quick_gelu = function(Tensor.quick_gelu)
relu = activation(Tensor.relu)
relu6 = activation(Tensor.relu6)
rms_norm = function(Tensor.rms_norm)
scaled_dot_product_attention = function(Tensor.scaled_dot_product_attention)
selu = activation(Tensor.selu)
sigmoid = function(Tensor.sigmoid)
silu = activation(Tensor.silu)
smooth_l1_loss = function(Tensor.smooth_l1_loss)
softmax = function(Tensor.softmax)
softplus = function(Tensor.softplus)
softshrink = function(Tensor.softshrink)
softsign = function(Tensor.softsign)
tanh = function(Tensor.tanh)
tanhshrink = function(Tensor.tanhshrink)
threshold = activation(Tensor.threshold)
glu = function(Tensor.glu)
softmin = function(Tensor.softmin)
alpha_dropout = activation(Tensor.alpha_dropout)
dropout1d = activation(Tensor.dropout1d)
dropout2d = activation(Tensor.dropout2d)
dropout3d = activation(Tensor.dropout3d)
feature_alpha_dropout = activation(Tensor.feature_alpha_dropout)
gumbel_softmax = function(Tensor.gumbel_softmax)
check_functions(globals())

celu_ = changing(celu)
elu_ = changing(elu)
hardtanh_ = changing(hardtanh)
leaky_relu_ = changing(leaky_relu)
relu_ = changing(relu)
rrelu_ = changing(rrelu)
selu_ = changing(selu)
threshold_ = changing(threshold)

if not TYPE_CHECKING:
    __getattr__ = absent_from("lazygrad.nn.functional")
