"""In which type a matrix unit may multiply the factors of a sum of products."""

from __future__ import annotations

from collections.abc import Callable

from lazygrad.dtype import DType, dtypes
from lazygrad.ir.node import Node
from lazygrad.ir.op import IDENTITY, MOVEMENT, Combine, Op, ReduceArg


def matrix_factors(n: Node, is_read: Callable[[Node], bool]) -> DType | None:
    """The 16-bit float that both factors of the reduction `n` are numbers of, if its own kernel shows it; else float32
    where they may be rounded to TF32, whose numbers 16-bit floats are.

    Sums of products are taken in float32, of factors cast to it; a matrix unit needs the factors as they were. Nodes
    that the kernel reads from memory (`is_read`) are numbers of their own type: what made them is not looked at.
    """
    product, arg = n.src[0], n.argument(ReduceArg)
    if arg.combine is not Combine.ADD or product.op is not Op.MUL:
        return None
    kinds = {_before(s, is_read) for s in product.src}
    if len(kinds) == 1 and next(iter(kinds)).is_half:
        return kinds.pop()
    return dtypes.float32 if arg.tf32 and all(d.is_half or d is dtypes.float32 for d in kinds) else None


def _before(n: Node, is_read: Callable[[Node], bool]) -> DType:
    """The type of what `n` merely moves and widens."""
    while not is_read(n) and (n.op in MOVEMENT or n.op in IDENTITY):
        n = n.src[0]
    return n.src[0].dtype if n.op is Op.CAST and not is_read(n) else n.dtype
