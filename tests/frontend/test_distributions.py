"""Random tensors: each distribution against its own mean, variance and probabilities, and what draws depend on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

import lazygrad
from lazygrad import Generator, Tensor, dtypes, jit, manual_seed
from lazygrad.errors import ArgumentError, DTypeError, LazygradError, OperandError, ShapeError
from lazygrad.nn import functional
from lazygrad.settings import settings

N = 20_000


@pytest.fixture(autouse=True)
def _on_numpy() -> Iterator[None]:
    with settings.override(device="NUMPY"):
        yield


def of(*values: float) -> Tensor:
    """Many rows of these parameters."""
    return Tensor(list(values), dtype=dtypes.float64).expand(N, len(values))


LN2 = math.log(2)
# What is drawn, and for each column its mean and its variance (None where it has none).
MOMENTS: dict[str, tuple[Callable[[], Tensor], list[tuple[float, float]]]] = {
    "exponential": (lambda: Tensor.zeros(N, 1).exponential_(2.0), [(0.5, 0.25)]),
    "geometric": (lambda: Tensor.zeros(N, 1).geometric_(0.3), [(1 / 0.3, 0.7 / 0.09)]),
    "geometric of integers": (lambda: Tensor.zeros(N, 1, dtype=dtypes.int32).geometric_(0.3), [(1 / 0.3, 0.7 / 0.09)]),
    "log of log_normal": (lambda: Tensor.zeros(N, 1).log_normal_(1.0, 0.5).log(), [(1.0, 0.25)]),
    "arctan of cauchy": (lambda: Tensor.zeros(N, 1).cauchy_(0.0, 1.0).atan(), [(0.0, math.pi**2 / 12)]),
    "normal_": (lambda: Tensor.zeros(N, 1).normal_(-2.0, 3.0), [(-2.0, 9.0)]),
    "uniform_": (lambda: Tensor.zeros(N, 1).uniform_(-1.0, 3.0), [(1.0, 16 / 12)]),
    "random_": (lambda: Tensor.zeros(N, 1).random_(2, 8), [(4.5, 35 / 12)]),
    "bernoulli_": (lambda: Tensor.zeros(N, 2).bernoulli_(Tensor([0.1, 0.5])), [(0.1, 0.09), (0.5, 0.25)]),
    "bernoulli": (lambda: of(0.0, 0.2, 1.0).bernoulli(), [(0.0, 0.0), (0.2, 0.16), (1.0, 0.0)]),
    "normal of tensors": (lambda: lazygrad.normal(of(1.0, 5.0), of(2.0, 0.5)), [(1.0, 4.0), (5.0, 0.25)]),
    "normal of a deviation": (lambda: lazygrad.normal(2.0, of(2.0, 0.5)), [(2.0, 4.0), (2.0, 0.25)]),
    "normal of sizes": (lambda: lazygrad.normal(2.0, 3.0, (N, 1)), [(2.0, 9.0)]),
    "poisson": (
        lambda: of(0.0, 0.1, 3.0, 9.99, 10.0, 35.0, 1e4).poisson(),
        [(m, m) for m in (0, 0.1, 3, 9.99, 10, 35, 1e4)],
    ),
    "binomial": (
        lambda: of(0, 1, 10, 100, 1000, 40, 1e5).binomial(of(0.5, 0.5, 0.3, 0.05, 0.95, 0.25, 0.5)),
        [
            (n * p, n * p * (1 - p))
            for n, p in [(0, 0.5), (1, 0.5), (10, 0.3), (100, 0.05), (1000, 0.95), (40, 0.25), (1e5, 0.5)]
        ],
    ),
    "kaiming_normal": (lambda: Tensor.kaiming_normal(N, 8, a=0.0)[:, :1], [(0.0, 0.25)]),
    "kaiming_uniform": (lambda: Tensor.kaiming_uniform(N, 8, a=0.0)[:, :1], [(0.0, 0.25)]),
    "glorot_uniform": (lambda: Tensor.glorot_uniform(N, 8)[:, :1], [(0.0, 2 / (N + 8))]),
    "scaled_uniform": (lambda: Tensor.scaled_uniform(N, 1), [(0.0, 1 / 3 / N)]),
    "alpha_dropout": (lambda: Tensor.randn(N, 1).alpha_dropout(0.3, True), [(0.0, 1.0)]),
    "gumbel": (
        lambda: functional.gumbel_softmax(Tensor([0.5, 0.3, 0.2]).log().expand(N, 3), hard=True),
        [(0.5, 0.25), (0.3, 0.21), (0.2, 0.16)],
    ),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_moments(name: str) -> None:
    """Means within 5 of their standard errors, and variances within what a kurtosis of up to 12 allows."""
    draw, expected = MOMENTS[name]
    manual_seed(0)
    x = draw().numpy().astype(np.float64)
    assert x.shape == (N, len(expected))
    for column, (mean, variance) in zip(x.T, expected):
        assert column.mean() == pytest.approx(mean, abs=5 * math.sqrt(variance / N) + 1e-12)
        assert column.var() == pytest.approx(variance, rel=0.15, abs=1e-12)


def chi_squared(counts: np.ndarray[Any, Any], probabilities: np.ndarray[Any, Any]) -> float:
    """How far counts are from what is expected, in deviations of chi squared."""
    expected = probabilities * counts.sum()
    assert (counts[expected == 0] == 0).all(), "something of probability 0 was drawn"
    seen = expected > 5
    freedom = int(seen.sum()) - 1
    return float((((counts - expected)[seen] ** 2 / expected[seen]).sum() - freedom) / math.sqrt(2 * freedom))


def poisson_probabilities(mean: float, most: int) -> np.ndarray[Any, Any]:
    return np.array([math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(most)])


@pytest.mark.parametrize("mean", [0.5, 4.0, 9.5, 10.5, 20.0])
def test_poisson_probabilities(mean: float) -> None:
    manual_seed(1)
    x = of(mean).poisson().numpy().astype(np.int64)[:, 0]
    assert abs(chi_squared(np.bincount(x, minlength=80)[:80], poisson_probabilities(mean, 80))) < 5


@pytest.mark.parametrize(("count", "p"), [(6, 0.4), (60, 0.1), (60, 0.9), (60, 0.5), (200, 0.07)])
def test_binomial_probabilities(count: int, p: float) -> None:
    manual_seed(1)
    x = of(count).binomial(of(p)).numpy().astype(np.int64)[:, 0]
    expected = np.array([math.comb(count, k) * p**k * (1 - p) ** (count - k) for k in range(count + 1)])
    assert abs(chi_squared(np.bincount(x, minlength=count + 1), expected)) < 5


@pytest.mark.parametrize("dtype", [dtypes.float64, dtypes.float32, dtypes.float16])
@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial(dtype: Any, replacement: bool) -> None:
    manual_seed(2)
    weights = Tensor([0.0, 1.0, 2.0, 0.0, 4.0, 0.5, 0.0], dtype=dtype)
    first = weights.expand(N, 7).multinomial(3, replacement).numpy()
    p = weights.numpy().astype(np.float64) / 7.5
    assert abs(chi_squared(np.bincount(first[:, 0], minlength=7), p)) < 5
    if replacement:
        assert abs(chi_squared(np.bincount(first.ravel(), minlength=7), p)) < 5
    else:
        assert all(len(set(row)) == 3 for row in first.tolist())
        second = sum(p[i] * np.where(np.arange(7) == i, 0, p / (1 - p[i])) for i in range(7))
        assert abs(chi_squared(np.bincount(first[:, 1], minlength=7), second)) < 5
        every = weights.expand(50, 7).multinomial(4).numpy()
        assert (np.sort(every, 1) == [1, 2, 4, 5]).all(), "places without weight come last"


def test_permutations() -> None:
    manual_seed(0)
    x = np.stack([Tensor.randperm(4).numpy() for _ in range(600)])
    assert (np.sort(x, 1) == np.arange(4)).all()
    kinds = np.unique(x @ [64, 16, 4, 1], return_counts=True)[1]
    assert len(kinds) == 24
    assert abs(chi_squared(kinds, np.full(24, 1 / 24))) < 5
    assert Tensor.randperm(0).shape == (0,)
    assert Tensor.randperm(5, dtype=dtypes.int32).dtype is dtypes.int32
    assert sorted(Tensor.randperm(5000).tolist()) == list(range(5000))


DRAWS: dict[str, Callable[[Any], Tensor]] = {
    "rand": lambda g: Tensor.rand(9, generator=g),
    "randn": lambda g: Tensor.randn(9, generator=g),
    "randint": lambda g: Tensor.randint(0, 1000, (9,), generator=g),
    "randperm": lambda g: Tensor.randperm(9, generator=g),
    "normal": lambda g: Tensor.normal(9, generator=g),
    "normal of": lambda g: lazygrad.normal(Tensor.zeros(9), 1.0, generator=g),
    "uniform": lambda g: Tensor.uniform(9, generator=g),
    "bernoulli": lambda g: lazygrad.bernoulli(Tensor.full(64, 0.5), generator=g),
    "multinomial": lambda g: Tensor.ones(99).multinomial(9, generator=g),
    "poisson": lambda g: Tensor.full(9, 50.0).poisson(g),
    "binomial": lambda g: Tensor.full(9, 500.0).binomial(Tensor.full(9, 0.5), g),
    "rand_like": lambda g: Tensor.zeros(9).rand_like(generator=g),
    "randn_like": lambda g: Tensor.zeros(9).randn_like(generator=g),
    "randint_like": lambda g: Tensor.zeros(9).randint_like(1000, generator=g),
    "normal_": lambda g: Tensor.zeros(9).normal_(generator=g),
    "uniform_": lambda g: Tensor.zeros(9).uniform_(generator=g),
    "random_": lambda g: Tensor.zeros(9).random_(generator=g),
    "bernoulli_": lambda g: Tensor.zeros(64).bernoulli_(generator=g),
    "exponential_": lambda g: Tensor.zeros(9).exponential_(generator=g),
    "geometric_": lambda g: Tensor.zeros(64).geometric_(0.1, generator=g),
    "cauchy_": lambda g: Tensor.zeros(9).cauchy_(generator=g),
    "log_normal_": lambda g: Tensor.zeros(9).log_normal_(generator=g),
}


@pytest.mark.parametrize("name", DRAWS)
def test_generators(name: str) -> None:
    """A generator of a seed gives the same numbers again, others next, and leaves the default one alone."""
    draw = DRAWS[name]
    manual_seed(5)
    untouched = Tensor.rand(3).tolist()
    manual_seed(5)
    g = Generator().manual_seed(11)
    first, second = draw(g).tolist(), draw(g).tolist()
    assert first != second
    assert Tensor.rand(3).tolist() == untouched
    assert draw(Generator().manual_seed(11)).tolist() == first
    state = g.get_state()
    third = draw(g).tolist()
    g.set_state(state)
    assert draw(g).tolist() == third
    manual_seed(11)
    assert draw(None).tolist() == first, "the default one of that seed draws them too"
    with pytest.raises(OperandError, match="no Generator"):
        draw(7)


@pytest.mark.parametrize("name", DRAWS)
def test_a_compiled_call_draws_anew(name: str) -> None:
    draw = DRAWS[name]
    g = Generator().manual_seed(3)
    expected = [draw(g).tolist() for _ in range(4)]
    manual_seed(3)
    compiled = jit(lambda: draw(None))
    assert [compiled().tolist() for _ in range(4)] == expected


def test_devices_draw_the_same(device: str) -> None:
    """Numbers of the same seed, a rounding of the last bit apart."""
    results = []
    for where in ("NUMPY", device):
        with settings.override(device=where):
            drawn = [draw(Generator().manual_seed(4)) for draw in DRAWS.values()]
            Tensor.realize(*drawn)
            results.append([x.numpy() for x in drawn])
    for name, a, b in zip(DRAWS, *results):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6, err_msg=name)


def test_seeds() -> None:
    assert manual_seed(12) is lazygrad.functions.random.manual_seed(12)
    assert lazygrad.initial_seed() == 12
    state = lazygrad.get_rng_state()
    assert (state.dtype, state.shape) == (dtypes.uint8, (16,))
    first = Tensor.rand(4).tolist()
    assert lazygrad.seed() == lazygrad.initial_seed() != 12
    assert Tensor.rand(4).tolist() != first
    lazygrad.set_rng_state(state)
    assert Tensor.rand(4).tolist() == first
    g = Generator(device="NUMPY")
    assert (g.device, g.initial_seed()) == ("NUMPY", torch.Generator().initial_seed())
    assert g.manual_seed(-1) is g
    assert len(g.get_state().numpy()) == 16
    for wrong, error in ((Tensor.zeros(3), ShapeError), (7, OperandError)):
        with pytest.raises(error, match="state"):
            g.set_state(wrong)


def test_dtypes_and_bounds() -> None:
    manual_seed(0)
    for dtype in (dtypes.uint8, dtypes.int8, dtypes.int64, dtypes.float16, dtypes.float64, dtypes.bool, dtypes.uint64):
        assert Tensor.zeros(3, dtype=dtype).random_().dtype is dtype
    assert Tensor.zeros(2000, dtype=dtypes.uint8).random_().amax().item() == 255
    assert Tensor.zeros(2000, dtype=dtypes.float16).random_().amax().item() <= 2048
    assert np.isfinite(Tensor.zeros(N, dtype=dtypes.float16).exponential_().numpy()).all()
    assert (Tensor.zeros(N, dtype=dtypes.float16).exponential_().numpy() > 0).all()
    assert Tensor([-1.0, math.nan]).poisson().isnan().tolist() == [True, True]
    assert Tensor([5.0, -1.0]).binomial(Tensor([2.0, 0.5])).isnan().tolist() == [True, True]
    assert Tensor.zeros(0).poisson().shape == Tensor.zeros(0).normal_().shape == (0,)
    assert Tensor.zeros(()).poisson().item() == 0


def test_whole_channels_drop() -> None:
    manual_seed(0)
    for name, shape in [("dropout1d", (40, 50, 3)), ("dropout2d", (40, 50, 2, 2)), ("dropout3d", (40, 50, 2, 1, 2))]:
        x = getattr(functional, name)(Tensor.ones(*shape), 0.25).numpy().reshape(40, 50, -1)
        assert (x == x[:, :, :1]).all()
        assert (x[:, :, 0] == 0).mean() == pytest.approx(0.25, abs=0.05)
        assert np.unique(x).tolist() == pytest.approx([0, 4 / 3])
    x = functional.feature_alpha_dropout(Tensor.ones(40, 50, 3), 0.25, training=True).numpy()
    assert (x == x[:, :, :1]).all()
    x = Tensor.ones(5)
    assert functional.dropout(x, 1.0, True, True) is x
    assert x.tolist() == [0] * 5


def test_gumbel_has_the_soft_gradient() -> None:
    logits = Tensor([0.1, 0.5, 0.2], dtype=dtypes.float64, requires_grad=True)
    grads = []
    for hard in (False, True):
        manual_seed(1)
        logits.grad = None
        (functional.gumbel_softmax(logits, tau=0.7, hard=hard) * Tensor([1.0, 2.0, 4.0])).sum().backward()
        grads.append(logits.grad.numpy())  # type: ignore[attr-defined]
    np.testing.assert_allclose(*grads, rtol=1e-12)


WRONG: list[tuple[Callable[[], Any], type[LazygradError]]] = [
    (lambda: Tensor.randperm(-1), ShapeError),
    (lambda: Tensor.zeros(2, 2, 2).multinomial(1), ShapeError),
    (lambda: Tensor.ones(3).multinomial(4), ArgumentError),
    (lambda: Tensor.ones(3).multinomial(0), ArgumentError),
    (lambda: Tensor([1, 2]).multinomial(1), DTypeError),
    (lambda: Tensor([1, 2]).poisson(), DTypeError),
    (lambda: Tensor([1.0]).binomial(Tensor([0.5], dtype=dtypes.float64)), DTypeError),
    (lambda: Tensor([1, 2]).bernoulli(), DTypeError),
    (lambda: Tensor([1.0]).bernoulli(1.5), ArgumentError),
    (lambda: Tensor([1, 2]).normal_(), DTypeError),
    (lambda: Tensor([1, 2]).cauchy_(), DTypeError),
    (lambda: Tensor([1.0]).normal_(0, -1), ArgumentError),
    (lambda: Tensor([1.0]).exponential_(0), ArgumentError),
    (lambda: Tensor([1.0]).geometric_(1), ArgumentError),
    (lambda: Tensor([1.0]).cauchy_(0, 0), ArgumentError),
    (lambda: Tensor([1.0]).log_normal_(0, 0), ArgumentError),
    (lambda: Tensor([1.0]).uniform_(2, 1), ArgumentError),
    (lambda: Tensor([1.0]).random_(2, 2), ArgumentError),
    (lambda: lazygrad.randint(3), ArgumentError),
    (lambda: lazygrad.normal(Tensor([1, 2]), 1.0), DTypeError),
    (lambda: Tensor([1.0], requires_grad=True).normal_(), LazygradError),
    (lambda: functional.dropout1d(Tensor.ones(3)), ShapeError),
]


@pytest.mark.parametrize("k", range(len(WRONG)))
def test_nonsense(k: int) -> None:
    call, error = WRONG[k]
    with pytest.raises(error):
        call()


def test_pytorchs_forms() -> None:
    for x in (
        lazygrad.randint(5, (2, 3)),
        lazygrad.randint(1, 5, (2, 3)),
        lazygrad.randint(low=1, high=5, size=(2, 3)),
        lazygrad.randint(high=5, size=(2, 3)),
        lazygrad.randint(2, 3, low=1, high=5),
        lazygrad.normal(0, 1, (2, 3)),
        lazygrad.normal(mean=0.0, std=1.0, size=(2, 3)),
        lazygrad.normal(0.0, 1.0, size=(2, 3)),
        Tensor.normal(2, 3, mean=1.0),
        Tensor.bernoulli(2, 3),
        Tensor.bernoulli((2, 3), p=0.2),
        Tensor.zeros(2, 3).bernoulli(),
        Tensor.zeros(2, 3).bernoulli(p=0.5),
        Tensor.bernoulli(Tensor.zeros(2, 3)),
    ):
        assert x.shape == (2, 3)
    assert lazygrad.rand(2, requires_grad=True).requires_grad
