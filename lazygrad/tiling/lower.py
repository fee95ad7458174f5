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
from dataclasses import replace

from lazygrad.errors import GraphError
from lazygrad.index.expr import Const, Expr, Var, as_dim

from .approximate import approximated
from .collective import Copy, Mma
from .lower_access import Place
from .lower_across import Items
from .lower_context import Context, Element
from .lower_last import Lasts
from .lower_launch import Launch, grid_axes
from .lower_loop import register_axis, run_segment, segments
from .lower_reduce import Reducer
from .lower_search import Searcher
from .lower_store import Storer
from .lower_tiles import Tiles, declared
from .lower_value import Values
from .machine import Branch, Declare, Instruction, Intrinsic, MachineKernel, Meet
from .program import Array, Barrier, If, Kind, Last, Loop, Program, Reduction, Search, Stage, Stmt, Store
from .target import PLAIN, Target
from .values import statement_values
from .walk import bodies
from .widen import widened


def lower(program: Program, target: Target = PLAIN) -> MachineKernel:
    """The machine kernel of `program`. Raises GraphError for a program that breaks the rules of the language."""
    lowering = _Lowering(program, target)
    kernel = lowering.kernel()
    if "divide" in target.native:
        approximated(kernel)
    return widened(kernel, target.access_bytes, lowering.context.names) if target.access_bytes else kernel


class _Lowering:
    def __init__(self, program: Program, target: Target) -> None:
        self.program = program
        self.context = context = Context([], target)
        for array in (*program.params, *program.workspace):
            context.arrays[array] = replace(array, name=context.names.exact(array.name))
        self.scalars = tuple(Var(context.names.of_user(v.name), v.lo, v.hi) for v in program.scalars)
        context.env.update(zip(program.scalars, self.scalars))
        context.same.update(self.scalars)
        axes, self.statements = grid_axes(program.body)
        self.launch = Launch(context, axes, self.statements)
        self.values = Values(context, statement_values(program.body), _mutable(program))
        self.reducer = Reducer(context, self.values, self._body)
        self.storer = Storer(context, self.values, self.launch)
        self.searcher = Searcher(context, self.values, self.launch, self._body)
        self.tiles = Tiles(context, self.launch, self._body, program.body, (*program.params, *program.workspace))
        self.lasts = Lasts(context, self.launch, self.tiles.barrier, self._block, self._body)

    def kernel(self) -> MachineKernel:
        context, program = self.context, self.program
        launch = self.launch
        self._body(self.statements)
        if launch.cluster > 1:  # a group stays until the others have ceased to write to its local memory
            context.emit(Intrinsic("lg_cluster_sync"))
        scratch: list[Instruction] = [Declare(array) for array in context.declared]
        params = tuple(context.arrays[array] for array in (*program.params, *program.workspace))
        name, whole = context.names.exact(program.name), scratch + context.scopes[0].body
        maps = tuple(self.tiles.tensors.made.values())
        groups = as_dim(launch.groups)
        sizes = groups, launch.group_size, launch.cluster
        return MachineKernel(name, params, self.scalars, whole, *sizes, maps, program.resident)

    # ---- statements ----------------------------------------------------------------------------

    def _body(self, body: Sequence[Stmt]) -> None:
        stores: list[Store] = []
        for s in body:
            if stores and not (isinstance(s, Store) and self.storer.joins(s, stores)):
                self.storer.store(stores)
                stores = []
            if isinstance(s, Store):
                stores.append(s)
            else:
                self._statement(s)
        self.storer.store(stores)

    def _statement(self, s: Stmt) -> None:
        if isinstance(s, Loop):
            self._loop(s)
        elif isinstance(s, Reduction):
            self._reduction(s)
        elif isinstance(s, If):
            self._if(s)
        elif isinstance(s, Stage):
            self._stage(s)
        elif isinstance(s, Search):
            self.searcher.search(s)
        elif isinstance(s, Last):
            self.lasts.last(s)
        elif isinstance(s, Barrier):
            self._barrier(s)
        else:
            assert not isinstance(s, Store)
            self.tiles.statement(s)

    def _barrier(self, s: Barrier) -> None:
        if self.tiles.barrier(s):
            return
        if self.context.parted:
            raise GraphError("a Barrier inside an If: all work-items or none must reach it")
        if self.launch.group_size > 1:
            self.context.emit(Meet())

    def _loop(self, s: Loop) -> None:
        context, axis = self.context, s.axis
        if axis.kind in (Kind.UNROLL, Kind.VECTOR):
            with context.bind(axis.var, register_axis(axis)):
                self._body(s.body)
        elif axis.kind is Kind.LOCAL:
            with self.launch.work_items([axis]):
                self._body(s.body)
        elif axis.kind is Kind.SERIAL:
            for segment in segments(context, axis):
                with run_segment(context, segment):
                    self._body(s.body)
        else:
            raise GraphError(f"GRID axis {axis.var.name} is not among the outermost loops")

    def _reduction(self, s: Reduction) -> None:
        local = [axis for axis in s.axes if axis.kind is Kind.LOCAL]
        if not local:
            self.reducer.reduce(s)
            return
        count = self.launch.sharing
        with self.launch.work_items(local):
            if self.launch.sharing != 1:
                raise GraphError("a Reduction over LOCAL axes must use every work-item that is left")
            items = Items(self.launch.local_id, self.launch.local_id % count, count, self.launch.group_size)
            self.reducer.reduce(s, items)

    def _stage(self, s: Stage) -> None:
        context = self.context
        if s.array not in context.arrays:
            declared(context, s.array)
        self._body(s.body)
        context.filled[s.array] = context.here
        context.fills += 1

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
        before = context.fault_depth, context.parted
        with context.scope() as body:
            context.fault_depth, context.parted = context.here, True
            yield body
        context.fault_depth, context.parted = before
        context.version += 1


def _mutable(program: Program) -> frozenset[Array]:
    """Arrays that are written elsewhere than in their own Stage."""
    found = {array for array in program.params if array.written}
    stack: list[tuple[Stmt, frozenset[Array]]] = [(s, frozenset()) for s in program.body]
    while stack:
        s, staging = stack.pop()
        if isinstance(s, Store) and s.array not in staging:
            found.add(s.array)
        elif isinstance(s, (Copy, Mma)):
            found.add(s.dest.array if isinstance(s, Copy) else s.acc.array)
        inner = staging | {s.array} if isinstance(s, Stage) else staging
        stack.extend((t, inner) for body in bodies(s) for t in body)
    return frozenset(found)
