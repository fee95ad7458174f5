"""The error function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazygrad.ir.op import Op
from lazygrad.ops.core import in_float
from lazygrad.ops.functions import Functions

if TYPE_CHECKING:
    from typing_extensions import Self


class Erf(Functions):
    """The error function."""

    __slots__ = ()

    @in_float
    def erf(self) -> Self:
        """2/sqrt(pi) times the integral of exp(-t*t) from 0 to each element.

        >>> Tensor([0.0, 1.0, -2.0]).erf()
        tensor([ 0.0000,  0.8427, -0.9953])
        """
        return self._unary(Op.ERF)
