"""`torch.signal` here."""

from lazygrad.signal import windows

__all__ = ["windows"]
