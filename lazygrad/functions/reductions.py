"""Reductions, scans and normalizations, as PyTorch has them beside the methods."""

from lazygrad.functions.made import function
from lazygrad.tensor import Tensor

__all__ = [
    "all",
    "amax",
    "amin",
    "aminmax",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "bincount",
    "bucketize",
    "cdist",
    "corrcoef",
    "cosine_similarity",
    "count_nonzero",
    "cov",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "cumulative_trapezoid",
    "diff",
    "dist",
    "gradient",
    "histc",
    "histogram",
    "kthvalue",
    "log_softmax",
    "logcumsumexp",
    "logsumexp",
    "max",
    "mean",
    "median",
    "min",
    "mode",
    "msort",
    "nanmean",
    "nanmedian",
    "nanquantile",
    "nansum",
    "norm",
    "pairwise_distance",
    "pdist",
    "prod",
    "quantile",
    "renorm",
    "searchsorted",
    "softmax",
    "sort",
    "std",
    "std_mean",
    "sum",
    "topk",
    "trapezoid",
    "trapz",
    "unique",
    "unique_consecutive",
    "var",
    "var_mean",
]

all = function(Tensor.all)
amax = function(Tensor.amax)
amin = function(Tensor.amin)
aminmax = function(Tensor.aminmax)
any = function(Tensor.any)
argmax = function(Tensor.argmax)
argmin = function(Tensor.argmin)
argsort = function(Tensor.argsort)
bincount = function(Tensor.bincount)
bucketize = function(Tensor.bucketize)
cdist = function(Tensor.cdist)
corrcoef = function(Tensor.corrcoef)
cosine_similarity = function(Tensor.cosine_similarity)
count_nonzero = function(Tensor.count_nonzero)
cov = function(Tensor.cov)
cummax = function(Tensor.cummax)
cummin = function(Tensor.cummin)
cumprod = function(Tensor.cumprod)
cumsum = function(Tensor.cumsum)
cumulative_trapezoid = function(Tensor.cumulative_trapezoid)
diff = function(Tensor.diff)
dist = function(Tensor.dist)
gradient = function(Tensor.gradient)
histc = function(Tensor.histc)
histogram = function(Tensor.histogram)
kthvalue = function(Tensor.kthvalue)
log_softmax = function(Tensor.log_softmax)
logcumsumexp = function(Tensor.logcumsumexp)
logsumexp = function(Tensor.logsumexp)
max = function(Tensor.max)
mean = function(Tensor.mean)
median = function(Tensor.median)
min = function(Tensor.min)
mode = function(Tensor.mode)
msort = function(Tensor.msort)
nanmean = function(Tensor.nanmean)
nanmedian = function(Tensor.nanmedian)
nanquantile = function(Tensor.nanquantile)
nansum = function(Tensor.nansum)
norm = function(Tensor.norm)
pairwise_distance = function(Tensor.pairwise_distance)
pdist = function(Tensor.pdist)
prod = function(Tensor.prod)
quantile = function(Tensor.quantile)
renorm = function(Tensor.renorm)
searchsorted = function(Tensor.searchsorted)
softmax = function(Tensor.softmax)
sort = function(Tensor.sort)
std = function(Tensor.std)
std_mean = function(Tensor.std_mean)
sum = function(Tensor.sum)
topk = function(Tensor.topk)
trapezoid = function(Tensor.trapezoid)
unique = function(Tensor.unique)
unique_consecutive = function(Tensor.unique_consecutive)
var = function(Tensor.var)
var_mean = function(Tensor.var_mean)
trapz = trapezoid
