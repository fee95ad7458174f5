"""Splits and batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazygrad.data import TokenWindows, split_tokens
from lazygrad.errors import ArgumentError, ShapeError, TextError


def test_ninety_ten() -> None:
    train, validation = split_tokens(np.arange(1000), context=64)
    assert train.tolist() == list(range(900))
    assert validation.tolist() == list(range(900, 1000))


@given(context=st.integers(1, 40), fraction=st.sampled_from([0.5, 0.9, 0.25]))
def test_the_length_that_a_too_short_text_is_told_is_enough(context: int, fraction: float) -> None:
    with pytest.raises(TextError, match=f"has 2 tokens, and a context of {context} needs about") as caught:
        split_tokens(np.arange(2), context, fraction)
    needed = int(str(caught.value).split("needs about ")[1].split(",")[0])
    for part in split_tokens(np.arange(needed), context, fraction):
        TokenWindows(part, context, 1)


def test_a_draw_is_windows_of_the_text_and_depends_on_the_generator_alone() -> None:
    windows = TokenWindows(np.arange(50, dtype=np.uint8), context=7, batch=500)
    inputs, targets = windows.draw(np.random.default_rng(5))
    assert inputs.shape == targets.shape == (500, 7)
    assert inputs.dtype == targets.dtype == np.int64
    np.testing.assert_array_equal(targets, inputs + 1)
    np.testing.assert_array_equal(np.diff(inputs, axis=1), 1)
    assert set(inputs[:, 0]) == set(range(43))  # the first and the last possible window occur
    generator = np.random.default_rng(5)
    np.testing.assert_array_equal(windows.draw(generator)[0], inputs)
    state = generator.bit_generator.state
    second = windows.draw(generator)[0]
    assert not np.array_equal(second, inputs)
    generator.bit_generator.state = state
    np.testing.assert_array_equal(windows.draw(generator)[0], second)


def test_spread_covers_the_text_once_without_overlap() -> None:
    windows = TokenWindows(np.arange(65), context=4, batch=4)
    batches = list(windows.spread())
    assert len(batches) == 4
    assert np.concatenate([inputs for inputs, _ in batches]).reshape(-1).tolist() == list(range(64))
    few = list(windows.spread(2))
    starts = np.concatenate([inputs for inputs, _ in few])[:, 0]
    assert len(set(starts)) == 8
    assert starts[0] == 0
    assert starts[-1] == 60


def test_spread_of_less_than_a_batch_repeats() -> None:
    ((inputs, targets),) = TokenWindows(np.arange(6), context=4, batch=3).spread()
    assert inputs.tolist() == [[0, 1, 2, 3]] * 3
    assert targets.tolist() == [[1, 2, 3, 4]] * 3


def test_arguments_are_checked() -> None:
    with pytest.raises(ArgumentError, match=r"fraction is 1\.5"):
        split_tokens(np.arange(10), 2, 1.5)
    with pytest.raises(ShapeError, match=r"shape \(2, 5\)"):
        TokenWindows(np.zeros((2, 5)), 2, 1)
    with pytest.raises(ArgumentError, match="context 0 and batch 1"):
        TokenWindows(np.arange(5), 0, 1)
    with pytest.raises(TextError, match="4 tokens are too few for a context of 4"):
        TokenWindows(np.arange(4), 4, 1)
