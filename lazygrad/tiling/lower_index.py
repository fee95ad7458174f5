"""Index expressions whose value differs from lane to lane, as vector instructions."""

from __future__ import annotations

from lazygrad.dtype import DType, dtypes
from lazygrad.index.expr import (
    And,
    Const,
    Equal,
    Expr,
    FloorDiv,
    Less,
    Maximum,
    Minimum,
    Mod,
    Product,
    Select,
    Sum,
    Var,
    linear_form,
    scaled_sum,
    topological,
)
from lazygrad.index.width import numerator_shift

from . import arithmetic
from .lower_context import Context, integer_type
from .machine import Code, Immediate, IndexValue, Operand, Register


class VectorIndex:
    """Computes expressions of the lane variable `lane`, and of the variables that `vectors` gives registers."""

    def __init__(self, context: Context, lane: Var | None, lanes: int, vectors: dict[Var, Register]) -> None:
        self.context, self.lane, self.lanes, self.vectors = context, lane, lanes, vectors
        self.type = dtypes.int32
        self.made: dict[Expr, Operand] = {}

    def value(self, e: Expr, dtype: DType) -> Operand:
        """The value of `e` in every lane, as `dtype`; of a condition, for bool, the mask."""
        nodes = topological(e, skip=self._uniform)
        wide = any(integer_type(node) is dtypes.int64 for node in nodes)
        self.type = (
            dtypes.int64 if wide or any(r.dtype is dtypes.int64 for r in self.vectors.values()) else dtypes.int32
        )
        for node in nodes:
            self.made[node] = self._make(node)
        if dtype.is_bool:
            return self._mask(e)
        return arithmetic.cast(
            self.context, arithmetic.splat(self.context, self._number(e), self.lanes), self.type, dtype
        )

    def _uniform(self, e: Expr) -> bool:
        return self.lane not in e.vars and e.vars.isdisjoint(self.vectors)

    def _number(self, e: Expr) -> Operand:
        """`e` as numbers: a condition as 0 or 1."""
        made = self.made[e]
        if not made.dtype.is_bool or made.lanes == 1:
            return made
        return arithmetic.cast(self.context, made, dtypes.bool, self.type)

    def _mask(self, e: Expr) -> Operand:
        """The condition `e` as bool."""
        made = self.made[e]
        return made if made.dtype.is_bool else arithmetic.cast(self.context, made, made.dtype, dtypes.bool)

    def _make(self, e: Expr) -> Operand:
        if isinstance(e, Const):
            return Immediate(e.value, self.type)
        if self._uniform(e):
            register = self.context.register(self.type, 1, "i")
            self.context.emit(IndexValue(register, e))
            return register
        if isinstance(e, Var):
            if e is self.lane:
                return self.context.compute(Code.IOTA, self.type, lanes=self.lanes)
            return arithmetic.cast(self.context, self.vectors[e], self.vectors[e].dtype, self.type)
        if isinstance(e, Sum):
            return self._sum(e)
        return self._node(e)

    def _sum(self, e: Sum) -> Operand:
        """The uniform terms together as one scalar, then the others."""
        terms, offset = linear_form(e)
        base = scaled_sum(((m, c) for m, c in terms if self._uniform(m)), offset)
        total: Operand | None = None
        for monomial, c in terms:
            if self._uniform(monomial):
                continue
            term = self._number(monomial)
            if c != 1:
                term = self._compute(Code.MUL, term, Immediate(c, self.type))
            total = term if total is None else self._compute(Code.ADD, total, term)
        assert total is not None
        if base.constant == 0:
            return total
        if base not in self.made:
            self.made[base] = self._make(base)
        return self._compute(Code.ADD, total, self.made[base])

    def _compute(self, code: Code, *src: Operand) -> Operand:
        return self.context.compute(code, self.type, *src)

    def _compare(self, code: Code, a: Operand, b: Operand) -> Operand:
        return arithmetic.compare(self.context, code, self.type, a, b)

    def _node(self, e: Expr) -> Operand:
        context = self.context
        if isinstance(e, And):
            first, *rest = (arithmetic.splat(context, self._mask(c), self.lanes) for c in e.conditions)
            for mask in rest:
                first = context.compute(Code.AND, dtypes.bool, first, mask)
            return first
        if isinstance(e, Select):
            return arithmetic.select(context, self._mask(e.condition), self._number(e.yes), self._number(e.no))
        numbers = [self._number(child) for child in e.children]
        if isinstance(e, Less):
            return self._compare(Code.LT, *numbers)
        if isinstance(e, Equal):
            return self._compare(Code.EQ, *numbers)
        if isinstance(e, (FloorDiv, Mod)):
            return self._divide(e, *numbers)
        result = numbers[0]
        for number in numbers[1:]:
            if isinstance(e, Product):
                result = self._compute(Code.MUL, result, number)
            else:
                assert isinstance(e, (Minimum, Maximum))
                less = self._compare(Code.LT, result, number)
                pair = (result, number) if isinstance(e, Minimum) else (number, result)
                result = arithmetic.select(context, less, *pair)
        return result

    def _divide(self, e: FloorDiv | Mod, a: Operand, b: Operand) -> Operand:
        """C's division is right for numerators from 0; others are shifted by a multiple of the divisor first. Of a
        divisor that is a variable the multiple might not fit: what was rounded up is found by the remainder."""
        code = Code.REM if isinstance(e, Mod) else Code.DIV
        if e.numerator.lo >= 0:
            return self._compute(code, a, b)
        if e.denominator.is_constant:
            shift = numerator_shift(e)
            shifted = self._compute(Code.ADD, a, Immediate(shift * e.denominator.lo, self.type))
            result = self._compute(code, shifted, b)
            return result if code is Code.REM else self._compute(Code.SUB, result, Immediate(shift, self.type))
        remainder = self._compute(Code.REM, a, b)
        is_below = self._compare(Code.LT, remainder, Immediate(0, self.type))
        if code is Code.REM:
            return arithmetic.select(self.context, is_below, self._compute(Code.ADD, remainder, b), remainder)
        quotient = self._compute(Code.DIV, a, b)
        lower = self._compute(Code.SUB, quotient, Immediate(1, self.type))
        return arithmetic.select(self.context, is_below, lower, quotient)
