"""Values to instructions: each once per scope and element of the register tile, in the outermost scope possible."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from lazygrad.dtype import DType, dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Const as IndexConst
from lazygrad.index.expr import Expr, Var
from lazygrad.ir.op import Op

from . import arithmetic, vectormath
from .lower_access import Access
from .lower_context import Context, Element, Key, integer_type
from .lower_index import VectorIndex
from .lower_transpose import transposed
from .machine import Code, IndexValue, Operand
from .program import Alu, Array, Const, Index, Load, Ref, Scope, Value, compute_dtype
from .values import topological

LOG2_E_TOLERANCE = {2: 1e-3, 4: 1e-7, 8: 1e-15}  # by the constant's itemsize: half of its last place


@dataclass(frozen=True, slots=True)
class Facts:
    """What placing a value needs to know: whether it reads memory, and which scratch or written arrays."""

    loads: bool
    arrays: frozenset[Array]


class Values:
    """Emits values in a Context. `mutable`: arrays whose loads stay where the statement that needs them is."""

    def __init__(self, context: Context, roots: Iterable[Value], mutable: frozenset[Array]) -> None:
        self.context = context
        self.access = Access(context)
        self.mutable = mutable
        self.uses: Counter[Value] = Counter()
        self.facts: dict[Value, Facts] = {}
        self._examine(roots)

    def _examine(self, roots: Iterable[Value]) -> None:
        listed = list(roots)
        self.uses.update(listed)
        for v in topological(listed):
            self.uses.update(v.src)
            arrays: frozenset[Array] = frozenset().union(*(self.facts[s].arrays for s in v.src))
            if isinstance(v, Load) and (v.array.scope is not Scope.GLOBAL or v.array in self.mutable):
                arrays |= {v.array}
            self.facts[v] = Facts(isinstance(v, Load) or any(self.facts[s].loads for s in v.src), arrays)

    # ---- placement -----------------------------------------------------------------------------

    def depth(self, v: Value) -> int:
        """The outermost scope where everything that `v` needs is known."""
        context, facts = self.context, self.facts[v]
        depth = max((context.depth.get(var, 0) for var in v.vars), default=0)
        for acc in v.accs:
            if acc not in context.accumulators:
                raise GraphError(f"accumulator {acc.name!r} is read where its Reduction has not run")
            depth = max(depth, context.accumulators[acc][0])
        for array in facts.arrays:
            depth = max(depth, context.here if array in self.mutable else context.filled.get(array, context.here))
        return max(depth, context.fault_depth) if facts.loads else depth

    def _key(self, v: Value, element: Element, lanes: bool = False) -> Key:
        """What the register of `v` depends on; `lanes`: as if no single lane were asked for."""
        context = self.context
        bound: list[object] = []
        for var in v.vars:
            axis = context.tile.get(var)
            if axis is None:
                bound.append(context.env.get(var))
            else:
                bound.append((axis, element[var], None if lanes else context.lane.get(var)))
        arrays = self.facts[v].arrays
        version = context.fills if arrays else 0
        if not arrays.isdisjoint(self.mutable):
            version = context.version + sum(context.writes[array] for array in arrays)  # neither ever decreases
        return (v, version, *bound)

    def find(self, v: Value, element: Element) -> Operand | None:
        """The operand that holds `v`, if there is one in reach."""
        if isinstance(v, Const):
            return arithmetic.constant(v.value, compute_dtype(v.dtype))
        key = self._key(v, element)
        for scope in self.context.scopes[self.depth(v) :]:
            if (found := scope.memo.get(key)) is not None:
                return found
        return None

    # ---- emission ------------------------------------------------------------------------------

    def operand(self, value: Value, element: Element) -> Operand:
        """The operand that holds `value` for one element of the register tile."""
        stack = [value]
        while stack:
            v = stack[-1]
            if self.find(v, element) is None:
                missing = [s for s in self.inputs(v) if self.find(s, element) is None]
                if missing:
                    stack.extend(reversed(missing))
                    continue
                self._make(v, element)
            stack.pop()
        found = self.find(value, element)
        assert found is not None
        return found

    def inputs(self, v: Value) -> tuple[Value, ...]:
        """The values that the instructions for `v` read."""
        return self.form(v)[1]

    def form(self, v: Value) -> tuple[Code | Op | None, tuple[Value, ...]]:
        """How `v` is computed: an op on its sources, or one instruction that takes in a source's computation too."""
        if not isinstance(v, Alu):
            return None, v.src
        if v.op is Op.EXP2 and (exponent := natural_exponent(v)) is not None:
            return Op.EXP2, (exponent,)
        if v.op is Op.ADD and not v.dtype.is_bool:
            for s, other in (v.src, v.src[::-1]):
                if self.single_product(s) and self.depth(s) == self.depth(v):
                    return Code.FMA, (*s.src, other)
            for s, other in (v.src, v.src[::-1]):
                if (inner := negated(s)) is not None:
                    return Code.SUB, (other, inner)
        return v.op, v.src

    def single_product(self, v: Value) -> bool:
        """Whether `v` is a float product that only one value uses (and not a mere negation)."""
        return isinstance(v, Alu) and v.op is Op.MUL and v.dtype.is_float and self.uses[v] == 1 and not negated(v)

    def _make(self, v: Value, element: Element) -> None:
        context, depth = self.context, self.depth(v)
        with context.at_depth(depth):
            block = transposed(context, v, element) if isinstance(v, Load) else []
            for other, operand in block:
                context.scopes[depth].memo[self._key(v, other)] = operand
            if not block:
                result = self._one_lane(v, element) or self._instructions(v, element)
                context.scopes[depth].memo[self._key(v, element)] = result

    def _one_lane(self, v: Value, element: Element) -> Operand | None:
        """The wanted lane of a vector that is there already."""
        context = self.context
        wanted = [context.lane[var] for var in v.vars if var in context.lane]
        if not wanted:
            return None
        key = self._key(v, element, lanes=True)
        for scope in context.scopes[: context.target + 1]:
            if (found := scope.memo.get(key)) is not None:
                return found if found.lanes == 1 else arithmetic.lane(context, found, wanted[0], v.dtype)
        return None

    def _instructions(self, v: Value, element: Element) -> Operand:
        if isinstance(v, Alu):
            return self._alu(v, element)
        if isinstance(v, Ref):
            return self._reference(v, element)
        assert isinstance(v, (Index, Load))
        bound = {var: self._get(s, element) for var, s in zip(v.binds, v.src)}
        if isinstance(v, Load):
            return self.access.load(v, element, bound)
        return self._index(v, element, bound)

    def _get(self, v: Value, element: Element) -> Operand:
        found = self.find(v, element)
        assert found is not None
        return found

    def _alu(self, v: Alu, element: Element) -> Operand:
        context, dtype = self.context, compute_dtype(v.dtype)
        form, inputs = self.form(v)
        src = [self._get(s, element) for s in inputs]
        if isinstance(form, Code):
            return context.compute(form, dtype, *src)
        if form is Op.EXP2 and inputs != v.src:
            return vectormath.exp(context, dtype, src[0])
        return arithmetic.apply(context, v.op, v.dtype, [s.dtype for s in v.src], src)

    def _reference(self, v: Ref, element: Element) -> Operand:
        context = self.context
        _, registers = context.accumulators[v.acc]
        found = registers[tuple((var, element[var]) for var in context.tile if var in v.acc.vars)]
        for var in v.acc.vars:
            if var in context.lane and found.lanes > 1:
                return arithmetic.lane(context, found, context.lane[var], v.dtype)
        return found

    def _index(self, v: Index, element: Element, bound: dict[Var, Operand]) -> Operand:
        context = self.context
        registers = {var: self.access.as_index(var, operand) for var, operand in bound.items()}
        axis = context.lane_axis(v.vars)
        expr = context.machine(v.expr, element, {var: e for var, (e, _) in registers.items()})
        vectors = {e: r for e, r in registers.values() if isinstance(e, Var) and r.lanes > 1 and e in expr.vars}
        lanes = max([r.lanes for r in vectors.values()] + [axis.lanes if axis and axis.lane in expr.vars else 1])
        if lanes > 1:
            lane = axis.lane if axis else None
            return VectorIndex(context, lane, lanes, vectors).value(expr, v.dtype)
        return index_value(context, expr, v.dtype)


def index_value(context: Context, expr: Expr, dtype: DType) -> Operand:
    """A scalar index expression as an operand of an integer type or bool."""
    if isinstance(expr, IndexConst):
        return arithmetic.constant(expr.value, dtype)
    own = dtypes.bool if dtype.is_bool else integer_type(expr)
    if own is dtypes.int64 and dtype is dtypes.int32:
        own = dtype
    register = context.register(own, 1, "i")
    context.emit(IndexValue(register, expr))
    return arithmetic.cast(context, register, own, dtype)


def negated(v: Value) -> Value | None:
    """x when `v` is x * -1."""
    if isinstance(v, Alu) and v.op is Op.MUL:
        for s, other in (v.src, v.src[::-1]):
            if isinstance(s, Const) and s.value == -1:
                return other
    return None


def natural_exponent(v: Alu) -> Value | None:
    """x when `v` is 2 ** (x * log2 e), that is e ** x."""
    product = v.src[0]
    if isinstance(product, Alu) and product.op is Op.MUL:
        for s, other in (product.src, product.src[::-1]):
            if isinstance(s, Const) and math.isclose(
                s.value, vectormath.LOG2_E, rel_tol=LOG2_E_TOLERANCE[s.dtype.itemsize]
            ):
                return other
    return None
