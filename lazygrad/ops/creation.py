"""Tensors from data, and from formulas."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from lazygrad.dtype import BY_NAME, DType, DTypeLike, Scalar, as_dtype, dtypes, get_default_dtype, of_numpy, of_scalar
from lazygrad.engine.run import own, upload
from lazygrad.errors import ArgumentError, DTypeError, GradientError, ShapeError
from lazygrad.index.expr import Dim, Expr, as_dim, lift
from lazygrad.ir.build import add, size_value
from lazygrad.ir.elements import as_bools, cast_array, from_storage, to_storage
from lazygrad.ir.node import Node, alu, cast, const, flip, iota, where
from lazygrad.ir.op import Op
from lazygrad.ops.arguments import new_shape, new_size, number
from lazygrad.ops.core import Core, fail, make
from lazygrad.ops.fitting import all_fitting, as_written, fitted, fitting
from lazygrad.ops.operands import describe
from lazygrad.ops.reduce import Reduce
from lazygrad.runtime import dlpack
from lazygrad.runtime.registry import canonical, default_device

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T", bound=Core)


def device_name(device: str | None) -> str:
    """The canonical name of a device, None for the default one."""
    return default_device() if device is None else canonical(device)


def as_array(data: Any, dtype: DType | None) -> tuple[np.ndarray[Any, Any], DType]:
    """`data` in an array of the storage type of the dtype beside it."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        kind = dtype or dtypes.uint8
        if len(data) % kind.itemsize:
            fail(ShapeError, f"Tensor: {len(data)} bytes are no whole number of {kind} elements")
        return np.frombuffer(data, kind.storage), kind
    try:
        array = np.asarray(data)
    except ValueError:
        fail(ShapeError, "Tensor: the nested lists are ragged; every list at one depth needs the same length")
    except TypeError:  # of a dtype that NumPy has not: bfloat16
        if not hasattr(data, "__dlpack__"):
            raise
        given = dlpack.take(data, None)
        dtype = dtype or BY_NAME[given.dtype]
        array = from_storage(given.array, BY_NAME[given.dtype])
    if array.dtype.kind not in "biuf" and array.dtype.name not in BY_NAME:
        first = next((x for x in array.flat if not isinstance(x, (bool, int, float))), data)
        name, remedy = describe(first)
        fail(DTypeError, f"Tensor takes numbers, not {name}; {remedy}")
    if isinstance(data, (list, tuple)) and array.dtype == np.float64 and (dtype is None or dtype.is_int):
        array = as_written(data, array)
    if dtype is None:
        is_list = isinstance(data, (list, tuple))
        dtype = get_default_dtype() if is_list and array.dtype == np.float64 else of_numpy(array.dtype)
    if isinstance(data, (list, tuple)):
        all_fitting("Tensor", array, dtype)
    if array.dtype == np.bool_ and not dtype.is_bool:
        array = as_bools(array)
    return to_storage(cast_array(array, dtype), dtype), dtype


def leaf(cls: type[T], value: Node, device: str, requires_grad: bool) -> T:
    """A tensor that gradients can gather in: where it needs them, its node is its own."""
    if not requires_grad:
        return make(cls, value, device)
    if not value.dtype.is_float:
        fail(GradientError, f"only floating tensors can require gradients, not {value.dtype}")
    return make(cls, own(value), device, True, leaf=True)


class Creation(Reduce):
    """New tensors. Every function takes `dtype`, `device` (None: the default) and `requires_grad`."""

    __slots__ = ()

    @classmethod
    def from_numpy(cls, array: np.ndarray[Any, Any], *, device: str | None = None) -> Self:
        """The elements of `array`, without a copy where the device can read them where they are.

        That is where they lie in C order, on devices that share the host's memory. The array must not change as long
        as the tensor is used; the tensor never changes it: in-place operations give the tensor memory of its own.

        >>> Tensor.from_numpy(np.arange(3)).tolist()
        [0, 1, 2]
        """
        name = device_name(device)
        stored, kind = as_array(array, None)
        return leaf(cls, upload(stored, kind, name, share=np.may_share_memory(stored, array)), name, False)

    @classmethod
    def full(
        cls,
        size: Any,
        fill_value: Scalar,
        *,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """A tensor of one value; the dtype is that of the value.

        >>> Tensor.full((2, 2), 7).tolist()
        [[7, 7], [7, 7]]
        """
        shape = new_shape((size,), "full")
        fill_value = number("full", fill_value)
        kind = as_dtype(dtype, of_scalar(fill_value))
        return leaf(cls, fitted("full", fill_value, kind, shape), device_name(device), requires_grad)

    @classmethod
    def zeros(
        cls, *size: Any, dtype: DTypeLike | None = None, device: str | None = None, requires_grad: bool = False
    ) -> Self:
        """Zeros.

        >>> Tensor.zeros(2, 2).tolist()
        [[0.0, 0.0], [0.0, 0.0]]
        """
        return leaf(
            cls,
            const(0, as_dtype(dtype, get_default_dtype()), new_shape(size, "zeros")),
            device_name(device),
            requires_grad,
        )

    @classmethod
    def ones(
        cls, *size: Any, dtype: DTypeLike | None = None, device: str | None = None, requires_grad: bool = False
    ) -> Self:
        """Ones.

        >>> Tensor.ones(2, dtype=dtypes.int32).tolist()
        [1, 1]
        """
        return leaf(
            cls,
            const(1, as_dtype(dtype, get_default_dtype()), new_shape(size, "ones")),
            device_name(device),
            requires_grad,
        )

    @classmethod
    def empty(
        cls, *size: Any, dtype: DTypeLike | None = None, device: str | None = None, requires_grad: bool = False
    ) -> Self:
        """A tensor whose values do not matter (they are zeros: nothing is computed until they are read).

        >>> Tensor.empty(2, 3).shape
        (2, 3)
        """
        return cls.zeros(*size, dtype=dtype, device=device, requires_grad=requires_grad)

    @classmethod
    def arange(
        cls,
        start: float | Expr,
        end: float | Expr | None = None,
        step: float = 1,
        *,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """start, start + step, ... before `end` (one argument: from 0); int64 for integers, else float32.

        With variables, the integers from `start` to `end`.

        >>> Tensor.arange(2, 10, 3).tolist()
        [2, 5, 8]
        """
        first, last = (0, start) if end is None else (start, end)
        if isinstance(first, Expr) or isinstance(last, Expr):
            return cls._positions(first, last, step, dtype, device, requires_grad)
        first, last, step = (number("arange", v) for v in (first, last, step))
        kind = as_dtype(
            dtype, get_default_dtype() if any(isinstance(v, float) for v in (first, last, step)) else dtypes.int64
        )
        if not all(math.isfinite(v) for v in (first, last, step)):
            fail(ArgumentError, f"arange: from {first} to {last} by {step}; they must be finite")
        if kind is dtypes.int64:  # PyTorch counts in the type of the result, in smaller ones in doubles
            first, last, step = int(first), int(last), int(step)
        if step == 0 or (last - first) / step < 0:
            fail(ArgumentError, f"arange: steps of {step} do not lead from {first} to {last}")
        count = math.ceil((last - first) / step)
        for end_of_line in (first, first + (count - 1) * step) if count else ():
            fitting("arange", end_of_line, kind)
        value = progression(count, first, step, kind)
        return leaf(cls, value, device_name(device), requires_grad)

    @classmethod
    def _positions(
        cls, first: Any, last: Any, step: float, dtype: DTypeLike | None, device: str | None, requires_grad: bool
    ) -> Self:
        """`arange` where `first` or `last` has variables: what lies between them must be sizes."""
        if step != 1 or not all(isinstance(v, (int, Expr)) for v in (first, last)):
            fail(ArgumentError, f"arange: from {first} to {last} by {step}; with variables, integers by steps of 1")
        count, kind = as_dim(last - first), as_dtype(dtype, dtypes.int64)
        if lift(count).lo < 0:
            fail(ArgumentError, f"arange: {last} may be less than {first}; give the variables bounds that rule it out")
        value = progression(count, 0, 1, kind)
        if first != 0:
            value = add(value, size_value(first, kind, (count,)))
        return leaf(cls, value, device_name(device), requires_grad)

    @classmethod
    def linspace(
        cls,
        start: float,
        end: float,
        steps: Dim,
        *,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """`steps` numbers at equal distances from `start` to `end`, both included.

        >>> Tensor.linspace(0, 1, 5).tolist()
        [0.0, 0.25, 0.5, 0.75, 1.0]
        """
        if isinstance(steps, Expr):
            fail(ArgumentError, f"linspace: the number of steps must be a number; {steps} is not known yet")
        start, end, steps = number("linspace", start), number("linspace", end), new_size(steps, "linspace")
        kind, name = as_dtype(dtype, get_default_dtype()), device_name(device)
        if kind.is_bool:
            fail(DTypeError, "linspace: numbers at equal distances are no bools; take a floating or an integer dtype")
        if kind.is_int:  # both ends are integers, as PyTorch has it; the steps between them need not be
            start, end = int(start), int(end)
        for end_of_line in (start, end):
            fitting("linspace", end_of_line, kind)
        step = (end - start) / (steps - 1) if steps > 1 else 0.0
        end = end if steps > 1 else start
        if kind.is_int:  # on the host: one rounding more or less would be another integer
            place = np.arange(steps)
            line = np.where(place < steps // 2, start + place * step, end - place[::-1] * step)
            return leaf(cls, upload(line.astype(kind.storage), kind, name), name, requires_grad)
        up, down = progression(steps, start, step, kind), flip(progression(steps, end, -step, kind), [0])
        first_half = alu(Op.LT, iota(steps, dtypes.int32), const(steps // 2, dtypes.int32, (steps,)))
        return leaf(cls, where(first_half, up, down), name, requires_grad)

    @classmethod
    def eye(
        cls,
        n: Dim,
        m: Dim | None = None,
        *,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """Ones on the diagonal of an (n, m) matrix, m being n unless given.

        >>> Tensor.eye(2).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        """
        sizes = new_shape([n, n if m is None else m], "eye")
        rows, columns = (cls.arange(size, device=device) for size in sizes)
        value = rows.unsqueeze(1).eq(columns).cast(as_dtype(dtype, get_default_dtype())).node
        return leaf(cls, value, rows.device, requires_grad)


def progression(n: Dim, start: float, step: float, dtype: DType) -> Node:
    """start + i * step for i below n."""
    places = iota(n, dtype) if dtype.is_int else cast(iota(n, dtypes.int64), dtype)
    scaled = places if step == 1 else alu(Op.MUL, places, const(step, dtype, (n,)))
    return scaled if start == 0 else add(scaled, const(start, dtype, (n,)))
