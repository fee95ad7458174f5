"""New arrays. `dtype` None is float32, int64 or bool for Python's numbers; `device` None is the default device."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lazygrad.array_api.array import Array
from lazygrad.array_api.promotion import Number, an_array
from lazygrad.dtype import DType, as_dtype, dtypes
from lazygrad.ops.creation import device_name
from lazygrad.ops.grids import meshgrid as grids
from lazygrad.ops.types_of import finfo
from lazygrad.tensor import Tensor

__all__ = [
    "arange",
    "asarray",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "linspace",
    "meshgrid",
    "ones",
    "ones_like",
    "tril",
    "triu",
    "zeros",
    "zeros_like",
]

Shape = int | tuple[int, ...]


def arange(
    start: float,
    /,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: DType | None = None,
    device: str | None = None,
) -> Tensor:
    """start, start + step, ... before `stop` (one number: from 0); empty where the steps do not lead there.

    >>> arange(2, 10, 3).tolist(), arange(3, 0).tolist()
    ([2, 5, 8], [])
    """
    first, last = (0, start) if stop is None else (start, stop)
    if step != 0 and (last - first) / step < 0:
        last = first
    kind = dtype or (dtypes.float32 if any(isinstance(v, float) for v in (start, stop, step)) else dtypes.int64)
    return Array.arange(first, last, step, dtype=kind, device=device)


def asarray(obj: Any, /, *, dtype: DType | None = None, device: str | None = None, copy: bool | None = None) -> Tensor:
    """An array of numbers, nested lists of numbers, or another library's array (NumPy's, or one with `__dlpack__`).

    A float beyond float32 is a float64. `copy`: True for a new array; False for the memory that there is, ValueError
    where that cannot be; None for what `obj` is where it is a tensor that fits, else a new array.

    >>> asarray([[1, 2]], dtype=dtypes.float32).tolist()
    [[1.0, 2.0]]
    """
    if isinstance(obj, Tensor):
        kind, name = as_dtype(dtype, obj.dtype), obj.device if device is None else device_name(device)
        if copy is False and (kind, name) != (obj.dtype, obj.device):
            raise ValueError(f"asarray: {obj.dtype} on {obj.device} is not {kind} on {name} without a copy")
        return obj.to(device=name, dtype=kind, copy=bool(copy))
    if hasattr(obj, "__dlpack__") and (copy is False or not isinstance(obj, np.ndarray)):
        taken = Array.from_dlpack(obj, device=device_name(device), copy=copy is not False)
        return asarray(taken, dtype=dtype, copy=False if copy is False else None)
    if dtype is None and isinstance(obj, float) and math.isfinite(obj) and abs(obj) > finfo(dtypes.float32).max:
        dtype = dtypes.float64
    if copy is False:
        raise ValueError(f"asarray: {type(obj).__name__} is no array, and copy=False allows no new one")
    return Array(np.asarray(obj) if isinstance(obj, memoryview) else obj, dtype=dtype, device=device)


def empty(shape: Shape, *, dtype: DType | None = None, device: str | None = None) -> Tensor:
    """An array whose values do not matter: zeros.

    >>> empty((2, 3)).shape
    (2, 3)
    """
    return Array.empty(shape, dtype=dtype, device=device)


def empty_like(x: Tensor, /, *, dtype: DType | None = None, device: str | None = None) -> Tensor:
    """`empty`, in the shape and, unless they are given, of the dtype and on the device of `x`.

    >>> empty_like(Tensor([1, 2])).dtype
    int64
    """
    return an_array("empty_like", x).empty_like(dtype=dtype, device=device)


def eye(
    n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: DType | None = None, device: str | None = None
) -> Tensor:
    """Ones on the diagonal `k` places above the main one of an (n_rows, n_cols) matrix, else zeros.

    >>> eye(2, 3, k=1).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    columns = n_rows if n_cols is None else n_cols
    return Array.ones(n_rows, columns, dtype=dtype, device=device).triu(k).tril(k)


def full(shape: Shape, fill_value: Number, *, dtype: DType | None = None, device: str | None = None) -> Tensor:
    """An array of one value; the dtype is that of the value.

    >>> full(2, 7).tolist()
    [7, 7]
    """
    return Array.full(shape, fill_value, dtype=dtype, device=device)


def full_like(x: Tensor, /, fill_value: Number, *, dtype: DType | None = None, device: str | None = None) -> Tensor:
    """`full`, in the shape and, unless they are given, of the dtype and on the device of `x`.

    >>> full_like(Tensor([1, 2]), 5).tolist()
    [5, 5]
    """
    return an_array("full_like", x).full_like(fill_value, dtype=dtype, device=device)


def linspace(
    start: float,
    stop: float,
    /,
    num: int,
    *,
    dtype: DType | None = None,
    device: str | None = None,
    endpoint: bool = True,
) -> Tensor:
    """`num` numbers at equal distances from `start` to `stop`, which is the last one if it is the `endpoint`.

    >>> linspace(0, 1, 4, endpoint=False).tolist()
    [0.0, 0.25, 0.5, 0.75]
    """
    return Array.linspace(start, stop, num if endpoint else num + 1, dtype=dtype, device=device)[:num]


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> list[Tensor]:
    """Coordinates of a grid: array k varies along axis k, but the first two are exchanged with `indexing` "xy".

    >>> [x.tolist() for x in meshgrid(Tensor([1, 2]), Tensor([3, 4, 5]))]
    [[[1, 2], [1, 2], [1, 2]], [[3, 3], [4, 4], [5, 5]]]
    """
    return list(grids(*arrays, indexing=indexing)) if arrays else []


def ones(shape: Shape, *, dtype: DType | None = None, device: str | None = None) -> Tensor:
    """Ones.

    >>> ones(2).tolist()
    [1.0, 1.0]
    """
    return Array.ones(shape, dtype=dtype, device=device)


def ones_like(x: Tensor, /, *, dtype: DType | None = None, device: str | None = None) -> Tensor:
    """`ones`, in the shape and, unless they are given, of the dtype and on the device of `x`.

    >>> ones_like(Tensor([3, 4])).tolist()
    [1, 1]
    """
    return an_array("ones_like", x).ones_like(dtype=dtype, device=device)


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """`x` (..., M, N) with zeros above the diagonal `k`.

    >>> tril(Tensor([[1, 2], [3, 4]])).tolist()
    [[1, 0], [3, 4]]
    """
    return an_array("tril", x).tril(k)


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """`x` (..., M, N) with zeros below the diagonal `k`.

    >>> triu(Tensor([[1, 2], [3, 4]])).tolist()
    [[1, 2], [0, 4]]
    """
    return an_array("triu", x).triu(k)


def zeros(shape: Shape, *, dtype: DType | None = None, device: str | None = None) -> Tensor:
    """Zeros.

    >>> zeros((1, 2)).tolist()
    [[0.0, 0.0]]
    """
    return Array.zeros(shape, dtype=dtype, device=device)


def zeros_like(x: Tensor, /, *, dtype: DType | None = None, device: str | None = None) -> Tensor:
    """`zeros`, in the shape and, unless they are given, of the dtype and on the device of `x`.

    >>> zeros_like(Tensor([3, 4])).tolist()
    [0, 0]
    """
    return an_array("zeros_like", x).zeros_like(dtype=dtype, device=device)
