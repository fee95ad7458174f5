"""`Tensor`: an array on a device, computed when it is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lazygrad.absent import OF_TENSORS, lacks
from lazygrad.dtype import DTypeLike, as_dtype, dtypes, of_scalar
from lazygrad.engine import run
from lazygrad.errors import DTypeError, ShapeError
from lazygrad.index.expr import Expr
from lazygrad.ir.build import size_value
from lazygrad.ir.node import cast, contiguous, detach, new_uid
from lazygrad.ops.attention import Attention
from lazygrad.ops.casting import Casting
from lazygrad.ops.channel_norms import ChannelNorms
from lazygrad.ops.combining import Combining
from lazygrad.ops.compare import OPERANDS
from lazygrad.ops.conv import Conv
from lazygrad.ops.converting import Converting
from lazygrad.ops.core import Core, fail
from lazygrad.ops.counting import Counting
from lazygrad.ops.creation import as_array, device_name, leaf
from lazygrad.ops.differentiate import Differentiate
from lazygrad.ops.elementwise import Elementwise
from lazygrad.ops.exchange import Exchange
from lazygrad.ops.fitting import fitted
from lazygrad.ops.generator import Generator
from lazygrad.ops.initial import Initial
from lazygrad.ops.inplace_forms import InPlaceForms
from lazygrad.ops.linear_algebra import LinearAlgebra
from lazygrad.ops.moving import Moving, moved
from lazygrad.ops.operands import not_a_tensor
from lazygrad.ops.other_names import OtherNames
from lazygrad.ops.passing_on import take_memory
from lazygrad.ops.patterns import Patterns
from lazygrad.ops.placed_maxima import PlacedMaxima
from lazygrad.ops.relations import Relations
from lazygrad.ops.reshaping_in_place import ReshapingInPlace
from lazygrad.ops.sampling import Sampling
from lazygrad.ops.second_names import SecondNames
from lazygrad.ops.text import tensor_text

if TYPE_CHECKING:
    from typing_extensions import Self

    from lazygrad.engine.explain import KernelView


class Tensor(
    OtherNames,
    SecondNames,
    ChannelNorms,
    LinearAlgebra,
    Attention,
    Conv,
    PlacedMaxima,
    Counting,
    Relations,
    ReshapingInPlace,
    InPlaceForms,
    Converting,
    Patterns,
    Combining,
    Sampling,
    Initial,
    Casting,
    Exchange,
    Moving,
    Differentiate,
    Elementwise,
):
    """An array of `dtype` on `device`, with PyTorch's methods.

    Args:
        data: a number, a size with variables, nested lists of numbers, a NumPy array (anything that NumPy can read as
            one), raw bytes (the elements of `dtype`, uint8 unless given), or a tensor. Arrays are copied.
        dtype: None for the type of the data: float32, int64 or bool for Python's numbers.
        device: "OPENCL", "CUDA", "NUMPY", ...; None for the default device.
        requires_grad: whether `backward` gathers a gradient in `.grad`.

    Nothing is computed until a value is needed: `numpy`, `item`, `tolist`, `print`, or `realize`.
    ShapeError for ragged lists, DTypeError for elements that are no numbers.

    >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> (x * 2 + 1).sum(1)
    tensor([ 8., 16.])
    """

    __slots__ = ()

    def __new__(
        cls, data: Any, dtype: DTypeLike | None = None, device: str | None = None, requires_grad: bool = False
    ) -> Self:
        if isinstance(dtype, (int, tuple, list)):
            fail(DTypeError, f"Tensor: {dtype!r} is no dtype; Tensor.zeros(2, 3) makes one of a shape")
        kind = dtype if dtype is None else as_dtype(dtype)
        if isinstance(data, Core):
            name = data.device if device is None else device_name(device)
            value = detach(data.node) if data.requires_grad else data.node
            value = moved(cast(value, kind or data.dtype), data.device, name)
            return leaf(cls, contiguous(value, new_uid()) if requires_grad else value, name, requires_grad)
        name = device_name(device)
        if isinstance(data, Expr):
            return leaf(cls, size_value(data, kind or dtypes.int64), name, requires_grad)
        if type(data) in (bool, int, float):  # NumPy's scalars keep their type
            return leaf(cls, fitted("Tensor", data, kind or of_scalar(data)), name, requires_grad)
        array, kind = as_array(data, kind)
        return leaf(cls, run.upload(array, kind, name), name, requires_grad)

    def is_nonzero(self) -> bool:
        """Whether the one element that there is is not zero. ShapeError for any other number of elements.

        >>> Tensor([0.5]).is_nonzero()
        True
        """
        return bool(self)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("a 0-d tensor has no length")
        return int(self.shape[0])

    # ---- how it is computed ----

    def schedule(self) -> Sequence[KernelView]:
        """The kernels that would compute this tensor, without running them; each has .name .source .bytes .flops."""
        from lazygrad.engine.explain import kernels

        return kernels([self.node], self.device)

    def explain(self) -> str:
        """How this tensor would be computed: graph, kernels, tile programs and source, with bytes, flops and bounds."""
        from lazygrad.engine.explain import explain

        return explain([self.node], self.device)

    @property
    def data(self) -> Self:
        """`detach()`; what is written to it changes this tensor, too, and no gradient sees it.

        Assigning another tensor to it, of the same shape, dtype and device, makes this one that one's elements, while
        gradients go on gathering here. OperandError for what is no tensor, ShapeError, DTypeError and DeviceError for
        one that does not fit.

        >>> w = Tensor([1.0, 2.0], requires_grad=True)
        >>> w.data -= 0.5
        >>> w
        tensor([0.5000, 1.5000], requires_grad=True)
        """
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        self._same_device("data", value)
        if value.shape != self.shape:
            fail(ShapeError, f"data: a tensor of shape {list(value.shape)} is assigned to one of {list(self.shape)}")
        if value.dtype is not self.dtype:
            fail(DTypeError, f"data: a tensor of {value.dtype} is assigned to one of {self.dtype}; .cast() it first")
        take_memory(self, value)

    # ---- as Python values ----

    def __repr__(self) -> str:
        if any(v.bound is None for v in self.node.variables):
            return f"tensor(..., size={tuple(map(str, self.shape))}, dtype={self.dtype})"
        return tensor_text(self.numpy(), self.dtype, self.requires_grad)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __bool__(self) -> bool:
        if any(n != 1 for n in self.shape):
            fail(ShapeError, f"the truth of shape {list(self.shape)} is ambiguous; use .any() or .all()")
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if self.dtype.is_float:
            raise TypeError(f"only an integer tensor can be an index, not {self.dtype}")
        return int(self.item())

    def __iter__(self) -> Iterator[Self]:
        if not self.ndim:
            raise TypeError("a 0-d tensor cannot be iterated over")
        return iter(self.unbind(0))

    def __reversed__(self) -> Self:
        return self.flip(0) if self.ndim else self

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in OF_TENSORS]

    def __contains__(self, element: Any) -> bool:
        if not isinstance(element, OPERANDS):
            not_a_tensor("in", element, "a Tensor or a number")
        return bool(self.eq(element).any().item())


Generator.tensor = Tensor
lacks(Tensor, OF_TENSORS)
