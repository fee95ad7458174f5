"""Random tensors as the initial values of layers, by tinygrad's names."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lazygrad.errors import ShapeError, fail
from lazygrad.ops.arguments import new_shape
from lazygrad.ops.random import Random

if TYPE_CHECKING:
    from typing_extensions import Self


def _fan_in(sizes: Any, what: str) -> int:
    return math.prod(int(n) for n in new_shape(sizes, what)[1:])


class Initial(Random):
    """Every function takes `dtype`, `device`, `generator` and `requires_grad`."""

    __slots__ = ()

    @classmethod
    def scaled_uniform(cls, *size: Any, **like: Any) -> Self:
        """Uniform numbers in [-1, 1), divided by the square root of how many there are.

        >>> bool((Tensor.scaled_uniform(100).abs() <= 0.1).all())
        True
        """
        most = max(1, math.prod(int(n) for n in new_shape(size, "scaled_uniform"))) ** -0.5
        return cls.uniform(*size, low=-most, high=most, **like)

    @classmethod
    def glorot_uniform(cls, *size: Any, **like: Any) -> Self:
        """Uniform numbers below sqrt(6 / (outputs + inputs)): Glorot and Bengio, "Understanding the difficulty of
        training deep feedforward neural networks" (AISTATS 2010).

        >>> bool((Tensor.glorot_uniform(100, 50).abs() <= 0.2).all())
        True
        """
        if not (shape := new_shape(size, "glorot_uniform")):
            fail(ShapeError, "glorot_uniform: a tensor without dimensions has no outputs")
        most = math.sqrt(6 / (int(shape[0]) + _fan_in(size, "glorot_uniform")))
        return cls.uniform(*size, low=-most, high=most, **like)

    @classmethod
    def kaiming_uniform(cls, *size: Any, a: float = 0.01, **like: Any) -> Self:
        """Uniform numbers of variance 2 / (1 + a**2) / inputs: He, Zhang, Ren and Sun, "Delving deep into rectifiers"
        (ICCV 2015).

        >>> Tensor.kaiming_uniform(3, 4).shape
        (3, 4)
        """
        most = math.sqrt(6 / (1 + a**2) / max(1, _fan_in(size, "kaiming_uniform")))
        return cls.uniform(*size, low=-most, high=most, **like)

    @classmethod
    def kaiming_normal(cls, *size: Any, a: float = 0.01, **like: Any) -> Self:
        """Normal numbers of variance 2 / (1 + a**2) / inputs.

        >>> Tensor.kaiming_normal(3, 4).shape
        (3, 4)
        """
        return cls.normal(*size, std=math.sqrt(2 / (1 + a**2) / max(1, _fan_in(size, "kaiming_normal"))), **like)
