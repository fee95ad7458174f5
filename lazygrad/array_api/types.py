"""Data types: what they hold, what becomes what, and casts."""

from __future__ import annotations

from typing import Any

from lazygrad.array_api.promotion import an_array, common_type
from lazygrad.dtype import DType, as_dtype, promote
from lazygrad.errors import ArgumentError, DTypeError
from lazygrad.ops import types_of
from lazygrad.ops.core import fail
from lazygrad.tensor import Tensor

__all__ = [
    "astype",
    "can_cast",
    "finfo",
    "iinfo",
    "isdtype",
    "result_type",
]

_KINDS = {
    "bool": ("bool",),
    "signed integer": ("int",),
    "unsigned integer": ("uint",),
    "integral": ("int", "uint"),
    "real floating": ("float",),
    "complex floating": (),
    "numeric": ("int", "uint", "float"),
}


class finfo(types_of.finfo):  # noqa: N801 - the standard's name
    """What the floating dtype of an array, or a dtype, holds: bits, eps, max, min, smallest_normal, dtype.

    >>> finfo(Tensor([1.0])).bits, finfo(Tensor([1.0])).dtype
    (32, float32)
    """

    def __init__(self, type: DType | Tensor, /) -> None:
        kind = _dtype_of(type)
        super().__init__(kind)
        self.dtype: Any = kind


class iinfo(types_of.iinfo):  # noqa: N801 - the standard's name
    """What the integer dtype of an array, or a dtype, holds: bits, max, min, dtype.

    >>> iinfo(Tensor([1])).max == 2**63 - 1
    True
    """

    def __init__(self, type: DType | Tensor, /) -> None:
        kind = _dtype_of(type)
        super().__init__(kind)
        self.dtype: Any = kind


def astype(x: Tensor, dtype: DType, /, *, copy: bool = True, device: str | None = None) -> Tensor:
    """`x` in another dtype, on another device, or both; a new array, unless `copy` is False and nothing changes.

    >>> astype(Tensor([1.7, -1.7]), dtypes.int32).tolist()
    [1, -1]
    """
    return an_array("astype", x).to(device=device, dtype=as_dtype(dtype), copy=copy)


def can_cast(from_: DType | Tensor, to: DType, /) -> bool:
    """Whether promotion leads from the one dtype to the other.

    >>> can_cast(dtypes.int8, dtypes.int16), can_cast(dtypes.float64, dtypes.float32)
    (True, False)
    """
    try:
        return promote(_dtype_of(from_), as_dtype(to)) is as_dtype(to)
    except DTypeError:  # nothing holds both
        return False


def isdtype(dtype: DType, kind: DType | str | tuple[DType | str, ...]) -> bool:
    """Whether `dtype` is of a kind, or of one of several: dtypes, or "bool", "signed integer", "unsigned integer",
    "integral", "real floating", "complex floating" (nothing is, here), "numeric". ArgumentError for other names.

    >>> isdtype(dtypes.uint8, ("bool", "integral"))
    True
    """
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return any(as_dtype(dtype).kind in of_kind(k) if isinstance(k, str) else as_dtype(dtype) is k for k in kinds)


def of_kind(kind: str) -> tuple[str, ...]:
    """The kinds of dtypes that a name of the standard's covers. ArgumentError for other names."""
    if kind not in _KINDS:
        fail(ArgumentError, f"{kind!r} is no kind of dtypes; the kinds are {', '.join(_KINDS)}")
    return _KINDS[kind]


def result_type(*arrays_and_dtypes: Tensor | DType | float) -> DType:
    """The dtype of an operation on all of these. 0-d arrays count as any other; numbers only lift the category.

    >>> result_type(Tensor([1], dtype="int8"), dtypes.uint8, 1.5)
    float32
    """
    return common_type("result_type", *arrays_and_dtypes)


def _dtype_of(given: Any) -> DType:
    return given.dtype if isinstance(given, Tensor) else as_dtype(given)
