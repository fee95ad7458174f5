"""The emulator's own tensor maps: what `cuTensorMapEncodeTiled` would check and pack, in 128 bytes."""

from __future__ import annotations

import struct

import numpy as np

from lazygrad.errors import GraphError

from ..base import TensorMap

MAP_BYTES = 128
_LAYOUT = struct.Struct("<Q I I I I 5I 5I 4Q")  # base, array, rank, element, swizzle, sizes, box, strides
_SIZES = {"bfloat16": 2, "float16": 2, "bool": 1}


def encode(tensor_map: TensorMap, kernel: str) -> bytes:
    """The map as `lg_tensor_map` of tma.hpp; GraphError where the hardware would refuse it.

    The rules are those of `cuTensorMapEncodeTiled` in the CUDA driver API.

    >>> len(encode(TensorMap(0, "float16", (64, 8), (128,), (64, 8), 128), "k"))
    128
    """
    m = tensor_map
    element = _SIZES.get(m.dtype) or np.dtype(m.dtype).itemsize
    rank = len(m.sizes)
    inner = m.box[0] * element
    problems = [
        (not 1 <= rank <= 5 or len(m.box) != rank or len(m.strides) != rank - 1, "one to five axes, all described"),
        (not all(1 <= n <= 256 for n in m.box), "a box of 1 to 256 elements along each axis"),
        (inner % 16 != 0, f"rows of a multiple of 16 bytes, not {inner}"),
        (any(s % 16 or s >= 1 << 40 for s in m.strides), "strides that are multiples of 16 bytes"),
        (not all(1 <= n <= 1 << 32 for n in m.sizes), "sizes from 1 to 2^32"),
        (m.swizzle not in (0, 32, 64, 128), "a swizzle of 0, 32, 64 or 128 bytes"),
        (m.swizzle and inner > m.swizzle, f"rows no longer than the swizzle, not {inner} bytes"),
    ]
    for is_wrong, rule in problems:
        if is_wrong:
            raise GraphError(f"{kernel}: a tensor map needs {rule}: {m}")
    five = [*m.sizes, 1, 1, 1, 1][:5], [*m.box, 1, 1, 1, 1][:5], [*m.strides, 0, 0, 0, 0][:4]
    packed = _LAYOUT.pack(0, m.memory, rank, element, m.swizzle, *five[0], *five[1], *five[2])
    return packed.ljust(MAP_BYTES, b"\0")
