"""From a plain tile program to the one that runs: the passes, in order, for a device."""

from __future__ import annotations

from lazygrad.runtime.base import DeviceInfo
from lazygrad.settings import settings
from lazygrad.tiling.collapse import collapse
from lazygrad.tiling.columns import columns
from lazygrad.tiling.contract import contract
from lazygrad.tiling.hopper import hopper
from lazygrad.tiling.limit import limited
from lazygrad.tiling.local_contract import local_contract
from lazygrad.tiling.program import Program
from lazygrad.tiling.scatter import scatter
from lazygrad.tiling.separate import separate
from lazygrad.tiling.stream import stream
from lazygrad.tiling.tensorize import tensorize
from lazygrad.tiling.total import total
from lazygrad.tiling.unchanged import unchanged
from lazygrad.tiling.vectorize import vectorize
from lazygrad.tiling.verify import verify
from lazygrad.tiling.workgroups import work_groups


def optimize(program: Program, info: DeviceInfo) -> Program:
    """`program` as it should run on the device that `info` describes."""
    if settings.verify:
        verify(program)
    chosen = unchanged(_chosen(program, info))
    if settings.verify:
        verify(chosen)
    return chosen


def _chosen(program: Program, info: DeviceInfo) -> Program:
    plain = collapse(program)
    if info.kind == "gpu":
        matrix = hopper(plain, info) or tensorize(plain, info) or local_contract(plain, info)
        special = matrix or scatter(plain, info) or columns(plain, info) or total(plain, info)
        return special or work_groups(plain, info)
    return stream(contract(separate(plain), info) or vectorize(limited(plain), info))
