"""Pass for GPUs: a reduction to a few numbers, by many groups in one launch.

What is reduced may be rows that are reduced themselves: then a group goes through long rows one after the other.
"""

from __future__ import annotations

from dataclasses import replace

from lazygrad.index.expr import dim_max
from lazygrad.runtime.base import DeviceInfo

from .program import Last, Program, Reduction, Store
from .split import in_tasks
from .values import exchange
from .walk import around, grid
from .workgroups import EACH, SHORT, in_turns, length, row_group

GROUPS = 2  # of a unit: one waits for memory while the other works on what it has read
ROW_GROUP = 512  # work-items for a row of those that are reduced: two groups of them have 64 registers each


def total(program: Program, info: DeviceInfo) -> Program | None:
    """`program`, if it is one reduction and stores of what it finds; None for other ones.

    Every group takes a stretch; the last one to finish combines their results.
    """
    first, rest = program.body[0], program.body[1:]
    if not isinstance(first, Reduction) or not all(isinstance(s, Store) for s in rest):
        return None
    by_rows = length(first.body) > SHORT
    size = row_group(first.body if by_rows else (first,), 1, False, info)
    size = min(size, ROW_GROUP) if by_rows else size
    count = dim_max(first.axes[0].extent) if by_rows else length((first,)) // (size * EACH)
    tasks = 1 << ((info.units * GROUPS).bit_length() - 1)
    parted = in_tasks(program, min(tasks, count)) or program
    axes, body = grid(parted.body)
    part = body[0]
    assert isinstance(part, Reduction)
    final = [s for last in body if isinstance(last, Last) for s in last.body]
    body = exchange(body, in_turns((*(part.body if by_rows else (part,)), *final), size, info))
    return replace(parted, body=around(axes, body))
