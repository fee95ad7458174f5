"""Kernels whose accesses are checked while they run: what lowering made reads and writes nothing outside of an array.

Each access of a lowered kernel first compares its addresses with the size of the array; where one is outside, the
kernel notes which access it was, and does without. The rendered kernels run as they do otherwise, in whole plans, on
CPUs and with code for GPUs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from lazygrad.dtype import dtypes
from lazygrad.engine import compile as compiler
from lazygrad.engine import execute, plan, plan_store, run
from lazygrad.engine.slots import Workspace
from lazygrad.index.expr import Expr, Var, all_of, lift, select
from lazygrad.tiling.lower import lower
from lazygrad.tiling.machine import (
    Branch,
    Code,
    Compute,
    For,
    Immediate,
    IndexValue,
    Instruction,
    LoadFrom,
    MachineKernel,
    Register,
    StoreTo,
)
from lazygrad.tiling.program import Array, Program
from lazygrad.tiling.target import PLAIN, Target

FAR = 1 << 40  # beyond every address


@dataclass
class Checked:
    """A kernel with checks. Two numbers of `faults` belong to each access: whether it was outside, and the address."""

    kernel: MachineKernel
    faults: Array
    accesses: list[str]

    def report(self, found: Any) -> list[str]:
        """The accesses that were outside, given what the kernel noted."""
        return [
            f"{self.kernel.name}: {access}: element {at}"
            for access, (is_outside, at) in zip(self.accesses, found.reshape(-1, 2))
            if is_outside
        ]


def checked(program: Program, target: Target = PLAIN) -> Checked:
    """`program`, lowered, with checks around every access; its last parameter takes the faults."""
    kernel = lower(program, target)
    return _Checks(kernel, dict(zip(program.scalars, kernel.scalars))).checked()


class _Checks:
    def __init__(self, kernel: MachineKernel, scalars: dict[Var, Expr]) -> None:
        self.kernel, self.scalars = kernel, scalars
        self.accesses: list[str] = []
        self.faults = Array("lg_faults", dtypes.int64, 0, written=True)
        self.number, self.place = Register("lg_fault", dtypes.int32), Register("lg_where", dtypes.int64)

    def checked(self) -> Checked:
        """The kernel with its last fault in registers, noted at its end: a branch around each load would take longer
        to compile than the kernel itself."""
        body = self._body(self.kernel.body)
        start = [Compute(r, Code.COPY, (Immediate(0, r.dtype),)) for r in (self.number, self.place)]
        found = Var(self.number.name, 0, len(self.accesses))
        notes: list[Instruction] = [
            StoreTo(self.faults, (found * 2 - 2,), Immediate(1, dtypes.int64), 1),
            StoreTo(self.faults, (found * 2 - 1,), self.place, 1),
        ]
        faults = replace(self.faults, size=max(2 * len(self.accesses), 2))
        params = (*self.kernel.params, faults)
        body = [*start, *body, Branch(found.ge(1), notes)]
        return Checked(replace(self.kernel, params=params, body=body), faults, self.accesses)

    def _body(self, body: Sequence[Instruction]) -> list[Instruction]:
        new: list[Instruction] = []
        for step in body:
            if isinstance(step, For):
                new.append(replace(step, body=self._body(step.body)))
            elif isinstance(step, Branch):
                new.append(replace(step, body=self._body(step.body), orelse=self._body(step.orelse)))
            elif isinstance(step, (LoadFrom, StoreTo)):
                new += self._access(step)
            else:
                new.append(step)
        return new

    def _access(self, step: LoadFrom | StoreTo) -> list[Instruction]:
        """The access with each address that is outside taken for 0; a store is left out then."""
        lanes = step.dest.lanes if isinstance(step, LoadFrom) else step.lanes
        size = lift(step.array.size).substitute(self.scalars)
        what = "load" if isinstance(step, LoadFrom) else "store"
        more = ", ..." if len(step.addresses) > 1 else ""
        self.accesses.append(f"{what} of {lanes} at {step.array.name}[{step.addresses[0]}{more}] of {size}")
        run = lanes if len(step.addresses) == 1 else 1
        new: list[Instruction] = []
        insides: list[Expr] = []
        addresses: list[Expr] = []
        for k, address in enumerate(step.addresses):
            register, inside = (
                Register(f"lg_{name}{len(self.accesses)}_{k}", dtype)
                for name, dtype in (("at", dtypes.int64), ("inside", dtypes.bool))
            )
            at = Var(register.name, -FAR, FAR)  # nothing is taken for granted of a value that is to be checked
            insides.append(Var(inside.name, 0, 1))
            new += [IndexValue(register, address), IndexValue(inside, all_of((at.ge(0), at.lt(size - (run - 1)))))]
            number = Immediate(len(self.accesses), dtypes.int32)
            new += [
                Compute(dest, Code.SELECT, (inside, dest, value), declare=False)
                for dest, value in ((self.number, number), (self.place, register))
            ]
            addresses.append(select(insides[-1], at, 0))
        if isinstance(step, StoreTo):
            return [*new, Branch(all_of(insides), [replace(step, addresses=tuple(addresses))])]
        return [*new, replace(step, addresses=tuple(addresses))]


@dataclass
class Watch:
    """What the checked kernels of a test have noted; `kernels`: every one that has run."""

    kernels: dict[str, Checked] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


@contextmanager
def accesses_checked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Every kernel that the engine compiles meanwhile is checked, and everything is compiled anew.

    Leaving it raises AssertionError where one has made an access outside.
    """
    watch = Watch()
    kept = (compiler._stages, compiler._overwrites, run._runners)
    for each in kept:
        each.clear()
    with monkeypatch.context() as patch:
        patch.setattr(plan_store, "key", lambda *args: None)
        _patch(patch, watch)
        yield watch
    for each in kept:
        each.clear()
    assert not watch.faults, "\n".join(dict.fromkeys(watch.faults))


def _patch(patch: pytest.MonkeyPatch, watch: Watch) -> None:
    """Kernels get a further parameter, plans memory for it, and every run looks at what it holds."""
    rendered, workspaces, run_plan = compiler._rendered, plan._workspaces, execute.Runner.run

    def lowered(program: Program, target: Target) -> MachineKernel:
        made = checked(program, target)
        watch.kernels[program.name] = made
        return made.kernel

    def with_faults(program: Program, *args: Any) -> compiler.Compiled:
        compiled = rendered(program, *args)
        nbytes = int(watch.kernels[program.name].faults.size) * 8
        return replace(compiled, workspace=(*compiled.workspace, (nbytes, True)))

    def apart(kernels: Sequence[compiler.Compiled], alignment: int) -> tuple[list[list[Workspace]], int]:
        found, total = workspaces([replace(k, workspace=k.workspace[:-1]) for k in kernels], alignment)
        for kernel, own in zip(kernels, found):
            own.append(Workspace(total, kernel.workspace[-1][0]))
            total += -(-own[-1].nbytes // alignment) * alignment
        return found, total

    def run_and_look(self: execute.Runner, *args: Any) -> None:
        run_plan(self, *args)
        for step in self.plan.steps:
            slot = step.memories[-1]
            assert isinstance(slot, Workspace)
            noted = self.runtime.read(self.scratch[slot], slot.nbytes).view(np.int64)
            watch.faults += watch.kernels[step.kernel.source.name].report(noted)

    patch.setattr(compiler, "lower", lowered)
    patch.setattr(compiler, "_rendered", with_faults)
    patch.setattr(plan, "_workspaces", apart)
    patch.setattr(execute.Runner, "run", run_and_look)
