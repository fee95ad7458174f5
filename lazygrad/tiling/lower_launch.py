"""Which work-group and which work-item this is: GRID and LOCAL variables from the launch's numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lazygrad.dtype import dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Const, Expr, Var, dim_product, divisor, lift

from .layout import WARP
from .lower_context import Context
from .machine import Identity, IndexValue, Intrinsic, Register
from .program import Axis, Kind, Loop, Scope, Stmt
from .resources import items


class Launch:
    """Binds the variables of GRID axes, at once, and of LOCAL axes, where they stand.

    Attributes:
        groups: number of work-groups.
        group_size: work-items in each.
        local_id: the number of this work-item in its group.
        sharing: how many work-items have the same LOCAL variables here.
        cluster: work-groups of a cluster.
        first_item, role_items: of the role that is being lowered; `local_id` counts from its first.
        home: the depth of that role's body, or of the kernel's.
        is_uniform: whether warps act together, so that it pays to say what is the same for a whole one.
    """

    def __init__(self, context: Context, grid: Sequence[Axis], body: Sequence[Stmt]) -> None:
        self.context = context
        self.groups: Expr = Const(1)
        for axis in grid:
            self.groups = self.groups * self._extent(axis)
        self.group_size = self.sharing = self.role_items = items(body)
        self.cluster = math.prod(_number(axis) for axis in grid if axis.kind is Kind.CLUSTER)
        self.first_item = self.home = 0
        self.is_uniform = False
        self.uniform: dict[tuple[int, Expr], Expr] = {}
        self.local_id: Expr = Const(0)
        self._bind_groups(grid)
        if self.group_size > 1:
            register = Register(context.names.exact("item"), dtypes.int32)
            context.emit(Identity(register, Scope.LOCAL))
            self.local_id = Var(register.name, 0, self.group_size - 1)

    def _extent(self, axis: Axis) -> Expr:
        return self.context.machine(lift(axis.extent), {})

    def _bind_groups(self, grid: Sequence[Axis]) -> None:
        """The number of this work-group, split into the GRID variables; the innermost varies fastest."""
        context = self.context
        real = [axis for axis in grid if self._extent(axis).constant != 1]
        context.env.update({axis.var: Const(0) for axis in grid if axis not in real})
        if not real:
            return
        name = context.names.exact(real[0].var.name if len(real) == 1 else "group")
        context.emit(Identity(Register(name, dtypes.int32), Scope.GLOBAL))
        group = Var(name, 0, self.groups.hi - 1, below=self.groups)
        context.same.add(group)
        extents = [self._extent(axis) for axis in real]
        for k, axis in enumerate(real):
            part = group // divisor(dim_product(extents[k + 1 :]))
            part = part if k == 0 else part % divisor(extents[k])
            if len(real) > 1:
                register = Register(context.names.exact(axis.var.name), dtypes.int32)
                context.emit(IndexValue(register, part))
                part = Var(register.name, 0, axis.var.hi, below=extents[k])
                context.same.add(part)
            context.env[axis.var] = part
            context.depth[axis.var] = 0

    @contextmanager
    def work_items(self, axes: Sequence[Axis]) -> Iterator[None]:
        """LOCAL variables of this work-item; the innermost varies fastest."""
        if not axes:
            yield
            return
        axis, before = axes[0], self.sharing
        extent = _number(axis)
        if before % extent:
            raise GraphError(f"LOCAL axis {axis.var.name} of {extent} does not divide {before} work-items")
        self.sharing = before // extent
        value = self._same(self.local_id // self.sharing % extent)
        with self.context.bind(axis.var, value), self.work_items(axes[1:]):
            yield
        self.sharing = before

    def _same(self, value: Expr) -> Expr:
        """`value`, in a register that holds one number for the whole warp where the items of a warp share it."""
        if not self.is_uniform or self.sharing % WARP or value.is_constant:
            return value
        key = self.home, value
        if key not in self.uniform:
            register = Register(self.context.names.numbered("warp"), dtypes.int32)
            with self.context.at_depth(self.home):
                self.context.emit(Intrinsic("lg_uniform", (value,), dest=register))
            self.uniform[key] = Var(register.name, value.lo, value.hi)
        return self.uniform[key]

    @property
    def is_first(self) -> Expr:
        """Whether this is the first of the work-items that have the same LOCAL variables here."""
        return (self.local_id % self.sharing).eq(0) if self.sharing > 1 else Const(1)


def grid_axes(body: Sequence[Stmt]) -> tuple[list[Axis], Sequence[Stmt]]:
    """The GRID loops around a program, outermost first, then the CLUSTER loops, and what is inside."""
    axes: list[Axis] = []
    while len(body) == 1 and isinstance(body[0], Loop) and body[0].axis.kind in (Kind.GRID, Kind.CLUSTER):
        if axes and axes[-1].kind is Kind.CLUSTER and body[0].axis.kind is Kind.GRID:
            raise GraphError(f"GRID axis {body[0].axis.var.name} stands inside a CLUSTER axis; clusters are innermost")
        axes.append(body[0].axis)
        body = body[0].body
    return axes, body


def _number(axis: Axis) -> int:
    extent = lift(axis.extent).constant
    if extent is None:
        raise GraphError(f"{axis.kind.name} axis {axis.var.name} needs a known extent, not {axis.extent}")
    return extent
