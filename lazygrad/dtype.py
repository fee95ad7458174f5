"""Element types and PyTorch's promotion between them.

A `DType` names how one element is stored. Promotion follows PyTorch: categories are ordered
bool < integer < floating, Python scalars are weak (they only raise the category).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np

from lazygrad.errors import DTypeError, fail

Kind = Literal["bool", "uint", "int", "float"]
Scalar = bool | int | float


@dataclass(frozen=True, slots=True, eq=False)  # there is one object for each type
class DType:
    """One element type.

    `itemsize` is in bytes. `rank` orders types inside and across categories for promotion.

    >>> dtypes.float32
    float32
    >>> dtypes.float32.itemsize
    4
    """

    name: str
    itemsize: int
    kind: Kind
    rank: int

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> str:
        return f"dtypes.{self.name}"  # copies and other processes have the one object as well

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    @property
    def is_half(self) -> bool:
        """Whether it is a float of 16 bits."""
        return self.kind == "float" and self.itemsize == 2

    @property
    def is_int(self) -> bool:
        return self.kind in ("int", "uint")

    @property
    def is_bool(self) -> bool:
        return self.kind == "bool"

    @property
    def bits(self) -> int:
        return self.itemsize * 8

    @property
    def storage(self) -> np.dtype[Any]:
        """The NumPy type with the same bytes (bfloat16 is kept as its 16 bits in a uint16)."""
        return np.dtype("uint16" if self.name == "bfloat16" else self.name)

    @property
    def min(self) -> Scalar:
        """The identity of `max`: the lowest value (-inf for floats)."""
        if self.is_bool:
            return False
        if self.is_float:
            return float("-inf")
        return 0 if self.kind == "uint" else -(1 << (self.bits - 1))

    @property
    def max(self) -> Scalar:
        """The highest value (inf for floats)."""
        if self.is_bool:
            return True
        if self.is_float:
            return float("inf")
        return (1 << self.bits) - 1 if self.kind == "uint" else (1 << (self.bits - 1)) - 1


class dtypes:  # noqa: N801 - PyTorch spells its namespace of dtypes in lower case too
    """The element types, with PyTorch's names: `dtypes.float32`, `dtypes.int64`, ..."""

    bool = DType("bool", 1, "bool", 0)
    uint8 = DType("uint8", 1, "uint", 1)
    int8 = DType("int8", 1, "int", 2)
    uint16 = DType("uint16", 2, "uint", 3)
    int16 = DType("int16", 2, "int", 4)
    uint32 = DType("uint32", 4, "uint", 5)
    int32 = DType("int32", 4, "int", 6)
    uint64 = DType("uint64", 8, "uint", 7)
    int64 = DType("int64", 8, "int", 8)
    float16 = DType("float16", 2, "float", 9)
    bfloat16 = DType("bfloat16", 2, "float", 10)
    float32 = DType("float32", 4, "float", 11)
    float64 = DType("float64", 8, "float", 12)
    half, float, double, int, long = float16, float32, float64, int32, int64


ALL: tuple[DType, ...] = (
    dtypes.bool,
    dtypes.uint8,
    dtypes.int8,
    dtypes.uint16,
    dtypes.int16,
    dtypes.uint32,
    dtypes.int32,
    dtypes.uint64,
    dtypes.int64,
    dtypes.float16,
    dtypes.bfloat16,
    dtypes.float32,
    dtypes.float64,
)
BY_NAME: dict[str, DType] = {d.name: d for d in ALL}
_SIGNED = {8: dtypes.int8, 16: dtypes.int16, 32: dtypes.int32, 64: dtypes.int64}


DTypeLike = DType | str | type | np.dtype[Any]  # what `as_dtype` understands
_OTHER_NAMES = {"short": dtypes.int16, "byte": dtypes.uint8, "char": dtypes.int8}
_BY_TYPE: dict[Any, DType] = {bool: dtypes.bool, int: dtypes.int64, float: dtypes.float64}


@overload
def as_dtype(given: DTypeLike) -> DType: ...
@overload
def as_dtype(given: DTypeLike | None, default: DType) -> DType: ...
def as_dtype(given: Any, default: DType | None = None) -> DType:
    """The dtype that `given` names: a dtype, the name of one in `dtypes`, a Python type, or a dtype, type or name of
    NumPy's or PyTorch's; Python's types are what they are in PyTorch. None is the default, where there is one.
    DTypeError for anything else.

    >>> as_dtype("bfloat16"), as_dtype("long"), as_dtype(float), as_dtype(np.int8), as_dtype(np.dtype("<f2"))
    (bfloat16, int64, float64, int8, float16)
    """
    if type(given) is DType:
        return given
    found = default if given is None else dtype_named(given)
    if found is None:
        fail(DTypeError, f"{given!r:.100} is no dtype; the dtypes are {', '.join(BY_NAME)}")
    return found


def dtype_named(given: Any) -> DType | None:
    """`as_dtype`, with None for what is no dtype."""
    if isinstance(given, DType):
        return given
    if type(given).__module__ == "torch":
        given = str(given)
    if isinstance(given, str):
        name = given.removeprefix("torch.")
        found = getattr(dtypes, name, None) or _OTHER_NAMES.get(name)
        if isinstance(found, DType):
            return found
    elif not isinstance(given, (type, np.dtype)):
        return None
    if given in _BY_TYPE:
        return _BY_TYPE[given]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that NumPy is about to forget
            return BY_NAME.get(np.dtype(given).name)
    except (TypeError, ValueError):
        return None


def promote(a: DType, b: DType) -> DType:
    """The type of a binary operation between tensors of types `a` and `b`, as in PyTorch.

    A signed and an unsigned integer meet in the next wider signed type; uint64 with a signed integer
    has none and raises DTypeError.

    >>> promote(dtypes.uint8, dtypes.int8), promote(dtypes.float16, dtypes.bfloat16)
    (int16, float32)
    >>> promote(dtypes.int64, dtypes.float16)
    float16
    """
    if a is b:
        return a
    low, high = (a, b) if a.rank < b.rank else (b, a)
    if high.is_float:
        return dtypes.float32 if low is dtypes.float16 and high is dtypes.bfloat16 else high
    if low.is_bool or low.kind == high.kind:
        return high
    unsigned, signed = (low, high) if low.kind == "uint" else (high, low)
    if signed.bits > unsigned.bits:
        return signed
    if unsigned.bits == 64:
        raise DTypeError(f"no integer type holds both {a} and {b}; cast one of them first, e.g. .cast(dtypes.int64)")
    return _SIGNED[unsigned.bits * 2]


def category(dtype: DType) -> int:
    """bool < integers < floats."""
    return 2 if dtype.is_float else 1 if dtype.is_int else 0


def promote_scalar(a: DType, value: Scalar) -> DType:
    """The type of `tensor of type a <op> Python scalar`: the scalar is weak and only lifts the category.

    >>> promote_scalar(dtypes.float16, 2.5), promote_scalar(dtypes.int32, 2.5), promote_scalar(dtypes.bool, 3)
    (float16, float32, int64)
    """
    if isinstance(value, bool):
        return a
    if isinstance(value, int):
        return dtypes.int64 if a.is_bool else a
    return a if a.is_float else get_default_dtype()


def of_numpy(array_type: Any) -> DType:
    """The dtype of a NumPy type; DTypeError when lazygrad has none for it (complex, object, strings...)."""
    name = np.dtype(array_type).name
    if name not in BY_NAME:
        raise DTypeError(f"NumPy type {name!r} has no lazygrad dtype; the types are {', '.join(BY_NAME)}")
    return BY_NAME[name]


def of_scalar(value: Scalar) -> DType:
    """The default dtype of a Python scalar: bool, int64 or the default dtype (float32), as in PyTorch."""
    if isinstance(value, bool):
        return dtypes.bool
    return dtypes.int64 if isinstance(value, int) else get_default_dtype()


_default = [dtypes.float32]


def get_default_dtype() -> DType:
    """What floats of Python's, and new tensors without a dtype, are: float32, or what `set_default_dtype` was given.

    >>> get_default_dtype()
    float32
    """
    return _default[0]


def set_default_dtype(d: DTypeLike) -> None:
    """Have new tensors without a dtype, results of integers in floating operations, and layers be of `d` from now on.

    In all threads. DTypeError for what is no floating dtype.

    >>> set_default_dtype(dtypes.float64)
    >>> get_default_dtype()
    float64
    >>> set_default_dtype(dtypes.float32)
    """
    dtype = as_dtype(d)
    if not dtype.is_float:
        fail(DTypeError, f"set_default_dtype: {dtype} is no floating dtype")
    _default[0] = dtype
