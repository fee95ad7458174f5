"""Random tensors, as PyTorch has them beside the methods."""

from lazygrad.functions.made import function
from lazygrad.ops.generator import Generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from lazygrad.tensor import Tensor

__all__ = [
    "Generator",
    "alpha_dropout",
    "bernoulli",
    "binomial",
    "dropout",
    "feature_alpha_dropout",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "multinomial",
    "normal",
    "poisson",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
    "seed",
    "set_rng_state",
]

normal = Tensor.normal
rand = Tensor.rand
randint = Tensor.randint
randn = Tensor.randn
randperm = Tensor.randperm
alpha_dropout = function(Tensor.alpha_dropout)
bernoulli = function(Tensor.bernoulli)
binomial = function(Tensor.binomial)
dropout = function(Tensor.dropout)
feature_alpha_dropout = function(Tensor.feature_alpha_dropout)
multinomial = function(Tensor.multinomial)
poisson = function(Tensor.poisson)
rand_like = function(Tensor.rand_like)
randint_like = function(Tensor.randint_like)
randn_like = function(Tensor.randn_like)
