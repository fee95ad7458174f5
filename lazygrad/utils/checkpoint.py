"""`checkpoint`, where PyTorch has it. No logic is here."""

from lazygrad.ops.checkpointing import checkpoint

__all__ = ["checkpoint"]
