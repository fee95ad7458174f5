"""Where lowering stands: nested scopes of instructions, the variables bound so far, and the register tile.

A scope is a block of the generated code (a loop body or a branch). A value is computed in the outermost scope that
binds all it needs, once for each element of the register tile that it depends on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from lazygrad.dtype import DType, dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Const, Expr, Var
from lazygrad.index.width import fits_int32

from .machine import Branch, Code, Compute, Detail, For, Immediate, Instruction, Operand, Register
from .program import Accumulator, Array
from .target import PLAIN, Target

_WORDS = (
    "auto break case char const continue default do double else enum extern float for goto half if inline int long "
    "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while "
    "bool uchar ushort uint ulong kernel global local constant private vector pipe event_t size_t image2d_t true "
    "false NAN INFINITY asm class delete new operator private public signed template this using "
    "exp exp2 log log2 sin cos sqrt pow fmod min max select any all y0 y1 yn j0 j1 jn"
)
RESERVED = frozenset(_WORDS.split())
_FUNCTIONS = (
    "abs acos acosh asin asinh atan atanh barrier bitselect cbrt ceil clamp clz copysign cosh cross degrees distance "
    "dot erf erfc fabs fdim floor fma fmax fmin frexp hadd hypot ilogb isfinite isinf isnan isnormal ldexp length "
    "lgamma logb mad mix modf nan nextafter normalize popcount powr pown prefetch printf radians remainder remquo "
    "rhadd rint rootn rotate round rsqrt shuffle sign signbit sincos sinh smoothstep step tan tanh tgamma trunc"
)
FUNCTIONS = frozenset(_FUNCTIONS.split())
_PROVIDED = re.compile(r"[A-Z][A-Z\d]+|\w*_\w*|[a-z]+\d+")  # NULL, get_group_id, int4: defined too
Element = dict[Var, int]


@dataclass(frozen=True, slots=True, eq=False)
class TileAxis:
    """A loop variable laid out in registers: `count` of them side by side, each with `lanes` lanes.

    The variable's value in lane k of register u is base + u * lanes + k.
    """

    var: Var
    count: int
    lanes: int
    base: Expr
    lane: Var | None

    def at(self, u: int, k: int | None) -> Expr:
        """The variable in register `u`: in lane `k`, or in terms of the lane variable."""
        inside: Expr | int = 0 if self.lane is None else self.lane if k is None else k
        return self.base + (u * self.lanes) + inside


Key = tuple[object, ...]
Registers = tuple[tuple[Var, int], ...]  # which register of each tile axis


@dataclass
class Scope:
    """One block: its instructions so far, and the registers that hold values computed in it."""

    body: list[Instruction] = field(default_factory=list)
    memo: dict[Key, Operand] = field(default_factory=dict)


class Names:
    """Unique identifiers, the same for the same program in every process."""

    def __init__(self, taken: Sequence[str]) -> None:
        self.taken = set(taken) | RESERVED
        self.counts: dict[str, int] = {}

    def exact(self, wish: str) -> str:
        """The name itself if it is free, else with a number."""
        name = re.sub(r"\W", "_", wish, flags=re.ASCII)
        if name in self.taken or not name[:1].isalpha():
            return self.numbered(name if name[:1].isalpha() else f"v_{name}")
        self.taken.add(name)
        return name

    def of_user(self, wish: str) -> str:
        """A name like one that the user chose, who does not know which ones compilers define."""
        is_defined = wish in FUNCTIONS or _PROVIDED.fullmatch(wish)
        return self.numbered(f"v_{wish}") if is_defined else self.exact(wish)

    def numbered(self, stem: str) -> str:
        """The next of stem0, stem1, ... that is free."""
        if stem[-1:].isdigit():
            stem += "_"
        while True:
            number = self.counts.get(stem, 0)
            self.counts[stem] = number + 1
            if f"{stem}{number}" not in self.taken:
                self.taken.add(f"{stem}{number}")
                return f"{stem}{number}"


class Context:
    """The state of lowering one program. `env` gives variables their machine expressions, `tile` those in registers."""

    def __init__(self, taken: Sequence[str], target: Target = PLAIN) -> None:
        self.names = Names(taken)
        self.device = target
        self.scopes = [Scope()]
        self.target = 0  # the scope that instructions go to
        self.env: dict[Var, Expr] = {}
        self.tile: dict[Var, TileAxis] = {}
        self.lane: dict[Var, int] = {}  # tile axes of which only this lane is wanted now
        self.only: Element = {}  # tile axes of which only this register is wanted now
        self.depth: dict[Var, int] = {}
        self.fault_depth = 0  # the innermost branch: loads must not be computed before it is entered
        self.same: set[Var] = set()  # variables that all work-items of a group have the same value of
        self.parted = False  # whether the work-items of a group may go different ways: they cannot meet here
        self.accumulators: dict[Accumulator, tuple[int, dict[Registers, Register]]] = {}
        self.filled: dict[Array, int] = {}  # scratch arrays -> the depth where they are ready
        self.fills = 0  # how often scratch arrays were filled
        self.version = 0  # of scratch memory that is written again
        self.writes: Counter[Array] = Counter()  # stores to one array since then, which leave the others as they were
        self.arrays: dict[Array, Array] = {}  # arrays of the program -> of the kernel, with unique names
        self.declared: list[Array] = []
        self.is_rolled = False  # loops hold asynchronous work, of which one copy in the code is enough

    @property
    def here(self) -> int:
        return len(self.scopes) - 1

    # ---- emission ------------------------------------------------------------------------------

    def emit(self, instruction: Instruction) -> None:
        self.scopes[self.target].body.append(instruction)

    @contextmanager
    def at_depth(self, depth: int) -> Iterator[None]:
        """Instructions go to the scope at `depth` meanwhile."""
        before, self.target = self.target, depth
        yield
        self.target = before

    def register(self, dtype: DType, lanes: int, stem: str = "t") -> Register:
        return Register(self.names.numbered(stem), dtype, lanes)

    def compute(self, code: Code, dtype: DType, *src: Operand, detail: Detail = 0, lanes: int = 0) -> Register:
        """A new register with the result; it has the most lanes of its operands unless `lanes` is given."""
        dest = self.register(dtype, lanes or max(s.lanes for s in src))
        self.emit(Compute(dest, code, src, detail))
        return dest

    def declare(self, array: Array) -> Array:
        """Scratch memory of the kernel."""
        own = replace(array, name=self.names.exact(array.name))
        self.arrays[array] = own
        self.declared.append(own)
        return own

    # ---- scopes --------------------------------------------------------------------------------

    @contextmanager
    def scope(self) -> Iterator[list[Instruction]]:
        """A new innermost block; yields its instructions."""
        before = self.target
        self.scopes.append(Scope())
        self.target = self.here
        yield self.scopes[-1].body
        self.scopes.pop()
        self.target = before

    @contextmanager
    def branch(self, condition: Expr) -> Iterator[None]:
        """A block that runs where `condition` holds."""
        if condition.constant == 1:
            yield
            return
        before = self.fault_depth, self.parted
        with self.scope() as body:
            self.fault_depth, self.parted = self.here, True
            yield
        self.fault_depth, self.parted = before
        self.version += 1
        if body:
            self.emit(Branch(condition, body))

    @contextmanager
    def loop(self, name: str, start: Expr, stop: Expr, copies: int = 0) -> Iterator[Expr]:
        """A block that runs for every value from `start` to `stop`; yields the loop variable, or the only value.

        Where it may run for none, loads in it stay in it. `copies` of it in the code are best (0: any number).
        """
        if (stop - start).constant == 1:
            yield start
            return
        counter = Var(self.names.exact(name), start.lo, max(start.lo, stop.hi - 1), below=stop)
        before = self.fault_depth, self.parted
        if start.vars <= self.same:
            self.same.add(counter)
        with self.scope() as body:
            if (stop - start).lo < 1:
                self.fault_depth = self.here
                self.parted |= not start.vars | stop.vars <= self.same
            yield counter
        self.fault_depth, self.parted = before
        self.version += 1
        if body:
            self.emit(For(counter, start, stop, body, 1 if self.is_rolled else copies))

    @contextmanager
    def bind(self, var: Var, value: Expr | TileAxis) -> Iterator[None]:
        """`var` stands for `value` meanwhile; known from the current scope inwards, or anywhere if it is constant."""
        saved = self.env.get(var), self.tile.get(var), self.depth.get(var)
        self._forget(var)
        if isinstance(value, TileAxis):
            self._check_lanes(value)
            self.tile[var] = value
            if not value.base.is_constant:
                self.depth[var] = self.here
        else:
            self.env[var] = value
            if not value.is_constant:
                self.depth[var] = self.here
        yield
        self._forget(var)
        for where, old in zip((self.env, self.tile, self.depth), saved):
            if old is not None:
                where[var] = old  # type: ignore[index]

    def _forget(self, var: Var) -> None:
        self.env.pop(var, None)
        self.tile.pop(var, None)
        self.depth.pop(var, None)

    def _check_lanes(self, axis: TileAxis) -> None:
        for other in self.tile.values():
            if axis.lanes > 1 and other.lanes > 1:
                raise GraphError(
                    f"axes {other.var.name} and {axis.var.name} are both in vector lanes; one must be SERIAL"
                )

    # ---- the register tile ---------------------------------------------------------------------

    def tile_axes(self, used: frozenset[Var]) -> list[TileAxis]:
        return [axis for var, axis in self.tile.items() if var in used]

    def elements(self, used: frozenset[Var]) -> list[Element]:
        """Every combination of registers of the tile axes in `used`, the outermost axis slowest."""
        found: list[Element] = [{}]
        for axis in self.tile_axes(used):
            choices = [self.only[axis.var]] if axis.var in self.only else range(axis.count)
            found = [{**element, axis.var: u} for element in found for u in choices]
        return found

    def lane_axis(self, used: frozenset[Var]) -> TileAxis | None:
        """The tile axis in `used` whose lanes are a vector now."""
        for axis in self.tile_axes(used):
            if axis.lane is not None and axis.var not in self.lane:
                return axis
        return None

    def machine(self, e: Expr, element: Element, extra: dict[Var, Expr] | None = None) -> Expr:
        """An index expression of the program in machine variables, for one element of the register tile."""
        values: dict[Var, Expr] = {}
        for var in e.vars:
            if extra and var in extra:
                values[var] = extra[var]
            elif var in self.tile:
                values[var] = self.tile[var].at(element[var], self.lane.get(var))
            elif var in self.env:
                values[var] = self.env[var]
        return e.substitute(values) if values else e


def integer_type(e: Expr) -> DType:
    """int32 where an expression fits, else int64."""
    return dtypes.int32 if fits_int32(e) else dtypes.int64


def zero(dtype: DType) -> Immediate:
    return Immediate(0.0 if dtype.is_float else 0, dtype)


ZERO = Const(0)
