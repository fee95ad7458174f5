"""Machine kernels as CUDA C++ without headers; `cuda_prelude` says what the text may name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lazygrad.dtype import DType, dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Expr, dim_max
from lazygrad.runtime.base import DeviceInfo, KernelSource, LaunchAttributes
from lazygrad.tiling.layout import Swizzled
from lazygrad.tiling.machine import (
    Code,
    Compute,
    Declare,
    Fence,
    Identity,
    IndexValue,
    Instruction,
    Intrinsic,
    LoadFrom,
    MachineKernel,
    Meet,
    Operand,
    Pointer,
    Register,
    StoreTo,
    TensorMapParameter,
    Ticket,
    memory_dtype,
)
from lazygrad.tiling.program import Array, Scope

from .cstyle import Dialect, compute_text, operand_text, type_name
from .cuda_async import ASYNC
from .cuda_prelude import BASE, definitions
from .expression import c_expression, c_number
from .writer import Writer

ALIGNMENT = 16  # of shared arrays, in bytes: those of the widest access
STATIC_SHARED = 48 << 10  # bytes of shared memory that a kernel has without asking for more
_SHARED = (Scope.LOCAL, Scope.CLUSTER)
KNOWN = BASE | ASYNC  # every name that a body may use
_MATH = ("fmod", "trunc", "sin", "cos", "sqrt", "pow", "exp", "exp2", "log2")
CUDA = Dialect(
    types={
        dtypes.bool: "int",
        dtypes.uint8: "unsigned char",
        dtypes.int8: "signed char",
        dtypes.uint16: "unsigned short",
        dtypes.int16: "short",
        dtypes.uint32: "unsigned int",
        dtypes.int32: "int",
        dtypes.uint64: "unsigned long",
        dtypes.int64: "long",
        dtypes.float32: "float",
        dtypes.float64: "double",
    },
    nan="lg_bitcast<float>(0x7fc00000)",
    infinity="lg_bitcast<float>(0x7f800000)",
    bitcast="lg_bitcast<{type}>({value})",
    functions={(name, 4): f"{name}f" for name in _MATH}
    | {
        ("maximum", 4): "lg_maximum",
        ("divide", 4): "lg_divide",
        ("to_float16", 4): "lg_float_to_half",
        ("from_float16", 2): "lg_half_to_float",
        ("to_bfloat16", 4): "lg_float_to_bfloat16",
        ("from_bfloat16", 2): "lg_bfloat16_to_float",
    },
)


def render(kernel: MachineKernel, info: DeviceInfo) -> KernelSource:
    """The kernel as CUDA C++, with the definitions that it needs in front."""
    writer = _Writer(kernel)
    text = writer.text()
    used = {name for name in re.findall(r"\blg_\w+", text) if name in KNOWN}
    return KernelSource(kernel.name, definitions(used, KNOWN) + text, kernel.name, writer.attributes())


def register_type(dtype: DType, lanes: int) -> str:
    """The type of a register.

    >>> register_type(dtypes.uint8, 1), register_type(dtypes.float32, 4)
    ('unsigned char', 'lg_lanes<float, 4>')
    """
    name = type_name(dtype, dialect=CUDA)
    return name if lanes == 1 else f"lg_lanes<{name}, {lanes}>"


def element_type(dtype: DType) -> str:
    """The type of an array's elements in memory."""
    return type_name(dtypes.uint16 if dtype is dtypes.float16 else memory_dtype(dtype), dialect=CUDA)


class _Writer(Writer):
    def __init__(self, kernel: MachineKernel) -> None:
        super().__init__(kernel)
        self.offsets = _shared_offsets(kernel)

    def text(self) -> str:
        kernel = self.kernel
        self.block(kernel.body, 1)
        parameters = [self._parameter(array) for array in kernel.params]
        parameters += [f"const int {var.name}" for var in kernel.scalars]
        parameters += [f"const __grid_constant__ lg_tensor_map {p.name}" for p in kernel.tensor_maps]
        head = f'extern "C" __global__ void __launch_bounds__({kernel.group_size}, {kernel.resident}) {kernel.name}('
        shared = ["  extern __shared__ __align__(1024) unsigned char lg_dynamic[];"] if self.offsets else []
        return "\n".join([head + ", ".join(parameters) + ")", "{", *shared, *self.lines, "}", ""])

    def attributes(self) -> LaunchAttributes:
        """What the kernel's launches need."""
        last = max(self.offsets.items(), key=lambda entry: entry[1], default=None)
        return LaunchAttributes(
            shared_bytes=0 if last is None else last[1] + _nbytes(last[0]),
            cluster=self.kernel.cluster,
            tensor_maps=tuple(p.map for p in self.kernel.tensor_maps),
        )

    def _parameter(self, array: Array) -> str:
        return f"{'' if array.written else 'const '}{element_type(array.dtype)} *__restrict__ {array.name}"

    def statement(self, step: Instruction) -> list[str]:
        if isinstance(step, Compute):
            return [f"{_target(step.dest, step.declare)} = {_compute(step)};"]
        if isinstance(step, IndexValue):
            return [f"{_target(step.dest, True)} = {c_expression(step.expr)};"]
        if isinstance(step, Identity):
            index = "blockIdx.x" if step.scope is Scope.GLOBAL else "threadIdx.x"
            return [f"{_target(step.dest, True)} = {index};"]
        if isinstance(step, LoadFrom):
            return [f"{_target(step.dest, step.declare)} = {_load(step)};"]
        if isinstance(step, StoreTo):
            return _store(step)
        if isinstance(step, Intrinsic):
            target = f"{_target(step.dest, True)} = " if step.dest else ""
            return [f"{target}{_intrinsic(step)};"]
        if isinstance(step, Declare):
            return [self._declaration(step.array)]
        if isinstance(step, Ticket):
            return ["__threadfence();", f"{_target(step.dest, True)} = atomicAdd({_pointer(step.array, step.at)}, 1);"]
        if isinstance(step, Fence):
            return ["__threadfence();"]
        assert isinstance(step, Meet), step
        return ["__syncthreads();"]

    def _declaration(self, array: Array) -> str:
        element = element_type(array.dtype)
        if array in self.offsets:
            return f"{element} *const {array.name} = ({element} *)(lg_dynamic + {self.offsets[array]});"
        space = f"__shared__ __align__({_alignment(array)}) " if array.scope in _SHARED else ""
        return f"{space}{element} {array.name}[{array.size}];"


def _nbytes(array: Array) -> int:
    return dim_max(array.size) * array.dtype.itemsize


def _alignment(array: Array) -> int:
    """Of a shared array, in bytes: swizzles look at the lower bits of addresses, and repeat after 8 lines."""
    return 8 * array.layout.swizzle if isinstance(array.layout, Swizzled) else ALIGNMENT


def _shared_offsets(kernel: MachineKernel) -> dict[Array, int]:
    """Where each shared array starts in memory that the launch reserves; {} where the kernel can declare them all."""
    arrays = [s.array for s in kernel.body if isinstance(s, Declare) and s.array.scope in _SHARED]
    offsets: dict[Array, int] = {}
    end = 0
    for array in sorted(arrays, key=_alignment, reverse=True):
        offsets[array] = end = -(-end // _alignment(array)) * _alignment(array)
        end += _nbytes(array)
    return offsets if end > STATIC_SHARED else {}


def _target(dest: Register, declare: bool) -> str:
    return f"{register_type(dest.dtype, dest.lanes)} {dest.name}" if declare else dest.name


def _intrinsic(step: Intrinsic) -> str:
    numbers = f"<{', '.join(map(str, step.numbers))}>" if step.numbers else ""
    return f"{step.name}{numbers}({', '.join(map(_argument, step.args))})"


def _argument(a: Expr | Pointer | TensorMapParameter | Intrinsic) -> str:
    if isinstance(a, Intrinsic):
        return _intrinsic(a)
    if isinstance(a, TensorMapParameter):
        return f"&{a.name}"
    return _pointer(a.array, a.at) if isinstance(a, Pointer) else c_expression(a)


def _compute(step: Compute) -> str:
    dest, code = step.dest, step.code
    if code is Code.LANE:
        return f"{operand_text(step.src[0])}.v[{step.detail}]"
    if code is Code.PACK:
        return _packed(dest.dtype, step.src)
    if code is Code.EXCHANGE:
        return f"__shfl_xor_sync(0xffffffffu, {operand_text(step.src[0], dialect=CUDA)}, {step.detail})"
    if dest.lanes > 1:
        raise GraphError(f"CUDA has no vector arithmetic ({code.name} into {dest.name} of {dest.lanes} lanes)")
    return compute_text(step, CUDA)


def _packed(dtype: DType, src: Sequence[Operand]) -> str:
    return f"{register_type(dtype, len(src))}{{{{{', '.join(operand_text(s, dialect=CUDA) for s in src)}}}}}"


def _load(step: LoadFrom) -> str:
    array, lanes = step.array, step.dest.lanes
    is_half = array.dtype is dtypes.float16
    if len(step.addresses) > 1:
        raise GraphError(f"CUDA has no vector arithmetic (a gather from {array.name})")
    address = step.addresses[0]
    if lanes == 1:
        element = f"{array.name}[{c_expression(address)}]"
        return f"lg_half_to_float({element})" if is_half else element
    run = f"lg_load<{lanes}>({_pointer(array, address)})"
    return f"lg_widen({run})" if is_half else run


def _store(step: StoreTo) -> list[str]:
    array, lanes = step.array, step.lanes
    is_half = array.dtype is dtypes.float16
    if len(step.addresses) > 1 or lanes != step.src.lanes:
        raise GraphError(f"CUDA has no vector arithmetic (a store of lanes to {array.name})")
    address, value = step.addresses[0], operand_text(step.src, dialect=CUDA)
    if lanes == 1:
        return [f"{array.name}[{c_expression(address)}] = {f'lg_float_to_half({value})' if is_half else value};"]
    function = "lg_stream" if step.stream else "lg_store"
    return [f"{function}({_pointer(array, address)}, {f'lg_narrow({value})' if is_half else value});"]


def _pointer(array: Array, address: Expr) -> str:
    return array.name if address.constant == 0 else f"{array.name} + {c_number(address)}"
