"""Values that go from one device to another without passing through the host."""

from __future__ import annotations

from lazygrad.ir.node import Node, buffer
from lazygrad.runtime.base import Storage
from lazygrad.runtime.registry import open_device


def fetch(source: Storage, copy: Node, name: str) -> Node | None:
    """A BUFFER on device `name` with what `source` holds, of the type and shape of the COPY node `copy`.

    None where that device cannot read the other one's memory by itself.
    """
    if source.memory is None:
        return None
    memory = open_device(name).receive(open_device(source.device), source.memory, source.nbytes)
    return None if memory is None else buffer(Storage(name, source.nbytes, memory), copy.dtype, copy.shape)
