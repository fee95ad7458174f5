"""Emulator."""

from .runtime import EmulatedRuntime

__all__ = ["EmulatedRuntime"]
