"""What types there are, what they hold, and which one several operands meet in."""

from __future__ import annotations

from typing import Any

from lazygrad.dtype import DTypeLike, as_dtype, category, dtypes, get_default_dtype, promote
from lazygrad.errors import DTypeError, fail
from lazygrad.ops.core import Core
from lazygrad.ops.promotion import result_type as promoted

_MANTISSA = {dtypes.float64: 52, dtypes.float32: 23, dtypes.float16: 10, dtypes.bfloat16: 7}
_RESOLUTION = {dtypes.float64: 1e-15, dtypes.float32: 1e-6, dtypes.float16: 1e-3, dtypes.bfloat16: 1e-2}
_EXPONENT = {dtypes.float64: 1023, dtypes.float32: 127, dtypes.float16: 15, dtypes.bfloat16: 127}


class finfo:  # noqa: N801 - PyTorch's name
    """What a floating dtype holds: bits, eps, max, min, tiny, smallest_normal, resolution. DTypeError for others.

    >>> finfo(dtypes.float16).max, finfo(dtypes.float32).eps
    (65504.0, 1.1920928955078125e-07)
    """

    def __init__(self, type: DTypeLike | None = None) -> None:
        kind = as_dtype(type, get_default_dtype())
        if not kind.is_float:
            fail(DTypeError, f"finfo: {kind} is no floating type; see iinfo")
        digits, highest = _MANTISSA[kind], _EXPONENT[kind]
        self.dtype, self.bits = str(kind), kind.bits
        self.eps = 2.0**-digits
        self.max = (2 - self.eps) * 2.0**highest
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0 ** (1 - highest)
        self.resolution = _RESOLUTION[kind]

    def __repr__(self) -> str:
        held = ", ".join(f"{name}={getattr(self, name):g}" for name in ("min", "max", "eps", "smallest_normal", "tiny"))
        return f"finfo(resolution={self.resolution:g}, {held}, dtype={self.dtype})"


class iinfo:  # noqa: N801 - PyTorch's name
    """What an integer dtype holds: bits, min, max. DTypeError for others.

    >>> iinfo(dtypes.int8).min, iinfo(dtypes.int8).max, iinfo(dtypes.int8).bits
    (-128, 127, 8)
    """

    def __init__(self, type: DTypeLike) -> None:
        kind = as_dtype(type)
        if not kind.is_int:
            fail(DTypeError, f"iinfo: {kind} is no integer type; see finfo")
        self.dtype, self.bits = str(kind), kind.bits
        self.min, self.max = int(kind.min), int(kind.max)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


def promote_types(type1: DTypeLike, type2: DTypeLike) -> Any:
    """The smallest type that tensors of both meet in.

    >>> promote_types(dtypes.int32, dtypes.float16)
    float16
    """
    return promote(as_dtype(type1), as_dtype(type2))


def result_type(tensor1: Any, tensor2: Any) -> Any:
    """The type of an operation between these tensors or numbers.

    >>> result_type(Tensor([1, 2]), 1.5)
    float32
    """
    return promoted("result_type", tensor1, tensor2)


def can_cast(from_: DTypeLike, to: DTypeLike) -> bool:
    """Whether a result of the one type may be stored in a tensor of the other: not floats as integers, and neither as
    bools.

    >>> can_cast(dtypes.float64, dtypes.float16), can_cast(dtypes.float32, dtypes.int64)
    (True, False)
    """
    return category(as_dtype(from_)) <= category(as_dtype(to))


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a Tensor.

    >>> is_tensor(Tensor([1])), is_tensor([1])
    (True, False)
    """
    return isinstance(obj, Core)
