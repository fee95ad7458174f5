"""How large a tensor is, and how PyTorch would lay it out."""

from __future__ import annotations

from typing import Any

from lazygrad.errors import ShapeError
from lazygrad.index.expr import Dim, dim_product
from lazygrad.ops import layout
from lazygrad.ops.core import Core, fail
from lazygrad.ops.layout import Layout, Memory
from lazygrad.runtime.registry import open_device


class Sizes(Core):
    """Sizes and strides. Tensors have no strides here: those of a view are PyTorch's, any other result is row-major."""

    __slots__ = ()

    @property
    def itemsize(self) -> int:
        """Bytes of one element.

        >>> Tensor([1.0]).itemsize
        4
        """
        return self.dtype.itemsize

    @property
    def nbytes(self) -> Dim:
        """Bytes of all elements.

        >>> Tensor.zeros(2, 3).nbytes
        24
        """
        return self.numel() * self.dtype.itemsize

    def element_size(self) -> int:
        """`itemsize`, as PyTorch's method.

        >>> Tensor([1.0]).element_size()
        4
        """
        return self.dtype.itemsize

    def numel(self) -> Dim:
        """How many elements there are.

        >>> Tensor.zeros(2, 3).numel()
        6
        """
        return dim_product(self.shape)

    def nelement(self) -> Dim:
        """`numel`.

        >>> Tensor.zeros(2, 3).nelement()
        6
        """
        return self.numel()

    def size(self, dim: int | None = None) -> Any:
        """The shape, or its size at `dim`.

        >>> Tensor.zeros(2, 3).size(), Tensor.zeros(2, 3).size(-1)
        ((2, 3), 3)
        """
        return self.shape if dim is None else self.shape[self._axis(dim)]

    def dim(self) -> int:
        """How many dimensions there are.

        >>> Tensor.zeros(2, 3).dim()
        2
        """
        return self.ndim

    def ndimension(self) -> int:
        """`dim`.

        >>> Tensor.zeros(2, 3).ndimension()
        2
        """
        return self.ndim

    def stride(self, dim: int | None = None) -> Any:
        """How many elements apart in memory neighbours along each dimension are, or those along `dim`.

        ShapeError for sizes with variables.

        >>> Tensor.zeros(2, 3).stride(), Tensor.zeros(2, 3).T.stride(-1)
        ((3, 1), 3)
        """
        strides = self._layout("stride").strides
        assert strides is not None
        return strides if dim is None else strides[self._axis(dim)]

    def storage_offset(self) -> int:
        """How many elements of the memory are before the first one of this view.

        >>> Tensor.zeros(2, 3)[1].storage_offset()
        3
        """
        return self._layout("storage_offset").offset

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Whether the elements follow each other in row-major order.

        >>> Tensor.zeros(2, 3).is_contiguous(), Tensor.zeros(2, 3).T.is_contiguous()
        (True, False)
        """
        place = self._layout("is_contiguous")
        rows = layout.whole(place.memory, place.shape).strides
        assert rows is not None and place.strides is not None
        return 0 in place.shape or all(n == 1 or a == b for n, a, b in zip(place.shape, place.strides, rows))

    def is_floating_point(self) -> bool:
        """Whether the elements are floats.

        >>> Tensor([1.0]).is_floating_point()
        True
        """
        return self.dtype.is_float

    def is_complex(self) -> bool:
        """False: there are real numbers only.

        >>> Tensor([1.0]).is_complex()
        False
        """
        return False

    def is_signed(self) -> bool:
        """Whether the dtype has negative numbers.

        >>> Tensor([1.0]).is_signed(), Tensor([1], dtype="uint8").is_signed()
        (True, False)
        """
        return self.dtype.is_float or self.dtype.kind == "int"

    def is_same_size(self, other: Core) -> bool:
        """Whether another tensor has this one's shape.

        >>> Tensor([1, 2]).is_same_size(Tensor([3.0, 4.0]))
        True
        """
        return self.shape == other.shape

    @property
    def is_cpu(self) -> bool:
        """Whether the elements are in the host's memory.

        >>> Tensor([1], device="NUMPY").is_cpu
        True
        """
        return not self.is_cuda and open_device(self.device).info.kind == "cpu"

    @property
    def is_cuda(self) -> bool:
        """Whether the device is one of CUDA's.

        >>> Tensor([1], device="NUMPY").is_cuda
        False
        """
        return self.device.startswith("CUDA")

    def get_device(self) -> int:
        """The number of the GPU, -1 for what is on the CPU.

        >>> Tensor([1], device="NUMPY").get_device()
        -1
        """
        number = self.device.rpartition(":")[2]
        return -1 if self.is_cpu else int(number) if number.isdecimal() else 0

    def _layout(self, what: str) -> Layout:
        place = None if self._alias is None else self._alias.find_layout()
        if place is not None and place.strides is not None:
            return place
        plain = layout.whole(Memory(), self.shape)
        if plain.strides is None:
            fail(ShapeError, f"{what}: shape {list(self.shape)} must be numbers; a size is not known yet")
        return plain
