"""`lazygrad.distributions`: densities, moments, divergences, samples and gradients are PyTorch's."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributions as theirs

import lazygrad
import lazygrad.distributions as ours
from lazygrad import Tensor
from lazygrad.errors import ArgumentError
from lazygrad.settings import settings

# What a parameter is -> numbers of a shape.
DRAWS: dict[str, Callable[[Any, tuple[int, ...]], Any]] = {
    "real": lambda rng, shape: rng.normal(0, 2, shape),
    "positive": lambda rng, shape: rng.gamma(2, 1, shape) + 0.1,
    "many": lambda rng, shape: rng.gamma(2, 1, shape) + 2.5,
    "prob": lambda rng, shape: rng.uniform(0.05, 0.95, shape),
    "shares": lambda rng, shape: rng.uniform(0.05, 1, (*shape, 3)),
    "logits": lambda rng, shape: rng.normal(0, 1, (*shape, 3)),
    "concentrations": lambda rng, shape: rng.gamma(2, 1, (*shape, 3)) + 0.2,
    "vector": lambda rng, shape: rng.normal(0, 1, (*shape, 2)),
    "covariance": lambda rng, shape: np.array([[2.0, 0.3], [0.3, 1.0]]) * rng.uniform(0.5, 2, (*shape, 1, 1)),
    "triangle": lambda rng, shape: np.array([[1.5, 0], [0.3, 0.7]]) * rng.uniform(0.5, 2, (*shape, 1, 1)),
    "count": lambda rng, shape: rng.integers(1, 20, shape).astype(float),
}
FAMILIES: dict[str, tuple[str, dict[str, str]]] = {
    "Normal": ("Normal", {"loc": "real", "scale": "positive"}),
    "LogNormal": ("LogNormal", {"loc": "prob", "scale": "prob"}),
    "HalfNormal": ("HalfNormal", {"scale": "positive"}),
    "Uniform": ("Uniform", {"low": "prob", "high": "many"}),
    "Exponential": ("Exponential", {"rate": "positive"}),
    "Laplace": ("Laplace", {"loc": "real", "scale": "positive"}),
    "Cauchy": ("Cauchy", {"loc": "real", "scale": "positive"}),
    "Gumbel": ("Gumbel", {"loc": "real", "scale": "positive"}),
    "Bernoulli": ("Bernoulli", {"probs": "prob"}),
    "Bernoulli of logits": ("Bernoulli", {"logits": "real"}),
    "Geometric": ("Geometric", {"probs": "prob"}),
    "Geometric of logits": ("Geometric", {"logits": "prob"}),
    "Binomial": ("Binomial", {"total_count": "count", "probs": "prob"}),
    "Binomial of logits": ("Binomial", {"total_count": "count", "logits": "real"}),
    "Poisson": ("Poisson", {"rate": "positive"}),
    "Categorical": ("Categorical", {"probs": "shares"}),
    "Categorical of logits": ("Categorical", {"logits": "logits"}),
    "OneHotCategorical": ("OneHotCategorical", {"probs": "shares"}),
    "OneHotCategorical of logits": ("OneHotCategorical", {"logits": "logits"}),
    "StraightThrough": ("OneHotCategoricalStraightThrough", {"logits": "logits"}),
    "Gamma": ("Gamma", {"concentration": "positive", "rate": "positive"}),
    "Chi2": ("Chi2", {"df": "positive"}),
    "Beta": ("Beta", {"concentration1": "positive", "concentration0": "positive"}),
    "Dirichlet": ("Dirichlet", {"concentration": "concentrations"}),
    "Gamma below 1": ("Gamma", {"concentration": "prob", "rate": "positive"}),
    "Beta at its ends": ("Beta", {"concentration1": "prob", "concentration0": "prob"}),
    "Dirichlet at its corners": ("Dirichlet", {"concentration": "shares"}),
    "StudentT": ("StudentT", {"df": "many", "loc": "real", "scale": "positive"}),
    "MultivariateNormal": ("MultivariateNormal", {"loc": "vector", "covariance_matrix": "covariance"}),
    "of precision": ("MultivariateNormal", {"loc": "vector", "precision_matrix": "covariance"}),
    "of a triangle": ("MultivariateNormal", {"loc": "vector", "scale_tril": "triangle"}),
}
MOMENTS = ["mean", "mode", "variance", "stddev"]


@pytest.fixture(autouse=True)
def _on_numpy() -> Any:
    with settings.override(device="NUMPY"):
        lazygrad.manual_seed(1)
        torch.manual_seed(1)
        yield


def pair(
    name: str, shape: tuple[int, ...] = (4,), independent: int | None = None, seed: int = 0
) -> tuple[Any, Any, list[Any], list[Any]]:
    """A distribution by both libraries, and its parameters."""
    kind, kinds = FAMILIES[name]
    rng = np.random.default_rng(seed)
    drawn = {n: np.asarray(DRAWS[k](rng, shape)) for n, k in kinds.items()}
    mine = {n: Tensor(a, requires_grad=True) for n, a in drawn.items()}
    other = {n: torch.tensor(a, requires_grad=True) for n, a in drawn.items()}
    p, q = getattr(ours, kind)(**mine), getattr(theirs, kind)(**other)
    if independent is not None:
        p, q = ours.Independent(p, independent), theirs.Independent(q, independent)
    return p, q, list(mine.values()), list(other.values())


def same(mine: Any, expected: Any, parameters: list[Any], others: list[Any], what: str) -> None:
    """Values, and gradients of their sum."""
    assert mine.shape == tuple(expected.shape) and f"torch.{mine.dtype}" == str(expected.dtype), what
    np.testing.assert_allclose(mine.numpy(), expected.detach().numpy(), 1e-9, 1e-11, err_msg=what)
    assert mine.requires_grad == expected.requires_grad or not np.isfinite(mine.numpy()).all() or what == "mode", what
    if not expected.requires_grad or not torch.isfinite(expected).all() or not mine.requires_grad:
        return
    grads = lazygrad.autograd.grad(mine.sum(), parameters, allow_unused=True)
    theirs_ = torch.autograd.grad(expected.sum(), others, allow_unused=True, retain_graph=True)
    for g, h in zip(grads, theirs_):
        zeros = np.zeros(()) if h is None else h.numpy()
        np.testing.assert_allclose(zeros if g is None else g.numpy(), zeros, 1e-7, 1e-9, err_msg=f"gradient of {what}")


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("shape", [(), (2, 3)], ids=str)
def test_densities_and_moments(name: str, shape: tuple[int, ...]) -> None:
    p, q, parameters, others = pair(name, shape)
    assert p.batch_shape == tuple(q.batch_shape) and p.event_shape == tuple(q.event_shape)
    assert p.has_rsample == q.has_rsample
    for sample_shape in ((), (3,), (2, 1)):
        value = q.sample(sample_shape)
        same(p.log_prob(Tensor(value.numpy())), q.log_prob(value), parameters, others, "log_prob")
    for what in ("entropy", "perplexity"):
        if both_have(p, q, what):
            same(getattr(p, what)(), getattr(q, what)(), parameters, others, what)
    for what, v in (("cdf", q.sample()), ("icdf", torch.full(q.batch_shape, 0.3, dtype=torch.float64))):
        if both_have(p, q, what, v):
            if isinstance(p, ours.Gamma):  # whose gradient by the concentration is known to neither
                p, q = (
                    type(d)(**{n: x.detach() for n, x in zip(FAMILIES[name][1], xs)})
                    for d, xs in ((p, parameters), (q, others))
                )
            same(getattr(p, what)(Tensor(v.numpy())), getattr(q, what)(v), parameters, others, what)
    for what in MOMENTS:
        if name != "of precision" or what != "stddev":
            same(getattr(p, what), getattr(q, what), parameters, others, what)
    larger = (5, *shape)
    value = q.expand(larger).sample()
    same(
        p.expand(larger).log_prob(Tensor(value.numpy())), q.expand(larger).log_prob(value), parameters, others, "expand"
    )
    if hasattr(q, "enumerate_support") and q.has_enumerate_support and name[:8] != "Binomial":
        for expand in (True, False):
            same(p.enumerate_support(expand), q.enumerate_support(expand), parameters, others, "enumerate_support")
    assert type(p).__name__ in repr(p)


def both_have(p: Any, q: Any, what: str, *arguments: Any) -> bool:
    """Whether both compute it; PyTorch may compute what is not here, then NotImplementedError says so."""
    try:
        with torch.no_grad():
            getattr(q, what)(*arguments)
    except NotImplementedError:
        with pytest.raises(NotImplementedError):
            getattr(p, what)(*[Tensor(a.numpy()) for a in arguments])
        return False
    if f"{type(p).__name__}.{what}" in LACKING:
        with pytest.raises(NotImplementedError):
            getattr(p, what)(*[Tensor(a.numpy()) for a in arguments])
        return False
    return True


LACKING = {"Binomial.entropy", "Binomial.perplexity"}


@pytest.mark.parametrize("name", FAMILIES)
def test_samples(name: str) -> None:
    p, q, _, _ = pair(name)
    for sample_shape in ((), (3,), (2, 1)):
        x, y = p.sample(sample_shape), q.sample(sample_shape)
        assert x.shape == tuple(y.shape) and f"torch.{x.dtype}" == str(y.dtype) and not x.requires_grad
        if p.has_rsample:
            assert p.rsample(sample_shape).requires_grad and p.rsample(sample_shape).shape == x.shape
    if not p.has_rsample:
        with pytest.raises(NotImplementedError, match="log_prob"):
            p.rsample()
    n = 6000
    if name == "Cauchy":
        x = p.sample((n,)).numpy()
        np.testing.assert_allclose(np.median(x, 0), p.loc.numpy(), atol=0.3)
        return
    x = p.sample((n,)).numpy().astype(float)
    if name.startswith("Categorical"):
        for i in range(3):
            np.testing.assert_allclose((x == i).mean(0), p.probs.numpy()[:, i], atol=0.03)
        return
    spread = p.stddev.numpy()
    np.testing.assert_array_less(np.abs(x.mean(0) - p.mean.numpy()) / spread, 5 / np.sqrt(n))
    if name not in ("LogNormal", "StudentT"):  # whose variance varies itself
        np.testing.assert_allclose(x.var(0), spread**2, rtol=0.25)


@pytest.mark.parametrize("name", [n for n in FAMILIES if getattr(ours, FAMILIES[n][0]).has_rsample and n != "Cauchy"])
def test_gradients_of_samples_are_those_of_their_mean(name: str) -> None:
    p, _, parameters, _ = pair(name, (2,))
    n = 10000
    weights = Tensor(np.linspace(-1, 1, int(np.prod(p.batch_shape + p.event_shape)))).reshape(
        *p.batch_shape, *p.event_shape
    )
    of_samples = lazygrad.autograd.grad((p.rsample((n,)) * weights).sum() / n, parameters, allow_unused=True)
    of_mean = lazygrad.autograd.grad((p.mean * weights).sum(), parameters, allow_unused=True)
    for parameter, g, h in zip(parameters, of_samples, of_mean):
        expected = np.zeros(parameter.shape) if h is None else h.numpy()
        found = np.zeros(parameter.shape) if g is None else g.numpy()
        np.testing.assert_allclose(found, expected, rtol=0.15, atol=0.15)


def test_gradients_of_gamma_numbers_are_pytorchs() -> None:
    a = np.repeat([0.05, 0.3, 1.0, 2.5, 30.0, 400.0], 40)
    concentration = Tensor(a, requires_grad=True)
    x = ours.Gamma(concentration, 1.0).rsample()
    (g,) = lazygrad.autograd.grad(x.sum(), [concentration])
    expected = torch._standard_gamma_grad(torch.tensor(a), torch.tensor(x.numpy())).numpy()
    good = x.numpy() > 1e-30
    np.testing.assert_allclose(g.numpy()[good], expected[good], 2e-4)


PAIRS = [n for n in FAMILIES if n not in ("Cauchy", "Gumbel", "StudentT") and not n.startswith("Binomial")]


@pytest.mark.parametrize("name", [*PAIRS, "Uniform inside"])
def test_divergences(name: str) -> None:
    family = name.removesuffix(" inside")
    for shape in ((), (4,)):
        (p, a, one, one_), (q, b, two, two_) = pair(family, shape), pair(family, shape, seed=1)
        if name == "Uniform inside":
            q, b = ours.Uniform(-1.0, q.high + 9), theirs.Uniform(torch.tensor(-1.0).double(), b.high + 9)
        same(ours.kl_divergence(p, q), theirs.kl_divergence(a, b), one + two, one_ + two_, "kl_divergence")
    if shape := p.batch_shape:
        (p, a, one, one_), (q, b, two, two_) = (pair(family, (2, *shape), 1, seed) for seed in range(2))
        same(ours.kl_divergence(p, q), theirs.kl_divergence(a, b), one + two, one_ + two_, "kl_divergence")


def test_divergences_that_are_not_there() -> None:
    with pytest.raises(NotImplementedError, match="register_kl"):
        ours.kl_divergence(ours.Normal(0.0, 1.0), ours.Gamma(1.0, 1.0))

    class Mine(ours.Normal):
        pass

    @ours.register_kl(Mine, ours.Normal)
    def _mine(p: Any, q: Any) -> Tensor:
        return Tensor(7.0)

    assert ours.kl_divergence(Mine(0.0, 1.0), ours.Normal(0.0, 1.0)).item() == 7
    assert ours.kl_divergence(ours.Normal(0.0, 1.0), Mine(0.0, 1.0)).item() == 0
    certain, other = (ours.Categorical(Tensor(x)) for x in ([1.0, 0.0], [0.5, 0.5]))
    assert ours.kl_divergence(other, certain).item() == np.inf
    np.testing.assert_allclose(ours.kl_divergence(certain, other).item(), np.log(2), 1e-6)


@pytest.mark.parametrize("name", [n for n in FAMILIES if FAMILIES[n][0] not in ("MultivariateNormal",)])
def test_independent(name: str) -> None:
    for n in (0, 1, 2):
        p, q, parameters, others = pair(name, (2, 3), n)
        assert p.batch_shape == tuple(q.batch_shape) and p.event_shape == tuple(q.event_shape)
        value = q.sample((2,))
        same(p.log_prob(Tensor(value.numpy())), q.log_prob(value), parameters, others, "log_prob")
        assert p.sample((2,)).shape == tuple(value.shape) and p.has_rsample == q.has_rsample
        if f"{FAMILIES[name][0]}.entropy" not in LACKING and both_have(p.base_dist, q.base_dist, "entropy"):
            same(p.entropy(), q.entropy(), parameters, others, "entropy")
        same(p.mean, q.mean, parameters, others, "mean")
        assert p.expand((5, *p.batch_shape)).batch_shape == (5, *q.batch_shape)
    with pytest.raises(ArgumentError):
        ours.Independent(p.base_dist, 3)


def test_numbers_follow_tensors_and_broadcast() -> None:
    for scale in (2.0, 2, Tensor([2.0]), Tensor([[1], [2]])):
        p = ours.Normal(Tensor([0.0, 1.0], dtype="float64"), scale)
        assert p.batch_shape[-1] == 2 and p.loc.dtype == lazygrad.float64
        assert p.sample((3,)).shape == (3, *p.batch_shape)
    assert ours.Normal(0.0, 1.0).sample().dtype == lazygrad.float32 and ours.Normal(0, 1).sample().shape == ()
    assert ours.Normal(0.0, 1.0).log_prob(0.5).item() == pytest.approx(
        theirs.Normal(0.0, 1.0).log_prob(torch.tensor(0.5))
    )


def test_what_is_asked_for_is_looked_at() -> None:
    wrong: list[Callable[[Any, Any], Any]] = [
        lambda d, t: d.Normal(0.0, -1.0, validate_args=True),
        lambda d, t: d.Normal(float("nan"), 1.0, validate_args=True),
        lambda d, t: d.Bernoulli(1.5, validate_args=True),
        lambda d, t: d.Bernoulli(0.5, validate_args=True).log_prob(t.tensor(0.5)),
        lambda d, t: d.Categorical(t.tensor([-1.0, 2.0]), validate_args=True),
        lambda d, t: d.Gamma(1.0, 0.0, validate_args=True),
        lambda d, t: d.Beta(1.0, 1.0, validate_args=True).log_prob(t.tensor(1.5)),
        lambda d, t: d.Dirichlet(t.tensor([1.0, 1.0]), validate_args=True).log_prob(t.tensor([0.5, 0.6])),
        lambda d, t: d.Poisson(1.0, validate_args=True).log_prob(t.tensor(-1.0)),
        lambda d, t: d.Bernoulli(),
        lambda d, t: d.Bernoulli(0.5, 0.5),
        lambda d, t: d.MultivariateNormal(t.zeros(2)),
        lambda d, t: d.Dirichlet(t.tensor(1.0)),
    ]
    for make, (data, library) in itertools.product(wrong, [(ours, lazygrad), (theirs, torch)]):
        with pytest.raises(ValueError):
            make(data, library)


def test_policy_gradients_on_a_device() -> None:
    logits = lazygrad.tensor([[0.5, 1.0, -1.0], [0.0, 0.2, 0.1]], device="OPENCL", requires_grad=True)
    policy = ours.Categorical(logits=logits)
    actions = policy.sample()
    assert actions.device == "OPENCL" and all(0 <= a.item() < 3 for a in actions)
    (-policy.log_prob(actions)).sum().backward()
    other = torch.tensor(logits.tolist(), requires_grad=True)
    (-theirs.Categorical(logits=other).log_prob(torch.tensor(actions.tolist()))).sum().backward()
    np.testing.assert_allclose(logits.grad.numpy(), other.grad.numpy(), 1e-5)
    loc = lazygrad.zeros(3, device="OPENCL", requires_grad=True)
    x = ours.Normal(loc, 1.0).rsample((5,))
    x.sum().backward()
    assert loc.grad.tolist() == [5.0, 5.0, 5.0] and x.device == "OPENCL"
    draws = [ours.Gamma(loc.detach() + 2, 1.0), ours.Poisson(loc.detach() + 2), ours.Bernoulli(logits=loc.detach())]
    assert all(d.sample((4,)).device == "OPENCL" and np.isfinite(d.sample((4,)).numpy()).all() for d in draws)
