"""Tensors that modules take for their parameters and buffers when they are assigned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from lazygrad.dtype import DTypeLike, as_dtype, get_default_dtype
from lazygrad.errors import ShapeError, fail
from lazygrad.ir.node import Node
from lazygrad.ops.core import make
from lazygrad.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self


class Held(Tensor):
    """A tensor of a class of its own; what is computed from it is a plain Tensor."""

    __slots__ = ()

    def _new(self, value: Node, requires_grad: bool = False) -> Tensor:  # type: ignore[override]
        return make(Tensor, value, self.device, requires_grad)


class _AnyLeaf(type):
    """`isinstance(x, Parameter)` holds for every leaf that requires a gradient: modules take those for parameters."""

    def __instancecheck__(cls, x: Any) -> bool:
        if cls is not Parameter:
            return type.__instancecheck__(cls, x)
        return isinstance(x, Tensor) and ((x.requires_grad and x.is_leaf) or issubclass(type(x), Parameter))


class Parameter(Held, metaclass=_AnyLeaf):
    """The values of `data` as a parameter of the module that it is assigned to, also where it requires no gradient.

    >>> net = nn.Module()
    >>> net.scale = nn.Parameter(Tensor([2.0]))
    >>> [(name, p.requires_grad) for name, p in net.named_parameters()]
    [('scale', True)]
    """

    __slots__ = ()

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Self:
        """None is an empty tensor, as in PyTorch."""
        return super().__new__(cls, Tensor.zeros(0) if data is None else data, requires_grad=requires_grad)


class Buffer(Held):
    """The values of `data` as a buffer of the module that it is assigned to, part of its state if `persistent`.

    >>> net = nn.Module()
    >>> net.mean = nn.Buffer(Tensor([2.0]))
    >>> list(net.state_dict())
    ['mean']
    """

    __slots__ = ("persistent",)
    persistent: bool

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Self:
        """None is an empty tensor, as in PyTorch."""
        new = super().__new__(cls, Tensor.zeros(0) if data is None else data)
        new.persistent = persistent
        return new


class _Unknown(Held):
    """A tensor that gets its shape later, by `materialize`."""

    __slots__ = ()

    @property
    def shape(self) -> NoReturn:
        """ShapeError."""
        name = "parameter" if isinstance(self, UninitializedParameter) else "buffer"
        fail(ShapeError, f"a {name} of a lazy module has no shape before the module is called; call it once")

    def materialize(self, shape: Sequence[int], device: str | None = None, dtype: DTypeLike | None = None) -> None:
        """Become a parameter or buffer of this shape, which stays the same object; its values may be anything."""
        like, name = as_dtype(dtype, self.dtype), device or self.device
        new = Tensor.empty(*shape, dtype=like, device=name)
        kind: Any = Parameter if isinstance(self, UninitializedParameter) else Buffer
        self.__class__ = kind
        self.node, self.device = new.node, new.device


class UninitializedParameter(_Unknown, Parameter):
    """A parameter of a lazy module, whose shape the module's first input says. ShapeError where the shape is read.

    >>> p = nn.UninitializedParameter()
    >>> p.materialize((2, 3))
    >>> p.shape, p.requires_grad
    ((2, 3), True)
    """

    __slots__ = ()

    def __new__(cls, requires_grad: bool = True, device: str | None = None, dtype: DTypeLike | None = None) -> Self:
        """float32 unless told."""
        none = Tensor.zeros(0, device=device, dtype=as_dtype(dtype, get_default_dtype()))
        return super().__new__(cls, none, requires_grad=requires_grad)


class UninitializedBuffer(_Unknown, Buffer):
    """A buffer of a lazy module; see `UninitializedParameter`."""

    __slots__ = ()

    def __new__(cls, device: str | None = None, dtype: DTypeLike | None = None, *, persistent: bool = True) -> Self:
        """float32 unless told."""
        none = Tensor.zeros(0, device=device, dtype=as_dtype(dtype, get_default_dtype()))
        return super().__new__(cls, none, persistent=persistent)


def is_lazy(x: Any) -> bool:
    """Whether `x` is a parameter or buffer that has no shape yet.

    >>> is_lazy(nn.LazyLinear(2).weight), is_lazy(nn.Linear(1, 2).weight)
    (True, False)
    """
    return isinstance(x, _Unknown)
