"""Dtypes, numbers and layouts, as PyTorch has them beside tensors. No logic is here."""

import math

from lazygrad.dtype import DType, dtypes

__all__ = [
    "Size",
    "bfloat16",
    "channels_last",
    "channels_last_3d",
    "contiguous_format",
    "double",
    "dtype",
    "e",
    "float16",
    "float32",
    "float64",
    "half",
    "inf",
    "int8",
    "int16",
    "int32",
    "int64",
    "long",
    "nan",
    "newaxis",
    "pi",
    "preserve_format",
    "short",
    "strided",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]

dtype = DType
bfloat16, float16, float32, float64 = dtypes.bfloat16, dtypes.float16, dtypes.float32, dtypes.float64
half, double = dtypes.float16, dtypes.float64
int8, int16, int32, int64 = dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64
short, long = dtypes.int16, dtypes.int64
uint8, uint16, uint32, uint64 = dtypes.uint8, dtypes.uint16, dtypes.uint32, dtypes.uint64
inf, nan, pi, e, newaxis = math.inf, math.nan, math.pi, math.e, None
Size: type[tuple[int, ...]] = tuple
# Where `memory_format=` and `layout=` are taken: elements are in row-major order whatever they say.
contiguous_format, preserve_format, strided = "contiguous_format", "preserve_format", "strided"
channels_last, channels_last_3d = "channels_last", "channels_last_3d"
