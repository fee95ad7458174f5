"""What a device says that has no memory left."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from lazygrad.errors import LazygradError, OutOfMemoryError
from lazygrad.runtime.registry import open_device


@contextmanager
def needed_on(name: str) -> Iterator[None]:
    """OutOfMemoryError of device `name` for a MemoryError of NumPy's, which asked for memory besides the device's pool.

    >>> with needed_on("NUMPY"): raise MemoryError
    Traceback (most recent call last):
        ...
    lazygrad.errors.OutOfMemoryError: out of memory on NUMPY: ...
    """
    try:
        yield
    except LazygradError:
        raise
    except MemoryError as error:
        shape, dtype = getattr(error, "shape", ()), getattr(error, "dtype", None)  # NumPy's has both
        asked = 0 if dtype is None else math.prod(shape) * dtype.itemsize
        pool = open_device(name).pool
        raise OutOfMemoryError(name, asked, pool.live_bytes, pool.cached_bytes, pool.largest(), pool.limit) from error
