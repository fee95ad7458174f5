"""Tensors that modules take for their parameters and buffers when they are assigned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
        return type(x) is cls or (isinstance(x, Tensor) and x.requires_grad and x.is_leaf)


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
