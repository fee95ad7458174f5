"""A graph of one step, over all steps at once: every value gets an axis in front."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lazygrad.errors import GraphError
from lazygrad.index.expr import Dim
from lazygrad.ir.build import constant_value
from lazygrad.ir.node import Node, expand, flip, node, pad, permute, reduce, reshape, scatter, shrink, topological
from lazygrad.ir.op import ELEMENTWISE, AxesArg, AxisArg, BoundsArg, Combine, Op, PadArg, ReduceArg, ScatterArg

KNOWN = ELEMENTWISE | {
    Op.REDUCE, Op.RESHAPE, Op.PERMUTE, Op.EXPAND, Op.PAD, Op.SHRINK, Op.FLIP, Op.DETACH, Op.CONTIGUOUS, Op.CHECK,
    Op.GATHER,
}  # fmt: skip


def is_parallel(n: Node, sequences: Collection[Node]) -> bool:
    """Whether `Along` can make `n`, given sequences for these nodes."""
    changing: set[Node] = set()
    for m in topological([n], stop=sequences.__contains__):
        if m in sequences or any(s in changing for s in m.src):
            changing.add(m)
    return all(m.op in KNOWN for m in changing if m not in sequences)


def is_summable(n: Node, sequences: Collection[Node]) -> bool:
    """Whether `Along` can make the total of `n` without `n` of each step: all scatters into zeros are one."""
    if n not in sequences:
        if n.op in (Op.RESHAPE, Op.PERMUTE, Op.ADD):
            return all(is_summable(s, sequences) for s in n.src)
        if _is_sum_of_rows(n):
            return all(is_parallel(s, sequences) for s in n.src[1:])
    return is_parallel(n, sequences)


def _is_sum_of_rows(n: Node) -> bool:
    return n.op is Op.SCATTER and n.argument(ScatterArg).combine is Combine.ADD and constant_value(n.src[0]) == 0


class Along:
    """Values of `length` steps, given the sequences that some nodes stand for."""

    def __init__(self, length: Dim, sequences: Mapping[Node, Node]) -> None:
        self.length, self.made = length, dict(sequences)
        self.same: set[Node] = set()  # at each step

    def of(self, n: Node) -> Node:
        """(length, ...): `n` at each step."""
        for m in topological([n], stop=self.made.__contains__):
            if m in self.made or any(s not in self.same for s in m.src):
                self.same.discard(m)
            else:
                self.same.add(m)
        for m in topological([n], stop=lambda m: m in self.made or m in self.same):
            if m not in self.made:
                self.made[m] = self._made(m)
        return self.made[n]

    def _made(self, n: Node) -> Node:
        if n in self.same:
            return expand(reshape(n, (1, *n.shape)), (self.length, *n.shape))
        src = tuple(self.made[s] for s in n.src)
        if n.op in ELEMENTWISE:
            return node(n.op, src, n.arg, n.dtype if n.op in (Op.CAST, Op.BITCAST) else None)
        x = src[0]
        if n.op is Op.REDUCE:
            arg = n.argument(ReduceArg)
            return reduce(x, arg.combine, [a + 1 for a in arg.axes], arg.tf32)
        if n.op is Op.RESHAPE:
            return reshape(x, (self.length, *n.shape))
        if n.op is Op.EXPAND:
            return expand(x, (self.length, *n.shape))
        if n.op is Op.PERMUTE:
            return permute(x, (0, *(a + 1 for a in n.argument(AxesArg).axes)))
        if n.op is Op.FLIP:
            return flip(x, [a + 1 for a in n.argument(AxesArg).axes])
        if n.op is Op.PAD:
            padding = n.argument(PadArg)
            return pad(x, [(0, 0), *padding.pads], padding.fill.value)
        if n.op is Op.SHRINK:
            return shrink(x, [(0, self.length), *n.argument(BoundsArg).bounds])
        if n.op is Op.GATHER:
            return node(n.op, src, AxisArg(n.argument(AxisArg).axis + 1))
        if n.op in (Op.DETACH, Op.CONTIGUOUS, Op.CHECK):
            return node(n.op, (x,), n.arg)
        raise GraphError(f"{n.op} over all steps at once")

    def total(self, n: Node) -> Node:
        """The sum of `n` over all steps: one sum, where `n` is one at each step."""
        if n not in self.made:
            if n.op is Op.REDUCE and n.argument(ReduceArg).combine is Combine.ADD:
                arg = n.argument(ReduceArg)
                return reduce(self.of(n.src[0]), Combine.ADD, [0, *(a + 1 for a in arg.axes)], arg.tf32)
            if n.op is Op.RESHAPE:
                return reshape(self.total(n.src[0]), n.shape)
            if n.op is Op.PERMUTE:
                return permute(self.total(n.src[0]), n.argument(AxesArg).axes)
            if _is_sum_of_rows(n):
                axis = n.argument(ScatterArg).axis
                index, updates = (self._behind_each_other(s, axis) for s in n.src[1:])
                return scatter(n.src[0], index, updates, axis, Combine.ADD)
            if n.op is Op.ADD:
                return node(Op.ADD, (self.total(n.src[0]), self.total(n.src[1])))
        return reduce(self.of(n), Combine.ADD, [0])

    def _behind_each_other(self, n: Node, axis: int) -> Node:
        """What `n` is at all steps, along its `axis`."""
        order = (*range(1, axis + 1), 0, *range(axis + 1, n.ndim + 1))
        return reshape(permute(self.of(n), order), (*n.shape[:axis], self.length * n.shape[axis], *n.shape[axis + 1 :]))
