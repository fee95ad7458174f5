"""Graphs over bound variables as graphs over unbound ones, so that all values of a variable share one plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lazygrad.index.expr import Dim, Expr, as_dim
from lazygrad.index.variable import Variable
from lazygrad.ir.node import Node, node, topological
from lazygrad.ir.op import Arg, BoundsArg, BufferArg, Op, PadArg, ShapeArg


@dataclass(frozen=True, slots=True, eq=False)
class Placeholder:
    """Stands for the storage of a BUFFER whose shape has been made free of values."""

    device: str
    nbytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Unbound:
    """A graph without values. `new`: what each node with variables has become; `values`: those of its variables."""

    roots: tuple[Node, ...]
    new: Mapping[Node, Node]
    values: Mapping[Variable, int]


def unbind(roots: Sequence[Node]) -> Unbound:
    """`roots` over variables without values. ShapeError where a variable has none."""
    found = frozenset[Variable]().union(*(r.variables for r in roots))
    names = unbound_names(sorted(found, key=lambda v: (v.name, v.bound or 0)))
    values = {new: int(v) for v, new in names.items()}
    changed = renamed(roots, names) if names else {}
    return Unbound(tuple(changed.get(r, r) for r in roots), changed, values)


def unbound_names(found: Iterable[Variable]) -> dict[Variable, Variable]:
    """For each variable one without a value. Variables of one name that have different values get different names.

    >>> T = Variable("T", 1, 8)
    >>> [v.name for v in unbound_names([T.bind(3), T.bind(5)]).values()]
    ['T', 'T_1']
    """
    names: dict[Variable, Variable] = {}
    taken: set[str] = set()
    for v in dict.fromkeys(found):
        name = next(n for k in range(len(taken) + 1) if (n := f"{v.name}_{k}" if k else v.name) not in taken)
        taken.add(name)
        names[v] = Variable(name, v.lo, v.hi)
    return names


Names = Mapping[Variable, Variable]


def renamed(roots: Sequence[Node], names: Names) -> dict[Node, Node]:
    """Every node of `roots` that has variables, with its variables replaced; BUFFERs get placeholders as storages."""
    new: dict[Node, Node] = {}
    for n in topological(roots, stop=lambda n: not n.variables):
        if n.variables:
            src = tuple(new.get(s, s) for s in n.src)
            new[n] = _renamed(n, src, names)
    return new


def _renamed(n: Node, src: tuple[Node, ...], names: Names) -> Node:
    if n.op is Op.BUFFER:
        storage = n.argument(BufferArg).storage
        shape = renamed_shape(n.shape, names)
        return node(Op.BUFFER, (), BufferArg(Placeholder(storage.device, storage.nbytes)), n.dtype, shape)
    dtype = n.dtype if n.op in (Op.CAST, Op.BITCAST, Op.IOTA) else None
    return node(n.op, src, _argument(n.arg, names), dtype)


def _argument(arg: Arg | None, names: Names) -> Arg | None:
    if isinstance(arg, ShapeArg):
        return ShapeArg(renamed_shape(arg.shape, names))
    if isinstance(arg, PadArg):
        return PadArg(tuple((a, b) for a, b in (renamed_shape(p, names) for p in arg.pads)), arg.fill)
    if isinstance(arg, BoundsArg):
        return BoundsArg(tuple((a, b) for a, b in (renamed_shape(p, names) for p in arg.bounds)))
    return arg


def renamed_shape(sizes: Sequence[Dim], names: Names) -> tuple[Dim, ...]:
    """The sizes with variables replaced."""
    return tuple(as_dim(n.substitute(names)) if isinstance(n, Expr) else n for n in sizes)
