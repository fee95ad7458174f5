"""Machine instructions as statements of C with vector types: what OpenCL C shares with its relatives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lazygrad.dtype import DType, dtypes
from lazygrad.tiling.machine import Code, Compute, Immediate, Operand, Register

INFIX = {
    Code.ADD: "+", Code.SUB: "-", Code.MUL: "*", Code.DIV: "/", Code.REM: "%", Code.AND: "&", Code.OR: "|",
    Code.XOR: "^", Code.SHL: "<<", Code.SHR: ">>", Code.LT: "<", Code.LE: "<=", Code.EQ: "==", Code.NE: "!=",
}  # fmt: skip
COMPARISONS = {Code.LT, Code.LE, Code.EQ, Code.NE}
WRAPS = {Code.ADD, Code.SUB, Code.MUL, Code.SHL}
# Beside a vector, C widens a scalar operand of these by itself.
WIDENS = {Code.ADD, Code.SUB, Code.MUL, Code.DIV, Code.FMA, *COMPARISONS}
_SUFFIX = {dtypes.uint32: "u", dtypes.int64: "L", dtypes.uint64: "UL"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a relative of C spells what C leaves to it.

    Args:
        types: names of scalar types.
        nan, infinity: float constants.
        bitcast: a conversion to `{type}` of the bits of `{value}`.
        functions: library functions by (name, itemsize of their arguments), where they are not called by their name.
    """

    types: Mapping[DType, str]
    nan: str
    infinity: str
    bitcast: str
    functions: Mapping[tuple[str, int], str]

    def unsigned(self, dtype: DType) -> str:
        """The unsigned type in which arithmetic on `dtype` wraps around."""
        return self.types[dtypes.uint64 if dtype.itemsize == 8 else dtypes.uint32]


OPENCL = Dialect(
    types={
        dtypes.bool: "int",
        dtypes.uint8: "uchar",
        dtypes.int8: "char",
        dtypes.uint16: "ushort",
        dtypes.int16: "short",
        dtypes.uint32: "uint",
        dtypes.int32: "int",
        dtypes.uint64: "ulong",
        dtypes.int64: "long",
        dtypes.float32: "float",
        dtypes.float64: "double",
    },
    nan="NAN",
    infinity="INFINITY",
    bitcast="as_{type}({value})",
    functions={},
)


def type_name(dtype: DType, lanes: int = 1, dialect: Dialect = OPENCL) -> str:
    """The type of a register.

    >>> type_name(dtypes.float32, 16), type_name(dtypes.bool)
    ('float16', 'int')
    """
    return dialect.types[dtype] + (str(lanes) if lanes > 1 else "")


def literal(constant: Immediate, dialect: Dialect = OPENCL) -> str:
    """A constant in C, of exactly its dtype (narrow integers: as int).

    >>> literal(Immediate(0.1, dtypes.float32)), literal(Immediate(-5, dtypes.int64))
    ('0.1f', '-5L')
    """
    value, dtype = constant.value, constant.dtype
    if not dtype.is_float:
        number = int(value)
        if dtype in (dtypes.int32, dtypes.int64) and number == dtype.min:
            return f"({number + 1}{_SUFFIX.get(dtype, '')} - 1)"
        return f"{number}{_SUFFIX.get(dtype, '')}"
    cast = "(double)" if dtype is dtypes.float64 else ""
    if math.isnan(value):
        return f"{cast}{dialect.nan}"
    if math.isinf(value):
        return f"{'' if value > 0 else '-'}{cast}{dialect.infinity}"
    return _decimal(float(value)) if dtype is dtypes.float64 else f"{_shortest(float(value))}f"


def _decimal(value: float) -> str:
    text = repr(value)
    return text if any(c in text for c in ".e") else f"{text}.0"


def _shortest(value: float) -> str:
    """The fewest digits that give this float32 back."""
    import numpy as np

    return _decimal(float(str(np.float32(value))))  # NumPy's digits, but Python's notation: that of NumPy has changed


def operand_text(
    a: Operand, lanes: int = 1, dtype: DType | None = None, splat: bool = True, dialect: Dialect = OPENCL
) -> str:
    """An operand of an instruction with `lanes`; `splat`: a scalar is widened explicitly."""
    text = a.name if isinstance(a, Register) else literal(a, dialect)
    if lanes > a.lanes and (splat or a.dtype.itemsize < 4):
        return f"({type_name(dtype or a.dtype, lanes)})({text})"
    return f"({text})" if text[0] == "-" and not splat else text


def compute_text(step: Compute, dialect: Dialect = OPENCL) -> str:
    """The right-hand side of an instruction."""
    dest, code, src = step.dest, step.code, step.src
    lanes = max([dest.lanes, *(s.lanes for s in src)])
    if code in INFIX:
        return _infix(step, lanes, dialect)
    texts = [operand_text(s, lanes, splat=code not in WIDENS, dialect=dialect) for s in src]
    if code is Code.FMA:
        return f"{texts[0]} * {texts[1]} + {texts[2]}"
    if code is Code.SELECT:
        condition = operand_text(src[0], dialect=dialect) if src[0].lanes == 1 else texts[0]
        return f"{condition} ? {texts[1]} : {texts[2]}"
    if code is Code.COPY:
        return operand_text(src[0], dest.lanes, dialect=dialect)
    if code is Code.CALL:
        name = str(step.detail)
        return f"{dialect.functions.get((name, src[0].dtype.itemsize), name)}({', '.join(texts)})"
    if code is Code.SHUFFLE:
        assert isinstance(step.detail, tuple)
        return f"__builtin_shufflevector({', '.join([*texts, *map(str, step.detail)])})"
    if code is Code.IOTA:
        return f"({type_name(dest.dtype, dest.lanes)})({', '.join(map(str, range(dest.lanes)))})"
    return _unary(step, operand_text(src[0], splat=False, dialect=dialect), dialect)


def _infix(step: Compute, lanes: int, dialect: Dialect) -> str:
    dest, code = step.dest, step.code
    a, b = (operand_text(s, lanes, splat=code not in WIDENS, dialect=dialect) for s in step.src)
    if (
        lanes == 1
        and code in WRAPS
        and dest.dtype.is_int
        and not (dest.dtype.kind == "uint" and dest.dtype.itemsize >= 4)
    ):
        unsigned = dialect.unsigned(dest.dtype)
        return f"({type_name(dest.dtype, dialect=dialect)})(({unsigned}){a} {INFIX[code]} ({unsigned}){b})"
    return f"{a} {INFIX[code]} {b}"


def _unary(step: Compute, a: str, dialect: Dialect) -> str:
    dest, source = step.dest, step.src[0]
    name = type_name(dest.dtype, dest.lanes, dialect)
    if step.code is Code.NEG:
        if dest.lanes == 1 and dest.dtype.is_int:
            unsigned = dialect.unsigned(dest.dtype)
            return f"({name})(({unsigned})0 - ({unsigned}){a})"
        return f"-{a}"
    if step.code is Code.CONVERT:
        return f"({name}){a}" if source.lanes == 1 else f"__builtin_convertvector({a}, {name})"
    if step.code is Code.REVERSE:
        return f"{a}.s{''.join(f'{k:x}' for k in reversed(range(dest.lanes)))}"
    if step.code is Code.LANE:
        return f"{a}.s{step.detail:x}"
    return {
        Code.NOT: f"~{a}",
        Code.BITCAST: dialect.bitcast.format(type=name, value=a),
        Code.LOW: f"{a}.lo",
        Code.HIGH: f"{a}.hi",
    }[step.code]
