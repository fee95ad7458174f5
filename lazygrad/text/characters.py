"""A tokenizer whose tokens are the characters of a corpus."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from lazygrad.errors import BoundsError, TextError


class CharTokenizer:
    """One token per character, numbered in the order of the vocabulary.

    Args:
        vocabulary: the characters, each once; token i is `vocabulary[i]`.

    >>> tokenizer = CharTokenizer.from_corpus("banana")
    >>> tokenizer.vocabulary
    'abn'
    >>> tokenizer.encode("nab").tolist()
    [2, 0, 1]
    >>> tokenizer.decode([1, 0, 2])
    'ban'
    >>> CharTokenizer.from_json(tokenizer.to_json()) == tokenizer
    True
    """

    def __init__(self, vocabulary: str) -> None:
        if not vocabulary:
            raise TextError("a vocabulary needs at least one character; was the corpus empty?")
        if len(set(vocabulary)) < len(vocabulary):
            repeated = Counter(vocabulary).most_common(1)[0][0]
            raise TextError(f"the vocabulary has {_name(repeated)} twice; each character is listed once")
        self.vocabulary = vocabulary
        self._codes = np.array([ord(c) for c in vocabulary], dtype=np.int64)
        self._order = np.argsort(self._codes)
        self._sorted = self._codes[self._order]

    @classmethod
    def from_corpus(cls, text: str) -> CharTokenizer:
        """The tokenizer of all characters that occur in `text`, in code-point order."""
        return cls("".join(sorted(set(text))))

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CharTokenizer) and self.vocabulary == other.vocabulary

    def __hash__(self) -> int:
        return hash(self.vocabulary)

    def __repr__(self) -> str:
        return f"CharTokenizer({len(self)} characters)"

    def encode(self, text: str) -> npt.NDArray[np.int64]:
        """The tokens of `text`: int64 of shape (len(text),).

        Raises:
            TextError: names the first character that is not in the vocabulary, and where it stands.
        """
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.int64)
        place = np.minimum(np.searchsorted(self._sorted, codes), len(self) - 1)
        unknown = np.flatnonzero(self._sorted[place] != codes)
        if unknown.size:
            position = int(unknown[0])
            raise TextError(
                f"character {_name(text[position])} at position {position} is not in the vocabulary of {len(self)} "
                f"characters: leave it out, or build the tokenizer from a text that has it"
            )
        return self._order[place]

    def decode(self, tokens: Iterable[int] | npt.NDArray[np.integer]) -> str:
        """The text of `tokens`; BoundsError names a token outside 0..len-1 and where it stands."""
        numbers = np.asarray(tokens if isinstance(tokens, (np.ndarray, Sequence)) else list(tokens), dtype=np.int64)
        numbers = numbers.reshape(-1)
        bad = np.flatnonzero((numbers < 0) | (numbers >= len(self)))
        if bad.size:
            position = int(bad[0])
            raise BoundsError(f"token {numbers[position]} at position {position} is outside 0..{len(self) - 1}")
        return "".join(map(self.vocabulary.__getitem__, numbers.tolist()))

    def to_json(self) -> str:
        """A JSON text that `from_json` reads back."""
        return json.dumps({"type": "characters", "vocabulary": self.vocabulary})

    @classmethod
    def from_json(cls, text: str) -> CharTokenizer:
        """The tokenizer that `to_json` wrote; TextError where the text is not such a JSON."""
        try:
            table = json.loads(text)
        except (ValueError, RecursionError):
            table = None
        vocabulary = table.get("vocabulary") if isinstance(table, dict) and table.get("type") == "characters" else None
        if not isinstance(vocabulary, str):
            raise TextError(f"this is not the JSON of a character tokenizer: {text[:60]!r}")
        return cls(vocabulary)


def _name(character: str) -> str:
    """A character for people, visible also where it has no glyph: `'\\t' (U+0009)`."""
    unicode_name = unicodedata.name(character, "")
    return f"{character!r} (U+{ord(character):04X}{' ' + unicode_name if unicode_name else ''})"
