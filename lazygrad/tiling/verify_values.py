"""Checks that every value is known where it is used: variables are bound around it, and reductions have run before.

A Reduction's accumulators are running values inside of it. They are known after it, in the statements that follow in
the same body and what is inside those; what reductions in its own body find is known to it at each turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lazygrad.errors import GraphError
from lazygrad.index.expr import Dim, Expr, Var
from lazygrad.index.variable import Variable

from .array import Axis
from .collective import Copy, Let, Mma, Release, Turn, Wait
from .program import Accumulator, If, Last, Loop, Program, Reduction, Search, Start, Stmt, Store, Value
from .walk import bodies


@dataclass
class _Known:
    """What a statement may use: the variables bound around it, and the accumulators whose reductions have run."""

    variables: frozenset[Var]
    accumulators: set[Accumulator] = field(default_factory=set)

    def inside(self, own: Iterable[Var] = ()) -> _Known:
        return _Known(self.variables.union(own), set(self.accumulators))


def verify_values(program: Program) -> None:
    """Raises GraphError for a program in which something is used where it is not known."""
    _body(program.body, _Known(frozenset(program.scalars)))


def _body(body: Sequence[Stmt], known: _Known) -> None:
    for s in body:
        _statement(s, known)


def _statement(s: Stmt, known: _Known) -> None:
    if isinstance(s, Reduction):
        _reduction(s, known)
    elif isinstance(s, Store):
        bindings = [v for _, v in s.bindings]
        _values([s.value, *bindings], known, f"the store to {s.array.name!r}")
        own = known.inside(var for var, _ in s.bindings)
        _exprs([s.index, *([] if s.valid is None else [s.valid])], own, f"the store to {s.array.name!r}")
    elif isinstance(s, Let):
        _exprs([s.expr], known, f"the definition of {s.var.name}")
        known.variables |= {s.var}
    elif isinstance(s, (Loop, Search)):
        _loop(s, known)
    else:
        _exprs(_expressions(s), known, f"a {type(s).__name__}")
        for inner in bodies(s):
            _body(inner, known.inside())


def _loop(s: Loop | Search, known: _Known) -> None:
    inside = _axes([s.axis], known)
    if isinstance(s, Search):
        what = f"the search over {s.axis.var.name}"
        _values([v for _, v in s.bindings], inside, what)
        inside = inside.inside(var for var, _ in s.bindings)
        _exprs([s.where], inside, what)
    _body(s.body, inside)


def _reduction(s: Reduction, known: _Known) -> None:
    """The body first, then the accumulators of the turn; afterwards they are known around it."""
    inside = _axes(s.axes, known)
    _body(s.body, inside)
    for a in s.accumulators:
        if a in known.accumulators:
            raise GraphError(f"accumulator {a.name!r} is reduced a second time, after its Reduction has run")
        _values([a.value], inside, f"accumulator {a.name!r}")
        if loose := a.vars - known.variables - _variables(a.vars):
            raise GraphError(f"accumulator {a.name!r} depends on {_names(loose)}, which nothing outside of it binds")
    known.accumulators.update(s.accumulators)


def _axes(axes: Sequence[Axis], known: _Known) -> _Known:
    """What is known inside loops over `axes`, the first one outermost."""
    for axis in axes:
        _exprs([axis.extent], known, f"the extent of {axis.var.name}")
        if axis.var in known.variables:
            raise GraphError(f"a loop over {axis.var.name} inside another one over the same variable")
        known = known.inside([axis.var])
    return known


def _values(values: Iterable[Value], known: _Known, where: str) -> None:
    for v in values:
        if loose := v.vars - known.variables - _variables(v.vars):
            raise GraphError(f"{where} uses {_names(loose)}, which no loop around it binds")
        if not v.accs <= known.accumulators:
            early = min(a.name for a in v.accs - known.accumulators)
            raise GraphError(f"{where} reads accumulator {early!r} where its Reduction has not run over all its axes")


def _exprs(exprs: Iterable[Dim], known: _Known, where: str) -> None:
    for e in exprs:
        if isinstance(e, Expr) and (loose := e.vars - known.variables - _variables(e.vars)):
            raise GraphError(f"{where} uses {_names(loose)}, which no loop around it binds")


def _expressions(s: Stmt) -> list[Dim]:
    """The index expressions of a statement that neither loops nor stores values."""
    if isinstance(s, If):
        return [s.condition]
    if isinstance(s, Last):
        return [s.number, *([] if s.of is None else [s.of])]
    if isinstance(s, (Copy, Mma)):
        tiles = (s.dest, s.source) if isinstance(s, Copy) else (s.acc, s.a, s.b)
        return [e for t in tiles for e in (*t.at, t.slot)]
    done = s.turn if isinstance(s, Release) else s.done if isinstance(s, (Wait, Start)) else None
    return [done.number] if isinstance(done, Turn) else []


def _variables(found: Iterable[Var]) -> frozenset[Var]:
    """Those that are bound at launch."""
    return frozenset(v for v in found if isinstance(v, Variable))


def _names(found: Iterable[Var]) -> str:
    return ", ".join(sorted(v.name for v in found))
