"""Integer arrays as indices: one GATHER or SCATTER along one dimension, into which the indexed ones are merged."""

from __future__ import annotations

from typing import Any

import numpy as np

from lazygrad.dtype import dtypes
from lazygrad.engine.checks import outside
from lazygrad.engine.run import upload
from lazygrad.errors import BoundsError, IndexTypeError
from lazygrad.index.expr import Dim, dim_product
from lazygrad.ir.build import size_value
from lazygrad.ir.node import Node, alu, const, gather, permute, reshape, scatter, where
from lazygrad.ir.op import Combine, Op
from lazygrad.ir.signature import Shape
from lazygrad.ops.broadcast import broadcast_shape, broadcast_to
from lazygrad.ops.compare import logical_not
from lazygrad.ops.core import Core, fail
from lazygrad.ops.index_plan import Plan
from lazygrad.ops.inside import from_the_end


class IndexArrays:
    """The integer arrays of an index, applied to the tensor that its plan leaves.

    Neighbouring arrays put the result's new dimensions in their place; arrays that are apart, in front. Those without
    dimensions are numbers, as in PyTorch: they are no neighbours, and come between none.
    """

    def __init__(self, owner: Core, plan: Plan) -> None:
        self.axes = sorted(plan.arrays)
        self.shape = plan.shape()
        sizes = [self.shape[a] for a in self.axes]
        items = [_as_index(plan.arrays[a], owner) for a in self.axes]
        if all(isinstance(n, int) for n in sizes) and all(isinstance(i, np.ndarray) for i in items):
            flat: Node = _from_host(items, sizes, self.shape, owner.device)
        else:
            flat = _from_nodes([_on_device(i, owner) for i in items], sizes)
        others = [a for a in range(len(self.shape)) if a not in self.axes]
        before = {sum(o < a for o in others) for a, item in zip(self.axes, items) if item.ndim}
        self.place = before.pop() if len(before) == 1 else 0
        self.order = [*others[: self.place], *self.axes, *others[self.place :]]
        permuted = tuple(self.shape[a] for a in self.order)
        self.before, self.after = permuted[: self.place], permuted[self.place + len(self.axes) :]
        self.result: Shape = (*self.before, *flat.shape, *self.after)
        count = dim_product(flat.shape)
        line = reshape(flat, (*(1 for _ in self.before), count, *(1 for _ in self.after)))
        self.index = broadcast_to(line, (*self.before, count, *self.after))

    def _merged(self, x: Node) -> Node:
        """`x` with the indexed dimensions as one, at `place`."""
        merged: Dim = dim_product(self.shape[a] for a in self.axes)
        return reshape(permute(x, self.order), (*self.before, merged, *self.after))

    def read(self, x: Node) -> Node:
        """The elements of `x` that the arrays name."""
        return reshape(gather(self._merged(x), self.index, self.place), self.result)

    def write(self, x: Node, values: Node, combine: Combine = Combine.SET) -> Node:
        """`x` with `values`, of shape `result`, at the places that the arrays name."""
        updates = reshape(values, self.index.shape)
        merged = scatter(self._merged(x), self.index, updates, self.place, combine)
        apart = reshape(merged, tuple(self.shape[a] for a in self.order))
        return permute(apart, [self.order.index(a) for a in range(len(self.order))])


def _as_index(item: Any, owner: Core) -> Core | np.ndarray[Any, Any]:
    """An index as a tensor on the owner's device, or as an integer array on the host."""
    if isinstance(item, Core):
        if not item.dtype.is_int:
            fail(IndexTypeError, f"index: an index tensor is {item.dtype}; it must be integer or bool")
        owner._same_device("index", item)
        return item
    array = np.asarray(item)
    if array.dtype == object and all(type(i) is int for i in array.flat):  # larger ones than NumPy has types for
        array = np.clip(array, dtypes.int64.min, dtypes.int64.max).astype(np.int64)
    if array.size and array.dtype.kind not in "iu":
        fail(IndexTypeError, f"index: an index array is {array.dtype}; it must be integer or bool")
    if array.dtype == np.uint64:  # what is larger than any int64 is outside in any case
        array = np.minimum(array, np.uint64(dtypes.int64.max))
    return array.astype(np.int64)


def _from_host(arrays: list[Any], sizes: list[Dim], shape: Shape, device: str) -> Node:
    """The place in the merged dimension, from arrays on the host; BoundsError outside it."""
    flat = np.zeros((), np.int64)
    for array, size in zip(arrays, sizes):
        assert isinstance(size, int)
        wrong = array[(array < -size) | (array >= size)]
        if wrong.size:
            fail(BoundsError, outside(f"x[index] of {list(shape)}", int(wrong.flat[0]), size))
        flat = flat * size + np.where(array < 0, array + size, array)
    return upload(np.asarray(flat), dtypes.int64, device)


def _on_device(item: Core | np.ndarray[Any, Any], owner: Core) -> Node:
    return item.node if isinstance(item, Core) else upload(item, dtypes.int64, owner.device)


def _from_nodes(nodes: list[Node], sizes: list[Dim]) -> Node:
    """The place in the merged dimension; of several arrays, -1 (which reads 0) where one is outside its dimension."""
    shape = broadcast_shape("index", *(n.shape for n in nodes))
    flat: Node | None = None
    beyond: Node | None = None
    for index, size in zip(nodes, sizes):
        index = broadcast_to(from_the_end("x[index]", index, size), shape)
        zero, length = const(0, dtypes.int64, shape), size_value(size, dtypes.int64, shape)
        if len(nodes) > 1:
            wrong = alu(Op.OR, alu(Op.LT, index, zero), logical_not(alu(Op.LT, index, length)))
            beyond = wrong if beyond is None else alu(Op.OR, beyond, wrong)
        flat = index if flat is None else alu(Op.ADD, alu(Op.MUL, flat, length), index)
    assert flat is not None
    return flat if beyond is None else where(beyond, const(-1, dtypes.int64, shape), flat)
