"""Which nodes may become buffers: the candidates that fusion then puts together into kernels.

A candidate inside a kernel that nobody outside needs is never written to memory, so being one costs nothing there.
Reductions, scatters and scans are always candidates. An elementwise node with several readers is one when reading
the stored result is cheaper than reading what it is computed from again; and so is an operand of a matrix product
that costs more than its load, since the product evaluates each element of an operand many times.

Numbers are stored in the narrowest type that they have: before a cast that only widens them, after one that narrows a
reduction for all of its readers. Half of the bytes are moved, and products of 16-bit floats are known as such.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lazygrad.index.expr import Expr, dim_max, dim_product
from lazygrad.ir.node import Node
from lazygrad.ir.op import ELEMENTWISE, MOVEMENT, Combine, Op, ReduceArg
from lazygrad.schedule.access import Index, domain, reads, reduced_index, reduced_sizes

COSTLY = frozenset({Op.EXP2, Op.EXPM1, Op.LOG2, Op.SIN, Op.COS, Op.SQRT, Op.ERF, Op.POW, Op.DIV, Op.IDIV, Op.MOD})
RECOMPUTE_OPS = 48  # an inlined expression longer than this is stored rather than repeated
OPERAND_OPS = 2  # cheap operations that may be repeated for each use of a product's operand
OPERAND_USES = 256  # of each element of an operand, from which on a narrower copy of it is worth its making
CONE_LIMIT = 12  # inputs of an expression beyond which it counts as reading a lot


@dataclass(frozen=True, slots=True)
class Cone:
    """What computing a node again would take: the stored nodes it reads, and how many operations."""

    inputs: frozenset[Node]
    ops: int

    @property
    def bytes(self) -> int:
        return sum(nbytes(n) for n in self.inputs)


def nbytes(n: Node) -> int:
    return dim_max(dim_product(n.shape)) * n.dtype.itemsize


def candidates(order: list[Node], required: Iterable[Node]) -> set[Node]:
    """The candidates among `order` (sources first); all of `required` are."""
    stored = set(required)
    readers: dict[Node, set[Node]] = {}
    for n in order:
        if n.op in (Op.REDUCE, Op.SCATTER, Op.SCAN, Op.REPEAT):
            stored.add(n)
        for s in n.src:
            readers.setdefault(s, set()).add(n)
    stored.update(n for n in order if _is_widening(n, -1) and n.src[0].op is Op.REDUCE and readers[n.src[0]] == {n})
    for n in order:
        if n.op is Op.REDUCE and (operands := product(n, stored)) is not None:
            for operand in operands:
                _store_operand(operand, dim_max(dim_product(n.src[0].shape)), stored)
    cones: dict[Node, Cone] = {}
    for n in order:
        cone = _cone(n, stored, cones)
        if n not in stored and n.op in ELEMENTWISE and len(readers.get(n, ())) > 1 and _worth_storing(n, cone):
            narrow = before_widening(n)
            stored.add(narrow)
            cone = Cone(frozenset({narrow}), 0)
        cones[n] = cone
    return stored


def _is_widening(n: Node, sign: int = 1) -> bool:
    """Whether `n` is a float cast to a wider type; `sign` -1: to a narrower one."""
    if n.op is not Op.CAST or not (n.dtype.is_float and n.src[0].dtype.is_float):
        return False
    return (n.dtype.itemsize - n.src[0].dtype.itemsize) * sign > 0


def before_widening(n: Node) -> Node:
    """What `n` was before casts that only widened it."""
    while _is_widening(n):
        n = n.src[0]
    return n


def _cone(n: Node, stored: set[Node], cones: dict[Node, Cone]) -> Cone:
    if n.op is Op.BUFFER or n in stored:
        return Cone(frozenset({n}), 0)
    if not n.src:
        return Cone(frozenset(), 0)
    inputs: frozenset[Node] = frozenset().union(*(cones[s].inputs for s in n.src))
    if len(inputs) > CONE_LIMIT:
        inputs = frozenset(sorted(inputs, key=nbytes)[-CONE_LIMIT:])
    own = 0 if n.op in MOVEMENT else 8 if n.op in COSTLY else 1
    return Cone(inputs, min(sum(cones[s].ops for s in n.src) + own, 2 * RECOMPUTE_OPS))


def _worth_storing(n: Node, cone: Cone) -> bool:
    if not cone.inputs:
        return cone.ops > RECOMPUTE_OPS
    return cone.ops > RECOMPUTE_OPS or cone.bytes > 1.1 * nbytes(n)


def _store_operand(operand: Node, products: int, stored: set[Node]) -> None:
    """Mark what `operand` of so many products should read from memory: the node below its movement ops, if that costs
    much, or is narrower than what it is made of and read often."""
    while (operand.op in MOVEMENT or _is_widening(operand)) and operand not in stored:
        operand = operand.src[0]
    if operand in stored or operand.op not in ELEMENTWISE:
        return
    if _is_widening(operand, -1) and products >= OPERAND_USES * dim_max(dim_product(operand.shape)):
        stored.add(operand)
        return
    ops, stack, seen = 0, [operand], {operand}
    while stack and ops <= OPERAND_OPS:
        n = stack.pop()
        if n in stored or not n.src:
            continue
        ops += 0 if n.op in MOVEMENT or n.op is Op.CAST else 100 if n.op in COSTLY else 1
        new = [s for s in n.src if s not in seen]
        seen.update(new)
        stack.extend(new)
    if ops > OPERAND_OPS or sum(1 for n in seen if n.op is Op.BUFFER or n in stored) > 1:
        stored.add(operand)


def product(n: Node, stored: set[Node]) -> tuple[Node, Node] | None:
    """The operands (a, b) when REDUCE `n` is a contraction: a sum of a*b, each varying along an axis of its own."""
    if n.argument(ReduceArg).combine is not Combine.ADD or not n.dtype.is_float:
        return None
    body = n.src[0]
    while body.op is Op.CAST and body.src[0].dtype.is_float:
        body = body.src[0]
    if body.op is not Op.MUL:
        return None
    a, b = body.src
    ours, theirs = _axes_used(a, stored), _axes_used(b, stored)
    axes = set(n.argument(ReduceArg).axes)
    if not (ours - theirs - axes and theirs - ours - axes and ours & theirs & axes):
        return None
    return a, b


def _axes_used(n: Node, stored: set[Node]) -> set[int]:
    """The axes of `n` along which its elements can differ."""
    at = domain(n.shape, "d")
    used: set[Expr] = set()
    for _, index, valid in reads([(n, at, None)], stored):
        for e in index if valid is None else (*index, valid):
            used |= e.vars
    return {k for k, v in enumerate(at) if v in used}


def element(n: Node, outer: Index, prefix: str = "r") -> tuple[Node, Index]:
    """What one element of a candidate is made of: a node and an index to evaluate it at."""
    if n.op is not Op.REDUCE:
        return n, outer
    return n.src[0], reduced_index(n, outer, domain(reduced_sizes(n), prefix))
