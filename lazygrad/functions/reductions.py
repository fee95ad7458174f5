"""Reductions, scans and normalizations, as PyTorch has them beside the methods."""

from lazygrad.functions.made import function
from lazygrad.tensor import Tensor

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "cumprod",
    "cumsum",
    "log_softmax",
    "logsumexp",
    "max",
    "mean",
    "min",
    "norm",
    "prod",
    "softmax",
    "std",
    "sum",
    "var",
]

all = function(Tensor.all)
amax = function(Tensor.amax)
amin = function(Tensor.amin)
any = function(Tensor.any)
argmax = function(Tensor.argmax)
argmin = function(Tensor.argmin)
cumprod = function(Tensor.cumprod)
cumsum = function(Tensor.cumsum)
log_softmax = function(Tensor.log_softmax)
logsumexp = function(Tensor.logsumexp)
max = function(Tensor.max)
mean = function(Tensor.mean)
min = function(Tensor.min)
norm = function(Tensor.norm)
prod = function(Tensor.prod)
softmax = function(Tensor.softmax)
std = function(Tensor.std)
sum = function(Tensor.sum)
var = function(Tensor.var)
