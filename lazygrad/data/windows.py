"""Windows of a token sequence: random ones to train on, evenly spaced ones to evaluate on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from lazygrad.errors import ArgumentError, ShapeError, TextError

Batch = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def split_tokens(
    tokens: npt.NDArray[Any], context: int, fraction: float = 0.9
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The first `fraction` of the tokens to train on, and the rest to validate on.

    Raises:
        TextError: a part would be shorter than one window, `context` tokens and the one that follows.

    >>> train, validation = split_tokens(np.arange(100), context=8)
    >>> len(train), len(validation)
    (90, 10)
    """
    if not 0 < fraction < 1:
        raise ArgumentError(f"fraction is {fraction}; use a number between 0 and 1, such as 0.9")
    cut = int(len(tokens) * fraction)
    shorter = min(cut, len(tokens) - cut)
    if shorter < context + 1:
        needed = int(np.ceil((context + 1) / min(fraction, 1 - fraction) + 1e-9)) + 1
        raise TextError(
            f"the text is too short: it has {len(tokens)} tokens, and a context of {context} needs about {needed}, "
            "so that its smaller part holds one window; use a longer text or a smaller context"
        )
    return tokens[:cut], tokens[cut:]


class TokenWindows:
    """Batches of (inputs, targets) from one token sequence; the targets are the inputs moved on by one.

    Args:
        tokens: shape (n,), n > context.
        context: tokens in a window.
        batch: windows in a batch.

    >>> windows = TokenWindows(np.arange(10), context=3, batch=2)
    >>> inputs, targets = windows.draw(np.random.default_rng(0))
    >>> inputs.shape, bool((targets == inputs + 1).all())
    ((2, 3), True)
    """

    def __init__(self, tokens: npt.NDArray[Any], context: int, batch: int) -> None:
        if tokens.ndim != 1:
            raise ShapeError(f"TokenWindows takes a row of tokens; these have shape {tokens.shape}")
        if context < 1 or batch < 1:
            raise ArgumentError(f"context {context} and batch {batch} must be at least 1")
        if len(tokens) < context + 1:
            raise TextError(
                f"{len(tokens)} tokens are too few for a context of {context}; use a longer text or a smaller context"
            )
        self.tokens = np.ascontiguousarray(tokens, dtype=np.int64)
        self.context, self.batch = context, batch
        self._windows = np.lib.stride_tricks.sliding_window_view(self.tokens, context + 1)

    def draw(self, generator: np.random.Generator) -> Batch:
        """A batch of windows at random starts: two int64 arrays of shape (batch, context)."""
        return self._at(generator.integers(len(self._windows), size=self.batch))

    def spread(self, batches: int | None = None) -> Iterator[Batch]:
        """The same windows each time, that do not overlap: `batches` of them spread evenly, or all that there are.

        Windows that fill no whole batch are left out; a sequence of less than one batch repeats its windows.
        """
        starts = np.arange(0, len(self._windows), self.context)
        count = self.whole_batches if batches is None else min(batches, self.whole_batches)
        chosen = starts[np.linspace(0, len(starts) - 1, count * self.batch).round().astype(np.int64)]
        for row in chosen.reshape(count, self.batch):
            yield self._at(row)

    @property
    def whole_batches(self) -> int:
        """How many batches `spread` has, at least 1."""
        return max(1, math.ceil(len(self._windows) / self.context) // self.batch)

    def _at(self, starts: npt.NDArray[np.int64]) -> Batch:
        windows = self._windows[starts]
        return np.ascontiguousarray(windows[:, :-1]), np.ascontiguousarray(windows[:, 1:])
