"""Padding layers, by PyTorch's names and arguments. Sizes are one number for all sides, or as for `Tensor.pad`."""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.errors import ShapeError, fail
from lazygrad.nn.module import Module
from lazygrad.tensor import Tensor

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Pad(Module):
    """What padding over the last `_dims` dimensions, in one `_mode`, shares."""

    _dims, _mode = 0, "constant"
    value: float | None = None

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        self.padding = (padding,) * (2 * self._dims) if isinstance(padding, int) else tuple(padding)

    def forward(self, input: Tensor) -> Tensor:
        """The last dimensions longer by the padding; ShapeError for others than (N, C, ...) and (C, ...)."""
        if self._mode != "constant" and input.ndim not in (self._dims + 1, self._dims + 2):
            dims = f"{self._dims + 1} or {self._dims + 2}"
            fail(ShapeError, f"{type(self).__name__}: takes {dims} dimensions, not shape {list(input.shape)}")
        return input.pad(self.padding, self._mode, self.value)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.padding}"


class _ConstantPad(_Pad):
    """`_Pad` with a number."""

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        """The sizes and the number."""
        return f"padding={self.padding}, value={self.value}"


class ZeroPad1d(_Pad):
    """Zeros around the last dimension.

    >>> nn.ZeroPad1d(1)(Tensor.arange(3.0).reshape(1, 3)).flatten().tolist()
    [0.0, 0.0, 1.0, 2.0, 0.0]
    """

    _dims = 1


class ZeroPad2d(_Pad):
    """Zeros around the last two dimensions.

    >>> nn.ZeroPad2d((1, 1, 0, 0))(Tensor.arange(3.0).reshape(1, 1, 3)).flatten().tolist()
    [0.0, 0.0, 1.0, 2.0, 0.0]
    """

    _dims = 2


class ZeroPad3d(_Pad):
    """Zeros around the last three dimensions.

    >>> nn.ZeroPad3d((1, 1, 0, 0, 0, 0))(Tensor.arange(3.0).reshape(1, 1, 1, 3)).flatten().tolist()
    [0.0, 0.0, 1.0, 2.0, 0.0]
    """

    _dims = 3


class ConstantPad1d(_ConstantPad):
    """`value` around the last dimension.

    >>> nn.ConstantPad1d(1, 7.0)(Tensor.arange(3.0).reshape(1, 3)).flatten().tolist()
    [7.0, 0.0, 1.0, 2.0, 7.0]
    """

    _dims = 1


class ConstantPad2d(_ConstantPad):
    """`value` around the last two dimensions.

    >>> nn.ConstantPad2d((1, 1, 0, 0), 7.0)(Tensor.arange(3.0).reshape(1, 1, 3)).flatten().tolist()
    [7.0, 0.0, 1.0, 2.0, 7.0]
    """

    _dims = 2


class ConstantPad3d(_ConstantPad):
    """`value` around the last three dimensions.

    >>> nn.ConstantPad3d((1, 1, 0, 0, 0, 0), 7.0)(Tensor.arange(3.0).reshape(1, 1, 1, 3)).flatten().tolist()
    [7.0, 0.0, 1.0, 2.0, 7.0]
    """

    _dims = 3


class ReflectionPad1d(_Pad):
    """What is beside the edge, mirrored around the last dimension.

    >>> nn.ReflectionPad1d(1)(Tensor.arange(3.0).reshape(1, 3)).flatten().tolist()
    [1.0, 0.0, 1.0, 2.0, 1.0]
    """

    _dims, _mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """What is beside the edge, mirrored around the last two dimensions.

    >>> nn.ReflectionPad2d((1, 1, 0, 0))(Tensor.arange(3.0).reshape(1, 1, 3)).flatten().tolist()
    [1.0, 0.0, 1.0, 2.0, 1.0]
    """

    _dims, _mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """What is beside the edge, mirrored around the last three dimensions.

    >>> nn.ReflectionPad3d((1, 1, 0, 0, 0, 0))(Tensor.arange(3.0).reshape(1, 1, 1, 3)).flatten().tolist()
    [1.0, 0.0, 1.0, 2.0, 1.0]
    """

    _dims, _mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """The last element again around the last dimension.

    >>> nn.ReplicationPad1d(1)(Tensor.arange(3.0).reshape(1, 3)).flatten().tolist()
    [0.0, 0.0, 1.0, 2.0, 2.0]
    """

    _dims, _mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """The last element again around the last two dimensions.

    >>> nn.ReplicationPad2d((1, 1, 0, 0))(Tensor.arange(3.0).reshape(1, 1, 3)).flatten().tolist()
    [0.0, 0.0, 1.0, 2.0, 2.0]
    """

    _dims, _mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """The last element again around the last three dimensions.

    >>> nn.ReplicationPad3d((1, 1, 0, 0, 0, 0))(Tensor.arange(3.0).reshape(1, 1, 1, 3)).flatten().tolist()
    [0.0, 0.0, 1.0, 2.0, 2.0]
    """

    _dims, _mode = 3, "replicate"


class CircularPad1d(_Pad):
    """Elements from the other end around the last dimension.

    >>> nn.CircularPad1d(1)(Tensor.arange(3.0).reshape(1, 3)).flatten().tolist()
    [2.0, 0.0, 1.0, 2.0, 0.0]
    """

    _dims, _mode = 1, "circular"


class CircularPad2d(_Pad):
    """Elements from the other end around the last two dimensions.

    >>> nn.CircularPad2d((1, 1, 0, 0))(Tensor.arange(3.0).reshape(1, 1, 3)).flatten().tolist()
    [2.0, 0.0, 1.0, 2.0, 0.0]
    """

    _dims, _mode = 2, "circular"


class CircularPad3d(_Pad):
    """Elements from the other end around the last three dimensions.

    >>> nn.CircularPad3d((1, 1, 0, 0, 0, 0))(Tensor.arange(3.0).reshape(1, 1, 1, 3)).flatten().tolist()
    [2.0, 0.0, 1.0, 2.0, 0.0]
    """

    _dims, _mode = 3, "circular"
