"""Tile programs as text: loops by indentation, values as expressions, shared values named once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lazygrad.index.expr import Expr
from lazygrad.ir.op import Combine, Op

from .collective import Copy, Done, Let, Mma, Release, Tile, Token, Wait
from .program import (
    Accumulator,
    Alu,
    Array,
    Axis,
    Barrier,
    Collective,
    Const,
    If,
    Index,
    Kind,
    Last,
    Load,
    Loop,
    Program,
    Reduction,
    Ref,
    Role,
    Roles,
    Search,
    Stage,
    Start,
    Stmt,
    Store,
    Value,
)
from .values import topological

LONGEST = 80  # characters of an expression before a part of it gets a name
_SIGNS = {
    Op.OR: ("|", 0), Op.XOR: ("^", 1), Op.AND: ("&", 2), Op.NE: ("!=", 3), Op.LT: ("<", 4), Op.SHL: ("<<", 5),
    Op.SHR: (">>", 5), Op.ADD: ("+", 6), Op.MUL: ("*", 7), Op.DIV: ("/", 7), Op.IDIV: ("//", 7), Op.MOD: ("%", 7),
}  # fmt: skip
_PRODUCT, _NEGATIVE, _ATOM = 7, 8, 9
_KINDS = {
    Kind.SERIAL: "for", Kind.GRID: "grid", Kind.CLUSTER: "cluster", Kind.LOCAL: "local", Kind.UNROLL: "unroll",
    Kind.VECTOR: "vector",
}  # fmt: skip
_UPDATES = {Combine.SET: "=", Combine.ADD: "+=", Combine.MUL: "*=", Combine.MAX: "max="}
Text = tuple[str, int]  # and how tightly its outermost operator binds


def text(program: Program) -> str:
    """The program, a statement a line.

    >>> from lazygrad.dtype import dtypes
    >>> from lazygrad.index.expr import Var
    >>> from lazygrad.tiling.program import alu, load
    >>> i, x = Var("i", 0, 99), Array("x", dtypes.float32, 100)
    >>> y = Array("y", dtypes.float32, 100, written=True)
    >>> store = Store(y, i, alu(Op.SQRT, dtypes.float32, load(x, i)))
    >>> print(text(Program("roots", (x, y), (), (Loop(Axis(i, 100, lanes=16), (store,)),))))
    kernel roots(x: float32[100], y: written float32[100])
      for i < 100, lanes 16:
        y[i] = sqrt(x[i])
    """
    parameters = [_array(array) for array in (*program.params, *program.workspace)]
    parameters += [f"{v.name}: {v.lo}..{v.hi}" for v in program.scalars]
    lines = [f"kernel {program.name}({', '.join(parameters)})"]
    return "\n".join([*lines, *_Writer().body(program.body, 1)])


def _array(array: Array) -> str:
    return f"{array.name}: {'written ' if array.written else ''}{array.dtype}[{array.size}]"


def _axis(axis: Axis) -> str:
    lanes = f", lanes {axis.lanes}" if axis.lanes > 1 else ""
    return f"{axis.var.name} < {axis.extent}{lanes}{f', unroll {axis.unroll}' if axis.unroll > 1 else ''}"


def _scratch(array: Array) -> str:
    """A scratch array, with its layout and slots where statements on tiles use it."""
    plain = f"{array.scope.name.lower()} {_array(array)}"
    if array.layout is None:
        return plain
    return f"{plain}, {f'{array.slots} slots of ' if array.slots > 1 else ''}{array.layout}"


def _done(done: Done) -> str:
    return f"{done.name}" if isinstance(done, Token) else f"{done.ring.name} turn {done.number}"


def _tile(tile: Tile) -> str:
    slot = f" slot {tile.slot}" if tile.array.layout is not None and tile.array.slots > 1 else ""
    view = f" of {tile.view}" if tile.view is not None else ""
    row, column = tile.at
    return f"{tile.array.name}{slot}[{row} +{tile.rows}, {column} +{tile.columns}]{view}"


def _simple(s: Barrier | Collective) -> list[str]:
    """Statements without a body."""
    if isinstance(s, Barrier):
        return [f"barrier{' together' * s.together}"]
    if isinstance(s, Copy):
        return [f"copy {_tile(s.dest)} = {_tile(s.source)}"]
    if isinstance(s, Mma):
        return [f"mma {_tile(s.acc)} += {_tile(s.a)} * {_tile(s.b)}'"]
    if isinstance(s, Wait):
        return [f"wait {_done(s.done)}{f', {s.pending} pending' if s.pending else ''}"]
    if isinstance(s, Let):
        return [f"let {s.var.name} = {s.expr}"]
    if isinstance(s, Release):
        return [f"release {_done(s.turn)}"]
    ring = s.ring
    head = f"ring {ring.name}, {ring.slots} turns of {ring.turn_bytes} bytes, {ring.readers} readers"
    return [head, *(f"  {_scratch(array)}" for array in ring.arrays)]


class _Writer:
    def __init__(self) -> None:
        self.count = 0

    def body(self, body: Sequence[Stmt], depth: int) -> list[str]:
        """Lines of statements; stores that follow each other share the names of their values."""
        lines: list[str] = []
        stores: list[Store] = []
        for s in (*body, None):
            if isinstance(s, Store):
                stores.append(s)
                continue
            lines += self._stores(stores, depth)
            stores = []
            if s is not None:
                lines += self._statement(s, depth)
        return lines

    def _statement(self, s: Stmt, depth: int) -> list[str]:
        pad = "  " * depth
        if isinstance(s, Loop):
            return [f"{pad}{_KINDS[s.axis.kind]} {_axis(s.axis)}:", *self.body(s.body, depth + 1)]
        if isinstance(s, Reduction):
            axes = " and ".join(f"{'local ' * (a.kind is Kind.LOCAL)}{_axis(a)}" for a in s.axes)
            inner = self.body(s.body, depth + 1) + self._accumulators(s.accumulators, depth + 1)
            return [f"{pad}reduce {axes}:", *inner]
        if isinstance(s, If):
            otherwise = [f"{pad}else:", *self.body(s.orelse, depth + 1)] if s.orelse else []
            return [f"{pad}if {s.condition}:", *self.body(s.body, depth + 1), *otherwise]
        if isinstance(s, Search):
            lines, of = self._values([v for _, v in s.bindings], depth)
            bound = "".join(f", {var.name} = {of[v][0]}" for var, v in s.bindings)
            return [*lines, f"{pad}search {_axis(s.axis)} where {s.where}{bound}:", *self.body(s.body, depth + 1)]
        if isinstance(s, Stage):
            return [f"{pad}stage {_scratch(s.array)}{':' * bool(s.body)}", *self.body(s.body, depth + 1)]
        if isinstance(s, Last):
            part = "" if s.of is None else f" of {s.of} with number {s.number}"
            who = "of these items" if s.together else "work-group"
            return [f"{pad}in the last {who}{part}:", *self.body(s.body, depth + 1)]
        if isinstance(s, Start):
            return [f"{pad}start {_done(s.done)}:", *self.body(s.body, depth + 1)]
        if isinstance(s, Roles):
            return [line for role in s.roles for line in self._role(role, depth)]
        assert not isinstance(s, Store)
        return [pad + line for line in _simple(s)]

    def _role(self, role: Role, depth: int) -> list[str]:
        items = f"1 of {role.items} items" if role.alone else f"{role.items} items"
        registers = f", {role.registers} registers each" if role.registers else ""
        return [f"{'  ' * depth}role {role.name}, {items}{registers}:", *self.body(role.body, depth + 1)]

    def _accumulators(self, accs: Sequence[Accumulator], depth: int) -> list[str]:
        lines, of = self._values([acc.value for acc in accs], depth)
        return lines + [f"{'  ' * depth}{acc.name} {_UPDATES[acc.combine]} {of[acc.value][0]}" for acc in accs]

    def _stores(self, stores: Sequence[Store], depth: int) -> list[str]:
        roots = [v for s in stores for v in (s.value, *(bound for _, bound in s.bindings))]
        lines, of = self._values(roots, depth)
        for s in stores:
            where = "".join(f", {var.name} = {of[v][0]}" for var, v in s.bindings)
            valid = "" if s.valid is None else f" if {s.valid}"
            streamed = "  # streamed" if s.stream else ""
            target = f"{s.array.name}[{s.index}{where}]"
            lines.append(f"{'  ' * depth}{target} {_UPDATES[s.combine]} {of[s.value][0]}{valid}{streamed}")
        return lines

    # ---- values --------------------------------------------------------------------------------

    def _values(self, roots: Sequence[Value], depth: int) -> tuple[list[str], dict[Value, Text]]:
        """Lines that name shared and long parts of `roots`, and the text of every value."""
        order = topological(roots)
        uses = Counter(s for v in order for s in v.src)
        uses.update(roots)
        lines: list[str] = []
        of: dict[Value, Text] = {}
        for v in order:
            written = _value(v, of)
            shared = uses[v] > 1 and not isinstance(v, (Const, Ref)) and not (isinstance(v, Alu) and _negated(v, of))
            if shared or len(written[0]) > LONGEST:
                lines.append(f"{'  ' * depth}%{self.count} = {written[0]}")
                written = (f"%{self.count}", _ATOM)
                self.count += 1
            of[v] = written
        return lines, of


def _value(v: Value, of: dict[Value, Text]) -> Text:
    if isinstance(v, Const):
        return (f"{v.value:.7g}" if isinstance(v.value, float) else str(v.value)), _ATOM
    if isinstance(v, Ref):
        return v.acc.name, _ATOM
    if isinstance(v, Load):
        found = f"{v.array.name}[{_bound(v.index, v, of)}]"
        return (found, _ATOM) if v.valid is None else (f"({found} if {v.valid} else {v.fill})", _ATOM)
    if isinstance(v, Index):
        return f"({_bound(v.expr, v, of)})", _ATOM
    assert isinstance(v, Alu)
    return _alu(v, of)


def _bound(e: Expr, v: Load | Index, of: dict[Value, Text]) -> str:
    """An index expression, with the run-time values in it."""
    return str(e) + "".join(f", {var.name} = {of[s][0]}" for var, s in zip(v.binds, v.src))


def _alu(v: Alu, of: dict[Value, Text]) -> Text:
    if v.op in (Op.CAST, Op.BITCAST):
        return f"{'bits_as_' if v.op is Op.BITCAST else ''}{v.dtype}({of[v.src[0]][0]})", _ATOM
    if v.op not in _SIGNS:
        return f"{v.op.name.lower()}({', '.join(of[s][0] for s in v.src)})", _ATOM
    if (negative := _negated(v, of)) is not None:
        return f"-{negative[0]}", min(negative[1], _NEGATIVE)
    sign, level = _SIGNS[v.op]
    left, right = (of[s] for s in v.src)
    if v.op is Op.ADD and right[0].startswith("-"):
        return f"{_held(left, level)} - {right[0][1:]}", level
    return f"{_held(left, level)} {sign} {_held(right, level + 1)}", level


def _negated(v: Alu, of: dict[Value, Text]) -> Text | None:
    """The text of x when `v` is x * -1."""
    if v.op is Op.MUL and isinstance(v.src[1], Const) and v.src[1].value == -1:
        inner = of[v.src[0]]
        return inner if inner[1] >= _PRODUCT else (f"({inner[0]})", _ATOM)
    return None


def _held(part: Text, level: int) -> str:
    return part[0] if part[1] >= level else f"({part[0]})"
