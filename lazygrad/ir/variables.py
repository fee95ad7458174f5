"""Graphs over bound variables as graphs over unbound ones, so that all values of a variable share one plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from lazygrad.index.expr import Const, Dim, Expr, Var, as_dim
from lazygrad.index.variable import Variable
from lazygrad.ir.node import Node, node, topological
from lazygrad.ir.op import Arg, BoundsArg, BufferArg, Op, PadArg, ShapeArg

Names = Mapping[Var, Expr]
Renamed = Mapping[Var, Variable]
Sizes = Mapping[Var, int]
NO_VALUES: Sizes = MappingProxyType({})


@dataclass(slots=True, eq=False)
class Placeholder:
    """Stands for the storage of a BUFFER whose shape has been made free of values."""

    device: str
    nbytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Unbound:
    """A graph without values.

    Attributes:
        new: what each node with variables has become.
        names: what each variable has become: one without a value, or 0.
    """

    roots: tuple[Node, ...]
    new: Mapping[Node, Node]
    names: Names

    def values(self, given: Sizes) -> dict[Var, int]:
        """The values of the new variables: those that the old ones are bound to, or are `given`."""
        return {new: given[v] if v in given else int(v) for v, new in self.names.items() if isinstance(new, Variable)}


def unbind(roots: Sequence[Node], values: Sizes = NO_VALUES) -> Unbound:
    """`roots` over variables without values, in the place of bound ones and of those that `values` has.

    A size of 0 is a graph of its own, with nothing where it occurs: kernels need not care, and may divide by sizes. So
    the new variables are at least 1. ShapeError where one has no value.
    """
    found = frozenset[Variable]().union(*(r.variables for r in roots))
    distinct = unbound_names(sorted(found, key=lambda v: (v.name, v.bound or 0)))
    names: dict[Var, Expr] = {}
    for v, new in distinct.items():
        value = values[v] if v in values else int(v)
        names[v] = Variable(new.name, max(v.lo, 1), v.hi) if value else Const(0)
    changed = renamed(roots, names) if names else {}
    return Unbound(tuple(changed.get(r, r) for r in roots), changed, names)


def unbound_names(found: Iterable[Variable]) -> dict[Var, Variable]:
    """For each variable one without a value. Variables of one name that have different values get different names.

    >>> T = Variable("T", 1, 8)
    >>> [v.name for v in unbound_names([T.bind(3), T.bind(5)]).values()]
    ['T', 'T_1']
    """
    names: dict[Var, Variable] = {}
    taken: set[str] = set()
    for v in dict.fromkeys(found):
        name = next(n for k in range(len(taken) + 1) if (n := f"{v.name}_{k}" if k else v.name) not in taken)
        taken.add(name)
        names[v] = Variable(name, v.lo, v.hi)
    return names


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
    if not names:
        return tuple(sizes)
    return tuple(as_dim(n.substitute(names)) if isinstance(n, Expr) else n for n in sizes)
