"""Machine kernels as OpenCL C."""

from __future__ import annotations

from dataclasses import replace

from lazygrad.dtype import DType, dtypes
from lazygrad.index.expr import Expr
from lazygrad.runtime.base import DeviceInfo, KernelSource
from lazygrad.tiling.machine import (
    Compute,
    Declare,
    Fence,
    Identity,
    IndexValue,
    Instruction,
    LoadFrom,
    MachineKernel,
    Meet,
    Register,
    StoreTo,
    Ticket,
    instructions,
    memory_dtype,
)
from lazygrad.tiling.program import Array, Scope

from .cstyle import OPENCL, compute_text, operand_text, type_name
from .expression import c_expression, c_number
from .writer import Writer

SPACES = {Scope.GLOBAL: "__global ", Scope.LOCAL: "__local ", Scope.PRIVATE: ""}
# OpenCL's own trunc takes 20 instructions in PoCL.
CPU = replace(OPENCL, functions={("trunc", size): "__builtin_elementwise_trunc" for size in (4, 8)})
# Without the first, LLVM splits 64-byte vectors in two for some CPUs.
CPU_ATTRIBUTE = "__attribute__((min_vector_width(512))) "
ALIGNMENT = 64  # of scratch arrays, in bytes


def render(kernel: MachineKernel, info: DeviceInfo) -> KernelSource:
    """The kernel as a function of OpenCL C. The text depends on the kernel and the kind of device only."""
    return KernelSource(kernel.name, _Writer(kernel, info.kind == "cpu").text(), kernel.name)


class _Writer(Writer):
    def __init__(self, kernel: MachineKernel, cpu: bool) -> None:
        super().__init__(kernel)
        self.cpu = cpu
        self.unaligned: dict[str, int] = {}  # vector types that are accessed at any element -> size of an element

    def text(self) -> str:
        kernel = self.kernel
        self.block(kernel.body, 1)
        parameters = [self._parameter(array) for array in kernel.params]
        parameters += [f"const int {var.name}" for var in kernel.scalars]
        attributes = CPU_ATTRIBUTE if self.cpu else ""
        attributes += f"__attribute__((reqd_work_group_size({kernel.group_size}, 1, 1)))"
        head = ["#pragma OPENCL EXTENSION cl_khr_fp64 : enable"] if self._doubles() else []
        head += [f"__kernel {attributes}", f"void {kernel.name}({', '.join(parameters)}) {{"]
        head += [f"  typedef {t} __attribute__((aligned({n}))) {t}_u;" for t, n in sorted(self.unaligned.items())]
        return "\n".join([*head, *self.lines, "}", ""])

    def _doubles(self) -> bool:
        registers = (getattr(step, "dest", None) for step in instructions(self.kernel.body))
        arrays = any(array.dtype is dtypes.float64 for array in self.kernel.params)
        return arrays or any(r.dtype is dtypes.float64 for r in registers if isinstance(r, Register))

    def _parameter(self, array: Array) -> str:
        element = type_name(_stored(array))
        return f"__global {'' if array.written else 'const '}{element} *restrict {array.name}"

    def statement(self, step: Instruction) -> list[str]:
        if isinstance(step, Compute):
            text = compute_text(step, CPU if self.cpu else OPENCL)
            return [f"{self._target(step.dest, step.declare)} = {text};"]
        if isinstance(step, IndexValue):
            return [f"{self._target(step.dest, True)} = {c_expression(step.expr)};"]
        if isinstance(step, Identity):
            function = "get_group_id" if step.scope is Scope.GLOBAL else "get_local_id"
            return [f"{self._target(step.dest, True)} = {function}(0);"]
        if isinstance(step, LoadFrom):
            return self._load(step)
        if isinstance(step, StoreTo):
            return self._store(step)
        if isinstance(step, Declare):
            return [self._declaration(step.array)]
        if isinstance(step, Ticket):
            place = f"{step.array.name} + {c_number(step.at)}" if step.at.constant != 0 else step.array.name
            return [
                "mem_fence(CLK_GLOBAL_MEM_FENCE);",
                f"{self._target(step.dest, True)} = atomic_inc((volatile __global int *)({place}));",
            ]
        if isinstance(step, Fence):
            return ["mem_fence(CLK_GLOBAL_MEM_FENCE);"]
        assert isinstance(step, Meet)
        return ["barrier(CLK_LOCAL_MEM_FENCE);"]

    def _target(self, dest: Register, declare: bool) -> str:
        return f"{type_name(dest.dtype, dest.lanes)} {dest.name}" if declare else dest.name

    def _declaration(self, array: Array) -> str:
        element = type_name(_stored(array))
        return f"{SPACES[array.scope]}{element} {array.name}[{array.size}] __attribute__((aligned({ALIGNMENT})));"

    # ---- memory --------------------------------------------------------------------------------

    def _vector_pointer(self, array: Array, address: Expr, lanes: int, const: bool) -> str:
        kind = type_name(_stored(array), lanes)
        self.unaligned[kind] = array.dtype.itemsize
        return f"*({SPACES[array.scope]}{'const ' if const else ''}{kind}_u *)({array.name} + {c_number(address)})"

    def _half(self, array: Array, address: Expr, const: bool) -> str:
        return f"({SPACES[array.scope]}{'const ' if const else ''}half *){array.name} + {c_number(address)}"

    def _load(self, step: LoadFrom) -> list[str]:
        dest, array, lanes = step.dest, step.array, step.dest.lanes
        if len(step.addresses) > 1:
            parts = ", ".join(self._load_run(array, address, 1) for address in step.addresses)
            return [f"{self._target(dest, step.declare)} = ({type_name(dest.dtype, lanes)})({parts});"]
        if array.dtype is dtypes.float16 and lanes > 1:  # vload_half may ask for more than the alignment of an element
            kind, bits = type_name(_stored(array), lanes), self._vector_pointer(array, step.addresses[0], lanes, True)
            declared = [f"{self._target(dest, True)};"] if step.declare else []
            return [*declared, f"{{ {kind} bits = {bits}; {dest.name} = vload_half{lanes}(0, (const half *)&bits); }}"]
        return [f"{self._target(dest, step.declare)} = {self._load_run(array, step.addresses[0], lanes)};"]

    def _load_run(self, array: Array, address: Expr, lanes: int) -> str:
        """`lanes` consecutive elements."""
        if array.dtype is dtypes.float16:
            return f"vload_half(0, {self._half(array, address, True)})"
        if lanes > 1:
            return self._vector_pointer(array, address, lanes, True)
        return f"{array.name}[{c_expression(address)}]"

    def _store(self, step: StoreTo) -> list[str]:
        array, src = step.array, step.src
        if len(step.addresses) == 1:
            value = operand_text(src, step.lanes, memory_dtype(array.dtype))
            return [self._store_run(array, step.addresses[0], value, step.lanes, step.stream)]
        parts = [operand_text(src) if src.lanes == 1 else f"{operand_text(src)}.s{k:x}" for k in range(step.lanes)]
        return [self._store_run(array, address, part, 1, False) for address, part in zip(step.addresses, parts)]

    def _store_run(self, array: Array, address: Expr, value: str, lanes: int, stream: bool) -> str:
        if array.dtype is dtypes.float16 and lanes > 1:
            bits = f"{type_name(_stored(array), lanes)} bits; vstore_half{lanes}_rte({value}, 0, (half *)&bits);"
            return f"{{ {bits} {self._vector_pointer(array, address, lanes, False)} = bits; }}"
        if array.dtype is dtypes.float16:
            return f"vstore_half_rte({value}, 0, {self._half(array, address, False)});"
        if lanes == 1:
            return f"{array.name}[{c_expression(address)}] = {value};"
        if stream:
            kind = type_name(memory_dtype(array.dtype), lanes)
            return f"__builtin_nontemporal_store({value}, (__global {kind} *)({array.name} + {c_number(address)}));"
        return f"{self._vector_pointer(array, address, lanes, False)} = {value};"


def _stored(array: Array) -> DType:
    """The type of an array's elements as they lie in memory: of float16 the bits, since variables of type half are an
    extension."""
    return dtypes.uint16 if array.dtype is dtypes.float16 else memory_dtype(array.dtype)
