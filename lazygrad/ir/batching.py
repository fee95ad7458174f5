"""A graph of one example as a graph of a batch of them: one rule for each primitive.

Every node that depends on an example gets one more dimension, the first; the others stay as they are, and are repeated
where they meet a batch. So a function of one example is run once, with nothing but a shape for its argument, and what
it made is rewritten: no primitive is run in a loop.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import accumulate

from lazygrad.errors import JitError, fail
from lazygrad.index.expr import Dim, dim_max
from lazygrad.ir.build import add
from lazygrad.ir.call import UserFunction
from lazygrad.ir.node import Node, buffer, call, expand, node, pad, permute, reshape, shrink, topological
from lazygrad.ir.op import (
    SOURCE,
    Arg,
    AxesArg,
    AxisArg,
    BoundsArg,
    CallArg,
    FunctionLike,
    Op,
    PadArg,
    ReduceArg,
    ScanArg,
    ScatterArg,
    ShapeArg,
)
from lazygrad.ir.repeat import body_of, count, is_repeatable, repeat, stand_in, stride

Bound = tuple[Dim, Dim]


class Example:
    """The storage of an example, which has a shape and no elements: to read it is an error."""

    def __init__(self, device: str, nbytes: int, what: str) -> None:
        self.device, self.nbytes, self._what = device, nbytes, what

    def __str__(self) -> str:
        problem = "the function reads the numbers of an example (.item(), a condition on them, print)"
        return f"{self._what}: {problem}, but all examples are computed at once; use where()"


def example(like: Node, shape: Sequence[Dim], device: str, what: str) -> Node:
    """A node of the dtype of `like` with no elements behind it: what a function of one example is given.

    >>> from lazygrad.ir.node import const
    >>> from lazygrad.dtype import dtypes
    >>> example(const(1, dtypes.int32, (4, 3)), (3,), "NUMPY", "vmap").shape
    (3,)
    """
    return buffer(Example(device, 0, what), like.dtype, tuple(shape))


def batched(roots: Sequence[Node], known: Mapping[Node, Node], size: Dim) -> list[Node]:
    """`roots` with a first dimension of `size`, where every node in `known` is what it stands for there.

    >>> from lazygrad.ir.node import alu, const
    >>> from lazygrad.dtype import dtypes
    >>> x, batch = const(1.0, dtypes.float32, (3,)), const(2.0, dtypes.float32, (4, 3))
    >>> batched([alu(Op.MUL, x, x)], {x: batch}, 4)[0].shape
    (4, 3)
    """
    new, functions = dict(known), dict[tuple[FunctionLike, tuple[Node, ...]], _Batched]()
    blocks: dict[tuple[Node, Bound], Node] = {}
    for n in topological(roots, stop=lambda n: n in known):
        if n in new or not any(s in new for s in n.src):
            continue
        if n.op is Op.CALL:
            function, inputs = n.argument(CallArg).function, n.src[1:]
            assert isinstance(function, UserFunction), function
            if (function, inputs) not in functions:  # one for all its outputs, whose gradients it is asked for together
                functions[function, inputs] = _Batched(function, inputs, known, size)
            led = [_led(s, new, size) for s in n.src]
            new[n] = call(led[0], led[1:], functions[function, inputs], n.argument(CallArg).output)
        elif n.op is Op.REPEAT:
            blocks |= _steps(n, new, size)
            new[n] = _beside([block for (whole, _), block in blocks.items() if whole is n])
        elif n.op is Op.SHRINK and (n.src[0], n.argument(BoundsArg).bounds[0]) in blocks:
            new[n] = blocks[n.src[0], n.argument(BoundsArg).bounds[0]]
        elif n.op is Op.STORE:
            new[n] = new[n.src[0]]  # a value in a storage that one example alone would have
        else:
            src = tuple(_led(s, new, size) for s in n.src)
            dtype = n.dtype if n.op in (Op.CAST, Op.BITCAST) else None
            new[n] = node(n.op, src, _argument(n, size), dtype)
    return [_led(r, new, size) for r in roots]


def _led(n: Node, new: Mapping[Node, Node], size: Dim) -> Node:
    """What stands for `n`: itself, repeated, where it is the same for all examples."""
    return new[n] if n in new else expand(reshape(n, (1, *n.shape)), (size, *n.shape))


def _steps(n: Node, new: Mapping[Node, Node], size: Dim) -> dict[tuple[Node, Bound], Node]:
    """REPEAT `n` for all examples: of each stretch of its value, which is a root's, (size, elements)."""
    body = body_of(n)
    known, sources, device = {}, [], n.device
    assert device is not None
    for k, (p, s) in enumerate(zip(body.inputs, n.src)):
        every = k < body.carries or s in new
        shape, s = ((size, *p.shape), _led(s, new, size)) if every else (p.shape, s)
        if body.carries <= k < body.carries + body.sequences:
            s = shrink(s, [*((0, m) for m in s.shape[:-1]), (0, count(p))])
            s = reshape(permute(s, (1, 0, 2)) if every else s, (body.length, *shape))
        if every:
            known[p] = stand_in(("vmap", k), device, p.dtype, shape)
        sources.append(s)
    of_batch = replace(
        body, inputs=tuple(known.get(p, p) for p in body.inputs), roots=tuple(batched(body.roots, known, size))
    )
    if not is_repeatable(of_batch):
        fail(JitError, "vmap: a scan over examples of a number that is not known; give it sequences with the batch")
    result: dict[tuple[Node, Bound], Node] = {}
    for start, r, values in zip(body.places(0), body.roots, repeat(of_batch, sources)):
        rows = reshape(permute(values, (1, 0, *range(2, values.ndim))), (size, body.length, count(r)))
        rows = pad(rows, [(0, 0), (0, 0), (0, stride(r) - count(r))])
        end = start + body.length * stride(r)
        result[n, (start, end)] = reshape(rows, (size, end - start))
    return result


def _beside(blocks: Sequence[Node]) -> Node:
    """Blocks (size, elements) after each other."""
    ends = list(accumulate(dim_max(b.shape[1]) for b in blocks))
    parts = [pad(b, [(0, 0), (e - dim_max(b.shape[1]), ends[-1] - e)]) for b, e in zip(blocks, ends)]
    return reduce(add, parts)


def _argument(n: Node, size: Dim) -> Arg | None:
    """The argument of `n`, counting one dimension more."""
    arg = n.arg
    if isinstance(arg, ReduceArg):
        return replace(arg, axes=tuple(axis + 1 for axis in arg.axes))
    if isinstance(arg, (ScanArg, AxisArg, ScatterArg)):
        return replace(arg, axis=arg.axis + 1)
    if isinstance(arg, ShapeArg):
        return ShapeArg((size, *arg.shape))
    if isinstance(arg, AxesArg):
        axes = tuple(axis + 1 for axis in arg.axes)
        return AxesArg((0, *axes) if n.op is Op.PERMUTE else axes)
    if isinstance(arg, PadArg):
        return replace(arg, pads=((0, 0), *arg.pads))
    if isinstance(arg, BoundsArg):
        return BoundsArg(((0, size), *arg.bounds))
    assert n.op not in SOURCE, n
    return arg


class _Batched(UserFunction):
    """A function of a batch of examples: its gradient is that of one, batched."""

    def __init__(self, function: UserFunction, inputs: Sequence[Node], known: Mapping[Node, Node], size: Dim) -> None:
        self.function, self.inputs, self.known, self.size = function, tuple(inputs), dict(known), size
        self.name = function.name

    def gradients(self, inputs: Sequence[Node], by_outputs: Mapping[int, Node]) -> Sequence[Node | None]:
        """See `UserFunction`."""
        return self.wanted(inputs, by_outputs, inputs)

    def wanted(
        self, inputs: Sequence[Node], by_outputs: Mapping[int, Node], used: Collection[Node]
    ) -> Sequence[Node | None]:
        """See `UserFunction`."""
        known = {**self.known, **dict(zip(self.inputs, inputs))}
        given = {}
        for output, g in by_outputs.items():
            one = example(g, g.shape[1:], g.device or self._device(), self.name)
            known[one], given[output] = g, one
        found = self.function.wanted(self.inputs, given, [x for x, y in zip(self.inputs, inputs) if y in used])
        present = [g for g in found if g is not None]
        made = iter(batched(present, known, self.size))
        return [None if g is None else next(made) for g in found]

    def _device(self) -> str:
        return next((n.device for n in self.known.values() if n.device is not None), "NUMPY")
