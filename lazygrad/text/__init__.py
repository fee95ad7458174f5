"""Text as token numbers, and token numbers drawn from logits."""

from lazygrad.text.characters import CharTokenizer
from lazygrad.text.sampling import check_sampling, sample

__all__ = ["CharTokenizer", "check_sampling", "sample"]
