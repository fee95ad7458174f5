"""Text as token numbers, and token numbers drawn from logits."""

from lazygrad.text.characters import CharTokenizer
from lazygrad.text.sampling import sample

__all__ = ["CharTokenizer", "sample"]
