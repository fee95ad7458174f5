"""How an axis runs: as one loop, or strip-mined into a loop of whole vectors and a loop for what is left over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lazygrad.errors import GraphError
from lazygrad.index.expr import Const, Expr, Var, lift

from .lower_context import Context, TileAxis
from .program import Axis, Kind

MAX_LANES = 16  # of an OpenCL vector


@dataclass(frozen=True, slots=True)
class Strips:
    """An axis cut into `trips` strips of count * lanes elements; elements from `rest` on are left over."""

    axis: Axis
    count: int
    lanes: int
    trips: Expr
    rest: Expr
    extent: Expr

    @property
    def has_main(self) -> bool:
        return self.trips.constant != 0 and self.count * self.lanes > 1

    @property
    def has_rest(self) -> bool:
        return not self.has_main or (self.extent - self.rest).constant != 0


def strips(context: Context, axis: Axis) -> Strips:
    """How a SERIAL axis is cut, in machine variables."""
    extent = context.machine(lift(axis.extent), {})
    count, lanes = axis.unroll, axis.lanes
    if extent.is_constant and lanes == 1:
        count = min(count, max(1, extent.lo))
    step = count * lanes
    if extent.is_constant and step > extent.lo and lanes <= extent.lo:
        count = extent.lo // lanes
        step = count * lanes
    trips = extent // step
    rest = trips * step if step > 1 and trips.constant != 0 else Const(0)
    return Strips(axis, count, lanes, trips, rest, extent)


@contextmanager
def main_strips(context: Context, cut: Strips) -> Iterator[TileAxis]:
    """The loop over whole strips; the axis is a register tile meanwhile."""
    var = cut.axis.var
    with context.loop(f"{var.name}_strip", Const(0), cut.trips) as strip:
        axis = tile_axis(var, cut.count, cut.lanes, strip * (cut.count * cut.lanes))
        with context.bind(var, axis):
            yield axis


@contextmanager
def rest_loop(context: Context, cut: Strips) -> Iterator[None]:
    """The loop over what the strips leave, one element at a time; over everything if there are none."""
    start = cut.rest if cut.has_main else Const(0)
    with context.loop(cut.axis.var.name, start, cut.extent) as value, context.bind(cut.axis.var, value):
        yield


def tile_axis(var: Var, count: int, lanes: int, base: Expr) -> TileAxis:
    lane = Var(f"{var.name}_lane", 0, lanes - 1) if lanes > 1 else None
    return TileAxis(var, count, lanes, base, lane)


def register_axis(axis: Axis) -> TileAxis:
    """An UNROLL or VECTOR axis as a register tile. Raises GraphError for extents that registers cannot have."""
    extent = axis.extent if isinstance(axis.extent, int) else axis.extent.constant
    if extent is None:
        raise GraphError(f"axis {axis.var.name} is {axis.kind.name} and needs a known extent, not {axis.extent}")
    lanes = 1
    if axis.kind is Kind.VECTOR:
        lanes = axis.lanes if axis.lanes > 1 else min(extent, MAX_LANES)
    if extent % lanes or lanes not in (1, 2, 4, 8, 16):
        raise GraphError(f"axis {axis.var.name} of {extent} elements does not fill vectors of {lanes} (1, 2, 4, 8, 16)")
    return tile_axis(axis.var, extent // lanes, lanes, Const(0))
