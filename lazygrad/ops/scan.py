"""`scan`: a function applied along a sequence, compiled once however long that is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lazygrad.dtype import DType
from lazygrad.errors import GradientError, OperandError, ShapeError, fail
from lazygrad.ir.along import Along, is_parallel
from lazygrad.ir.build import add, mul, total
from lazygrad.ir.call import UserFunction, substitute
from lazygrad.ir.node import Node, call, cast, const, pad, reshape, shrink, topological
from lazygrad.ir.op import MOVEMENT, Op
from lazygrad.ir.repeat import Body, at, is_repeatable, repeat, stand_in
from lazygrad.ir.reverse import gradient
from lazygrad.ir.rewrite import simplify
from lazygrad.ir.signature import Shape
from lazygrad.ops.concatenation import side_by_side
from lazygrad.ops.core import Core, make
from lazygrad.ops.mode import mode
from lazygrad.ops.tree import flatten, unflatten


def scan(f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, reverse: bool = False) -> tuple[Any, Any]:
    """`f` applied along a sequence: carry, y = f(carry, x) for every x of `xs`, from `init` on.

    Args:
        f: makes of a carry and one step of `xs` the next carry, of the same shapes and dtypes, and anything of tensors
            y. It is called twice, and may read tensors from outside.
        init: the first carry: a tensor, or tuples, lists and dicts of them.
        xs: tensors (length, ...), alike in their length.
        reverse: begin with the last step.

    Gives the last carry, and the ys stacked, (length, ...). It compiles in time that does not grow with the length.
    Gradients flow to `init`, `xs` and whatever else `f` reads; gradients of those are a GradientError. Random numbers
    that `f` draws are the same at all steps. ShapeError where carries change their shapes.

    >>> scan(lambda total, x: (total + x, total * x), Tensor(1.0), Tensor([1.0, 2.0, 3.0]))
    (tensor(7.), tensor([ 1.,  4., 12.]))
    """
    first, shape_of_carry = flatten(init)
    sequences, shape_of_xs = flatten(xs)
    if not sequences or not all(isinstance(t, Core) for t in (*first, *sequences)):
        fail(OperandError, "scan: init and xs are tensors, or tuples, lists and dicts of them, and xs has one at least")
    length = sequences[0].shape[0] if sequences[0].ndim else None
    if not isinstance(length, int) or any(t.ndim == 0 or t.shape[0] != length for t in sequences):
        fail(ShapeError, f"scan: sequences of shapes {[list(t.shape) for t in sequences]} are not of one known length")
    if length == 0:
        fail(ShapeError, "scan: a sequence of length 0 gives nothing to find the shapes of the results by")
    traced = _Traced(f, first, sequences, shape_of_carry, shape_of_xs, False)
    if traced.needs:  # what f detaches is known only where its arguments require gradients
        traced = _Traced(f, first, sequences, shape_of_carry, shape_of_xs, True)
    values = _Steps(traced, length, reverse).values()
    kind, device = type(sequences[0]), sequences[0].device
    results = [make(kind, v, device, traced.needs and v.dtype.is_float) for v in values]
    last = 0 if reverse else length - 1
    carries = [results[k][last] for k in range(len(first))]
    return unflatten(shape_of_carry, carries), unflatten(traced.shape_of_y, results[len(first) :])


class _Depth(threading.local):
    """How many functions of scans this thread is in: each of them has stand-ins of its own."""

    now = 0


_depth = _Depth()


class _Traced:
    """The graph that `f` makes of one step."""

    def __init__(
        self, f: Any, first: Sequence[Core], sequences: Sequence[Core], carry: Any, xs: Any, all_require: bool
    ) -> None:
        whole = [*first, *sequences]
        self.device, kind = sequences[0].device, type(sequences[0])
        self.carries, self.sequences = len(first), len(sequences)
        self.given = [t._in() for t in whole]
        shapes = [*(t.shape for t in first), *(t.shape[1:] for t in sequences)]
        self.depth = _depth.now
        self.inside = [
            stand_in(("given", self.depth, k), self.device, t.dtype, s) for k, (t, s) in enumerate(zip(whole, shapes))
        ]
        flags = [mode.enabled and t.dtype.is_float and (all_require or t._requires) for t in whole]
        tensors = [make(kind, n, self.device, flag) for n, flag in zip(self.inside, flags)]
        _depth.now += 1
        try:
            after, y = f(unflatten(carry, tensors[: len(first)]), unflatten(xs, tensors[len(first) :]))
        finally:
            _depth.now -= 1
        made, shape_after = flatten(after)
        others, self.shape_of_y = flatten(y)
        if shape_after != carry or [(t.shape, t.dtype) for t in made] != [(t.shape, t.dtype) for t in first]:
            fail(ShapeError, f"scan: f makes a carry of {_kinds(made)} of one of {_kinds(first)}")
        if not all(isinstance(t, Core) for t in others):
            fail(OperandError, "scan: what f returns beside the carry is made of tensors")
        self.roots = [t._in() for t in (*made, *others)]
        self.needs = mode.enabled and any(t._requires for t in (*made, *others, *whole))

    def stand_in(self, role: str, number: int, dtype: DType, shape: Shape) -> Node:
        """A node that no scan around this one, and none inside it, has."""
        return stand_in((role, self.depth, number), self.device, dtype, shape)


def _kinds(tensors: Sequence[Any]) -> str:
    return ", ".join(f"{t.dtype}{list(t.shape)}" if isinstance(t, Core) else type(t).__name__ for t in tensors)


def _constants(roots: Sequence[Node], inside: set[Node]) -> list[Node]:
    """What `roots` are computed from that does not depend on a step, below movements of it."""
    changing: set[Node] = set()
    for n in topological(roots):
        if n in inside or any(s in changing for s in n.src):
            changing.add(n)
    found: dict[Node, None] = {}
    seen: set[Node] = set()
    stack = list(roots)
    while stack:
        n = stack.pop()
        if n in seen or n in inside or n.device is None:
            continue
        seen.add(n)
        if n in changing or n.op in MOVEMENT:
            stack.extend(n.src)
        else:
            found[n] = None
    return list(found)


class _Part:
    """A graph of one step that is repeated, and what it is given."""

    def __init__(
        self, length: int, reverse: bool, carries: Mapping[Node, Node], sequences: Mapping[Node, Node],
        roots: Sequence[Node], device: str,
    ) -> None:  # fmt: skip
        inside = [*carries, *sequences]
        constants = _constants(roots, set(inside))
        used = set(topological(roots))
        sequences = {p: s for p, s in sequences.items() if p in used}
        named = [*carries, *sequences, *constants]
        stands = [stand_in(("part", k), device, n.dtype, n.shape) for k, n in enumerate(named)]
        simple = simplify(substitute(roots, dict(zip(named, stands))))
        self.body = Body(length, reverse, tuple(stands), tuple(simple), len(carries), len(sequences))
        self.sources = [*carries.values(), *sequences.values(), *constants]

    def values(self) -> list[Node]:
        """Of each root, (length, ...)."""
        return (repeat if is_repeatable(self.body) else _unrolled)(self.body, self.sources)


def _unrolled(body: Body, sources: Sequence[Node]) -> list[Node]:
    """As `repeat`, for any body: every step as a graph of its own."""
    state = list(sources[: body.carries])
    made: list[list[Node]] = [[] for _ in body.roots]
    for t in reversed(range(body.length)) if body.reverse else range(body.length):
        known = dict(zip(body.inputs, state))
        for k in range(body.carries, len(body.inputs)):
            s = sources[k]
            known[body.inputs[k]] = at(s, t) if k < body.carries + body.sequences else s
        values = substitute(body.roots, known)
        state = values[: body.carries]
        for steps, value in zip(made, values):
            steps.append(value)
    if body.reverse:
        made = [steps[::-1] for steps in made]
    return [side_by_side([reshape(n, (1, *n.shape)) for n in steps], 0) for steps in made]


def _last_sum(n: Node, readers: Mapping[Node, Sequence[Node]]) -> Node:
    """`n`, or the sum that it is a summand of, whose gradients do not need `n`."""
    while len(after := readers.get(n, ())) == 1 and (after[0].op is Op.ADD or after[0].op in MOVEMENT):
        if after[0].shape != n.shape and after[0].op is not Op.RESHAPE:
            break
        n = after[0]
    return n


class _Once(UserFunction):
    """What cannot be differentiated again."""

    name = "scan"

    def gradients(self, inputs: Sequence[Node], by_outputs: Mapping[int, Node]) -> Sequence[Node | None]:
        """GradientError."""
        raise GradientError("scan: gradients of its gradients are not there; write the loop out in Python for those")


class _Steps(UserFunction):
    """One `scan` and its gradient: the same steps backward, from what the products of each step were."""

    name = "scan"

    def __init__(self, traced: _Traced, length: int, reverse: bool) -> None:
        self.traced, self.length, self.reverse = traced, length, reverse
        self.constants = _constants(traced.roots, set(traced.inside))
        changing = set(traced.inside)
        order = topological(traced.roots)
        readers: dict[Node, list[Node]] = {}
        for n in order:
            for s in n.src:
                readers.setdefault(s, []).append(n)
        products: dict[Node, None] = {}
        for n in order:
            if any(s in changing for s in n.src):
                changing.add(n)
                if n.op is Op.REDUCE and n not in traced.roots and n.dtype.is_float:
                    products[_last_sum(n, readers)] = None
        self.products = [n for n in products if n not in traced.roots]

    def values(self) -> list[Node]:
        """Of each root, (length, ...)."""
        t = self.traced
        carries = dict(zip(t.inside[: t.carries], t.given))
        sequences = dict(zip(t.inside[t.carries :], t.given[t.carries :]))
        distinct = list(dict.fromkeys(t.roots))
        kept = [*distinct, *self.products] if t.needs else distinct
        roots = [*t.roots[: t.carries], *(r for r in kept if r not in t.roots[: t.carries])]
        made = dict(zip(roots, _Part(self.length, self.reverse, carries, sequences, roots, t.device).values()))
        if not t.needs:
            return [made[r] for r in t.roots]
        self.made = made
        inputs = [*t.given, *self.constants]
        return [call(made[r], inputs, self, k) if r.dtype.is_float else made[r] for k, r in enumerate(t.roots)]

    def gradients(self, inputs: Sequence[Node], by_outputs: Mapping[int, Node]) -> Sequence[Node | None]:
        """See `UserFunction`."""
        t = self.traced
        into = [t.stand_in("into", k, r.dtype, r.shape) for k, r in enumerate(t.roots)]
        after = [t.stand_in("after", k, r.dtype, r.shape) for k, r in enumerate(t.roots[: t.carries])]
        widest = max((r.dtype for r in t.roots if r.dtype.is_float), key=lambda d: d.itemsize)
        whole: Node | None = None
        for k, r in enumerate(t.roots):
            parts = ([into[k]] if k in by_outputs else []) + ([after[k]] if k < t.carries else [])
            if parts and r.dtype.is_float:
                g = add(*parts) if len(parts) == 2 else parts[0]
                one = cast(total(mul(r, g), range(r.ndim)), widest)
                whole = one if whole is None else add(whole, one)
        assert whole is not None
        targets = [*t.inside, *self.constants]
        grads = gradient(whole, const(1, whole.dtype), targets)
        by_carry = [g if g is not None else const(0, p.dtype, p.shape) for p, g in zip(t.inside[: t.carries], grads)]
        known = {p: t.stand_in("product", k, p.dtype, p.shape) for k, p in enumerate(self.products)}
        sequences = {into[k]: g for k, g in by_outputs.items()}
        sequences |= {known[p]: self.made[p] for p in self.products}
        for k, p in enumerate(t.inside):
            sequences[p] = self._before(t.given[k], self.made[t.roots[k]]) if k < t.carries else t.given[k]
        return self._backward(grads, by_carry, after, known, sequences, inputs)

    def _backward(
        self, grads: Sequence[Node | None], by_carry: Sequence[Node], after: Sequence[Node],
        known: dict[Node, Node], sequences: dict[Node, Node], inputs: Sequence[Node],
    ) -> list[Node | None]:  # fmt: skip
        t, length = self.traced, self.length
        found = [g for g in grads[t.carries :] if g is not None]
        simple = substitute([*by_carry, *found], known)
        by_carry, found = simple[: t.carries], simple[t.carries :]
        by_number = iter(found)
        rest = [None if g is None else next(by_number) for g in grads[t.carries :]]
        by_x, by_constant = rest[: t.sequences], rest[t.sequences :]
        zeros = {p: const(0, p.dtype, p.shape) for p in after}
        roots = list(dict.fromkeys([*by_carry, *(g for g in by_x if g is not None)]))
        parallel = {*sequences, *after, *roots}
        roots += [g for g in by_constant if g is not None and g not in roots and not is_parallel(g, parallel)]
        values = dict(zip(roots, _Part(length, not self.reverse, zeros, sequences, roots, t.device).values()))
        later = {p: self._before(zeros[p], values[g], True) for p, g in zip(after, by_carry)}
        along = Along(length, {**sequences, **later, **values})
        last = length - 1 if self.reverse else 0
        result: list[Node | None] = [at(values[g], last) for g in by_carry]
        result += [None if g is None else values[g] for g in by_x]
        result += [None if g is None else along.total(g) for g in by_constant]
        once = _Once()
        return [None if g is None else call(g, [*inputs, *sequences.values()], once) for g in result]

    def _before(self, first: Node, values: Node, backward: bool = False) -> Node:
        """What each step got of the one before it: `first`, and `values` but for the last one."""
        start = const(0, first.dtype, first.shape)
        row = reshape(first, (1, *first.shape))
        n, none = self.length, [(0, 0)] * first.ndim
        every = [(0, d) for d in first.shape]
        if self.reverse is not backward:  # from the end on
            moved = pad(shrink(values, [(1, n), *every]), [(0, 1), *none])
            return moved if first is start else add(moved, pad(row, [(n - 1, 0), *none]))
        moved = pad(shrink(values, [(0, n - 1), *every]), [(1, 0), *none])
        return moved if first is start else add(moved, pad(row, [(0, n - 1), *none]))
