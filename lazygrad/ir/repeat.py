"""REPEAT: the graph of one step of a sequence, computed step by step, and compiled once however many there are.

Its value is one-dimensional: for each root of the step's graph one block, in which the steps' values lie one after the
other, each from a multiple of `ALIGNMENT` bytes on. So does every sequence that it reads.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from lazygrad.dtype import DType
from lazygrad.index.expr import dim_max, dim_product
from lazygrad.ir.node import Node, buffer, contiguous, node, pad, reshape, shrink, topological
from lazygrad.ir.op import IdArg, Op, RepeatArg
from lazygrad.ir.signature import Shape
from lazygrad.runtime.base import Storage

ALIGNMENT = 256  # bytes: at least every device's

Read = tuple[int, int, int]  # which source (-1: the result), from which element on, how many


@dataclass(frozen=True)
class Body:
    """One step.

    Attributes:
        length: how many steps there are.
        reverse: whether the last one is computed first.
        inputs: what stands for the values that a step gets: those that the step before it made of the same kind, then
            this step's of sequences, then what is the same in all steps.
        roots: what it makes: the values for the next step, then others.
        carries, sequences: how many of the inputs are of the first and of the second kind.
    """

    length: int
    reverse: bool
    inputs: tuple[Node, ...]
    roots: tuple[Node, ...]
    carries: int
    sequences: int

    @property
    def dtype(self) -> DType:
        return self.roots[0].dtype

    @property
    def elements(self) -> int:
        return sum(self.length * stride(r) for r in self.roots)

    def places(self, t: int) -> list[int]:
        """Where the values of step `t` begin in the result, in elements."""
        places, start = [], 0
        for r in self.roots:
            places.append(start + t * stride(r))
            start += self.length * stride(r)
        return places

    def turns(self) -> Iterator[tuple[int, list[Read]]]:
        """The steps in their order, and what each of the inputs is in them."""
        before: list[int] | None = None
        for t in reversed(range(self.length)) if self.reverse else range(self.length):
            reads: list[Read] = []
            for k, p in enumerate(self.inputs):
                if k < self.carries:
                    reads.append((k, 0, count(p)) if before is None else (-1, before[k], count(p)))
                else:
                    at = t * stride(p) if k < self.carries + self.sequences else 0
                    reads.append((k, at, count(p)))
            yield t, reads
            before = self.places(t)

    def text(self) -> tuple[object, ...]:
        """What decides what is computed, without identities."""
        number: dict[Node, int] = {}
        rows: list[object] = []
        for n in topological([*self.inputs, *self.roots]):
            number[n] = len(number)
            arg = None if n in self.inputs or isinstance(n.arg, IdArg) else n.arg
            rows.append((n.op, n.dtype, n.shape, tuple([number[s] for s in n.src]), arg))
        ends = tuple(number[n] for n in (*self.inputs, *self.roots))
        return (self.length, self.reverse, self.carries, self.sequences, tuple(rows), ends)


def count(n: Node) -> int:
    """How many elements `n` has."""
    return dim_max(dim_product(n.shape))


def stride(n: Node) -> int:
    """Elements from one step's value of `n` to the next."""
    unit = ALIGNMENT // n.dtype.itemsize
    return -(-count(n) // unit) * unit


@lru_cache(4096)
def stand_in(key: Hashable, device: str, dtype: DType, shape: Shape) -> Node:
    """A node for an input of a step, `key`: the same one for equal arguments, so that equal steps are equal."""
    return buffer(Storage(device, dim_max(dim_product(shape)) * dtype.itemsize), dtype, shape)


_MADE_OF = frozenset({Op.CALL, Op.STORE, Op.COPY, Op.CHECK, Op.REPEAT})


def is_repeatable(body: Body) -> bool:
    """Whether REPEAT can compute it: its roots are computed, of one dtype and different, with nothing inside that has
    an effect, and all of known sizes."""
    bases = []
    for r in body.roots:
        while r.op is Op.RESHAPE:
            r = r.src[0]
        bases.append(r)
    order = topological(body.roots)
    known = set(body.inputs)
    return (
        body.length > 0
        and len({r.dtype for r in body.roots}) == 1
        and len(set(bases)) == len(bases)
        and all(b.op is not Op.BUFFER and any(n in known for n in topological([b])) for b in bases)
        and not any(n.op in _MADE_OF or n.variables or (n.op is Op.BUFFER and n not in known) for n in order)
        and not any(count(n) == 0 for n in (*body.inputs, *body.roots))
    )


def repeat(body: Body, sources: Sequence[Node]) -> list[Node]:
    """For each root of a step, its values at all steps, (length, ...). `sources`: the first values, sequences
    (length, ...) and values of all steps that the inputs stand for. `is_repeatable(body)`."""
    given = []
    for k, (p, s) in enumerate(zip(body.inputs, sources)):
        if body.carries <= k < body.carries + body.sequences:
            s = reshape(s, (body.length, count(p)))
            s = pad(s, [(0, 0), (0, stride(p) - count(p))])
        given.append(contiguous(s))
    whole = node(Op.REPEAT, tuple(given), RepeatArg(body))
    return [_block(whole, body, start, r) for start, r in zip(body.places(0), body.roots)]


def _block(whole: Node, body: Body, start: int, root: Node) -> Node:
    block = shrink(whole, [(start, start + body.length * stride(root))])
    rows = shrink(reshape(block, (body.length, stride(root))), [(0, body.length), (0, count(root))])
    return reshape(rows, (body.length, *root.shape))


def at(s: Node, t: int) -> Node:
    """Step `t` of a sequence."""
    bounds = [(t, t + 1), *((0, n) for n in s.shape[1:])]
    return reshape(shrink(s, bounds), s.shape[1:])


def body_of(n: Node) -> Body:
    """The step of a REPEAT."""
    body = n.argument(RepeatArg).body
    assert isinstance(body, Body)
    return body


def step_of(n: Node) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """The roots and the inputs of the step of a REPEAT."""
    body = body_of(n)
    return body.roots, body.inputs
