"""How an axis runs: cut into segments of whole vectors, ever fewer and shorter, and single elements at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from lazygrad.errors import GraphError
from lazygrad.index.expr import Const, Expr, Var, lift

from .lower_context import Context, TileAxis
from .program import Axis, Kind

MAX_LANES = 16  # of an OpenCL vector
FEW_TURNS = 8  # of a loop, to be written out
FEWEST_LANES = 4  # of a vector for what longer ones leave over


@dataclass(frozen=True, slots=True)
class Segment:
    """`trips` turns of `count` registers with `lanes` lanes each, from element `start` of an axis on."""

    axis: Axis
    count: int
    lanes: int
    start: Expr
    trips: Expr


def segments(context: Context, axis: Axis) -> list[Segment]:
    """How a SERIAL axis is cut, in machine variables."""
    extent = context.machine(lift(axis.extent), {})
    lanes, found = axis.lanes, list[Segment]()
    start: Expr = Const(0)
    if extent.is_constant:
        while start.lo < extent.lo:
            left = extent.lo - start.lo
            while lanes > left:
                lanes = lanes // 2 if lanes > FEWEST_LANES else 1
            count = min(axis.unroll, left // lanes) if lanes == axis.lanes else 1
            found.append(Segment(axis, count, lanes, start, Const(left // (count * lanes))))
            start = start + left // (count * lanes) * (count * lanes)
        return found
    for count, width in dict.fromkeys(((axis.unroll, lanes), (1, lanes), (1, 1))):
        trips = (extent - start) // (count * width)
        if trips.constant != 0:
            found.append(Segment(axis, count, width, start, trips))
        if (extent - start).divisible_by(count * width):
            break
        start = start + trips * (count * width)
    return found


@contextmanager
def run_segment(context: Context, segment: Segment) -> Iterator[TileAxis | None]:
    """The loop over a segment, in which the axis is bound; yields the register tile that it is, if it is one."""
    var, step = segment.axis.var, segment.count * segment.lanes
    if step == 1:
        loop = context.loop(var.name, segment.start, segment.start + segment.trips, _copies(context, segment))
        with loop as value, context.bind(var, value):
            yield None
        return
    with context.loop(f"{var.name}_strip", Const(0), segment.trips, _copies(context, segment)) as strip:
        axis = tile_axis(var, segment.count, segment.lanes, segment.start + strip * step)
        with context.bind(var, axis):
            yield axis


def _copies(context: Context, segment: Segment) -> int:
    """Copies of a loop that are wanted where work-items are threads and every register counts.

    All turns of a short one, so that what several loops load is loaded once; one turn where it has several elements.
    """
    if context.device.warp == 1:
        return 0
    trips = segment.trips.constant
    if segment.axis.copies or segment.count > 1:
        return segment.axis.copies or 1
    return trips if trips is not None and trips <= FEW_TURNS else 0


def tile_axis(var: Var, count: int, lanes: int, base: Expr) -> TileAxis:
    lane = Var(f"{var.name}_lane", 0, lanes - 1) if lanes > 1 else None
    return TileAxis(var, count, lanes, base, lane)


def register_axis(axis: Axis) -> TileAxis:
    """An UNROLL or VECTOR axis as a register tile. Raises GraphError for extents that registers cannot have."""
    extent = lift(axis.extent).constant
    if extent is None:
        raise GraphError(f"axis {axis.var.name} is {axis.kind.name} and needs a known extent, not {axis.extent}")
    lanes = 1
    if axis.kind is Kind.VECTOR:
        lanes = axis.lanes if axis.lanes > 1 else min(extent, MAX_LANES)
    if extent % lanes or lanes not in (1, 2, 4, 8, 16):
        raise GraphError(f"axis {axis.var.name} of {extent} elements does not fill vectors of {lanes} (1, 2, 4, 8, 16)")
    return tile_axis(axis.var, extent // lanes, lanes, Const(0))


def most_lanes(cut: Sequence[Segment]) -> int:
    return max((segment.lanes for segment in cut), default=1)
