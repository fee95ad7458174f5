"""Values that go from one device to another without passing through the host."""

from __future__ import annotations

from lazygrad.runtime.base import Storage
from lazygrad.runtime.registry import open_device


def fetch(source: Storage, name: str) -> Storage | None:
    """A copy of `source` on device `name`; None where that device cannot read the other one's memory by itself."""
    if source.memory is None or source.device == name:
        return None
    memory = open_device(name).receive(open_device(source.device), source.memory, source.nbytes)
    return None if memory is None else Storage(name, source.nbytes, memory)
