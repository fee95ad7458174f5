"""Operands of one function made alike, as the standard has it: the dtypes of arrays count alone, those of 0-d arrays as
well; Python's numbers take theirs. (Between tensors, PyTorch's rule is another one: 0-d tensors count less.)
"""

from __future__ import annotations

import functools
from typing import Any

from lazygrad.dtype import DType, promote, promote_scalar
from lazygrad.errors import OperandError
from lazygrad.ops.core import fail
from lazygrad.ops.fitting import fitted
from lazygrad.ops.operands import not_a_tensor
from lazygrad.tensor import Tensor

Number = bool | int | float


def common_type(what: str, *given: Any) -> DType:
    """The dtype in which all that is `given` meets: tensors, dtypes, and numbers, which only lift the category.

    DTypeError for uint64 beside signed integers, which no integer type holds; OperandError for numbers alone.

    >>> from lazygrad.array_api.promotion import common_type
    >>> common_type("add", Tensor(1), Tensor([1, 2], dtype="int8")), common_type("add", Tensor([1]), 0.5)
    (int64, float32)
    """
    kinds = [t.dtype if isinstance(t, Tensor) else t for t in given if isinstance(t, (Tensor, DType))]
    if not kinds:
        fail(OperandError, f"{what} takes an array or a dtype beside numbers; got {', '.join(map(repr, given)):.100}")
    found = functools.reduce(promote, kinds)
    for number in given:
        if isinstance(number, Number):
            found = promote_scalar(found, number)
        elif not isinstance(number, (Tensor, DType)):
            not_a_tensor(what, number, "an array or a number")
    return found


def alike(what: str, *operands: Any) -> tuple[Tensor, ...]:
    """Arrays and numbers, at least one of them an array, as tensors of their common type; shapes stay.

    >>> from lazygrad.array_api.promotion import alike
    >>> [t.dtype for t in alike("add", Tensor([1], dtype="int8"), Tensor([2], dtype="uint8"), 3)]
    [int16, int16, int16]
    """
    kind = common_type(what, *operands)
    first = next(t for t in operands if isinstance(t, Tensor))
    return tuple(t.cast(kind) if isinstance(t, Tensor) else first._new(fitted(what, t, kind)) for t in operands)


def an_array(what: str, x: Any) -> Tensor:
    """`x`, which must be a tensor: OperandError."""
    if not isinstance(x, Tensor):
        not_a_tensor(what, x, "an array")
    return x
