"""`t[index]` and what else reads or writes elements by their place. Repeated places accumulate gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lazygrad.dtype import dtypes
from lazygrad.engine.run import upload
from lazygrad.errors import ArgumentError, BoundsError, DTypeError, ShapeError
from lazygrad.index.expr import dim_product
from lazygrad.ir import node as graph
from lazygrad.ir.build import positions
from lazygrad.ir.node import Node, const, where
from lazygrad.ir.op import Combine
from lazygrad.ir.signature import Shape
from lazygrad.ops import layout
from lazygrad.ops.aliases import give_back
from lazygrad.ops.broadcast import broadcast_to
from lazygrad.ops.core import Core, fail, scalar
from lazygrad.ops.fitting import all_fitting, fitted
from lazygrad.ops.host_values import mask_values, on_host
from lazygrad.ops.index_arrays import IndexArrays
from lazygrad.ops.index_plan import Added, Plan, consumed, is_mask, plan_index, put, spelled_out, take
from lazygrad.ops.inplace import InPlace
from lazygrad.ops.inside import inside
from lazygrad.ops.operands import not_a_tensor

if TYPE_CHECKING:
    from typing_extensions import Self


class Indexing(InPlace):
    """Reading and writing elements by their place."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Self:
        """Integers, slices with any step, `...`, None, boolean and integer arrays, as in PyTorch.

        Boolean arrays are realized, since the shape of the result depends on them. BoundsError outside the tensor; for
        integer tensors when a value is read.

        >>> x = Tensor.arange(12).reshape(3, 4)
        >>> x[1, ::-2].tolist(), x[[0, 2], -1].tolist(), x[x > 9].tolist()
        ([7, 5], [3, 11], [10, 11])
        """
        plan = self._plan(index)
        x = graph.reshape(take(self._in(), plan.steps), plan.shape())
        if not plan.arrays:
            return self._view(x, layout.taken, plan.slices())
        value = IndexArrays(self, plan).read(x)
        if all(isinstance(a, (Core, np.ndarray)) and a.ndim == 0 for a in plan.arrays.values()):
            return self._view(value, layout.unknown, value.shape)  # PyTorch takes such an index for a number
        return self._out(value)

    def __setitem__(self, index: Any, value: Any) -> None:
        """Replace the elements that `self[index]` reads; `value` broadcasts to them and takes their dtype.

        GradientError for a leaf that requires a gradient, outside no_grad(). Where an index names an element twice,
        the later value stays.

        >>> x = Tensor.zeros(4)
        >>> x[1::2] = Tensor([5.0, 6.0])
        >>> x.tolist()
        [0.0, 5.0, 0.0, 6.0]
        """
        if isinstance(value, Core):
            give_back(self, value)
        new = self._value_for("index assignment", value)
        if is_mask(index) and new.ndim == 0 and np.shape(index) == self.shape:
            mask = index if isinstance(index, Core) else self._from_host(np.asarray(index))
            self._become(self._new(mask.node)._choose(new, self))
            return
        plan = self._plan(index)
        self._become(self._with(plan, new), part=None if plan.arrays else plan.slices())

    def _with(self, plan: Plan, new: Self, combine: Combine = Combine.SET) -> Self:
        """This tensor with `new`, which broadcasts, at the places of `plan`: instead of what is there, or combined."""
        values = new._in()
        if plan.arrays:
            part = graph.reshape(take(self._in(), plan.steps), plan.shape())
            arrays = IndexArrays(self, plan)
            values = arrays.write(part, _fit(values, arrays.result), combine)
        else:
            values = _fit(values, plan.shape())
        return self._out(_replaced(self._in(), values, plan), new)

    def _value_for(self, what: str, value: Any) -> Self:
        """`value` as a tensor of this one's dtype and device."""
        if isinstance(value, Core):
            self._same_device(what, value)
            return self._new(value.node, value.requires_grad).cast(self.dtype)
        if isinstance(value, (list, np.ndarray)):
            array = np.asarray(value)
            if array.dtype.kind not in "biuf":
                not_a_tensor(what, next(iter(array.flat), value), "numbers")
            if isinstance(value, list):
                all_fitting(what, array, self.dtype)
            return self._from_host(array).cast(self.dtype)
        return self._new(fitted(what, scalar(what, value), self.dtype))

    def _from_host(self, array: np.ndarray[Any, Any]) -> Self:
        kind = dtypes.bool if array.dtype == np.bool_ else dtypes.int64 if array.dtype.kind in "iu" else dtypes.float64
        return self._new(upload(array.astype(kind.storage), kind, self.device))

    def _plan(self, index: Any) -> Plan:
        """The plan of `index`, in which every mask is replaced by the places where it is true."""
        items: list[Any] = []
        axis = 0
        for item in spelled_out(index, self.shape):
            items += self._places(item, axis) if is_mask(item) else [item]
            axis += consumed(item)
        return plan_index(items, self.shape)

    def _places(self, mask: Any, first: int) -> Sequence[Any]:
        values = mask_values(mask)
        shape = self.shape[first : first + values.ndim]
        if values.shape != shape:
            fail(BoundsError, f"index: a mask {list(values.shape)} does not fit {list(shape)} of {list(self.shape)}")
        return np.nonzero(values) if values.ndim else [Added(np.zeros(int(values), np.int64))]

    def _check_index(self, what: str, index: Core) -> None:
        self._same_device(what, index)
        if not index.dtype.is_int:
            fail(DTypeError, f"{what}: the index is {index.dtype}; it must be an integer tensor")

    def index_put(self, indices: Sequence[Any], values: Any, accumulate: bool = False) -> Self:
        """This tensor with `values` at the places that `indices`, a tuple of tensors, names: see `__setitem__`.

        With `accumulate` they are added to what is there, as often as a place is named.

        >>> Tensor([1, 2, 3]).index_put((Tensor([0, 0]),), Tensor([5, 6]), accumulate=True).tolist()
        [12, 2, 3]
        """
        new = self._value_for("index_put", values)
        if isinstance(values, Core) and values.dtype is not self.dtype:
            fail(DTypeError, f"index_put: values are {values.dtype}, the tensor {self.dtype}; cast one of them first")
        plan = self._plan(tuple(indices))
        if not plan.arrays:
            fail(ArgumentError, "index_put: the indices are tensors; there are none")
        return self._with(plan, new, Combine.ADD if accumulate else Combine.SET)

    def embedding(self, index: Core) -> Self:
        """Rows of this (n, d) matrix: for an index of any shape (...), the rows that it names, (..., d).

        Repeated rows accumulate gradients. BoundsError for rows outside the matrix, when a value is read.

        >>> Tensor([[1, 2], [3, 4]]).embedding(Tensor([[1, 0]])).tolist()
        [[[3, 4], [1, 2]]]
        """
        if self.ndim != 2:
            fail(ShapeError, f"embedding: the table is a matrix, not of shape {list(self.shape)}")
        self._check_index("embedding", index)
        m, d = dim_product(index.shape), self.shape[1]
        places = inside("embedding", index.node, self.shape[0])
        rows = broadcast_to(graph.reshape(places, (m, 1)), (m, d))
        return self._out(graph.reshape(graph.gather(self._in(), rows, 0), (*index.shape, d)))

    def one_hot(self, num_classes: int = -1) -> Self:
        """For integers of shape (...), int64 of shape (..., num_classes): 1 at the place named, else 0.

        With -1 there are as many classes as the largest integer needs; that realizes this tensor.

        >>> Tensor([1, 0]).one_hot(3).tolist()
        [[0, 1, 0], [1, 0, 0]]
        """
        self._check_index("one_hot", self)
        if num_classes == -1:
            num_classes = int(on_host(self.amax())) + 1
        index = graph.as_index(inside("one_hot", self.node, num_classes), num_classes)
        places = positions((*self.shape, num_classes), self.ndim, index.dtype)
        return self._new(index).unsqueeze(-1).eq(self._new(places)).cast(dtypes.int64)


def _fit(values: Node, shape: Shape) -> Node:
    """`values` broadcast to `shape`; further dimensions in front may have size 1."""
    while values.ndim > len(shape) and values.shape[0] == 1:
        values = graph.reshape(values, values.shape[1:])
    if values.ndim > len(shape) or any(n not in (1, m) for n, m in zip(values.shape[::-1], shape[::-1])):
        fail(ShapeError, f"index assignment: a value of shape {list(values.shape)} does not fit elements {list(shape)}")
    return broadcast_to(values, shape)


def _replaced(old: Node, values: Node, plan: Plan) -> Node:
    """`old` with `values`, of the plan's shape, at the elements that the plan takes."""
    taken = graph.reshape(values, tuple(s.count for s in plan.steps))
    if plan.is_everything:
        return taken
    here = put(const(True, dtypes.bool, taken.shape), plan.steps)
    return where(here, put(taken, plan.steps), old)
