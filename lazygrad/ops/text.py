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
    shown = _edges(values) if values.size > ELLIPSIS_OVER else values  # the format is that of what is shown
    write, width = _number_writer(shown.reshape(-1))
    if not values.ndim:
        return write(values[()])
    text = np.array2string(
        values,
        separator=", ",
        prefix="tensor(",
        max_line_width=WIDTH,
        threshold=ELLIPSIS_OVER,
        edgeitems=EDGE,
        formatter={"all": lambda v: write(v).rjust(width)},
    )
    return text.replace(", ..., ", ",  ..., ")


def _edges(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    for axis, n in enumerate(values.shape):
        if n > 2 * EDGE:
            values = np.take(values, [*range(EDGE), *range(n - EDGE, n)], axis)
    return values


def _number_writer(flat: np.ndarray[Any, Any]) -> tuple[Callable[[Any], str], int]:
    """The one format in which all these numbers are written, and its width (of floats: of the finite ones but 0)."""
    if flat.dtype.kind != "f":
        return str, max(len(str(v)) for v in flat)
    finite = flat[np.isfinite(flat) & (flat != 0)].astype(np.float64)
    sizes = np.abs(finite)
    whole = bool((finite == np.ceil(finite)).all())
    wide_range = finite.size and (sizes.max() / sizes.min() > 1000 or sizes.max() > 1e8)
    if wide_range or (not whole and sizes.min() < 1e-4):
        write: Callable[[Any], str] = f"{{:.{DIGITS}e}}".format
    elif whole:
        write = _whole_number
    else:
        write = f"{{:.{DIGITS}f}}".format
    return write, max((len(write(v)) for v in finite), default=1)


def _whole_number(v: Any) -> str:
    return f"{v:.0f}." if np.isfinite(v) else str(v)
