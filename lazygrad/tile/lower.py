"""From a tile program to machine instructions: every decision between the two is made here and in `lower_*`.

What is guaranteed:

- Each value is computed once per scope and element of the register tile, in the outermost loop that binds all it
  needs. Loads are not moved out of an If. Loads of written arrays stay in the innermost loop around their statement.
- Stores that follow each other first compute all their values, then write: an element may be updated in place.
- A SERIAL loop or a Reduction inside UNROLL and VECTOR axes runs once for the whole register tile.
- Results do not depend on the number of work-groups; reductions combine in an order fixed by the program.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lazygrad.dtype import dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Const, Dim, Expr, Var, as_dim, lift

from .lower_access import Place
from .lower_context import Context, Element
from .lower_loop import register_axis, run_segment, segments
from .lower_reduce import Items, Reducer
from .lower_value import Values
from .machine import Branch, Declare, Fence, Identity, Immediate, IndexValue, Instruction, MachineKernel, Meet, Operand, Register, StoreTo, Ticket

from .program import Array, Axis, Barrier, If, Kind, Last, Loop, Program, Reduction, Scope, Stage, Stmt, Store
from .values import statement_values


def lower(program: Program) -> MachineKernel:
    """The machine kernel that computes `program`. Raises GraphError for programs that break the rules of the language."""
    return _Lowering(program).kernel()


class _Lowering:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.context = Context([])
        self.values = Values(self.context, statement_values(program.body), _mutable(program))
        self.reducer = Reducer(self.context, self.values, self._body)
        self.group_size = max((_items(s) for s in program.body), default=1)
        self.local_id: Expr = Const(0)
        self.sharing = self.group_size  # work-items that have the same LOCAL variables here

    def kernel(self) -> MachineKernel:
        context, program = self.context, self.program
        for array in (*program.params, *program.workspace):
            context.arrays[array] = _renamed(array, context.names.exact(array.name))
        scalars = tuple(Var(context.names.exact(v.name), v.lo, v.hi) for v in program.scalars)
        context.env.update(zip(program.scalars, scalars))
        axes, body = _grid(program.body)
        self._bind_groups(axes)
        self.groups = Const(1)
        for axis in axes:
            self.groups = self.groups * _extent(context, axis)
        if self.group_size > 1:
            register = Register(context.names.exact("item"), dtypes.int32)
            context.emit(Identity(register, Scope.LOCAL))
            self.local_id = Var(register.name, 0, self.group_size - 1)
        self._body(body)
        declared: list[Instruction] = [Declare(array) for array in context.declared]
        params = tuple(context.arrays[array] for array in (*program.params, *program.workspace))
        whole = declared + context.scopes[0].body
        return MachineKernel(context.names.exact(program.name), params, scalars, whole, as_dim(self.groups), self.group_size)

    def _bind_groups(self, axes: Sequence[Axis]) -> None:
        """The number of this work-group, split into the GRID variables; the innermost varies fastest."""
        context = self.context
        real = [axis for axis in axes if _extent(context, axis).constant != 1]
        for axis in axes:
            if axis not in real:
                context.env[axis.var] = Const(0)
        if not real:
            return
        count = Const(1)
        for axis in real:
            count = count * _extent(context, axis)
        name = context.names.exact(real[0].var.name if len(real) == 1 else "group")
        context.emit(Identity(Register(name, dtypes.int32), Scope.GLOBAL))
        group: Expr = Var(name, 0, count.hi - 1, below=count)
        inner: Expr = count
        for k, axis in enumerate(real):
            inner = inner // _extent(context, axis)
            part = group // inner if k == 0 else group // inner % _extent(context, axis)
            if len(real) > 1:
                register = Register(context.names.exact(axis.var.name), dtypes.int32)
                context.emit(IndexValue(register, part))
                part = Var(register.name, 0, axis.var.hi, below=_extent(context, axis))
            context.env[axis.var] = part
            context.depth[axis.var] = 0

    # ---- statements ----------------------------------------------------------------------------

    def _body(self, body: Sequence[Stmt]) -> None:
        stores: list[Store] = []
        for s in body:
            if stores and not (isinstance(s, Store) and self._joins(s)):
                self._stores(stores)
                stores = []
            if isinstance(s, Store):
                stores.append(s)
            else:
                self._statement(s)
        self._stores(stores)

    def _joins(self, s: Store) -> bool:
        """Whether a store may compute its value before the stores in front of it write."""
        values = [s.value, *(v for _, v in s.bindings)]
        return not any(a.scope is not Scope.GLOBAL and a in self.values.mutable for v in values for a in self.values.facts[v].arrays)

    def _statement(self, s: Stmt) -> None:
        if isinstance(s, Loop):
            self._loop(s)
        elif isinstance(s, Reduction):
            self._reduction(s)
        elif isinstance(s, If):
            self._if(s)
        elif isinstance(s, Stage):
            self._stage(s)
        elif isinstance(s, Last):
            self._last(s)
        else:
            assert isinstance(s, Barrier)
            if self.context.fault_depth:
                raise GraphError("a Barrier inside an If: all work-items or none must reach it")
            if self.group_size > 1:
                self.context.emit(Meet())

    def _loop(self, s: Loop) -> None:
        context, axis = self.context, s.axis
        if axis.kind in (Kind.UNROLL, Kind.VECTOR):
            with context.bind(axis.var, register_axis(axis)):
                self._body(s.body)
        elif axis.kind is Kind.LOCAL:
            with self._work_items([axis]):
                self._body(s.body)
        elif axis.kind is Kind.SERIAL:
            for segment in segments(context, axis):
                with run_segment(context, segment):
                    self._body(s.body)
        else:
            raise GraphError(f"GRID axis {axis.var.name} is not among the outermost loops")

    @contextmanager
    def _work_items(self, axes: Sequence[Axis]) -> Iterator[None]:
        """LOCAL variables of this work-item; the innermost varies fastest."""
        if not axes:
            yield
            return
        axis, before = axes[0], self.sharing
        extent = _number(axis)
        if before % extent:
            raise GraphError(f"LOCAL axis {axis.var.name} of {extent} does not divide {before} work-items")
        self.sharing = before // extent
        value = self.local_id // self.sharing % extent
        with self.context.bind(axis.var, value), self._work_items(axes[1:]):
            yield
        self.sharing = before

    def _reduction(self, s: Reduction) -> None:
        local = [axis for axis in s.axes if axis.kind is Kind.LOCAL]
        if not local:
            self.reducer.reduce(s)
            return
        count = self.sharing
        with self._work_items(local):
            if self.sharing != 1:
                raise GraphError("a Reduction over LOCAL axes must use every work-item that is left")
            items = Items(self.local_id, self.local_id % count, count, self.group_size)
            self.reducer.reduce(s, items)

    def _stage(self, s: Stage) -> None:
        context = self.context
        if s.array not in context.arrays:
            context.declare(s.array)
        self._body(s.body)
        context.filled[s.array] = context.here
        context.version += 1

    def _last(self, s: Last) -> None:
        context = self.context
        if self.group_size > 1 or context.here:
            raise GraphError("Last needs groups of one work-item, and stands in no loop")
        name = context.names.exact("ticket")
        context.emit(Ticket(Register(name, dtypes.int32), context.arrays[s.tickets]))
        ticket = Var(name, 0, max(self.groups.hi - 1, 0))
        with self._block() as body:
            context.emit(Fence())
            context.emit(StoreTo(context.arrays[s.tickets], (Const(0),), Immediate(0, dtypes.int32), 1))
            self._body(s.body)
        context.emit(Branch(ticket.eq(self.groups - 1), body))

    # ---- branches ------------------------------------------------------------------------------

    def _if(self, s: If) -> None:
        context = self.context
        for element in context.elements(s.condition.vars):
            condition = context.machine(s.condition, element)
            axis = context.lane_axis(s.condition.vars)
            with self._only(element):
                if axis is not None and axis.lane in condition.vars:
                    place = Place(Const(0), condition, axis.lane, axis.lanes, {})
                    self._if_lanes(s, place, axis.var)
                else:
                    self._both(condition, s.body, s.orelse)

    @contextmanager
    def _only(self, element: Element) -> Iterator[None]:
        before = self.context.only
        self.context.only = {**before, **element}
        yield
        self.context.only = before

    def _if_lanes(self, s: If, place: Place, var: Var) -> None:
        """Vectors where the condition holds in every lane, else lane after lane."""
        context = self.context
        inside = place.all_valid()
        whole: list[Instruction] = []
        with self._block() as parts:
            for k in range(place.lanes):
                context.lane[var] = k
                self._both(place.at(place.valid, k), s.body, s.orelse)
                del context.lane[var]
        if inside is None:
            context.emit(Branch(Const(1), parts))
            return
        with self._block() as whole:
            self._body(s.body)
        context.emit(Branch(inside, whole, parts))

    def _both(self, condition: Expr, body: Sequence[Stmt], orelse: Sequence[Stmt]) -> None:
        context = self.context
        if condition.is_constant:
            self._body(body if condition.constant else orelse)
            return
        with self._block() as yes:
            self._body(body)
        with self._block() as no:
            self._body(orelse)
        if yes or no:
            context.emit(Branch(condition, yes, no))

    @contextmanager
    def _block(self) -> Iterator[list[Instruction]]:
        """The instructions of one side of a branch: loads in it stay in it."""
        context = self.context
        before = context.fault_depth
        with context.scope() as body:
            context.fault_depth = context.here
            yield body
        context.fault_depth = before
        context.version += 1

    # ---- stores --------------------------------------------------------------------------------

    def _stores(self, stores: Sequence[Store]) -> None:
        """First every value, then every write, for each element of the register tile."""
        context = self.context
        used = [_used(s) for s in stores]
        done: set[object] = set()
        for element in context.elements(frozenset().union(*used)):
            ready: list[tuple[Store, Place, Operand]] = []
            for s, own in zip(stores, used):
                key = (s, *(element[axis.var] for axis in context.tile_axes(own)))
                if key not in done:
                    done.add(key)
                    ready.append((s, *self._prepared(s, own, element)))
            for s, place, operand in ready:
                self._write(s, place, operand)

    def _prepared(self, s: Store, used: frozenset[Var], element: Element) -> tuple[Place, Operand]:
        bound = {var: self.values.operand(v, element) for var, v in s.bindings}
        operand = self.values.operand(s.value, element)
        place = self.values.access.place(s.index, s.valid, element, bound, used)
        if operand.lanes > 1 and place.lanes == 1:  # every lane to one element: the last one stays
            axis = self.context.lane_axis(used)
            place = Place(place.index, place.valid, axis.lane if axis else None, operand.lanes, {})
        return place, operand

    def _write(self, s: Store, place: Place, operand: Operand) -> None:
        with self.context.branch((self.local_id % self.sharing).eq(0) if self.sharing > 1 else Const(1)):
            self.values.access.store(s.array, place, operand, s.combine, s.stream)
        if s.array in self.values.mutable:
            self.context.version += 1


def _used(s: Store) -> frozenset[Var]:
    """The loop variables that a store depends on."""
    exprs = s.index.vars | (s.valid.vars if s.valid is not None else frozenset())
    return (exprs - {var for var, _ in s.bindings}).union(s.value.vars, *(v.vars for _, v in s.bindings))


def _renamed(array: Array, name: str) -> Array:
    return array if array.name == name else Array(name, array.dtype, array.size, array.scope, array.written)


def _extent(context: Context, axis: Axis) -> Expr:
    return context.machine(lift(axis.extent), {})


def _number(axis: Axis) -> int:
    extent = lift(axis.extent).constant
    if extent is None:
        raise GraphError(f"LOCAL axis {axis.var.name} needs a known extent, not {axis.extent}")
    return extent


def _grid(body: Sequence[Stmt]) -> tuple[list[Axis], Sequence[Stmt]]:
    """The GRID loops around a program, outermost first, and what is inside."""
    axes: list[Axis] = []
    while len(body) == 1 and isinstance(body[0], Loop) and body[0].axis.kind is Kind.GRID:
        axes.append(body[0].axis)
        body = body[0].body
    return axes, body


def _items(s: Stmt) -> int:
    """The most work-items that nested LOCAL axes in a statement ask for."""
    own = 1
    for axis in s.axes if isinstance(s, Reduction) else (s.axis,) if isinstance(s, Loop) else ():
        own *= _number(axis) if axis.kind is Kind.LOCAL else 1
    inner: tuple[Stmt, ...] = ()
    if isinstance(s, (Loop, Stage, If, Last, Reduction)):
        inner = s.body + (s.orelse if isinstance(s, If) else ())
    return own * max((_items(t) for t in inner), default=1)


def _mutable(program: Program) -> frozenset[Array]:
    """Arrays that are written elsewhere than in their own Stage."""
    found = {array for array in program.params if array.written}
    stack: list[tuple[Stmt, frozenset[Array]]] = [(s, frozenset()) for s in program.body]
    while stack:
        s, staging = stack.pop()
        if isinstance(s, Store) and s.array not in staging:
            found.add(s.array)
        elif isinstance(s, Stage):
            stack.extend((t, staging | {s.array}) for t in s.body)
        elif isinstance(s, (Loop, If, Last, Reduction)):
            inner = s.body + (s.orelse if isinstance(s, If) else ())
            stack.extend((t, staging) for t in inner)
    return frozenset(found)


