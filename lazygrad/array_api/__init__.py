"""The Python array API standard, version 2024.12, over tensors: `xp = x.__array_namespace__()`.

Functions of real dtypes, with the extension `linalg`; complex dtypes are not there, and so `fft` has frequencies, but
its transforms raise DTypeError. What the standard leaves open is as in PyTorch: Python's floats are float32, integers
beside floats take the floats' dtype. Operators of
arrays that this namespace makes promote as its functions do. Those of tensors made elsewhere stay PyTorch's: beside an
array with dimensions a 0-d array counts less there (`add(x, y)` promotes as the standard has it, `x + y` does not).

>>> import lazygrad.array_api as xp
>>> xp.sum(xp.asarray([1, 2, 3]) * 2).item()
12
"""

import math

from lazygrad.array_api import creation, elementwise, fft, linalg, manipulation, products, searching, statistical, types
from lazygrad.array_api.array import Array
from lazygrad.array_api.creation import *
from lazygrad.array_api.elementwise import *
from lazygrad.array_api.info import __array_namespace_info__
from lazygrad.array_api.manipulation import *
from lazygrad.array_api.products import *
from lazygrad.array_api.searching import *
from lazygrad.array_api.statistical import *
from lazygrad.array_api.types import *
from lazygrad.dtype import dtypes

__all__ = [
    "__array_api_version__",
    "__array_namespace_info__",
    "bool",
    "e",
    "fft",
    "float32",
    "float64",
    "from_dlpack",
    "inf",
    "int8",
    "int16",
    "int32",
    "int64",
    "linalg",
    "nan",
    "newaxis",
    "pi",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]
__all__ += creation.__all__
__all__ += elementwise.__all__
__all__ += manipulation.__all__
__all__ += products.__all__
__all__ += searching.__all__
__all__ += statistical.__all__
__all__ += types.__all__

__array_api_version__ = "2024.12"

e, inf, nan, pi, newaxis = math.e, math.inf, math.nan, math.pi, None
bool = dtypes.bool
int8 = dtypes.int8
int16 = dtypes.int16
int32 = dtypes.int32
int64 = dtypes.int64
uint8 = dtypes.uint8
uint16 = dtypes.uint16
uint32 = dtypes.uint32
uint64 = dtypes.uint64
float32 = dtypes.float32
float64 = dtypes.float64
from_dlpack = Array.from_dlpack
