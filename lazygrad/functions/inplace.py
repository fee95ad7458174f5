"""In-place methods as functions, a line each, and what real numbers make nothing of."""

from lazygrad.functions.made import function
from lazygrad.tensor import Tensor

__all__ = [
    "abs_",
    "acos_",
    "acosh_",
    "addmv_",
    "arccos_",
    "arccosh_",
    "arcsin_",
    "arcsinh_",
    "arctan_",
    "arctanh_",
    "asin_",
    "asinh_",
    "atan_",
    "atanh_",
    "ceil_",
    "clamp_",
    "clamp_max_",
    "clamp_min_",
    "clip_",
    "conj_physical",
    "cos_",
    "cosh_",
    "deg2rad_",
    "detach_",
    "erf_",
    "erfc_",
    "exp2_",
    "exp_",
    "expm1_",
    "fill_",
    "fix_",
    "floor_",
    "frac_",
    "gcd_",
    "i0_",
    "index_put_",
    "is_conj",
    "is_inference",
    "is_neg",
    "lcm_",
    "ldexp_",
    "log1p_",
    "log2_",
    "log10_",
    "log_",
    "logit_",
    "nan_to_num_",
    "neg_",
    "negative_",
    "rad2deg_",
    "reciprocal_",
    "relu_",
    "resolve_conj",
    "resolve_neg",
    "round_",
    "rsqrt_",
    "sigmoid_",
    "sin_",
    "sinc_",
    "sinh_",
    "sqrt_",
    "square_",
    "tan_",
    "tanh_",
    "trunc_",
    "xlogy_",
    "zero_",
]

abs_ = function(Tensor.abs_)
acos_ = function(Tensor.acos_)
acosh_ = function(Tensor.acosh_)
addmv_ = function(Tensor.addmv_)
arccos_ = function(Tensor.arccos_)
arccosh_ = function(Tensor.arccosh_)
arcsin_ = function(Tensor.arcsin_)
arcsinh_ = function(Tensor.arcsinh_)
arctan_ = function(Tensor.arctan_)
arctanh_ = function(Tensor.arctanh_)
asin_ = function(Tensor.asin_)
asinh_ = function(Tensor.asinh_)
atan_ = function(Tensor.atan_)
atanh_ = function(Tensor.atanh_)
ceil_ = function(Tensor.ceil_)
clamp_ = function(Tensor.clamp_)
clamp_max_ = function(Tensor.clamp_max_)
clamp_min_ = function(Tensor.clamp_min_)
clip_ = function(Tensor.clip_)
conj_physical = function(Tensor.conj_physical)
cos_ = function(Tensor.cos_)
cosh_ = function(Tensor.cosh_)
deg2rad_ = function(Tensor.deg2rad_)
detach_ = function(Tensor.detach_)
erf_ = function(Tensor.erf_)
erfc_ = function(Tensor.erfc_)
exp2_ = function(Tensor.exp2_)
exp_ = function(Tensor.exp_)
expm1_ = function(Tensor.expm1_)
fill_ = function(Tensor.fill_)
fix_ = function(Tensor.fix_)
floor_ = function(Tensor.floor_)
frac_ = function(Tensor.frac_)
gcd_ = function(Tensor.gcd_)
i0_ = function(Tensor.i0_)
index_put_ = function(Tensor.index_put_)
is_conj = function(Tensor.is_conj)
is_inference = function(Tensor.is_inference)
is_neg = function(Tensor.is_neg)
lcm_ = function(Tensor.lcm_)
ldexp_ = function(Tensor.ldexp_)
log10_ = function(Tensor.log10_)
log1p_ = function(Tensor.log1p_)
log2_ = function(Tensor.log2_)
log_ = function(Tensor.log_)
logit_ = function(Tensor.logit_)
nan_to_num_ = function(Tensor.nan_to_num_)
neg_ = function(Tensor.neg_)
negative_ = function(Tensor.negative_)
rad2deg_ = function(Tensor.rad2deg_)
reciprocal_ = function(Tensor.reciprocal_)
relu_ = function(Tensor.relu_)
resolve_conj = function(Tensor.resolve_conj)
resolve_neg = function(Tensor.resolve_neg)
round_ = function(Tensor.round_)
rsqrt_ = function(Tensor.rsqrt_)
sigmoid_ = function(Tensor.sigmoid_)
sin_ = function(Tensor.sin_)
sinc_ = function(Tensor.sinc_)
sinh_ = function(Tensor.sinh_)
sqrt_ = function(Tensor.sqrt_)
square_ = function(Tensor.square_)
tan_ = function(Tensor.tan_)
tanh_ = function(Tensor.tanh_)
trunc_ = function(Tensor.trunc_)
xlogy_ = function(Tensor.xlogy_)
zero_ = function(Tensor.zero_)
