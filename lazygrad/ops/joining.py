"""Joining and repeating."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from lazygrad.dtype import promote
from lazygrad.errors import ArgumentError, OperandError, ShapeError
from lazygrad.ir.node import cast
from lazygrad.ops.autocast import autocasting
from lazygrad.ops.concatenation import side_by_side
from lazygrad.ops.core import Core, fail
from lazygrad.ops.gathering import Gathering
from lazygrad.ops.movement import as_shape
from lazygrad.ops.operands import not_a_tensor
from lazygrad.ops.signatures import checked
from lazygrad.ops.splitting import Splitting

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T", bound="Joining")


class Joining(Gathering, Splitting):
    """Joining and repeating."""

    __slots__ = ()

    def repeat(self, *repeats: Any) -> Self:
        """The whole tensor repeated along each dimension; more numbers than dimensions add dimensions in front.

        >>> Tensor([1, 2]).repeat(2, 2).tolist()
        [[1, 2, 1, 2], [1, 2, 1, 2]]
        """
        times = as_shape(repeats, "repeat")
        if len(times) < self.ndim:
            fail(ShapeError, f"repeat: {list(times)} has fewer numbers than shape {list(self.shape)} has dimensions")
        shape = (1,) * (len(times) - self.ndim) + self.shape
        between = [n for pair in zip((1,) * len(shape), shape) for n in pair]
        expanded = [n for pair in zip(times, shape) for n in pair]
        repeated = self.reshape(between).expand(expanded)
        return repeated.reshape(tuple(t * n for t, n in zip(times, shape)))._apart()

    def tile(self, *dims: Any) -> Self:
        """`repeat`, where fewer numbers than dimensions repeat the last ones.

        >>> Tensor([[1, 2]]).tile(2).tolist()
        [[1, 2, 1, 2]]
        """
        times = as_shape(dims, "tile")
        return self.repeat((1,) * (self.ndim - len(times)) + times)

    def roll(self, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Self:
        """Elements moved `shifts` places towards the end of `dims`, those that fall off entering at the start.

        >>> Tensor([1, 2, 3, 4]).roll(1).tolist()
        [4, 1, 2, 3]
        """
        distances = (shifts,) if isinstance(shifts, int) else tuple(shifts)
        along = (dims,) if isinstance(dims, int) else () if dims is None else tuple(dims)
        if len(distances) != max(len(along), 1):
            fail(ArgumentError, f"roll: {len(distances)} shifts for {len(along)} dims; each dim needs one")
        if along and not self.ndim:
            fail(ShapeError, f"roll: a 0-d tensor has no dims {list(along)}")
        if not along:
            return self.flatten().roll(distances[0], 0).reshape(self.shape)
        x = self
        for shift, dim in zip(distances, along):
            n = x._known("roll", dim)
            if n and shift % n:
                left = n - shift % n
                x = cat([x.narrow(dim, left, n - left), x.narrow(dim, 0, left)], dim)
        return x._apart()

    def cat(self, *tensors: Self, dim: int = 0) -> Self:
        """This tensor and others behind each other along `dim`: `lazygrad.cat([self, *tensors], dim)`.

        >>> Tensor([1]).cat(Tensor([2]), Tensor([3])).tolist()
        [1, 2, 3]
        """
        return cat([self, *tensors], dim)

    def stack(self, *tensors: Self, dim: int = 0) -> Self:
        """This tensor and others beside each other along a new dimension: `lazygrad.stack([self, *tensors], dim)`.

        >>> Tensor([1]).stack(Tensor([2])).tolist()
        [[1], [2]]
        """
        return stack([self, *tensors], dim)


@autocasting
@checked
def cat(tensors: Sequence[T], dim: int = 0) -> T:
    """The tensors behind each other along `dim`; their other sizes are equal, their dtypes promote.

    Vectors without elements are left out, whatever the other shapes are.

    >>> from lazygrad import Tensor
    >>> cat([Tensor([1, 2]), Tensor([3])]).tolist()
    [1, 2, 3]
    """
    check_tensors("cat", tensors)
    first = next((t for t in tensors if t.shape != (0,)), tensors[0])
    axis = first._axis(dim)
    dtype = tensors[0].dtype
    for t in tensors:
        first._same_device("cat", t)
        same = t.ndim == first.ndim and all(a == b for i, (a, b) in enumerate(zip(t.shape, first.shape)) if i != axis)
        if not t.ndim or not (same or t.shape == (0,)):
            shapes = ", ".join(str(list(t.shape)) for t in tensors)
            fail(ShapeError, f"cat: shapes {shapes} differ in more than dim {dim}")
        dtype = promote(dtype, t.dtype)
    parts = [cast(t._in(), dtype) for t in tensors if t.ndim == first.ndim]
    return first._out(side_by_side(parts, axis), *tensors)


def check_tensors(what: str, tensors: Any) -> None:
    """ArgumentError for no tensors, OperandError for one tensor alone and for what is none."""
    if isinstance(tensors, Core):
        fail(OperandError, f"{what} takes a list of Tensors, not one Tensor; put it in a list: [x]")
    if not isinstance(tensors, Sequence):
        not_a_tensor(what, tensors, "a list of Tensors")
    if not tensors:
        fail(ArgumentError, f"{what}: no tensors")
    for t in tensors:
        if not isinstance(t, Core):
            not_a_tensor(what, t, "Tensors")


@autocasting
@checked
def stack(tensors: Sequence[T], dim: int = 0) -> T:
    """Tensors of one shape beside each other along a new dimension `dim`.

    >>> from lazygrad import Tensor
    >>> stack([Tensor([1, 2]), Tensor([3, 4])]).tolist()
    [[1, 2], [3, 4]]
    """
    check_tensors("stack", tensors)
    if any(t.shape != tensors[0].shape for t in tensors):
        fail(ShapeError, f"stack: shapes {', '.join(str(list(t.shape)) for t in tensors)} differ")
    return cat([t.unsqueeze(dim) for t in tensors], dim)


def where(condition: Core, a: T | float, b: T | float) -> T:
    """`a` where `condition` is true, else `b`; all three broadcast, and one of them at least is a tensor.

    >>> from lazygrad import Tensor
    >>> where(Tensor([True, False]), Tensor([1, 2]), 0).tolist()
    [1, 0]
    """
    if not isinstance(condition, Core):
        not_a_tensor("where", condition, "a Tensor as its condition")
    one = a if isinstance(a, Core) else b if isinstance(b, Core) else condition
    assert isinstance(one, Joining)
    mask = one._new(condition.node)
    if not condition.dtype.is_bool:
        fail(ArgumentError, f"where: the condition is {condition.dtype}, not bool")
    return mask._choose(a, b)  # type: ignore[return-value]
