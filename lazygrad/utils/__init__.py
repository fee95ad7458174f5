"""Tools of training, where PyTorch has them. No logic is here."""

from lazygrad.utils import checkpoint, data, dlpack

__all__ = ["checkpoint", "data", "dlpack"]
