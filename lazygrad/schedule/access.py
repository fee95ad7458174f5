"""Walking a graph by index: which elements of its sources does an element of a node need?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lazygrad.index import view
from lazygrad.index.expr import Const, Dim, Expr, Var, dim_max, index_variable
from lazygrad.ir.node import Node
from lazygrad.ir.op import AxesArg, AxisArg, BoundsArg, Op, PadArg, ReduceArg

Index = tuple[Expr, ...]
Place = tuple[Node, Index, Expr | None]
"""A node, the index of one of its elements, and the condition under which that index is inside it (None: always)."""


def domain(shape: tuple[Dim, ...], prefix: str) -> Index:
    """One variable per axis: `prefix0`, `prefix1`, ...; the constant 0 for an axis of size 1."""
    return tuple(index_variable(f"{prefix}{k}", n) for k, n in enumerate(shape))


def reduced_index(n: Node, outer: Index, inner: Index) -> Index:
    """The index into the source of REDUCE `n`, given its own index and one for each reduced axis."""
    axes = n.argument(ReduceArg).axes
    rest, reduced = iter(outer), iter(inner)
    return tuple(next(reduced) if k in axes else next(rest) for k in range(n.src[0].ndim))


def reduced_sizes(n: Node) -> tuple[Dim, ...]:
    """The sizes of the axes that REDUCE `n` goes over."""
    return tuple(n.src[0].shape[a] for a in n.argument(ReduceArg).axes)


def both(a: Expr | None, b: Expr | None) -> Expr | None:
    """The conjunction of two conditions, where None holds always."""
    if a is None or (b is not None and a.constant == 1):
        return b
    return a if b is None else a.and_(b)


@dataclass
class Walk:
    """Goes down a graph element by element; remembers the variables that stand for loaded indices."""

    opaque: dict[tuple[Node, Index, Expr | None, int], Var] = field(default_factory=dict)

    def loaded(self, gather: Node, at: Index, valid: Expr | None) -> Var:
        """The variable for the index value that GATHER `gather` uses for its element `at`, read where `valid` holds."""
        size = dim_max(gather.src[0].shape[gather.argument(AxisArg).axis])
        key = (gather.src[1], at, valid, size)
        if key not in self.opaque:
            self.opaque[key] = Var(f"at{len(self.opaque)}", -1, size)  # what lies outside counts as -1 or size
        return self.opaque[key]

    def is_inside(self, gather: Node, at: Index, valid: Expr | None) -> Expr:
        """Whether the index value lies inside of what is gathered from."""
        var = self.loaded(gather, at, valid)
        return var.ge(0).and_(var.lt(gather.src[0].shape[gather.argument(AxisArg).axis]))

    def sources(self, place: Place) -> list[Place]:
        """The places that the element at `place` is computed from, in the order of the node's sources."""
        n, at, valid = place
        if n.op is Op.GATHER:
            var = self.loaded(n, at, valid)
            axis = n.argument(AxisArg).axis
            index = (*at[:axis], ZERO if n.src[0].shape[axis] == 1 else var, *at[axis + 1 :])
            return [(n.src[0], index, both(valid, self.is_inside(n, at, valid))), (n.src[1], at, valid)]
        if n.op in _MOVES:
            index, moved_inside = _moved(n, at)
            return [(n.src[0], index, both(valid, moved_inside))]
        return [(s, at, valid) for s in n.src]


_MOVES = frozenset({Op.RESHAPE, Op.PERMUTE, Op.EXPAND, Op.PAD, Op.SHRINK, Op.FLIP})


def _moved(n: Node, at: Index) -> tuple[Index, Expr | None]:
    x = n.src[0]
    if n.op is Op.RESHAPE:
        return view.reshape(at, n.shape, x.shape), None
    if n.op is Op.PERMUTE:
        return view.permute(at, n.argument(AxesArg).axes), None
    if n.op is Op.EXPAND:
        return view.expand(at, x.shape), None
    if n.op is Op.SHRINK:
        return view.shrink(at, n.argument(BoundsArg).bounds), None
    if n.op is Op.FLIP:
        return view.flip(at, n.argument(AxesArg).axes, n.shape), None
    index, inside = view.pad(at, n.argument(PadArg).pads, x.shape)
    index = tuple(ZERO if size == 1 else e for e, size in zip(index, x.shape))  # an axis of one element has one index
    return index, None if inside.constant == 1 else inside


def reads(roots: list[Place], stored: set[Node]) -> Iterator[Place]:
    """Each element of a stored node or buffer that the elements at `roots` need, once. `stored` is not entered."""
    walk = Walk()
    seen: set[Place] = set()
    stack = list(reversed(roots))
    while stack:
        place = stack.pop()
        if place in seen:
            continue
        seen.add(place)
        n = place[0]
        if n.op is Op.BUFFER or n in stored:
            yield place
        elif n.src:
            stack.extend(reversed(walk.sources(place)))


ZERO = Const(0)
