"""Tensor maps: what the copy engine (TMA) of an NVIDIA GPU is told of a tensor, packed for a kernel's parameter."""

from __future__ import annotations

import ctypes

from .base import Memory, TensorMap
from .cuda_driver import Context

MAP_BYTES = 128  # of a packed map, which starts at a multiple of that (of 64 before CUDA 13)
_TYPES = {
    "float16": "FLOAT16", "bfloat16": "BFLOAT16", "float32": "FLOAT32", "float64": "FLOAT64", "uint8": "UINT8",
    "int8": "UINT8", "uint16": "UINT16", "int16": "UINT16", "uint32": "UINT32", "int32": "INT32", "uint64": "UINT64",
    "int64": "INT64",
}  # fmt: skip


def encode(context: Context, tensor_map: TensorMap, memory: Memory, target: int) -> None:
    """Pack `tensor_map` over `memory` at the address `target`; elements outside of the sizes are read as 0."""
    api = context.driver.api
    rank = len(tensor_map.sizes)
    swizzle = f"SWIZZLE_{tensor_map.swizzle}B" if tensor_map.swizzle else "SWIZZLE_NONE"
    context(
        "cuTensorMapEncodeTiled",
        target,
        getattr(api.CUtensorMapDataType, f"CU_TENSOR_MAP_DATA_TYPE_{_TYPES[tensor_map.dtype]}"),
        rank,
        memory.handle,
        (ctypes.c_uint64 * rank)(*tensor_map.sizes),
        (ctypes.c_uint64 * rank)(*tensor_map.strides),
        (ctypes.c_uint32 * rank)(*tensor_map.box),
        (ctypes.c_uint32 * rank)(*[1] * rank),
        api.CUtensorMapInterleave.CU_TENSOR_MAP_INTERLEAVE_NONE,
        getattr(api.CUtensorMapSwizzle, f"CU_TENSOR_MAP_{swizzle}"),
        api.CUtensorMapL2promotion.CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
        api.CUtensorMapFloatOOBfill.CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
    )
