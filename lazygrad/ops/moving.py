"""Tensors on other devices and in other dtypes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lazygrad.dtype import DTypeLike, as_dtype, dtype_named
from lazygrad.errors import ArgumentError
from lazygrad.ir.node import Node
from lazygrad.ir.node import copy as copy_to
from lazygrad.ops.copying import Copying
from lazygrad.ops.core import Core, fail
from lazygrad.ops.creation import device_name

if TYPE_CHECKING:
    from typing_extensions import Self


class Moving(Copying):
    """`to` and its shorter forms."""

    __slots__ = ()

    def to(
        self,
        *target: Any,
        device: str | None = None,
        dtype: DTypeLike | None = None,
        non_blocking: bool = False,
        copy: bool = False,
        memory_format: Any = None,
    ) -> Self:
        """On another device, in another dtype, or both: `to(device)`, `to(dtype)`, `to(device, dtype)`, `to(tensor)`.

        With `copy`, a new tensor also where nothing changes. `non_blocking` (nothing here waits) and `memory_format`
        (elements are in row-major order) are accepted.

        >>> Tensor([1]).to(dtypes.float32).tolist(), Tensor([1]).to("NUMPY").device
        ([1.0], 'NUMPY')
        """
        for value in target[: 2 if len(target) > 1 and not isinstance(target[1], bool) else 1]:
            if isinstance(value, Core):
                device, dtype = value.device, value.dtype
            elif value is None:
                continue
            elif isinstance(value, str) and not dtype_named(value):
                device = value
            else:
                dtype = as_dtype(value)
        flags = [v for v in target if isinstance(v, bool)]
        if len(target) - len(flags) > 2 or len(flags) > 2:
            fail(ArgumentError, f"to: {target} are too many; to(device, dtype, non_blocking, copy)")
        copy = copy or (len(flags) > 1 and flags[1])
        x = self if dtype is None else self.cast(dtype)
        name = self.device if device is None else device_name(device)
        if name == self.device:
            return x.clone() if copy and x is self else x
        result = self._out(moved(x._in(), self.device, name))
        result.device = name
        return result

    def to_device(self, device: str, /, *, stream: Any = None) -> Self:
        """`to(device)`, by the array API's name. Nothing here waits, so a `stream` is accepted and not needed.

        >>> Tensor([1]).to_device("NUMPY").device
        'NUMPY'
        """
        return self.to(device_name(device))

    def cpu(self, memory_format: Any = None) -> Self:
        """On the best CPU device: `to("cpu")`.

        >>> Tensor([1.0]).cpu().tolist()
        [1.0]
        """
        return self.to("cpu")

    def cuda(self, device: int | str | None = None, non_blocking: bool = False, memory_format: Any = None) -> Self:
        """On a GPU, the first one unless `device` is a number or a name. DeviceError where there is none."""
        return self.to(device if isinstance(device, str) else "cuda" if device is None else f"cuda:{device}")

    def type(self, dtype: DTypeLike | None = None, non_blocking: bool = False) -> Any:
        """In `dtype`; without one, the name that PyTorch has for this tensor's class. Such a class, or its name, also
        says whether the tensor is on a GPU.

        >>> Tensor([1.0]).type(), Tensor([1.0]).type(dtypes.int32).tolist()
        ('torch.FloatTensor', [1])
        """
        on_gpu = self.device.startswith("CUDA")
        if dtype is None:
            return f"torch.{'cuda.' * on_gpu}{CLASSES[self.dtype.name]}Tensor"
        name = dtype if isinstance(dtype, str) else getattr(dtype, "class_name", "")
        by_class = next((kind for kind, c in CLASSES.items() if name.endswith(f".{c}Tensor")), None)
        if by_class is None:
            return self.cast(dtype)
        to_gpu = ".cuda." in name
        return (self if to_gpu == on_gpu else self.to("cuda" if to_gpu else "cpu")).cast(by_class)


def moved(value: Node, here: str, there: str) -> Node:
    """`value` on another device; what reads no storage is computed there as well as here."""
    return value if here == there or value.device is None else copy_to(value, there)


CLASSES = {  # how PyTorch's older names begin: FloatTensor, ...
    "float64": "Double", "float32": "Float", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long", "int32": "Int",
    "int16": "Short", "int8": "Char", "uint8": "Byte", "uint16": "UInt16", "uint32": "UInt32", "uint64": "UInt64",
    "bool": "Bool",
}  # fmt: skip
