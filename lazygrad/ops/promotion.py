"""Several operands made alike: for operations of two, three or more tensors and numbers, and in which precision."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from lazygrad.dtype import DType, category, dtypes, get_default_dtype, of_numpy, promote, promote_scalar
from lazygrad.index.expr import Expr
from lazygrad.ops.broadcast import broadcast_shape, broadcast_to
from lazygrad.ops.core import Core, Operand, scalar
from lazygrad.ops.wrapping import standing_for

P = ParamSpec("P")
T = TypeVar("T", bound=Core)


def result_type(what: str, *operands: Operand) -> DType:
    """The dtype in which PyTorch computes with all `operands`: that of the tensors with dimensions; 0-d tensors, and
    below them numbers, only lift its category (bool < integers < floats).

    >>> result_type("add", Tensor([1, 2]), 2.5, Tensor(3.0, dtype="float64"))
    float64
    >>> result_type("add", Tensor([1.0, 2.0]), 2.5, Tensor(3.0, dtype="float64"))
    float32
    """
    shaped = [t.dtype for t in operands if isinstance(t, Core) and t.ndim]
    shaped += [of_numpy(t.dtype) for t in operands if isinstance(t, np.ndarray) and t.ndim]
    single = [t.dtype for t in operands if isinstance(t, Core) and not t.ndim]
    found = functools.reduce(promote, shaped) if shaped else None
    if single:
        weak = functools.reduce(promote, single)
        found = weak if found is None or category(weak) > category(found) else found
    for number in operands:
        if isinstance(number, Core) or (isinstance(number, np.ndarray) and number.ndim):
            continue
        value = 0 if isinstance(number, Expr) else scalar(what, number)
        found = promote_scalar(dtypes.bool if found is None else found, value)
    assert found is not None, "no operands"
    return found


def together(what: str, first: T, *others: Operand) -> tuple[T, ...]:
    """`first` and `others` as tensors of one dtype and one shape, with which `what` is computed element by element.

    ShapeError where they do not broadcast, DeviceError for tensors on several devices, OperandError for anything else.

    >>> [x.tolist() for x in together("add", Tensor([1, 2]), 2.5)]
    [[1.0, 2.0], [2.5, 2.5]]
    """
    kind = result_type(what, first, *others)
    tensors = [first, *(_beside(what, first, o, kind) for o in others)]
    shape = broadcast_shape(what, *(t.shape for t in tensors))
    cast = (t.cast(kind) for t in tensors)
    return tuple(t if t.shape == shape else t._out(broadcast_to(t._in(), shape)) for t in cast)


def _beside(what: str, first: T, other: Operand, kind: DType) -> T:
    if isinstance(other, Core):
        first._same_device(what, other)
        return other  # type: ignore[return-value]
    if isinstance(other, Expr) or (isinstance(other, np.ndarray) and other.ndim):
        return first._beside(other)
    return first.cast(kind)._beside(other)


def in_floats(method: Callable[Concatenate[T, P], T]) -> Callable[Concatenate[T, P], T]:
    """`precision.in_float` for operations of several operands, which are all those before a `*`: the method gets
    them as tensors of one floating dtype of at least 32 bits and one shape."""
    name, names = method.__name__, _operands(method)

    @standing_for(method)
    def wide(self: T, *others: Any, **options: Any) -> T:
        others += tuple(options.pop(n) for n in names[len(others) :] if n in options)
        alike = together(name, self, *others)
        dtype = alike[0].dtype if alike[0].dtype.is_float else get_default_dtype()
        if not dtype.is_half:
            return method(*(t.cast(dtype) for t in alike), **options)  # type: ignore[arg-type]
        result = method(*(t.cast(dtypes.float32) for t in alike), **options)  # type: ignore[arg-type]
        return result.cast(dtype) if result.dtype.is_float else result

    return wide  # type: ignore[return-value]


def _operands(method: Callable[..., Any]) -> list[str]:
    """Their names, after the first one's."""
    parameters = inspect.signature(method).parameters.values()
    return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][1:]


def in_doubles(method: Callable[Concatenate[T, P], T]) -> Callable[Concatenate[T, P], T]:
    """`precision.in_double` for operations of several operands, all of which are given by position."""
    name = method.__name__

    @standing_for(method)
    def wide(self: T, *others: Any, **options: Any) -> T:
        alike = together(name, self, *others)
        dtype = alike[0].dtype if alike[0].dtype.is_float else get_default_dtype()
        return method(*(t.cast(dtypes.float64) for t in alike), **options).cast(dtype)  # type: ignore[arg-type]

    return wide  # type: ignore[return-value]
