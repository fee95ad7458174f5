"""`Tensor`: an array on a device, computed when it is looked at."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lazygrad.dtype import DType, dtypes, of_numpy
from lazygrad.engine import run
from lazygrad.errors import ArgumentError, DTypeError, ShapeError
from lazygrad.index.expr import dim_product
from lazygrad.ir.elements import from_storage
from lazygrad.ir.node import Node, cast, const, contiguous, copy, new_uid, store
from lazygrad.ir.op import Op
from lazygrad.ops.activation import Activation
from lazygrad.ops.core import Core, fail
from lazygrad.ops.creation import Creation, as_array, device_name, leaf
from lazygrad.ops.differentiate import Differentiate
from lazygrad.ops.matmul import Matmul
from lazygrad.dtype import of_scalar

if TYPE_CHECKING:
    from typing_extensions import Self


class Tensor(Activation, Matmul, Creation, Differentiate):
    """An array of `dtype` on `device`, with PyTorch's methods.

    Args:
        data: a number, nested lists of numbers, a NumPy array (anything that NumPy can read as one), raw bytes (the
            elements of `dtype`, uint8 unless given), or a tensor.
        dtype: None for the type of the data: float32, int64 or bool for Python's numbers.
        device: "OPENCL", "CUDA", "NUMPY", ...; None for the default device.
        requires_grad: whether `backward` gathers a gradient in `.grad`.

    Nothing is computed until a value is needed: `numpy`, `item`, `tolist`, `print`, or `realize`.

    >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> (x * 2 + 1).sum(1)
    tensor([ 8., 16.])
    """

    __slots__ = ()

    def __new__(
        cls, data: Any, dtype: DType | None = None, device: str | None = None, requires_grad: bool = False
    ) -> Self:
        if isinstance(data, Core):
            name = data.device if device is None else device_name(device)
            value = cast(data.node, dtype or data.dtype)
            value = value if name == data.device else copy(value, name)
            return leaf(cls, contiguous(value, new_uid()) if requires_grad else value, name, requires_grad)
        name = device_name(device)
        if isinstance(data, (bool, int, float)):
            return leaf(cls, const(data, dtype or of_scalar(data)), name, requires_grad)
        array, kind = as_array(data, dtype)
        return leaf(cls, run.upload(array, kind, name), name, requires_grad)

    # ---- values ----

    def realize(self, *others: Tensor) -> Self:
        """Compute this tensor (and `others`, all in one schedule) now; returns it.

        >>> Tensor([1, 2]).add(1).realize().tolist()
        [2, 3]
        """
        tensors = (self, *others)
        run.realize([t.node for t in tensors], self.device)
        for t in tensors:
            t._keep_value_only()
        return self

    def _keep_value_only(self) -> None:
        """Forget the graph of a realized tensor, unless a gradient may go through it."""
        stored = run.realized(self.node)
        if stored is not None and stored is not self.node and self._leaf:
            self._previous = weakref.ref(self.node)
            self.node = stored

    def numpy(self) -> np.ndarray[Any, Any]:
        """The values in a new NumPy array (bfloat16 as float32).

        >>> Tensor([1, 2]).numpy()
        array([1, 2])
        """
        self.realize()
        return from_storage(run.download(self.node), self.dtype)

    def tolist(self) -> Any:
        """The values in nested lists of Python numbers.

        >>> Tensor([[1, 2]]).tolist()
        [[1, 2]]
        """
        return self.numpy().tolist()

    def item(self) -> bool | int | float:
        """The value of a tensor with one element, as a Python number. ShapeError for any other.

        >>> Tensor([[2.5]]).item()
        2.5
        """
        if any(n != 1 for n in self.shape):
            fail(ShapeError, f"item: shape {list(self.shape)} does not have one element; use .tolist()")
        return self.numpy().item()  # type: ignore[no-any-return]

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("a 0-d tensor has no length")
        return int(self.shape[0])  # type: ignore[arg-type]
