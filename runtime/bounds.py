"""What every device refuses: parts, reads and writes that are not inside a piece of memory."""

from __future__ import annotations

from lazygrad.errors import BoundsError

from .base import Memory


def check_part(memory: Memory, offset: int, nbytes: int) -> None:
    """BoundsError unless bytes offset to offset + nbytes are inside `memory`."""
    if offset < 0 or nbytes < 0 or offset + nbytes > memory.nbytes:
        raise BoundsError(f"bytes {offset} to {offset + nbytes} are not inside {memory!r}")


def check_alignment(start: int, alignment: int) -> None:
    """BoundsError unless a part may start at byte `start`."""
    if start % alignment:
        raise BoundsError(f"a part of a buffer must start at a multiple of {alignment} bytes, not {start}")


def check_write(memory: Memory, nbytes: int) -> None:
    """BoundsError where `memory` is smaller than what is written to it."""
    if nbytes > memory.nbytes:
        raise BoundsError(f"{nbytes} bytes do not fit into {memory!r}")


def check_read(memory: Memory, nbytes: int) -> None:
    """BoundsError where `memory` is smaller than what is read from it."""
    if nbytes > memory.nbytes:
        raise BoundsError(f"{nbytes} bytes cannot be read from {memory!r}")
