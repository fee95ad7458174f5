"""From a plain tile program to the one that runs: the passes, in order, for a device."""

from __future__ import annotations

from lazygrad.runtime.base import DeviceInfo
from lazygrad.settings import settings
from lazygrad.tile.collapse import collapse
from lazygrad.tile.columns import columns
from lazygrad.tile.contract import contract
from lazygrad.tile.hopper import hopper
from lazygrad.tile.limit import limited
from lazygrad.tile.local_contract import local_contract
from lazygrad.tile.program import Program
from lazygrad.tile.scatter import scatter
from lazygrad.tile.separate import separate
from lazygrad.tile.stream import stream
from lazygrad.tile.tensorize import tensorize
from lazygrad.tile.total import total
from lazygrad.tile.vectorize import vectorize
from lazygrad.tile.verify import verify
from lazygrad.tile.workgroups import work_groups


def optimize(program: Program, info: DeviceInfo) -> Program:
    """`program` as it should run on the device that `info` describes."""
    if settings.verify:
        verify(program)
    chosen = _chosen(program, info)
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
