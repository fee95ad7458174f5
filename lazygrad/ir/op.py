"""The primitive operations, on one screen, with the typed argument of each.

Everything a Tensor can do is a composition of these. `signature` in `node.py` gives the shape and dtype
rule of each; `evaluate.py` gives its meaning; `reverse.py` its gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from lazygrad.dtype import DType
from lazygrad.index.expr import Dim


class Op(Enum):
    # sources
    CONST = auto()  # a scalar
    BUFFER = auto()  # stored elements
    IOTA = auto()  # 0, 1, ..., n-1
    # elementwise; sources have one shape
    ADD = auto()
    MUL = auto()
    DIV = auto()  # floats: the correctly rounded quotient
    IDIV = auto()  # integers: floor; 0 where the divisor is 0
    MOD = auto()  # a - floor(a/b)*b; 0 where an integer divisor is 0
    MAX = auto()  # propagates nan
    POW = auto()
    EXP2 = auto()
    EXPM1 = auto()  # exp(x) - 1, exact where x is tiny
    LOG2 = auto()
    SIN = auto()
    COS = auto()
    SQRT = auto()
    ERF = auto()
    TRUNC = auto()
    LT = auto()
    NE = auto()
    AND = auto()
    OR = auto()
    XOR = auto()
    SHL = auto()
    SHR = auto()
    WHERE = auto()
    CAST = auto()
    BITCAST = auto()
    # reductions and prefixes
    REDUCE = auto()
    SCAN = auto()
    REPEAT = auto()  # a graph computed once for each step of a sequence: see ir/repeat.py
    # movement
    RESHAPE = auto()
    PERMUTE = auto()
    EXPAND = auto()
    PAD = auto()
    SHRINK = auto()
    FLIP = auto()
    # data dependent
    GATHER = auto()
    SCATTER = auto()
    # identities with an effect
    DETACH = auto()  # no gradient passes
    CALL = auto()  # a value, and the inputs that a user's function gives the gradients by
    CONTIGUOUS = auto()  # is stored
    STORE = auto()  # is stored in place of an older value
    COPY = auto()  # is moved to another device
    CHECK = auto()  # an index: where it lies outside its axis, the next read of a value is an error

    __hash__ = object.__hash__  # by identity, which is what equality is: graphs hash ops all the time

    def __repr__(self) -> str:
        return self.name


UNARY = frozenset({Op.EXP2, Op.EXPM1, Op.LOG2, Op.SIN, Op.COS, Op.SQRT, Op.ERF, Op.TRUNC, Op.CAST, Op.BITCAST})
BINARY = frozenset(
    {Op.ADD, Op.MUL, Op.DIV, Op.IDIV, Op.MOD, Op.MAX, Op.POW, Op.LT, Op.NE, Op.AND, Op.OR, Op.XOR, Op.SHL, Op.SHR}
)
ELEMENTWISE = UNARY | BINARY | {Op.WHERE}
MOVEMENT = frozenset({Op.RESHAPE, Op.PERMUTE, Op.EXPAND, Op.PAD, Op.SHRINK, Op.FLIP})
IDENTITY = frozenset({Op.DETACH, Op.CALL, Op.CONTIGUOUS, Op.STORE, Op.COPY, Op.CHECK})
SOURCE = frozenset({Op.CONST, Op.BUFFER, Op.IOTA})


class Combine(Enum):
    """How a REDUCE, SCAN or SCATTER combines two elements."""

    ADD = auto()
    MUL = auto()
    MAX = auto()
    SET = auto()  # SCATTER only: the later one wins

    def __repr__(self) -> str:
        return self.name.lower()


class StorageLike(Protocol):
    """What the graph needs to know of stored elements; compared by identity."""

    device: str
    nbytes: int


class FunctionLike(Protocol):
    """What the graph needs to know of a user's function with its own gradient; compared by identity."""

    name: str


class BodyLike(Protocol):
    """What the graph needs to know of a graph that is repeated; compared by what it computes."""

    @property
    def elements(self) -> int: ...
    @property
    def dtype(self) -> DType: ...


class Arg:
    """Base of the typed arguments."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ConstArg(Arg):
    value: bool | int | float
    text: str  # repr of the value: tells 0.0 from -0.0 and makes nan equal to itself

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConstArg) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


@dataclass(frozen=True, slots=True, eq=False)
class BufferArg(Arg):
    """BUFFER: where its elements are. `count`: how many they are, where a value of the same storage says it in other
    variables (x[i:] is all of x where i is 0)."""

    storage: StorageLike
    count: Dim | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BufferArg) and self.storage is other.storage and self.count == other.count

    def __hash__(self) -> int:
        return id(self.storage)


@dataclass(frozen=True, slots=True)
class ShapeArg(Arg):
    """RESHAPE, EXPAND and IOTA: the shape of the result."""

    shape: tuple[Dim, ...]


@dataclass(frozen=True, slots=True)
class AxesArg(Arg):
    """PERMUTE: result axis k is source axis axes[k]. FLIP: the reversed axes, ascending."""

    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PadArg(Arg):
    """PAD: (before, after) for each axis, filled with `fill`."""

    pads: tuple[tuple[Dim, Dim], ...]
    fill: ConstArg


@dataclass(frozen=True, slots=True)
class BoundsArg(Arg):
    """SHRINK: (start, stop) for each axis."""

    bounds: tuple[tuple[Dim, Dim], ...]


@dataclass(frozen=True, slots=True)
class ReduceArg(Arg):
    """REDUCE over `axes` (ascending), which the result does not have.

    `tf32`: where float32 products are summed, a device may round their factors to TF32 (10 bits of mantissa).
    """

    combine: Combine
    axes: tuple[int, ...]
    tf32: bool = False


@dataclass(frozen=True, slots=True)
class ScanArg(Arg):
    """SCAN: inclusive prefix along `axis`."""

    combine: Combine
    axis: int


@dataclass(frozen=True, slots=True)
class AxisArg(Arg):
    """GATHER along `axis`."""

    axis: int


@dataclass(frozen=True, slots=True)
class ScatterArg(Arg):
    axis: int
    combine: Combine


@dataclass(frozen=True, slots=True)
class IdArg(Arg):
    """CONTIGUOUS: `uid` tells nodes with equal values apart; 0 is shared by all."""

    uid: int


@dataclass(frozen=True, slots=True, eq=False)
class StoreArg(Arg):
    """STORE: an identity of its own, and the storage whose old contents this value replaces."""

    uid: int
    storage: StorageLike

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoreArg) and self.uid == other.uid

    def __hash__(self) -> int:
        return hash(self.uid)


@dataclass(frozen=True, slots=True, eq=False)
class CallArg(Arg):
    """CALL: one application of a user's function, and which of its outputs this is."""

    function: FunctionLike
    output: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CallArg) and self.function is other.function and self.output == other.output

    def __hash__(self) -> int:
        return hash((id(self.function), self.output))


@dataclass(frozen=True, slots=True)
class RepeatArg(Arg):
    """REPEAT: the graph of one step."""

    body: BodyLike


@dataclass(frozen=True, slots=True)
class DeviceArg(Arg):
    device: str


@dataclass(frozen=True, slots=True)
class CheckArg(Arg):
    """CHECK: an index for the operation `what` into an axis of `size`, written at `line` (file and number).

    With `negative`, -size..-1 are places too; `exempt` may stand anywhere.
    """

    what: str
    size: Dim
    negative: bool
    exempt: int | None
    line: tuple[str, int]
