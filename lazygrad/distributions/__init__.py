"""Probability distributions, by PyTorch's names (`torch.distributions`). No logic is here."""

from lazygrad.distributions.bernoulli import Bernoulli
from lazygrad.distributions.categorical import Categorical, OneHotCategorical, OneHotCategoricalStraightThrough
from lazygrad.distributions.continuous import Cauchy, Exponential, Gumbel, Laplace, Uniform
from lazygrad.distributions.discrete import Binomial, Geometric, Poisson
from lazygrad.distributions.distribution import Distribution
from lazygrad.distributions.gamma import Beta, Chi2, Dirichlet, Gamma, StudentT
from lazygrad.distributions.independent import Independent
from lazygrad.distributions.kl import kl_divergence, register_kl
from lazygrad.distributions.multivariate_normal import MultivariateNormal
from lazygrad.distributions.normal import HalfNormal, LogNormal, Normal

__all__ = [
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Chi2",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "Gamma",
    "Geometric",
    "Gumbel",
    "HalfNormal",
    "Independent",
    "Laplace",
    "LogNormal",
    "MultivariateNormal",
    "Normal",
    "OneHotCategorical",
    "OneHotCategoricalStraightThrough",
    "Poisson",
    "StudentT",
    "Uniform",
    "kl_divergence",
    "register_kl",
]
