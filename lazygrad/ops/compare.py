"""Comparisons, logic, bits, and choosing between two values."""

from __future__ import annotations

import builtins
import functools
import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from lazygrad.dtype import dtypes, of_scalar, promote, promote_scalar
from lazygrad.errors import DTypeError, ShapeError
from lazygrad.index.expr import Expr
from lazygrad.ir.node import Node, cast, const, node, where
from lazygrad.ir.op import Op
from lazygrad.ops.bits import Bits
from lazygrad.ops.broadcast import broadcast_shape, broadcast_to
from lazygrad.ops.core import Core, Operand, fail, promote_shaped, scalar
from lazygrad.ops.fitting import RangeError, fitted
from lazygrad.ops.operands import not_a_tensor

if TYPE_CHECKING:
    from typing_extensions import Self


OPERANDS = (Core, bool, int, float, np.generic, np.ndarray)


def logical_not(x: Node) -> Node:
    """The opposite of a bool node."""
    return node(Op.XOR, (x, const(True, dtypes.bool, x.shape)))


def equal(a: Node, b: Node) -> Node:
    return logical_not(node(Op.NE, (a, b)))


class Compare(Bits):
    """Comparisons give bool tensors; shapes broadcast and dtypes promote as in arithmetic."""

    __slots__ = ()

    def _compare(self, what: str, other: Operand, formula: str) -> Self:
        if isinstance(other, Core) and self.dtype.is_int and other.dtype.is_int and not (self.ndim and other.ndim):
            both = promote(self.dtype, other.dtype)  # a 0-d tensor counts with all its bits
            if both.is_int and not (self.dtype is both is other.dtype):
                return self.cast(both)._compare(what, other.cast(both), formula)
        try:
            a, b = self._pair(what, other)
        except RangeError as error:
            if error.wide is not None:
                return self.cast(error.wide)._compare(what, other, formula)
            if not self.dtype.is_int:
                raise
            # all numbers of the dtype lie on one side of this one: as 0 beside 1 or -1
            a, b = (const(v, dtypes.int8, self.shape) for v in (0, 1 if error.value > 0 else -1))
        return self._new(_FORMULAS[formula](a, b))

    def eq(self, other: Operand) -> Self:
        """self == other; nan equals nothing.

        >>> Tensor([1, 2]).eq(2).tolist()
        [False, True]
        """
        return self._compare("eq", other, "==")

    def ne(self, other: Operand) -> Self:
        """self != other.

        >>> Tensor([1, 2]).ne(2).tolist()
        [True, False]
        """
        return self._compare("ne", other, "!=")

    def lt(self, other: Operand) -> Self:
        """self < other.

        >>> Tensor([1, 2]).lt(2).tolist()
        [True, False]
        """
        return self._compare("lt", other, "<")

    def gt(self, other: Operand) -> Self:
        """self > other.

        >>> Tensor([1, 2]).gt(1).tolist()
        [False, True]
        """
        return self._compare("gt", other, ">")

    def le(self, other: Operand) -> Self:
        """self <= other.

        >>> Tensor([1, 2, 3]).le(2).tolist()
        [True, True, False]
        """
        return self._compare("le", other, "<=")

    def ge(self, other: Operand) -> Self:
        """self >= other.

        >>> Tensor([1, 2, 3]).ge(2).tolist()
        [False, True, True]
        """
        return self._compare("ge", other, ">=")

    def isnan(self) -> Self:
        """Whether each element is nan.

        >>> Tensor([0.0, float("nan")]).isnan().tolist()
        [False, True]
        """
        return self._new(node(Op.NE, (self.node, self.node)))

    def isinf(self, detect_positive: builtins.bool = True, detect_negative: builtins.bool = True) -> Self:
        """Whether each element is +inf (unless `detect_positive` is false) or -inf (unless `detect_negative` is).

        >>> Tensor([0.0, float("-inf")]).isinf().tolist()
        [False, True]
        """
        wanted = [inf for inf, is_wanted in ((math.inf, detect_positive), (-math.inf, detect_negative)) if is_wanted]
        found = [self.eq(inf) for inf in wanted if self.dtype.is_float]
        return functools.reduce(operator.or_, found) if found else self._new(const(False, dtypes.bool, self.shape))

    def isfinite(self) -> Self:
        """Whether each element is neither nan nor infinite.

        >>> Tensor([0.0, float("nan"), float("inf")]).isfinite().tolist()
        [True, False, False]
        """
        return ~(self.isinf() | self.isnan())

    # ---- logic ----

    def bool(self, memory_format: Any = None) -> Self:
        """Whether each element is not zero. `memory_format` is accepted: elements are in row-major order.

        >>> Tensor([0, 3]).bool().tolist()
        [False, True]
        """
        return self if self.dtype.is_bool else self.ne(0)

    def logical_not(self) -> Self:
        """Whether each element is zero.

        >>> Tensor([0, 3]).logical_not().tolist()
        [True, False]
        """
        return self._new(logical_not(self.bool().node))

    def _is_true(self, other: Operand) -> Self:
        """Whether `other` is not zero, where that is a number of any size, too."""
        if isinstance(other, (Core, Expr)):
            return self._beside(other).bool()
        return self._new(const(bool(scalar("logical", other)), dtypes.bool))

    def logical_and(self, other: Operand) -> Self:
        """Whether both elements are not zero.

        >>> Tensor([0, 3]).logical_and(Tensor([1, 1])).tolist()
        [False, True]
        """
        return self.bool() & self._is_true(other)

    def logical_or(self, other: Operand) -> Self:
        """Whether any of both elements is not zero.

        >>> Tensor([0, 3]).logical_or(Tensor([0, 0])).tolist()
        [False, True]
        """
        return self.bool() | self._is_true(other)

    def logical_xor(self, other: Operand) -> Self:
        """Whether exactly one of both elements is not zero.

        >>> Tensor([0, 3]).logical_xor(Tensor([1, 1])).tolist()
        [True, False]
        """
        return self.bool() ^ self._is_true(other)

    # ---- choosing ----

    def where(self, condition: Operand, other: Operand) -> Self:
        """This tensor's element where `condition` is true, else that of `other`; all three broadcast.

        Of bools beside what is no condition it is tinygrad's `where`: the first argument where this tensor is true,
        else the second. DTypeError when neither is bool.

        >>> Tensor([1, 2, 3]).where(Tensor([True, False, True]), 0).tolist()
        [1, 0, 3]
        >>> Tensor([True, False]).where(1, 2).tolist()
        [1, 2]
        """
        if self.dtype.is_bool and not (isinstance(condition, Core) and condition.dtype.is_bool):
            return self._choose(condition, other)
        if not isinstance(condition, Core):
            not_a_tensor("where", condition)
        self._same_device("where", condition)
        if not condition.dtype.is_bool:
            fail(DTypeError, f"where: the condition is {condition.dtype}, not bool; x.where(condition, other) keeps x")
        return self._new(condition.node)._choose(self, other)

    def masked_fill(self, mask: Core, value: Operand) -> Self:
        """`value` where `mask` is true, this tensor elsewhere; the dtype stays.

        >>> Tensor([1, 2]).masked_fill(Tensor([False, True]), 0).tolist()
        [1, 0]
        """
        self._same_device("masked_fill", mask)
        if not mask.dtype.is_bool:
            fail(DTypeError, f"masked_fill: the mask is {mask.dtype}, not bool")
        if isinstance(value, Core) and value.ndim:
            fail(ShapeError, f"masked_fill: a value of shape {list(value.shape)}; it is one number: use `where`")
        if not isinstance(value, Core):
            value = self._new(fitted("masked_fill", scalar("masked_fill", value), self.dtype))
        return self._new(mask.node)._choose(value, self).cast(self.dtype)

    def _choose(self, a: Operand, b: Operand) -> Self:
        """`a` where this bool tensor is true, else `b`."""
        tensors = [v for v in (a, b) if isinstance(v, Core)]
        for v in tensors:
            self._same_device("where", v)
        x, y = _choices(a, b)
        shape = broadcast_shape("where", self.shape, x.shape, y.shape)
        value = where(broadcast_to(self._in(), shape), broadcast_to(x, shape), broadcast_to(y, shape))
        return self._out(value, *tensors)

    # ---- operators ----

    def __eq__(self, other: object) -> Self:  # type: ignore[override]
        return self.eq(other) if isinstance(other, OPERANDS) else NotImplemented

    def __ne__(self, other: object) -> Self:  # type: ignore[override]
        return self.ne(other) if isinstance(other, OPERANDS) else NotImplemented

    __hash__ = object.__hash__

    def __lt__(self, other: Operand) -> Self:
        return self.lt(other)

    def __gt__(self, other: Operand) -> Self:
        return self.gt(other)

    def __le__(self, other: Operand) -> Self:
        return self.le(other)

    def __ge__(self, other: Operand) -> Self:
        return self.ge(other)


def _choices(a: Operand, b: Operand) -> tuple[Node, Node]:
    """Two values of one dtype; scalars are weak beside a tensor."""
    if isinstance(a, Core) and isinstance(b, Core):
        x, y = a._in(), b._in()
        dtype = x.dtype if x.dtype is y.dtype else promote_shaped(x, y)
        return cast(x, dtype), cast(y, dtype)
    if isinstance(a, Core):
        value = scalar("where", b)
        dtype = promote_scalar(a.dtype, value)
        return cast(a._in(), dtype), fitted("where", value, dtype)
    if isinstance(b, Core):
        y, x = _choices(b, a)
        return x, y
    first, second = scalar("where", a), scalar("where", b)
    dtype = promote_scalar(of_scalar(first), second)
    dtype = promote_scalar(of_scalar(second), first) if dtype.rank < of_scalar(second).rank else dtype
    return const(first, dtype), const(second, dtype)


def _less_or_equal(a: Node, b: Node) -> Node:
    if a.dtype.is_float:  # nan is neither less, nor equal, nor greater
        return node(Op.OR, (node(Op.LT, (a, b)), equal(a, b)))
    return logical_not(node(Op.LT, (b, a)))


_FORMULAS: dict[str, Callable[[Node, Node], Node]] = {
    "==": equal,
    "!=": lambda a, b: node(Op.NE, (a, b)),
    "<": lambda a, b: node(Op.LT, (a, b)),
    ">": lambda a, b: node(Op.LT, (b, a)),
    "<=": _less_or_equal,
    ">=": lambda a, b: _less_or_equal(b, a),
}
