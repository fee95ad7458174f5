"""How tensors print: as PyTorch prints them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazygrad.dtype import DType, dtypes
from lazygrad.errors import ArgumentError, fail

_UNSPOKEN = (dtypes.float32, dtypes.int64, dtypes.bool)  # the dtypes that the values themselves tell
INDENT = len("tensor(")
MOST = 1000  # digits, elements and characters that can be asked for


@dataclass
class Options:
    """How numbers are printed; see `set_printoptions`."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {"default": Options(), "short": Options(2, 1000, 2), "full": Options(4, math.inf)}
_options = Options()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """How tensors print from now on; what is not given stays, but `sci_mode`, which is then chosen by the numbers.

    Args:
        precision: digits behind the point.
        threshold: elements of a tensor from which on only `edgeitems` at the ends of its dimensions are shown.
        linewidth: characters of a line.
        profile: where to start: "default", "short" or "full".
        sci_mode: whether numbers are written with an exponent.

    ArgumentError for other profiles, and for numbers that no print has.

    >>> set_printoptions(precision=2); Tensor([1 / 3])
    tensor([0.33])
    >>> set_printoptions(profile="default")
    """
    for name, value, least in (("precision", precision, 0), ("edgeitems", edgeitems, 0), ("linewidth", linewidth, 1)):
        if value is not None and not least <= value <= MOST:
            fail(ArgumentError, f"set_printoptions: {name} is {value}; it is between {least} and {MOST}")
    if threshold is not None and not threshold >= 0:
        fail(ArgumentError, f"set_printoptions: threshold is {threshold}; it is at least 0")
    if profile is not None:
        if profile not in _PROFILES:
            fail(ArgumentError, f"set_printoptions: profile is one of {', '.join(_PROFILES)}, not {profile!r}")
        vars(_options).update(vars(_PROFILES[profile]))
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    vars(_options).update({name: value for name, value in given.items() if value is not None}, sci_mode=sci_mode)


def tensor_text(values: np.ndarray[Any, Any], dtype: DType, requires_grad: bool) -> str:
    """`tensor([...], dtype=..., requires_grad=...)`.

    >>> tensor_text(np.array([1.0, 0.5], np.float32), dtypes.float32, True)
    'tensor([1.0000, 0.5000], requires_grad=True)'
    """
    notes = []
    if values.size == 0 and values.ndim > 1:
        notes.append(f"size={values.shape}")
    if dtype not in (_UNSPOKEN if values.size else _UNSPOKEN[:1]):
        notes.append(f"dtype={dtype}")
    if requires_grad:
        notes.append("requires_grad=True")
    text = "tensor([]" if values.size == 0 else f"tensor({_array_text(values)}"
    for note in notes:
        used = len(text) - text.rfind("\n") - 1
        fits = used + len(note) + 4 <= _options.linewidth  # as PyTorch counts
        text += f", {note}" if fits else f",\n{' ' * INDENT}{note}"
    return f"{text})"


def _array_text(values: np.ndarray[Any, Any]) -> str:
    edge, is_long = _options.edgeitems, values.size > _options.threshold
    cut = [is_long and n > 2 * edge for n in values.shape]  # along which axes the middle is left out
    shown = _edges(values) if is_long else values
    write, width = _number_writer(shown.reshape(-1))

    def text(block: np.ndarray[Any, Any], indent: int) -> str:
        if not block.ndim:
            return write(block[()]).rjust(width)
        parts, is_row = [text(x, indent + 1) for x in block], block.ndim == 1
        if cut[-block.ndim]:
            parts.insert(edge, " ..." if is_row else "...")
        each = max(1, (_options.linewidth - indent + 1) // (width + 2)) if is_row else 1
        lines = [", ".join(parts[k : k + each]) for k in range(0, len(parts), each)]
        between = "," + "\n" * max(1, block.ndim - 1) + " " * indent
        return f"[{between.join(lines)}]"

    return text(shown, INDENT + 1)


def _edges(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    edge = _options.edgeitems
    for axis, n in enumerate(values.shape):
        if n > 2 * edge:
            values = np.take(values, [*range(edge), *range(n - edge, n)], axis)
    return values


def _number_writer(flat: np.ndarray[Any, Any]) -> tuple[Callable[[Any], str], int]:
    """The one format in which all these numbers are written, and its width (of floats: of the finite ones but 0)."""
    if flat.dtype.kind != "f":
        return str, max(len(str(v)) for v in flat)
    finite = flat[np.isfinite(flat) & (flat != 0)].astype(np.float64)
    sizes = np.abs(finite)
    whole = bool((finite == np.ceil(finite)).all())
    wide_range = finite.size and (sizes.max() / sizes.min() > 1000 or sizes.max() > 1e8)
    scientific = wide_range or (not whole and sizes.min() < 1e-4)
    if scientific if _options.sci_mode is None else _options.sci_mode:
        write: Callable[[Any], str] = f"{{:.{_options.precision}e}}".format
    elif whole:
        write = _whole_number
    else:
        write = f"{{:.{_options.precision}f}}".format
    return write, max((len(write(v)) for v in finite), default=1)


def _whole_number(v: Any) -> str:
    return f"{v:.0f}." if np.isfinite(v) else str(v)
