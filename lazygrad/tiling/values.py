"""Walking and rewriting values: what they read, and the same value at other indices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from lazygrad.index.expr import Dim, Expr, Var, as_dim
from lazygrad.index.variable import Variable, variables
from lazygrad.tiling.program import (
    Accumulator,
    Alu,
    Array,
    Axis,
    Const,
    If,
    Index,
    Last,
    Load,
    Loop,
    Reduction,
    Ref,
    Search,
    Stage,
    Stmt,
    Store,
    Value,
    alu,
    index,
    load,
    ref,
)
from lazygrad.tiling.walk import flattened


def topological(roots: Iterable[Value]) -> list[Value]:
    """Every value that `roots` need, sources first, each once; accumulators are not entered."""
    order: list[Value] = []
    done: set[Value] = set()
    stack: list[tuple[Value, bool]] = [(r, False) for r in reversed(list(roots))]
    while stack:
        v, expanded = stack.pop()
        if expanded:
            order.append(v)
        elif v not in done:
            done.add(v)
            stack.append((v, True))
            stack.extend((s, False) for s in reversed(v.src) if s not in done)
    return order


Arrays = Mapping[Array, Array]
NO_ARRAYS: Arrays = MappingProxyType({})


def substitute(
    roots: Iterable[Value], variables: Mapping[Var, Expr], replaced: Mapping[Value, Value], arrays: Arrays = NO_ARRAYS
) -> list[Value]:
    """`roots` with loop variables, whole values, and the arrays that loads read replaced."""
    roots = list(roots)
    new: dict[Value, Value] = dict(replaced)
    for v in topological(roots):
        if v not in new:
            new[v] = _rebuilt(v, tuple(new[s] for s in v.src), variables, arrays)
    return [new[r] for r in roots]


def _rebuilt(v: Value, src: tuple[Value, ...], variables: Mapping[Var, Expr], arrays: Arrays) -> Value:
    touched = not v.vars.isdisjoint(variables) or (isinstance(v, Load) and v.array in arrays)
    if isinstance(v, (Const, Ref)) or (not touched and src == v.src):
        return v
    if isinstance(v, Alu):
        return alu(v.op, v.dtype, *src)
    assert isinstance(v, (Index, Load))
    bindings = dict(zip(v.binds, src))
    if isinstance(v, Index):
        return index(v.expr.substitute(variables), v.dtype, bindings)
    valid = None if v.valid is None else v.valid.substitute(variables)
    return load(arrays.get(v.array, v.array), v.index.substitute(variables), valid, v.fill, bindings)


def with_values(stores: Iterable[Stmt], replaced: Mapping[Value, Value]) -> list[Store]:
    """Stores, with whole values replaced in what they store."""
    new: list[Store] = []
    for s in stores:
        assert isinstance(s, Store)
        new.append(replace(s, value=substitute([s.value], {}, replaced)[0]))
    return new


def exprs(roots: Iterable[Value]) -> list[tuple[Expr, bool]]:
    """The index expressions in values: (expression, whether it is the address of a load)."""
    found: list[tuple[Expr, bool]] = []
    for v in topological(roots):
        if isinstance(v, Index):
            found.append((v.expr, False))
        elif isinstance(v, Load):
            found.append((v.index, True))
            if v.valid is not None:
                found.append((v.valid, False))
    return found


def statement_values(body: Iterable[Stmt]) -> list[Value]:
    """The values that statements use directly, those of accumulators included."""
    found: list[Value] = []
    for s in flattened(body):
        if isinstance(s, Store):
            found.append(s.value)
        if isinstance(s, (Store, Search)):
            found.extend(v for _, v in s.bindings)
        elif isinstance(s, Reduction):
            found.extend(a.value for a in s.accumulators)
    return found


def accumulators(roots: Iterable[Value]) -> list[Accumulator]:
    """Every accumulator that `roots` need, directly or through others, each after those that it needs itself."""
    order: list[Accumulator] = []
    done: set[Accumulator] = set()
    stack: list[tuple[Accumulator, bool]] = [(a, False) for r in roots for a in _by_name(r.accs)]
    while stack:
        a, expanded = stack.pop()
        if expanded:
            order.append(a)
        elif a not in done:
            done.add(a)
            stack.append((a, True))
            stack.extend((b, False) for b in _by_name(a.value.accs) if b not in done)
    return order


def _by_name(accs: Iterable[Accumulator]) -> list[Accumulator]:
    return sorted(accs, key=lambda a: a.name)


def substitute_body(
    body: Iterable[Stmt], variables: Mapping[Var, Expr], arrays: Arrays = NO_ARRAYS
) -> tuple[Stmt, ...]:
    """Statements with loop variables replaced in every expression, and arrays in every access; the loops that bound the
    variables are the caller's to change."""
    return _Substitution(variables, arrays=arrays).body(body)


Changes = Mapping[Stmt, "tuple[Stmt, Mapping[Var, Expr]]"]


def exchange(body: Iterable[Stmt], changes: Changes) -> tuple[Stmt, ...]:
    """`body` with some of its statements exchanged for others, in each of which its own variables are replaced.

    Accumulators that change are followed through all statements after them.
    """
    return _Substitution({}, changes).body(body)


class _Substitution:
    def __init__(
        self, variables: Mapping[Var, Expr], changes: Changes = MappingProxyType({}), arrays: Arrays = NO_ARRAYS
    ) -> None:
        self.variables, self.changes, self.arrays = variables, changes, arrays
        self.refs: dict[Value, Value] = {}

    def body(self, body: Iterable[Stmt]) -> tuple[Stmt, ...]:
        return tuple(self._exchanged(s) for s in body)

    def _exchanged(self, s: Stmt) -> Stmt:
        if s not in self.changes:
            return self._statement(s)
        before = self.variables
        s, own = self.changes[s]
        self.variables = {**before, **own}
        changed = self._statement(s)
        self.variables = before
        return changed

    def _value(self, v: Value) -> Value:
        return substitute([v], self.variables, self.refs, self.arrays)[0]

    def _dim(self, e: Dim) -> Dim:
        return as_dim(e.substitute(self.variables)) if isinstance(e, Expr) else e

    def _axis(self, axis: Axis) -> Axis:
        return replace(axis, extent=self._dim(axis.extent))

    def _statement(self, s: Stmt) -> Stmt:
        if isinstance(s, Store):
            bindings = self._bindings(s)
            valid = None if s.valid is None else s.valid.substitute(self.variables)
            index, value = s.index.substitute(self.variables), self._value(s.value)
            array = self.arrays.get(s.array, s.array)
            return replace(s, array=array, index=index, value=value, valid=valid, bindings=bindings)
        if isinstance(s, Reduction):
            axes = tuple(self._axis(a) for a in s.axes)
            body = self.body(s.body)
            return Reduction(axes, tuple(self._accumulator(a, axes) for a in s.accumulators), body)
        if isinstance(s, Loop):
            return Loop(self._axis(s.axis), self.body(s.body))
        if isinstance(s, If):
            return If(s.condition.substitute(self.variables), self.body(s.body), self.body(s.orelse))
        if isinstance(s, Search):
            where = s.where.substitute(self.variables)
            return Search(self._axis(s.axis), where, self._bindings(s), self.body(s.body))
        if isinstance(s, Last):
            return replace(s, body=self.body(s.body), number=s.number.substitute(self.variables))
        if isinstance(s, Stage):
            return replace(s, body=self.body(s.body))
        return s

    def _bindings(self, s: Store | Search) -> tuple[tuple[Var, Value], ...]:
        return tuple((var, self._value(v)) for var, v in s.bindings)

    def _accumulator(self, old: Accumulator, axes: tuple[Axis, ...]) -> Accumulator:
        value = self._value(old.value)
        new = replace(old, value=value, vars=value.vars - {a.var for a in axes})
        self.refs[ref(old)] = ref(new)
        return new


def statement_exprs(body: Iterable[Stmt]) -> list[tuple[Expr, bool]]:
    """Every index expression in statements: (expression, whether it is an address)."""
    found: list[tuple[Expr, bool]] = exprs(statement_values(body))
    stack = list(body)
    while stack:
        s = stack.pop()
        if isinstance(s, Store):
            found.append((s.index, True))
            if s.valid is not None:
                found.append((s.valid, False))
        elif isinstance(s, (Loop, Search, Stage, Last, Reduction)):
            stack.extend(s.body)
        elif isinstance(s, If):
            found.append((s.condition, False))
            stack.extend(s.body + s.orelse)
        if isinstance(s, (Search, Last)):
            found.append((s.where if isinstance(s, Search) else s.number, False))
        for axis in s.axes if isinstance(s, Reduction) else (s.axis,) if isinstance(s, (Loop, Search)) else ():
            if isinstance(axis.extent, Expr):
                found.append((axis.extent, False))
    return found


def variables_of(body: Iterable[Stmt]) -> frozenset[Variable]:
    """The variables bound at launch that statements use."""
    return frozenset(v for e, _ in statement_exprs(body) for v in variables(e))


def reads_elsewhere(body: Iterable[Stmt], array: Array) -> bool:
    """Whether an element of `array` is read anywhere but beside the statement that writes this same element.

    Stores that follow each other compute all their values first, so each may read what the others overwrite.
    """
    body = list(body)
    written = {s.index for s in body if isinstance(s, Store) and s.array is array}
    for s in body:
        if isinstance(s, Store):
            read = topological([s.value, *(v for _, v in s.bindings)])
            if any(
                isinstance(v, Load) and v.array is array and (v.valid is not None or {v.index} != written) for v in read
            ):
                return True
        elif isinstance(s, Reduction):
            if any(isinstance(v, Load) and v.array is array for v in topological(a.value for a in s.accumulators)):
                return True
            if reads_elsewhere(s.body, array):
                return True
        elif isinstance(s, (Loop, Stage, Last)):
            if reads_elsewhere(s.body, array):
                return True
        elif isinstance(s, If) and reads_elsewhere([*s.body, *s.orelse], array):
            return True
    return False
