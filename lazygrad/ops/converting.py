"""Tensors of what there is already: tensors, arrays, lists and memory; and numbers up to an end that is one of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lazygrad.dtype import DTypeLike, as_dtype, get_default_dtype
from lazygrad.errors import ArgumentError, ArgumentTypeError
from lazygrad.ops.arguments import new_shape, number
from lazygrad.ops.core import Core, fail
from lazygrad.ops.creation import Creation, device_name, leaf, progression
from lazygrad.ops.fitting import fitting

if TYPE_CHECKING:
    from typing_extensions import Self


class Converting(Creation):
    """Tensors of what there is."""

    __slots__ = ()

    @classmethod
    def as_tensor(cls, data: Any, dtype: DTypeLike | None = None, device: str | None = None) -> Self:
        """`data` as a tensor: itself where it is one of this dtype and device already, else a copy (through which
        gradients flow, of a tensor).

        >>> x = Tensor([1, 2])
        >>> Tensor.as_tensor(x) is x, Tensor.as_tensor([1, 2], dtype="float32").tolist()
        (True, [1.0, 2.0])
        """
        if not isinstance(data, Core):
            return cls(data, dtype, device)  # type: ignore[call-arg]
        moved: Any = data if device is None else data.to(device)  # type: ignore[attr-defined]
        return moved if dtype is None else moved.cast(dtype)  # type: ignore[no-any-return]

    @classmethod
    def tensor(
        cls,
        data: Any,
        *,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """A new tensor of `data`: numbers, lists of them, an array, or another tensor, of which it is a copy without
        gradients.

        >>> Tensor.tensor([[1, 2], [3, 4]], dtype="float32", requires_grad=True).shape
        (2, 2)
        """
        if isinstance(data, Core):
            data = data.detach().clone()  # type: ignore[attr-defined]
            data = cls.as_tensor(data, dtype, device)
            data.requires_grad = requires_grad
            return data  # type: ignore[no-any-return]
        return cls(data, dtype, device, requires_grad)  # type: ignore[call-arg]

    @classmethod
    def asarray(
        cls,
        obj: Any,
        *,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        copy: bool | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """`as_tensor`; a `copy` in any case, or (False) never: ArgumentError where it would take one.

        >>> x = Tensor([1, 2])
        >>> Tensor.asarray(x) is x, Tensor.asarray(x, copy=True) is x
        (True, False)
        """
        made = cls.as_tensor(obj, dtype, device)
        if copy is False and made is not obj:
            fail(ArgumentError, "asarray: copy=False, but this takes a copy; from_numpy shares memory where it can")
        if copy or (made is obj and requires_grad and not made.requires_grad):
            made = made.clone()  # type: ignore[attr-defined]
        if requires_grad:
            return made.detach().requires_grad_()
        return made

    @classmethod
    def frombuffer(
        cls, buffer: Any, *, dtype: DTypeLike, count: int = -1, offset: int = 0, requires_grad: bool = False
    ) -> Self:
        """A vector of `count` elements (-1: of all) in a memory, which is copied, from byte `offset` on.

        ArgumentError for more than there is.

        >>> Tensor.frombuffer(bytes([1, 2, 3]), dtype="uint8", offset=1).tolist()
        [2, 3]
        """
        kind = as_dtype(dtype)
        try:
            raw = memoryview(buffer).cast("B")
        except TypeError as error:
            fail(ArgumentTypeError, f"frombuffer: buffer is bytes or another memory of contiguous bytes: {error}")
        there = (len(raw) - offset) / kind.itemsize
        wanted = there if count < 0 else count
        if offset < 0 or wanted > there or wanted != int(wanted) or not wanted:
            fail(ArgumentError, f"frombuffer: {len(raw)} bytes from {offset} on are not {count} elements of {kind}")
        part = bytes(raw[offset : offset + int(wanted) * kind.itemsize])
        return cls(part, kind, None, requires_grad)  # type: ignore[call-arg]

    @classmethod
    def range(
        cls,
        start: float,
        end: float | None = None,
        step: float = 1,
        *,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """start, start + step, ... up to `end`, which is one of them (one argument: from 0); PyTorch's older `arange`.

        >>> Tensor.range(1, 4).tolist()
        [1.0, 2.0, 3.0, 4.0]
        """
        first, last = (0, start) if end is None else (start, end)
        first, last, step = (number("range", v) for v in (first, last, step))
        kind = as_dtype(dtype, get_default_dtype())
        finite = all(map(math.isfinite, (first, last, step)))
        if finite and kind.is_int:
            first, last, step = int(first), int(last), int(step)
        if not finite or not step or (last - first) / step < 0:
            fail(ArgumentError, f"range: steps of {step} do not lead from {first} to {last}")
        (count,) = new_shape((math.floor((last - first) / step) + 1,), "range")
        for end_of_line in (first, first + (int(count) - 1) * step):
            fitting("range", end_of_line, kind)
        return leaf(cls, progression(count, first, step, kind), device_name(device), requires_grad)
