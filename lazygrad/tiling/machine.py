"""Kernels as a machine would run them: typed registers, one operation per instruction, structured loops.

Everything is decided here (what is a vector, which lanes, where a value is computed); a renderer only spells each
instruction in its language.

Types: a register has a dtype and `lanes` (1: a scalar). 16-bit floats exist only in memory: float16 is converted from
and to float32 (to nearest even) by the access, bfloat16 is accessed as its bits in uint16. `bool` is int32: 0 or 1 in
a scalar, a mask of 0 or -1 in the lanes of a vector; other integer types hold masks too where operands of other widths
are compared. Integer arithmetic wraps around.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from lazygrad.dtype import DType, dtypes
from lazygrad.index.expr import Dim, Expr, Var
from lazygrad.runtime.base import TensorMap

from .program import Array, Scope


class Code(Enum):
    """What an instruction computes from its operands `a`, `b`, `c`, elementwise unless it says otherwise."""

    COPY = auto()  # a; a scalar fills every lane
    ADD = auto()
    SUB = auto()
    MUL = auto()
    DIV = auto()  # integers: toward zero, b != 0
    REM = auto()  # integers: a - DIV(a, b) * b
    FMA = auto()  # a * b + c, fused where the machine can
    NEG = auto()
    AND = auto()
    OR = auto()
    XOR = auto()
    NOT = auto()  # every bit
    SHL = auto()
    SHR = auto()  # arithmetic for signed types
    LT = auto()  # comparisons give bool, or a mask as wide as the operands
    LE = auto()
    EQ = auto()
    NE = auto()
    SELECT = auto()  # a ? b : c; a is a mask as wide as b and c
    CONVERT = auto()  # to the register's dtype
    BITCAST = auto()  # the same bits
    CALL = auto()  # the builtin function `detail`
    LANE = auto()  # lane number `detail` of the vector a
    LOW = auto()  # the first half of the lanes of a
    HIGH = auto()  # the second half
    REVERSE = auto()  # the lanes of a backwards
    IOTA = auto()  # 0, 1, 2, ... in the lanes
    SHUFFLE = auto()  # the lanes of a, then b that `detail` numbers
    PACK = auto()  # the vector of the scalars a, b, c, ...
    EXCHANGE = auto()  # a of the work-item whose number differs in the bits `detail` alone; all of a warp get here


@dataclass(frozen=True, slots=True, eq=False)
class Register:
    name: str
    dtype: DType
    lanes: int = 1


@dataclass(frozen=True, slots=True)
class Immediate:
    """A constant; as an operand beside vectors it stands for all lanes, and so does a scalar register."""

    value: bool | int | float
    dtype: DType
    lanes: int = 1


Operand = Register | Immediate
Detail = str | int | tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Compute:
    """`dest = code(src)`; with `declare` the register begins here, else it is assigned again."""

    dest: Register
    code: Code
    src: tuple[Operand, ...]
    detail: Detail = 0
    declare: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class IndexValue:
    """`dest` = the value of an index expression over loop variables, sizes and (by name) integer registers."""

    dest: Register
    expr: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """`dest` = the number of this work-group (GLOBAL) or of this work-item in its group (LOCAL)."""

    dest: Register
    scope: Scope


@dataclass(frozen=True, slots=True, eq=False)
class LoadFrom:
    """Reads a scalar or a vector of consecutive elements (one address), or each lane from an address of its own."""

    dest: Register
    array: Array
    addresses: tuple[Expr, ...]
    declare: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class StoreTo:
    """Writes consecutive elements (one address), or each lane of `src` to an address of its own, in lane order."""

    array: Array
    addresses: tuple[Expr, ...]
    src: Operand
    lanes: int
    stream: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class For:
    """`body` for every `var` in start..stop-1; `copies` of it in the code are wanted of the compiler after us, or any
    number (0).
    """

    var: Var
    start: Expr
    stop: Expr
    body: list[Instruction]
    copies: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    condition: Expr
    body: list[Instruction]
    orelse: list[Instruction] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Declare:
    """Scratch memory for the rest of the kernel; `array.size` is a number."""

    array: Array


@dataclass(frozen=True, slots=True, eq=False)
class Meet:
    """All work-items of the group wait for each other; what they wrote to local memory is seen by all."""


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """`dest` = the int32 `array[at]`, which is incremented in the same step; memory is consistent before and after."""

    dest: Register
    array: Array
    at: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Fence:
    """What other work-groups stored before they took their tickets is seen from here on; they see what was stored."""


@dataclass(frozen=True, slots=True, eq=False)
class Pointer:
    """The address of element `at` of an array."""

    array: Array
    at: Expr


@dataclass(frozen=True, slots=True)
class TensorMapParameter:
    """A kernel parameter that tells a copy engine how an array looks."""

    name: str
    map: TensorMap


@dataclass(frozen=True, slots=True, eq=False)
class Intrinsic:
    """Calls a function of the language's own that matrix units, copy engines or barriers need (`render.cuda_async`).

    An argument may be the result of another function. `numbers` are template arguments.
    """

    name: str
    args: tuple[Expr | Pointer | TensorMapParameter | Intrinsic, ...] = ()
    numbers: tuple[int, ...] = ()
    dest: Register | None = None


Plain = Intrinsic | Ticket | Fence | Compute | IndexValue | Identity | LoadFrom | StoreTo | Declare | Meet
Instruction = Plain | For | Branch


@dataclass(frozen=True, slots=True, eq=False)
class MachineKernel:
    """A kernel ready to be rendered.

    Args:
        params: arrays in the order of the kernel's parameters; `scalars` (int32) follow them.
        groups: number of work-groups to launch, over `scalars`.
        group_size: work-items in each.
        cluster: how many neighbouring work-groups share their local memory.
        resident: how many work-groups the registers of a multiprocessor should be enough for.
        tensor_maps: parameters that follow the scalars; their `memory` numbers `params`.
    """

    name: str
    params: tuple[Array, ...]
    scalars: tuple[Var, ...]
    body: list[Instruction]
    groups: Dim
    group_size: int
    cluster: int = 1
    tensor_maps: tuple[TensorMapParameter, ...] = ()
    resident: int = 1


def memory_dtype(dtype: DType) -> DType:
    """The type of a register just loaded from an array of `dtype`, or about to be stored there.

    Numbers as they are; float16 converted to float32 by the access itself; bfloat16 by its bits; bool in a byte.
    """
    if dtype.is_bool:
        return dtypes.uint8
    return dtypes.uint16 if dtype is dtypes.bfloat16 else dtypes.float32 if dtype is dtypes.float16 else dtype


def instructions(body: list[Instruction]) -> Iterator[Instruction]:
    """Every instruction, those inside loops and branches after the loop or branch itself."""
    pending = list(reversed(body))
    while pending:
        step = pending.pop()
        yield step
        inner = [*step.body, *step.orelse] if isinstance(step, Branch) else step.body if isinstance(step, For) else []
        pending.extend(reversed(inner))
