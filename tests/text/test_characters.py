"""The character tokenizer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazygrad.errors import BoundsError, TextError
from lazygrad.text import CharTokenizer


@given(st.text(min_size=1))
def test_any_text_comes_back(text: str) -> None:
    tokenizer = CharTokenizer.from_corpus(text)
    tokens = tokenizer.encode(text)
    assert tokens.dtype == np.int64
    assert tokens.shape == (len(text),)
    assert tokenizer.decode(tokens) == text
    assert tokenizer.decode(iter(tokens.tolist())) == text
    assert len(tokenizer) == len(set(text)) == int(tokens.max()) + 1
    assert CharTokenizer.from_json(tokenizer.to_json()) == tokenizer


def test_the_order_of_a_given_vocabulary_is_kept() -> None:
    tokenizer = CharTokenizer("zaé🙂")
    assert tokenizer.encode("a🙂éz").tolist() == [1, 3, 2, 0]
    assert tokenizer != CharTokenizer.from_corpus("zaé🙂")
    assert CharTokenizer.from_json(tokenizer.to_json()).vocabulary == "zaé🙂"
    assert repr(tokenizer) == "CharTokenizer(4 characters)"
    assert tokenizer.encode("").shape == (0,)
    assert tokenizer.decode([]) == ""


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda t: t.encode("abXa"),
            r"character 'X' \(U\+0058 LATIN CAPITAL LETTER X\) at position 2 is not in the vocab",
        ),
        (lambda t: t.encode("\t"), r"character '\\t' \(U\+0009\) at position 0"),
        (lambda t: t.encode("ab🙂"), r"U\+1F642 SLIGHTLY SMILING FACE\) at position 2"),
        (lambda t: CharTokenizer(""), "at least one character"),
        (lambda t: CharTokenizer("aba"), r"has 'a' \(U\+0061 LATIN SMALL LETTER A\) twice"),
        (lambda t: CharTokenizer.from_json("nonsense"), "not the JSON of a character tokenizer: 'nonsense'"),
        (lambda t: CharTokenizer.from_json('{"type": "bpe"}'), "not the JSON of a character tokenizer"),
        (lambda t: CharTokenizer.from_json("[1]"), "not the JSON of a character tokenizer"),
    ],
)
def test_errors_name_the_character_and_its_place(call: Callable[[CharTokenizer], object], message: str) -> None:
    with pytest.raises(TextError, match=message):
        call(CharTokenizer("ab"))


@pytest.mark.parametrize("bad", [-1, 2])
def test_tokens_out_of_range(bad: int) -> None:
    with pytest.raises(BoundsError, match=rf"token {bad} at position 1 is outside 0\.\.1"):
        CharTokenizer("ab").decode([0, bad])
