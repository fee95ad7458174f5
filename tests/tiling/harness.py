"""Running hand-written tile programs on OpenCL, all of a module compiled together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazygrad.dtype import DType, dtypes
from lazygrad.index.expr import Dim, Expr, Var
from lazygrad.ir.elements import from_storage
from lazygrad.ir.op import Op
from lazygrad.render.opencl import render
from lazygrad.runtime.base import Launch
from lazygrad.runtime.registry import open_device
from lazygrad.tiling.lower import lower
from lazygrad.tiling.program import Array, Axis, Kind, Loop, Program, Stmt, Value, alu, const

from .checked_accesses import checked

Data = NDArray[Any]


@dataclass
class Case:
    """A program, the arrays it is given (as they lie in memory), and what its outputs must hold.

    `rtol`, `atol` as in numpy.testing.assert_allclose; both 0: the bits must agree (any nan with any nan).
    """

    program: Program
    given: Mapping[Array, Data]
    expected: Mapping[Array, Data]
    rtol: float = 0.0
    atol: float = 0.0
    sizes: Mapping[Var, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.program.name


def run(cases: Sequence[Case], checks: bool = False) -> dict[str, dict[str, Data]]:
    """The outputs of every case: program name -> array name -> elements as they lie in memory.

    With `checks` every access is compared with the size of its array; AssertionError where one is outside.
    """
    device = open_device("OPENCL")
    watched = [checked(case.program) for case in cases] if checks else []
    kernels = [each.kernel for each in watched] or [lower(case.program) for case in cases]
    executables = device.build([render(kernel, device.info) for kernel in kernels])
    results: dict[str, dict[str, Data]] = {}
    faults: list[str] = []
    for number, (case, kernel, executable) in enumerate(zip(cases, kernels, executables)):
        memories = []
        for array in case.program.params:
            start = case.given.get(array)
            if start is None:
                start = np.full(case.expected[array].shape, 77, array.dtype.storage)
            memory = device.allocate(max(start.nbytes, 1))
            device.write(memory, start)
            memories.append(memory)
        if checks:
            nothing = np.zeros(watched[number].faults.size, np.int64)  # type: ignore[call-overload]
            memories.append(device.allocate(nothing.nbytes))
            device.write(memories[-1], nothing)
        sizes = {v: case.sizes[v] for v in case.program.scalars}
        groups = kernel.groups if isinstance(kernel.groups, int) else kernel.groups.evaluate(sizes)
        scalars = tuple(sizes.values())
        launch = Launch(executable, tuple(memories), scalars, (groups * kernel.group_size,), (kernel.group_size,))
        device.prepare([launch]).run()
        if checks:
            faults += watched[number].report(device.read(memories[-1], nothing.nbytes).view(np.int64))
        outputs = {}
        for array, memory in zip(case.program.params, memories):
            if array in case.expected:
                shape = case.expected[array].shape
                nbytes = int(np.prod(shape)) * array.dtype.itemsize
                outputs[array.name] = device.read(memory, nbytes).view(array.dtype.storage).reshape(shape)
        results[case.program.name] = outputs
    assert not faults, "\n".join(faults)
    return results


def check(case: Case, outputs: Mapping[str, Data]) -> None:
    """Fail unless every output is as expected."""
    for array, want in case.expected.items():
        got, want = (from_storage(x, array.dtype) for x in (outputs[array.name], want))
        message = f"{case.program.name}: {array.name} ({array.dtype})"
        if case.rtol or case.atol:
            np.testing.assert_allclose(got, want, case.rtol, case.atol, err_msg=message)
        else:
            np.testing.assert_array_equal(got, want, err_msg=message)


# ---- short spellings for programs ------------------------------------------------------------------


def array(name: str, dtype: DType, size: Dim, written: bool = False) -> Array:
    return Array(name, dtype, size, written=written)


def loop(var: Var, body: Stmt | Sequence[Stmt], kind: Kind = Kind.SERIAL, lanes: int = 1, unroll: int = 1) -> Loop:
    """A loop over the whole range of `var`."""
    inner = tuple(body) if isinstance(body, Sequence) else (body,)
    return Loop(Axis(var, extent(var), kind, lanes, unroll), inner)


def extent(var: Var) -> Dim:
    return var.hi + 1 if var.below is None else var.below


def axis(var: Var, kind: Kind = Kind.SERIAL, lanes: int = 1, unroll: int = 1) -> Axis:
    return Axis(var, extent(var), kind, lanes, unroll)


def add(a: Value, b: Value) -> Value:
    return alu(Op.ADD, a.dtype, a, b)


def mul(a: Value, b: Value) -> Value:
    return alu(Op.MUL, a.dtype, a, b)


def sub(a: Value, b: Value) -> Value:
    return add(a, mul(b, const(-1, b.dtype)))


def exp(a: Value) -> Value:
    return alu(Op.EXP2, a.dtype, mul(a, const(1.4426950408889634, a.dtype)))


def number(value: float, dtype: DType = dtypes.float32) -> Value:
    return const(value, dtype)


__all__ = [
    "Array",
    "Case",
    "Data",
    "Expr",
    "add",
    "array",
    "axis",
    "check",
    "exp",
    "extent",
    "loop",
    "mul",
    "number",
    "run",
    "sub",
]
