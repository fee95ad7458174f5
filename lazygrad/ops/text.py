"""How tensors print: as PyTorch prints them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lazygrad.dtype import DType, dtypes

_UNSPOKEN = (dtypes.float32, dtypes.int64, dtypes.bool)  # the dtypes that the values themselves tell
DIGITS, ELLIPSIS_OVER, EDGE, WIDTH = 4, 1000, 3, 80


def tensor_text(values: np.ndarray[Any, Any], dtype: DType, requires_grad: bool) -> str:
    """`tensor([...], dtype=..., requires_grad=...)`.

    >>> tensor_text(np.array([1.0, 0.5], np.float32), dtypes.float32, True)
    'tensor([1.0000, 0.5000], requires_grad=True)'
    """
    notes = []
    if values.size == 0 and values.ndim > 1:
        notes.append(f"size={values.shape}")
    if dtype not in _UNSPOKEN:
        notes.append(f"dtype={dtype}")
    if requires_grad:
        notes.append("requires_grad=True")
    body = "[]" if values.size == 0 else _array_text(values)
    return f"tensor({', '.join([body, *notes])})"


def _array_text(values: np.ndarray[Any, Any]) -> str:
    shown = values
    if values.size > ELLIPSIS_OVER:  # widths are those of what is shown
        shown = _edges(values)
    write = _number_writer(shown.reshape(-1))
    width = max(len(write(v)) for v in shown.reshape(-1))
    if not values.ndim:
        return write(values[()])
    return np.array2string(
        values,
        separator=", ",
        prefix="tensor(",
        max_line_width=WIDTH,
        threshold=ELLIPSIS_OVER,
        edgeitems=EDGE,
        formatter={"all": lambda v: write(v).rjust(width)},
    )


def _edges(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    for axis, n in enumerate(values.shape):
        if n > 2 * EDGE:
            values = np.take(values, [*range(EDGE), *range(n - EDGE, n)], axis)
    return values


def _number_writer(flat: np.ndarray[Any, Any]) -> Callable[[Any], str]:
    """The one format in which all these numbers are written."""
    if flat.dtype.kind != "f":
        return str
    finite = np.abs(flat[np.isfinite(flat) & (flat != 0)].astype(np.float64))
    if not finite.size:
        return lambda v: f"{v:.0f}." if np.isfinite(v) else str(v)
    whole = bool((finite == np.ceil(finite)).all())
    large = finite.max() > 1e8 or finite.max() / finite.min() > 1000
    if (large and not whole) or finite.max() > 1e8 or finite.min() < 1e-4:
        return lambda v: f"{v:.{DIGITS}e}"
    if whole:
        return lambda v: f"{v:.0f}." if np.isfinite(v) else str(v)
    return lambda v: f"{v:.{DIGITS}f}"
