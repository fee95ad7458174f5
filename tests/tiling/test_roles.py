"""Roles of one group that meet among themselves, run by the emulated GPU, which notices races."""

from __future__ import annotations

import numpy as np
import pytest

from lazygrad.dtype import dtypes
from lazygrad.errors import GraphError, KernelError
from lazygrad.index.expr import Expr, Var
from lazygrad.render.cuda import render
from lazygrad.runtime.base import Launch
from lazygrad.runtime.registry import open_device
from lazygrad.tiling.collective import Let
from lazygrad.tiling.lower import lower
from lazygrad.tiling.program import (
    Array,
    Axis,
    Barrier,
    Kind,
    Loop,
    Program,
    Role,
    Roles,
    Scope,
    Stage,
    Stmt,
    Store,
    index,
    load,
)
from lazygrad.tiling.target import Target
from lazygrad.tiling.verify import verify

OUT = Array("out", dtypes.int32, 128, written=True)
ITEM, WARP, THREAD = Var("i", 0, 63), Var("w", 0, 1), Var("t", 0, 31)
SHIFT = Var("shift", 0, 200)


def local(body: tuple[Stmt, ...], *vars: Var) -> tuple[Stmt, ...]:
    for var in reversed(vars):
        body = (Loop(Axis(var, var.hi + 1, Kind.LOCAL), body),)
    return body


def turned(scratch: Array, first: int, meet: tuple[Stmt, ...], mine: Expr, other: Expr) -> tuple[Stmt, ...]:
    """Every item stores its number, all meet, every item reads the number of another."""
    return (
        Store(scratch, mine, index(mine + SHIFT, dtypes.int32)),
        *meet,
        Store(OUT, mine + first, load(scratch, other)),
    )


def program(whole: tuple[Stmt, ...], warps: tuple[Stmt, ...]) -> Program:
    """A role of 64 items that turns its numbers around, and one whose two warps do so each."""
    a, b = (Array(name, dtypes.int32, 64, Scope.LOCAL) for name in ("a", "b"))
    first = local(turned(a, 0, whole, ITEM, 63 - ITEM), ITEM)
    place, other = WARP * 32 + THREAD, WARP * 32 + (31 - THREAD)
    store, *_, read = turned(b, 64, (), place, other)
    second = local((*local((store,), THREAD), *warps, *local((read,), THREAD)), WARP)
    shift = Let(SHIFT, WARP * 0 + 100)
    roles = Roles((Role("whole", 64, (shift, *first)), Role("warps", 64, (shift, *second))))
    return Program("turned", (OUT,), (), (Stage(a, ()), Stage(b, ()), roles))


def run(p: Program) -> list[int]:
    runtime = open_device("CUDA_EMULATED")
    machine = lower(p, Target.of(runtime.info))
    (kernel,) = runtime.build([render(machine, runtime.info)])
    out = runtime.allocate(4 * 128)
    runtime.prepare([Launch(kernel, (out,), (), (machine.group_size,), (machine.group_size,))]).run()
    return [int(x) for x in runtime.read(out, 4 * 128).view(np.int32)]


def test_a_role_and_a_warp_meet() -> None:
    p = program((Barrier(),), (Barrier(together=True),))
    verify(p)
    backwards = [100 + n for n in (*range(63, -1, -1), *range(31, -1, -1), *range(63, 31, -1))]
    assert run(p) == backwards


@pytest.mark.parametrize("missing", ["whole", "warps"])
def test_a_missing_barrier_is_a_race(missing: str) -> None:
    meet: dict[str, tuple[Stmt, ...]] = {"whole": (Barrier(),), "warps": (Barrier(together=True),), missing: ()}
    with pytest.raises(KernelError, match=r"race|uninitialized"):
        run(program(meet["whole"], meet["warps"]))


def test_barriers_together_are_of_warps_or_warp_groups() -> None:
    wrong = program((Barrier(together=True),), (Barrier(together=True),))  # within ITEM each item is alone
    with pytest.raises(GraphError, match="1 work-items together"):
        verify(wrong)
    with pytest.raises(GraphError, match="1 work-items together"):
        run(wrong)
