"""The steps of a scan: values of all of them, and their gradients, which are those of steps again."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

from lazygrad.dtype import DType
from lazygrad.ir.along import Along, is_parallel, is_summable
from lazygrad.ir.build import add, mul, total
from lazygrad.ir.call import UserFunction, substitute
from lazygrad.ir.carrier import carrier, decoded, encoded
from lazygrad.ir.node import Node, call, cast, const, contiguous, full_like_shape, pad, reshape, shrink, topological
from lazygrad.ir.op import MOVEMENT, Op
from lazygrad.ir.repeat import Body, at, is_repeatable, repeat, stand_in
from lazygrad.ir.reverse import gradient
from lazygrad.ir.rewrite import simplify
from lazygrad.ir.signature import Shape
from lazygrad.ops.concatenation import side_by_side


@dataclass(frozen=True, eq=False)
class Step:
    """The graph of one step.

    Attributes:
        inside: what stands for what a step gets: carries, then a step of each sequence.
        given: the carries before the first step, and the sequences (length, ...).
        carries: how many of both are carries.
        roots: what a step makes: the next carries, then others.
        key: tells the stand-ins of this step from those of steps around it, and of its gradient's.
    """

    device: str
    key: Hashable
    inside: Sequence[Node]
    given: Sequence[Node]
    carries: int
    roots: Sequence[Node]

    def stand_in(self, role: str, number: int, dtype: DType, shape: Shape) -> Node:
        """A node that no other step has."""
        return stand_in((self.key, role, number), self.device, dtype, shape)


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


def _repeated(
    length: int, reverse: bool, carries: Mapping[Node, Node], sequences: Mapping[Node, Node],
    roots: Sequence[Node], device: str,
) -> list[Node]:  # fmt: skip
    """Of each of `roots` its values at all steps, (length, ...), given what stand-ins for carries and steps of
    sequences are."""
    sequences, roots = _checked(length, carries, sequences, roots, device)
    inside = [*carries, *sequences]
    constants = _constants(roots, set(inside))
    used = set(topological(roots))
    sequences = {p: s for p, s in sequences.items() if p in used}
    kind = carrier([r.dtype for r in roots])
    sources = [encoded(s, kind) for s in carries.values()] + [*sequences.values(), *constants]
    named = [*carries, *sequences, *constants]
    stands = [stand_in(("part", k), device, s.dtype, n.shape) for k, (n, s) in enumerate(zip(named, sources))]
    known = {n: decoded(p, n.dtype) for n, p in zip(named, stands)}
    simple = simplify([encoded(r, kind) for r in substitute(roots, known)])
    one = stand_in(("part", "one"), device, kind, (1,))
    made = simplify(_apart(simple, stands, one))
    if one in topological(made):
        stands.append(one)
        sources.append(contiguous(const(1, kind, (1,))))
    body = Body(length, reverse, tuple(stands), tuple(made), len(carries), len(sequences))
    values = (repeat if is_repeatable(body) else _unrolled)(body, sources)
    return [decoded(v, r.dtype) for r, v in zip(roots, values)]


def _checked(
    length: int, carries: Mapping[Node, Node], sequences: Mapping[Node, Node], roots: Sequence[Node], device: str
) -> tuple[Mapping[Node, Node], Sequence[Node]]:
    """`sequences` and `roots`, where indices of a step that come from sequences alone are checked for all steps at
    once, which are a sequence then: a step holds no CHECK."""
    order = topological(roots)
    by_carry, by_sequence = set(carries), set(sequences)
    for n in order:
        for depend in (by_carry, by_sequence):
            if any(s in depend for s in n.src):
                depend.add(n)
    checks = [n for n in order if n.op is Op.CHECK and n in by_sequence and n not in by_carry]
    found = [n for n in checks if is_parallel(n, sequences)]
    along = Along(length, sequences)
    known = {n: stand_in(("checked", k), device, n.dtype, n.shape) for k, n in enumerate(found)}
    made = {known[n]: along.of(n) for n in found}
    return {**sequences, **made}, substitute(roots, known) if found else roots


def _apart(roots: Sequence[Node], inputs: Sequence[Node], one: Node) -> list[Node]:
    """`roots`, each to be computed in a step and at a place of its own: those that are inputs, the same at all steps,
    or equal, become products with `one`, of which only the launch knows that it is 1."""
    seen: set[Node] = set(inputs)
    result = []
    for r in roots:
        base = r
        while base.op is Op.RESHAPE:
            base = base.src[0]
        fixed = base in seen or not any(n in inputs for n in topological([base]))
        result.append(mul(r, full_like_shape(reshape(one, ()), r.shape)) if fixed else r)
        seen.add(base)
    return result


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


def _products(step: Step) -> list[Node]:
    """What a gradient needs that is costly to make again: sums of a step, and what these are summands of."""
    changing = set(step.inside)
    order = topological(step.roots)
    readers: dict[Node, list[Node]] = {}
    for n in order:
        for s in n.src:
            readers.setdefault(s, []).append(n)
    products: dict[Node, None] = {}
    for n in order:
        if any(s in changing for s in n.src):
            changing.add(n)
            if n.op is Op.REDUCE and n not in step.roots and n.dtype.is_float:
                products[_last_sum(n, readers)] = None
    return list(products)


def _last_sum(n: Node, readers: Mapping[Node, Sequence[Node]]) -> Node:
    """`n`, or the sum that it is a summand of, whose gradients do not need `n`."""
    while len(after := readers.get(n, ())) == 1 and (after[0].op is Op.ADD or after[0].op in MOVEMENT):
        if after[0].shape != n.shape and after[0].op is not Op.RESHAPE:
            break
        n = after[0]
    return n


class Steps(UserFunction):
    """All steps, and their gradient: steps backward, from what the products of each step were."""

    name = "scan"

    def __init__(self, step: Step, length: int, reverse: bool) -> None:
        self.step, self.length, self.reverse = step, length, reverse
        self.constants = _constants(step.roots, set(step.inside))
        self.outputs = list(dict.fromkeys([*step.roots, *_products(step)]))
        self.made: dict[Node, Node] = {}

    def values(self, keep: bool, differentiable: bool = True) -> list[Node]:
        """Of each root, (length, ...). `keep` the products, for a gradient that is asked for surely."""
        step = self.step
        carries = dict(zip(step.inside[: step.carries], step.given))
        sequences = dict(zip(step.inside[step.carries :], step.given[step.carries :]))
        first = list(step.roots[: step.carries])
        roots = [*first, *(r for r in (self.outputs if keep else dict.fromkeys(step.roots)) if r not in first)]
        made = dict(zip(roots, _repeated(self.length, self.reverse, carries, sequences, roots, step.device)))
        if differentiable:
            inputs, number = [*step.given, *self.constants], {r: k for k, r in enumerate(self.outputs)}
            made = {r: call(v, inputs, self, number[r]) if r.dtype.is_float else v for r, v in made.items()}
        self.made = made
        return [made[r] for r in step.roots]

    def gradients(self, inputs: Sequence[Node], by_outputs: Mapping[int, Node]) -> Sequence[Node | None]:
        """See `UserFunction`."""
        return self.wanted(inputs, by_outputs, inputs)

    def wanted(
        self, inputs: Sequence[Node], by_outputs: Mapping[int, Node], used: Collection[Node]
    ) -> Sequence[Node | None]:
        """See `UserFunction`. Steps backward go through all carries, and make what is used."""
        if not all(p in self.made for p in self.outputs):
            self.values(True)
        t = self.step
        by = {r: t.stand_in("by", k, r.dtype, r.shape) for k, r in enumerate(self.outputs) if k in by_outputs}
        after = [t.stand_in("after", k, r.dtype, r.shape) for k, r in enumerate(t.roots[: t.carries])]
        grads = gradient(*_weighted([*by.items(), *zip(t.roots, after)]), [*t.inside, *self.constants])
        unused = [k >= t.carries and x not in used for k, x in enumerate(inputs)]
        grads = [None if skip else g for skip, g in zip(unused, grads)]
        known = {p: t.stand_in("product", k, p.dtype, p.shape) for k, p in enumerate(self.outputs) if p not in t.roots}
        found = iter(substitute([g for g in grads if g is not None], known))
        grads = [None if g is None else next(found) for g in grads]
        sequences = {by[self.outputs[k]]: g for k, g in by_outputs.items()}
        sequences |= {known[p]: self.made[p] for p in known}
        for k, p in enumerate(t.inside):
            sequences[p] = self._before(t.given[k], self.made[t.roots[k]]) if k < t.carries else t.given[k]
        return self._backward(grads, after, sequences)

    def _backward(
        self, grads: Sequence[Node | None], after: Sequence[Node], sequences: dict[Node, Node]
    ) -> list[Node | None]:
        """The gradients by all inputs, given those by a step's, the stand-ins for those by the next carries, and what
        the other stand-ins in them are at all steps."""
        t = self.step
        by_carry = [g if g is not None else const(0, p.dtype, p.shape) for p, g in zip(t.inside[: t.carries], grads)]
        by_x, by_constant = grads[t.carries : len(t.inside)], grads[len(t.inside) :]
        others = list(dict.fromkeys(g for g in by_x if g is not None))
        parallel = {*sequences, *after, *by_carry, *others}
        others += [g for g in by_constant if g is not None and g not in others and not is_summable(g, parallel)]
        roots, zeros = [*by_carry, *others], [const(0, p.dtype, p.shape) for p in after]
        inside, given = [*after, *sequences], [*zeros, *sequences.values()]
        back = Step(t.device, (t.key, "back"), inside, given, t.carries, roots)
        values = dict(zip(roots, Steps(back, self.length, not self.reverse).values(False)))
        later = {p: self._before(z, values[g], True) for p, z, g in zip(after, zeros, by_carry)}
        along = Along(self.length, {**sequences, **later, **values})
        last = self.length - 1 if self.reverse else 0
        result: list[Node | None] = [at(values[g], last) for g in by_carry]
        result += [None if g is None else values[g] for g in by_x]
        return result + [None if g is None else along.total(g) for g in by_constant]

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


def _weighted(pairs: Sequence[tuple[Node, Node]]) -> tuple[Node, Node]:
    """The sum of all products of pairs that are floats, and 1: a root to differentiate, and its gradient."""
    pairs = [(r, g) for r, g in pairs if r.dtype.is_float]
    by_root: dict[Node, Node] = {}
    for r, g in pairs:
        by_root[r] = add(by_root[r], g) if r in by_root else g
    widest = max((r.dtype for r in by_root), key=lambda d: d.itemsize)
    whole: Node | None = None
    for r, g in by_root.items():
        one = cast(total(mul(r, g), range(r.ndim)), widest)
        whole = one if whole is None else add(whole, one)
    assert whole is not None
    return whole, const(1, widest)
