"""Tile programs: what one launch computes, as loops over axes with values inside them.

*Values* are scalar expressions over the variables of the loops around them (`Const`, `Index`, `Load`, `Alu`, `Ref`);
equal values are one object. A value belongs to the outermost loop that binds all of its variables; lowering puts it
there.

*Statements* bind variables and have effects (`Loop`, `Reduction`, `Stage`, `Store`, `If`, `Search`, `Last`). Every
axis says how it is executed, and that is all that optimization passes change:

    GRID      one work-group (thread block) each
    CLUSTER   one work-group each, of those that run at the same time and reach each other's local memory
    LOCAL     one work-item (thread) of the group each
    SERIAL    one after the other
    UNROLL    side by side in registers: each statement inside is repeated per element
    VECTOR    side by side in the lanes of one vector register

UNROLL and VECTOR axes are the *register tile*: a value that uses them is a tile of registers, and a SERIAL loop or a
Reduction inside them runs once, carrying the whole tile. A blocked matrix product is `Loop(i, UNROLL) > Loop(j, VECTOR)
> Reduction(k) > Store`: its accumulator is spread over i and j.

Matrix units and copy engines work on *tiles* (`Tile`: a part of an array, with a layout), by the hands of work-items
that have the same LOCAL variables (`Copy`, `Mma`); asynchronously inside a `Start`, until a `Wait` (`collective`).
`Roles` gives work-items different bodies. The order of an output's tiles is a matter of index expressions (`order`),
and so are layouts (`layout`). `verify` checks what such a program must keep to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar, cast

from lazygrad.dtype import DType
from lazygrad.index.expr import Dim, Expr, Var
from lazygrad.interned import Interned, comparable
from lazygrad.ir.op import Combine, Op

from .array import Array as Array
from .array import Axis as Axis
from .array import Kind as Kind
from .array import Scope as Scope
from .array import compute_dtype as compute_dtype
from .collective import ZERO, Copy, Done, Let, Mma, Open, Release, Wait


class Value:
    """A scalar expression. `vars`: the loop variables it uses; `accs`: the accumulators it reads."""

    __slots__ = ("dtype", "src", "vars", "accs", "__weakref__")
    dtype: DType
    src: tuple[Value, ...]
    vars: frozenset[Var]
    accs: frozenset[Accumulator]


class Const(Value):
    __slots__ = ("value",)
    value: bool | int | float


class Index(Value):
    """An index expression as a value of an integer dtype (or bool, for a condition).

    `binds` are variables of `expr` that stand for run-time values: `src[k]` is the integer value of `binds[k]`.
    """

    __slots__ = ("expr", "binds")
    expr: Expr
    binds: tuple[Var, ...]


class Load(Value):
    """`array[index]`, or `fill` where `valid` is false (then nothing is read); `binds` as in Index, for GATHER."""

    __slots__ = ("array", "index", "valid", "fill", "binds")
    array: Array
    index: Expr
    valid: Expr | None
    fill: bool | int | float
    binds: tuple[Var, ...]


class Alu(Value):
    """An elementwise primitive over `src`."""

    __slots__ = ("op",)
    op: Op


class Ref(Value):
    """The final value of an accumulator."""

    __slots__ = ("acc",)
    acc: Accumulator


EMPTY: Mapping[Any, Any] = MappingProxyType({})
V = TypeVar("V", bound=Value)
_values: Interned[Any, Value] = Interned()
_NO_VARS: frozenset[Var] = frozenset()
_NO_ACCS: frozenset[Accumulator] = frozenset()


def _value(kind: type[V], dtype: DType, src: tuple[Value, ...], own: frozenset[Var], **fields: Any) -> V:
    key = (kind, dtype, tuple(map(id, src)), *((name, comparable(v)) for name, v in fields.items()))
    if (known := _values.find(key)) is not None:
        return cast(V, known)
    new: Any = object.__new__(kind)
    new.dtype, new.src = dtype, src
    new.vars = own.union(*(s.vars for s in src)) if src else own
    new.accs = _NO_ACCS.union(*(s.accs for s in src)) if src else _NO_ACCS
    for name, v in fields.items():
        setattr(new, name, v)
    if kind is Ref:
        new.accs = frozenset({new.acc})
    return cast(V, _values.add(key, new))


def const(value: bool | int | float, dtype: DType) -> Const:
    return _value(Const, dtype, (), _NO_VARS, value=value)


Bindings = Mapping[Var, "Value"]


def _bound(exprs: tuple[Expr, ...], bindings: Bindings) -> tuple[frozenset[Var], tuple[Var, ...], tuple[Value, ...]]:
    """The loop variables of `exprs`, and those of their variables that `bindings` gives values, with the values."""
    used = _NO_VARS.union(*(e.vars for e in exprs))
    binds = tuple(sorted((v for v in used if v in bindings), key=lambda v: v.name))
    return used.difference(binds), binds, tuple(bindings[v] for v in binds)


def index(expr: Expr, dtype: DType, bindings: Bindings = EMPTY) -> Index:
    own, binds, src = _bound((expr,), bindings)
    return _value(Index, dtype, src, own, expr=expr, binds=binds)


def load(
    array: Array, at: Expr, valid: Expr | None = None, fill: bool | int | float = 0, bindings: Bindings = EMPTY
) -> Load:
    own, binds, src = _bound((at,) if valid is None else (at, valid), bindings)
    return _value(Load, array.dtype, src, own, array=array, index=at, valid=valid, fill=fill, binds=binds)


def alu(op: Op, dtype: DType, *src: Value) -> Alu:
    return _value(Alu, dtype, src, _NO_VARS, op=op)


def ref(acc: Accumulator) -> Ref:
    return _value(Ref, acc.dtype, (), acc.vars, acc=acc)


# ---- statements ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Accumulator:
    """A reduction's running value: the combination of `value` over the axes of its Reduction.

    It starts at the identity of `combine`. `vars` are the loop variables outside the reduction that it depends on.
    """

    name: str
    combine: Combine
    dtype: DType  # sums of 16-bit floats are kept in float32
    value: Value
    vars: frozenset[Var]
    factors: DType | None = None  # of a sum of products: the type in which a matrix unit may multiply them


@dataclass(frozen=True, slots=True, eq=False)
class Reduction:
    """Runs `axes` (outermost first) and accumulates every accumulator in one pass.

    `body` runs first in each turn; accumulators may use what reductions in it have found.
    """

    axes: tuple[Axis, ...]
    accumulators: tuple[Accumulator, ...]
    body: tuple[Stmt, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Store:
    """`array[index] = value` where `valid` holds. `stream`: past the caches (for outputs larger than they are).

    `bindings` are variables of `index` and `valid` that stand for run-time values, as in Load: how SCATTER writes.
    """

    array: Array
    index: Expr
    value: Value
    stream: bool = False
    combine: Combine = Combine.SET  # with what is there already, by the one task that owns it
    valid: Expr | None = None
    bindings: tuple[tuple[Var, Value], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    axis: Axis
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True, eq=False)
class If:
    """`body` where `condition` holds, else `orelse`."""

    condition: Expr
    body: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """`body` in those turns of `axis` in which `where` holds, in order; `bindings` as in Store.

    The work-items that have the same LOCAL variables look for these turns together: one, or a warp.
    """

    axis: Axis
    where: Expr
    bindings: tuple[tuple[Var, Value], ...]
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Declares the scratch `array` for the rest of the enclosing body, and fills it by `body`."""

    array: Array
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Barrier:
    """All work-items of the group (in Roles: of the role) meet; reached by all of them or none.

    `together`: only those that have the same LOCAL variables, which are whole warps. What they wrote to local memory is
    seen by the others, and by asynchronous copies and matrix units too.
    """

    together: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Last:
    """`body` runs in the work-group (`together`: the items of the same LOCAL variables) that comes last of the `of`
    (None: all) with this `number`; it sees what they stored. `tickets[number]`: int32, 0 before and after a launch."""

    tickets: Array
    body: tuple[Stmt, ...]
    number: Expr = ZERO
    of: Dim | None = None
    together: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """The Copies and Mmas in `body` run asynchronously; `done` tells when they have ended."""

    done: Done
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Role:
    """`items` neighbours (`alone`: the first of them) run `body`, with `registers` registers each (0: their share)."""

    name: str
    items: int
    body: tuple[Stmt, ...]
    registers: int = 0
    alone: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Roles:
    """Work-items of a group with different bodies, all of them at the same time; LOCAL axes inside split a role."""

    roles: tuple[Role, ...]


Collective = Copy | Mma | Wait | Release | Open | Let
Stmt = Loop | Reduction | Store | If | Search | Stage | Barrier | Last | Start | Roles | Collective


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """One kernel. GRID loops are the outermost statements: their extents' product is the number of work-groups."""

    name: str
    params: tuple[Array, ...]
    scalars: tuple[Var, ...]  # symbolic sizes, passed at launch
    body: tuple[Stmt, ...]
    workspace: tuple[Array, ...] = ()  # further parameters: GLOBAL scratch, any but tickets uninitialized
    bytes: Dim = 0  # moved to and from memory at least
    flops: Dim = 0
    resident: int = 1  # work-groups that registers of one multiprocessor should be enough for
