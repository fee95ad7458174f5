"""One token drawn from a row of logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lazygrad.errors import ArgumentError, DivergenceError, ShapeError


def sample(
    logits: npt.NDArray[Any], generator: np.random.Generator, temperature: float = 1.0, top_k: int | None = None
) -> int:
    """A token with probability softmax(logits / temperature), among the `top_k` most likely.

    Args:
        logits: shape (vocabulary,).
        temperature: 0 takes the most likely token and draws nothing; ties go to the lower token.
        top_k: how many tokens may be chosen, from 1; None for all. Ties at the edge go to the lower token.

    Raises:
        ShapeError: logits that are not one row.
        ArgumentError: a negative temperature, a top_k below 1.
        DivergenceError: no logit is finite, as after a training that diverged.

    >>> sample(np.array([0.1, 2.0, 0.3]), np.random.default_rng(0), temperature=0)
    1
    """
    if logits.ndim != 1 or not logits.size:
        raise ShapeError(f"sample takes one row of logits; these have shape {logits.shape}")
    check_sampling(temperature, top_k)
    scores = np.asarray(logits, dtype=np.float64)
    if np.isnan(scores).any() or not np.isfinite(scores.max()):
        raise DivergenceError("the logits are not finite: the training has diverged; lower the learning rate")
    if temperature == 0:
        return int(scores.argmax())
    order = np.argsort(-scores, kind="stable")[:top_k]
    weights = np.exp((scores[order] - scores[order[0]]) / temperature)
    cumulative = np.cumsum(weights)
    drawn = np.searchsorted(cumulative, generator.random() * cumulative[-1], side="right")
    return int(order[min(int(drawn), len(order) - 1)])


def check_sampling(temperature: float, top_k: int | None) -> None:
    """Raise ArgumentError for a temperature or a top_k that `sample` would not take."""
    if not 0 <= temperature < float("inf"):
        raise ArgumentError(f"temperature is {temperature}; use a number from 0 (always the most likely token) up")
    if top_k is not None and top_k < 1:
        raise ArgumentError(f"top_k is {top_k}; use at least 1, or None to choose among all tokens")
