"""What every family of operations stands on: a tensor's fields, broadcasting, promotion, and results that know
whether they need a gradient.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Union

import numpy as np

from lazygrad.dtype import DType, DTypeLike, Scalar, as_dtype, category, promote, promote_scalar
from lazygrad.engine.run import live, own
from lazygrad.engine.tracing import watch_here
from lazygrad.errors import BoundsError, DeviceError, GradientError, ShapeError
from lazygrad.errors import fail as fail  # operations find it here
from lazygrad.index.expr import Expr
from lazygrad.ir.build import size_value
from lazygrad.ir.node import Node, cast, detach, node
from lazygrad.ir.op import Op
from lazygrad.ir.signature import Shape
from lazygrad.ops.aliases import Member, view_of
from lazygrad.ops.autocast import autocast_methods
from lazygrad.ops.broadcast import broadcast_shape, broadcast_to
from lazygrad.ops.fitting import RangeError, constant, fitted, fitting
from lazygrad.ops.layout import Change, detached
from lazygrad.ops.mode import mode
from lazygrad.ops.operands import array_node, not_a_tensor
from lazygrad.ops.operands import scalar as scalar
from lazygrad.ops.signatures import check_methods

if TYPE_CHECKING:
    from typing_extensions import Self

Operand = Union["Core", Scalar, "np.generic", "np.ndarray[Any, Any]", Expr]  # what stands beside a tensor
T = TypeVar("T", bound="Core")
_LOWER = {op: op.name.lower() for op in Op}


@check_methods
class Core(Member):
    """The fields of a tensor. `node` is its value as a graph, `device` where it is (to be) computed."""

    __slots__ = ("__weakref__", "_earlier", "_grad", "_leaf", "_requires")
    __array_ufunc__ = None  # so that `ndarray + tensor` asks the tensor
    _grad: Self | None
    _requires: bool  # `requires_grad`
    _leaf: bool  # gradients gather here: not the result of a recorded operation
    _earlier: weakref.WeakKeyDictionary[Node, None] | None  # a leaf's nodes before this one: older graphs contain those

    @property
    def shape(self) -> Shape:
        """The size of each dimension, a tuple.

        >>> Tensor.zeros(2, 3).shape
        (2, 3)
        """
        return self.node.shape

    @property
    def dtype(self) -> DType:
        """The type of the elements.

        >>> Tensor([1, 2]).dtype
        int64
        """
        return self.node.dtype

    @property
    def ndim(self) -> int:
        """How many dimensions there are.

        >>> Tensor.zeros(2, 3).ndim
        2
        """
        return len(self.node.shape)

    @property
    def grad(self) -> Self | None:
        """The gradient that `backward` gathered, or None. What is assigned has to be a tensor of the same shape and
        device: OperandError, ShapeError, DeviceError.

        >>> w = Tensor([1.0], requires_grad=True)
        >>> w.grad = Tensor([2.0])
        >>> w.grad.tolist()
        [2.0]
        """
        return self._grad

    @grad.setter
    def grad(self, value: Self | None) -> None:
        if value is not None:
            self._same_device("grad", value)
            if value.shape != self.shape:
                fail(ShapeError, f"grad: a gradient {list(value.shape)} is assigned to a tensor {list(self.shape)}")
        self._grad = value

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are recorded for this tensor; setting it is `requires_grad_`.

        >>> Tensor([1.0], requires_grad=True).mul(2).requires_grad
        True
        """
        return self._requires

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    @property
    def is_leaf(self) -> bool:
        """Whether gradients gather here: a tensor that no recorded operation made.

        >>> w = Tensor([1.0], requires_grad=True)
        >>> w.is_leaf, (w * 2).is_leaf
        (True, False)
        """
        return self._leaf

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Make this tensor a leaf that gathers gradients, or stop that. GradientError for integers and bools.

        >>> Tensor([1.0]).requires_grad_().requires_grad
        True
        """
        if requires_grad == self._requires:
            return self
        if not requires_grad and not self._leaf:
            fail(GradientError, "requires_grad_(False): this tensor was computed; use .detach()")
        if requires_grad and not self.dtype.is_float:
            fail(GradientError, f"only floating tensors can require gradients, not {self.dtype}")
        if requires_grad:  # another tensor may have the same node: this one needs a node of its own
            self.node = own(self.node)
        self._requires = requires_grad
        return self

    def cast(self, dtype: DTypeLike) -> Self:
        """The elements as `dtype`; floats are truncated to integers. The same shape.

        >>> Tensor([1.7, -1.7]).cast(dtypes.int32)
        tensor([ 1, -1], dtype=int32)
        """
        kind = as_dtype(dtype)
        return self if self.node.dtype is kind else self._out(cast(self._in(), kind))

    def detach(self) -> Self:
        """The same values, through which no gradient flows.

        >>> Tensor([1.0], requires_grad=True).detach().requires_grad
        False
        """
        return view_of(self, self._new(detach(self.node) if self._requires else self.node), detached)

    def _take(self, value: Node) -> None:
        """Have another node from now on. Graphs of a leaf's earlier values still give it their gradients."""
        if (watch := watch_here()) is not None:
            watch.changes(self)
        self._remember()
        self.node = value

    def _remember(self) -> None:
        """Before a leaf has another node."""
        if self._requires and self._leaf:
            if self._earlier is None:
                self._earlier = weakref.WeakKeyDictionary()
            self._earlier[self.node] = None

    def _nodes(self) -> list[Node]:
        """Every node that is, or was, this leaf's value: what gradients by it are found at."""
        return [self.node, *(self._earlier or ())]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        check_methods(cls, kinds=cls.__module__.startswith("lazygrad."))
        autocast_methods(cls)

    # ---- inputs and results ----

    def _new(self, value: Node, requires_grad: bool = False) -> Self:
        """A tensor beside this one: same class, same device."""
        return make(type(self), value, self.device, requires_grad)

    def _in(self) -> Node:
        """The node to build on: behind a DETACH where this tensor needs a gradient but none is recorded."""
        return detach(self.node) if self._requires and not mode.enabled else self.node

    def _out(self, value: Node, *others: Core) -> Self:
        """The tensor of `value`, which was computed from this tensor and `others`."""
        requires = self._requires or (bool(others) and any(o._requires for o in others))
        return self._new(value, requires and mode.enabled and value.dtype.is_float)

    def _view(self, value: Node, change: Change, argument: Any = None) -> Self:
        """`_out` of a value that PyTorch would keep in this tensor's memory, laid out by `change` with `argument`."""
        return view_of(self, self._out(value), change, argument)

    def _apart(self) -> Self:
        """A tensor with the same value, for operations that leave it as it is and of which PyTorch makes a copy."""
        return self._out(self._in())

    def _unary(self, op: Op) -> Self:
        return self._out(node(op, (self._in(),)))

    def _binary(self, op: Op, other: Operand, reverse: bool = False) -> Self:
        """`op` of both, broadcast and promoted."""
        try:
            a, b = self._pair(_LOWER[op], other)
        except RangeError as error:
            if error.wide is None:
                raise
            dtype = promote_scalar(self.dtype, error.value)  # in a type that holds the number, and rounded then
            return self.cast(error.wide)._binary(op, other, reverse).cast(dtype)
        value = node(op, (b, a) if reverse else (a, b))
        return self._out(value, other) if isinstance(other, Core) else self._out(value)

    def _pair(self, what: str, other: Operand) -> tuple[Node, Node]:
        """Nodes of one shape and dtype, with which `what` can be computed."""
        a = self._in()
        if isinstance(other, Expr):
            dtype = promote_scalar(a.dtype, 0)
            return cast(a, dtype), size_value(other, dtype, a.shape)
        if isinstance(other, np.ndarray) and other.ndim:
            other = self._beside(other)
        if not isinstance(other, Core):
            value = scalar(what, other)
            dtype = promote_scalar(a.dtype, value)
            return cast(a, dtype), constant(fitting(what, value, dtype), dtype, a.shape)
        self._same_device(what, other)
        b = other._in()
        if a.dtype is not b.dtype:
            dtype = promote_shaped(a, b)
            a, b = cast(a, dtype), cast(b, dtype)
        if a.shape != b.shape:
            shape = broadcast_shape(what, a.shape, b.shape)
            a, b = broadcast_to(a, shape), broadcast_to(b, shape)
        return a, b

    def _same_device(self, what: str, *others: Core) -> None:
        """OperandError for what is no tensor, DeviceError for what is on another device."""
        self._same_kind(what, *others)
        for other in others:
            if other.device != self.device:
                both = f"its inputs are on {self.device} and on {other.device}"
                fail(DeviceError, f"{what}: {both}; move one with .to({self.device!r})")

    def _same_kind(self, what: str, *others: Core) -> None:
        """OperandError for what is no tensor."""
        for other in others:
            if not isinstance(other, Core):
                not_a_tensor(what, other)

    def _beside(self, other: Operand | Any) -> Self:
        """`other` as a tensor on this device: tensors as they are, arrays and scalars as constants."""
        if isinstance(other, Core):
            self._same_device("operation", other)
            return other  # type: ignore[return-value]
        if isinstance(other, Expr):
            return self._new(size_value(other, promote_scalar(self.dtype, 0)))
        if isinstance(other, np.ndarray) and other.ndim:
            return self._new(array_node(other, self.device))
        value = scalar("operation", other)
        dtype = promote_scalar(self.dtype, value)
        return self._new(fitted("operation", value, dtype))

    def _axis(self, dim: int, extra: int = 0) -> int:
        """`dim` counted from 0; BoundsError outside the tensor's dimensions (`extra` more where one is inserted)."""
        n = self.ndim + extra
        at_least = max(n, 1)  # a scalar takes dim 0 and -1, as in PyTorch
        if isinstance(dim, bool) or not isinstance(dim, int) or not -at_least <= dim < at_least:
            fail(BoundsError, f"dim {dim!r} is not among the {n} dimensions of shape {list(self.shape)}")
        return dim % at_least

    def _axes(self, dim: int | Sequence[int] | None) -> tuple[int, ...]:
        """`dim` as ascending axes; None means all."""
        if dim is None:
            return tuple(range(self.ndim))
        axes = tuple(sorted({self._axis(d) for d in ((dim,) if isinstance(dim, int) else dim)}))
        if not isinstance(dim, int) and len(axes) != len(dim):
            fail(ShapeError, f"dims {list(dim)} name a dimension of shape {list(self.shape)} twice")
        return axes if self.ndim else ()


def make(cls: type[T], value: Node, device: str, requires_grad: bool = False, leaf: bool = False) -> T:
    """A tensor of `value` on `device`, known to the engine. One that needs no gradient is a leaf as well."""
    t = object.__new__(cls)
    t.node, t.device, t._requires, t._grad = value, device, requires_grad, None
    t._leaf, t._earlier, t._alias = leaf or not requires_grad, None, None
    live.add(t)
    return t


def promote_shaped(a: Node, b: Node) -> DType:
    """PyTorch's promotion: a 0-d tensor is weak against one with dimensions, unless its category is higher."""
    if a.shape and not b.shape:
        a, b = b, a
    if b.shape and not a.shape and category(a.dtype) <= category(b.dtype):
        return b.dtype
    return promote(a.dtype, b.dtype)
