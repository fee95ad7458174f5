"""Values that the host needs at once: shapes that depend on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from lazygrad.engine.run import read
from lazygrad.ops.core import Core


def on_host(t: Core) -> np.ndarray[Any, Any]:
    """The elements of a tensor, which is realized; refused while a function is traced."""
    return read(t.node, t.device)


def mask_values(mask: Any) -> np.ndarray[Any, Any]:
    """A boolean array, list or tensor on the host."""
    return on_host(mask).astype(np.bool_) if isinstance(mask, Core) else np.asarray(mask)
