"""Tensor maps: what the copy engine (TMA) of an NVIDIA GPU is told of a tensor, packed for a kernel's parameter."""

from __future__ import annotations

import ctypes

import numpy as np

from .base import Bytes, Memory, TensorMap
from .cuda_driver import Context

MAP_BYTES = 128  # of a packed map, which starts at a multiple of half that
_TYPES = {
    "float16": "FLOAT16", "bfloat16": "BFLOAT16", "float32": "FLOAT32", "float64": "FLOAT64", "uint8": "UINT8",
    "int8": "UINT8", "uint16": "UINT16", "int16": "UINT16", "uint32": "UINT32", "int32": "INT32", "uint64": "UINT64",
    "int64": "INT64",
}  # fmt: skip


def encode(context: Context, tensor_map: TensorMap, memory: Memory) -> Bytes:
    """`tensor_map` over `memory`; elements outside of the sizes are read as 0."""
    api = context.driver.api
    rank = len(tensor_map.sizes)
    swizzle = f"SWIZZLE_{tensor_map.swizzle}B" if tensor_map.swizzle else "SWIZZLE_NONE"
    packed = context(
        "cuTensorMapEncodeTiled",
        getattr(api.CUtensorMapDataType, f"CU_TENSOR_MAP_DATA_TYPE_{_TYPES[tensor_map.dtype]}"),
        rank,
        memory.handle,
        [api.cuuint64_t(n) for n in tensor_map.sizes],
        [api.cuuint64_t(n) for n in tensor_map.strides],
        [api.cuuint32_t(n) for n in tensor_map.box],
        [api.cuuint32_t(1)] * rank,
        api.CUtensorMapInterleave.CU_TENSOR_MAP_INTERLEAVE_NONE,
        getattr(api.CUtensorMapSwizzle, f"CU_TENSOR_MAP_{swizzle}"),
        api.CUtensorMapL2promotion.CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
        api.CUtensorMapFloatOOBfill.CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
    )
    held = (ctypes.c_uint8 * MAP_BYTES).from_address(int(packed.getPtr()))
    return np.array(held, np.uint8)
