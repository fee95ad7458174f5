"""Integer index expressions: immutable, interned, bounded, and simplified as they are made.

>>> i, j = Var("i", 0, 9), Var("j", 0, 63)
>>> flat = i * 64 + j
>>> print(flat, "|", flat // 64, "|", flat % 64, "|", flat.lt(640))
i*64 + j | i | j | 1
>>> flat // 64 * 64 + flat % 64 is flat
True

A size that is known only at launch is an expression too, and a variable may be bounded by it:

>>> T = Var("T", 1, 1024)
>>> t = index_variable("t", T)
>>> print((i * T + t) // T, (i * T + t) % T)
i t
"""

from __future__ import annotations

from collections.abc import Iterable

from . import divide, linear, logic, node, walk
from .kinds import And, Equal, FloorDiv, Less, Maximum, Minimum, Mod, Product, Select
from .linear import linear_form, scaled_sum
from .logic import all_of, is_condition, maximum, minimum, select
from .narrow import given
from .node import Const, Expr, Sum, Var, lift
from .prove import less as provably_less
from .prove import positive as provably_positive
from .walk import topological

__all__ = [
    "And",
    "Const",
    "Dim",
    "Equal",
    "Expr",
    "FloorDiv",
    "Less",
    "Maximum",
    "Minimum",
    "Mod",
    "Product",
    "Select",
    "Sum",
    "Var",
    "all_of",
    "as_dim",
    "ceil_div",
    "dim_max",
    "dim_product",
    "divisor",
    "given",
    "index_variable",
    "is_condition",
    "lift",
    "linear_form",
    "maximum",
    "minimum",
    "provably_less",
    "provably_positive",
    "scaled_sum",
    "select",
    "topological",
]

Dim = int | Expr
"""A size: an integer, or an expression over variables that are bound at launch."""

node.install(
    node.Operators(
        add=linear.add,
        multiply=linear.multiply,
        floordiv=divide.floordiv,
        modulo=divide.modulo,
        less=logic.less,
        equal=logic.equal,
        conjunction=logic.conjunction,
        coefficient=linear.coefficient,
        substitute=walk.substitute,
        evaluate=walk.evaluate,
        text=walk.text,
    )
)


def index_variable(name: str, size: Dim) -> Expr:
    """A loop variable over 0..size-1; the constant 0 for a size of 1. Raises ValueError for a size of 0.

    Of a size that may be 0 or 1 it is no constant, for there may be nothing to loop over.

    >>> index_variable("i", 8)
    <Var i in 0..7>
    """
    if dim_max(size) == 1:
        return Const(0) if lift(size).lo == 1 else Var(name, 0, 1, below=size)
    return Var(name, 0, dim_max(size) - 1, below=size)


def as_dim(size: Dim) -> Dim:
    """The size as an int when its value is known, else the expression."""
    return size.lo if isinstance(size, Expr) and size.lo == size.hi else size


def ceil_div(size: Dim, step: int) -> Dim:
    """How many steps cover `size`.

    >>> ceil_div(9, 4)
    3
    """
    return as_dim((size + step - 1) // step)


def dim_product(shape: Iterable[Dim]) -> Dim:
    """The number of elements of a shape: an int when known, else an expression.

    >>> T = Var("T", 1, 8)
    >>> dim_product((2, 3)), str(dim_product((2, T, 3)))
    (6, 'T*6')
    """
    sizes = list(shape)
    product: Dim = 1
    for size in sizes:
        product = product * size
    return as_dim(product)


def dim_max(size: Dim) -> int:
    """The largest value of a size."""
    return size.hi if isinstance(size, Expr) else size


def divisor(size: Dim) -> Expr:
    """`size` to divide by, where there is nothing to divide if it is 0.

    >>> T = Var("T", 0, 8)
    >>> print(divisor(T), divisor(T + 1))
    max(1, T) T + 1
    """
    return lift(size) if lift(size).lo > 0 else maximum(size, 1)
