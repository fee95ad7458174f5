"""Kullback-Leibler divergences, in nats, of pairs of distributions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from lazygrad.distributions.bernoulli import Bernoulli
from lazygrad.distributions.categorical import Categorical
from lazygrad.distributions.continuous import Exponential, Laplace, Uniform
from lazygrad.distributions.discrete import Geometric, Poisson
from lazygrad.distributions.distribution import Distribution
from lazygrad.distributions.gamma import Beta, Dirichlet, Gamma
from lazygrad.distributions.independent import Independent
from lazygrad.distributions.multivariate_normal import MultivariateNormal
from lazygrad.distributions.normal import HalfNormal, Normal
from lazygrad.errors import ArgumentError, ModeError, fail
from lazygrad.linalg import solve_triangular
from lazygrad.tensor import Tensor

F = TypeVar("F", bound=Callable[..., Tensor])
_DIVERGENCES: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {}


def register_kl(type_p: type[Distribution], type_q: type[Distribution]) -> Callable[[F], F]:
    """Decorator: this function of (p, q) is the divergence of distributions of these classes, and of derived ones."""

    def registered(function: F) -> F:
        _DIVERGENCES[type_p, type_q] = function
        return function

    return registered


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The divergence of `p` from `q`: the mean over samples of p of log p - log q, by a formula.

    ModeError (a NotImplementedError) for a pair of classes that has none.

    >>> from lazygrad.distributions import Normal
    >>> kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0))
    tensor(0.5000)
    """
    fitting = [
        (type(p).__mro__.index(a) + type(q).__mro__.index(b), function)
        for (a, b), function in _DIVERGENCES.items()
        if isinstance(p, a) and isinstance(q, b)
    ]
    if not fitting:
        names = f"{type(p).__name__} from {type(q).__name__}"
        fail(ModeError, f"kl_divergence: there is no formula of {names}; give one with register_kl")
    return min(fitting, key=lambda pair: pair[0])[1](p, q)


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale).square()
    return (ratio + ((p.loc - q.loc) / q.scale).square() - 1 - ratio.log()) / 2


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: HalfNormal, q: HalfNormal) -> Tensor:
    ratio = (p.scale / q.scale).square()
    return (ratio - 1 - ratio.log()) / 2


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    return q._cross_entropy(p.probs) - p.entropy()


@register_kl(Geometric, Geometric)
def _geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    each = p.probs * (p.logits - q.logits)
    return each.masked_fill(q.probs.eq(0), math.inf).masked_fill(p.probs.eq(0), 0).sum(-1)


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    away = (p.loc - q.loc).abs()
    return -(p.scale / q.scale).log() + away / q.scale + p.scale / q.scale * (-away / p.scale).exp() - 1


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    outside = (q.low > p.low) | (q.high < p.high)
    return ((q.high - q.low) / (p.high - p.low)).log().masked_fill(outside, math.inf)


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    scale = q.concentration * (p.rate / q.rate).log() + q.concentration.lgamma() - p.concentration.lgamma()
    slope = (p.concentration - q.concentration) * p.concentration.digamma()
    return scale + slope + (q.rate - p.rate) * (p.concentration / p.rate)


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    ones, zeros = p.concentration1 - q.concentration1, p.concentration0 - q.concentration0
    slopes = ones * p.concentration1.digamma() + zeros * p.concentration0.digamma()
    total = p.concentration1 + p.concentration0
    return q._log_scale() - p._log_scale() + slopes - (ones + zeros) * total.digamma()


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    scale = a.sum(-1).lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1)
    return scale + ((a - b) * (a.digamma() - a.sum(-1, keepdim=True).digamma())).sum(-1)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    away = solve_triangular(q.scale_tril, (q.loc - p.loc).unsqueeze(-1), upper=False)
    spread = solve_triangular(q.scale_tril, p.scale_tril, upper=False)
    squares = away.square().sum((-2, -1)) + spread.square().sum((-2, -1))
    return q._half_log_det() - p._half_log_det() + (squares - p.event_shape[0]) / 2


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        fail(ArgumentError, "kl_divergence: both Independent are to have as many dimensions of samples")
    return p.summed(kl_divergence(p.base_dist, q.base_dist))
