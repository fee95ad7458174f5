"""Corpora and the batches drawn from them."""

from lazygrad.data.corpus import Corpus, load_corpus
from lazygrad.data.windows import TokenWindows, split_tokens

__all__ = ["Corpus", "TokenWindows", "load_corpus", "split_tokens"]
