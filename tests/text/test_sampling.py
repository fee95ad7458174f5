"""Drawing a token from logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lazygrad.errors import ArgumentError, DivergenceError, ShapeError
from lazygrad.text import sample

LOGITS = np.array([0.0, 2.0, -1.0, 1.0, 2.0], np.float32)


def _counts(draws: int, **options: Any) -> np.ndarray:
    generator = np.random.default_rng(0)
    return np.bincount([sample(LOGITS, generator, **options) for _ in range(draws)], minlength=len(LOGITS)) / draws


def test_greedy_takes_the_first_of_the_largest_and_draws_nothing() -> None:
    generator = np.random.default_rng(0)
    before = generator.bit_generator.state
    assert sample(LOGITS, generator, temperature=0, top_k=3) == 1
    assert generator.bit_generator.state == before


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_frequencies_are_the_softmax(temperature: float) -> None:
    expected = np.exp(LOGITS / temperature) / np.exp(LOGITS / temperature).sum()
    np.testing.assert_allclose(_counts(20_000, temperature=temperature), expected, atol=0.012)


@pytest.mark.parametrize("k", [1, 2, 3, 5, 100])
def test_top_k_never_leaves_the_k_largest(k: int) -> None:
    largest = [1, 4, 3, 0, 2][:k]
    counts = _counts(3_000, top_k=k)
    assert set(np.flatnonzero(counts)) == set(largest)
    expected = np.exp(LOGITS[largest]) / np.exp(LOGITS[largest]).sum()
    np.testing.assert_allclose(counts[largest], expected, atol=0.03)


def test_a_seed_gives_the_same_tokens() -> None:
    def run(seed: int) -> list[int]:
        generator = np.random.default_rng(seed)
        return [sample(LOGITS, generator) for _ in range(50)]

    assert run(1) == run(1) != run(2)


def test_extreme_logits() -> None:
    generator = np.random.default_rng(0)
    assert sample(np.array([-np.inf, 0.0, -np.inf]), generator) == 1
    assert sample(np.array([1e30, -1e30]), generator, temperature=1e-3) == 0
    for bad in ([np.nan, 1.0], [np.inf, 1.0], [-np.inf, -np.inf]):
        with pytest.raises(DivergenceError, match="training has diverged"):
            sample(np.array(bad), generator)


def test_arguments_are_checked() -> None:
    generator = np.random.default_rng(0)
    with pytest.raises(ShapeError, match=r"shape \(2, 3\)"):
        sample(np.zeros((2, 3)), generator)
    for temperature in (-1, float("nan"), float("inf")):
        with pytest.raises(ArgumentError, match="temperature is"):
            sample(LOGITS, generator, temperature=temperature)
    with pytest.raises(ArgumentError, match="top_k is 0; use at least 1"):
        sample(LOGITS, generator, top_k=0)
