"""Floats of 8 bits, which files have and lazygrad computes in float16: it holds every one of their values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def _e4m3(byte: int) -> float:
    """Sign, 4 bits of exponent (bias 7), 3 of fraction; no infinities, and one nan of each sign."""
    exponent, fraction = byte >> 3 & 15, byte & 7
    if byte & 0x7F == 0x7F:
        return float("nan")
    size = (1 + fraction / 8) * 2.0 ** (exponent - 7) if exponent else fraction / 8 * 2.0**-6
    return -size if byte & 0x80 else size


_BYTES = np.arange(256, dtype=np.uint16)

# Code in a safetensors header -> the float16 that each byte stands for. An E5M2 is the upper half of a float16.
FLOAT8: dict[str, npt.NDArray[np.float16]] = {
    "F8_E4M3": np.array([_e4m3(byte) for byte in range(256)], dtype=np.float16),
    "F8_E5M2": (_BYTES << 8).view(np.float16),
}
