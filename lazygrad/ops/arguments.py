"""What is given to functions that make tensors: sizes and numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lazygrad.errors import ArgumentError, ShapeError, fail
from lazygrad.ir.signature import Shape
from lazygrad.ops.core import Core, scalar
from lazygrad.ops.movement import as_shape

MOST_STEPS = 4096  # of a recurrence that is written out in a graph
_MOST = (1 << 63) - 1  # elements that can be counted


def new_shape(sizes: Sequence[Any], what: str) -> Shape:
    """The shape of a tensor that `what` makes, as `f(2, 3)` or `f((2, 3))`; ShapeError for sizes that none has.

    >>> new_shape([(2, 3)], "zeros")
    (2, 3)
    """
    shape = as_shape(sizes, what)
    known = [n for n in shape if isinstance(n, int)]
    if any(n < 0 for n in known):
        fail(ShapeError, f"{what}: {list(shape)} holds a negative size")
    if max(known, default=0) > _MOST or math.prod(n for n in known if n) > _MOST:
        fail(ShapeError, f"{what}: no tensor has the sizes {list(shape)}; all together are at most 2**63 - 1 elements")
    return shape


def new_size(size: Any, what: str) -> int:
    """A size that is known, of a dimension that `what` makes; ShapeError for any other."""
    (known,) = new_shape([size], what)
    assert isinstance(known, int), known
    return known


def number(what: str, value: Any) -> Any:
    """A number that `what` is given, NumPy's and those of tensors as Python's. OperandError for anything else."""
    return value.item() if isinstance(value, Core) else scalar(what, value)  # type: ignore[attr-defined]


def steps(what: str, name: str, value: float, most: int = MOST_STEPS) -> int:
    """`value` without its fraction, or -1 where it is negative: as many steps `what` writes out in a graph.

    ArgumentError above `most`, and for what is no number.

    >>> steps("legendre_polynomial_p", "n", 2.5)
    2
    """
    if not value <= most:
        fail(ArgumentError, f"{what}: {name} is {value}; it takes as many steps, of which there are at most {most}")
    return -1 if value < 0 else math.trunc(value)
