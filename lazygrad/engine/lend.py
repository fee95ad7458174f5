"""Memory that others read while tensors go on using it."""

from __future__ import annotations

from typing import Any

import numpy as np

from lazygrad.engine.launch import memory_of
from lazygrad.engine.run import readable, storage_of
from lazygrad.ir.node import Node
from lazygrad.runtime.numpy import array_at
from lazygrad.runtime.registry import open_device


def lend(n: Node) -> np.ndarray[Any, Any]:
    """The elements of a realized node where they are: an array that keeps them there, of type `dtype.storage`.

    Its address is one of the device's: `Runtime.place` says who can read there. Nothing here writes there any more:
    in-place operations take other memory. Errors as those of `run.download`.
    """
    readable(n)
    storage, shape = storage_of(n), tuple(int(d) for d in n.shape)
    if storage.nbytes == 0:
        return np.zeros(shape, n.dtype.storage)
    memory = memory_of(storage)
    memory.readonly = True
    open_device(storage.device).synchronize()
    address = memory.handle if memory.host is None else memory.host.ctypes.data
    return array_at(address, shape, n.dtype.storage, memory.lease)
