"""Activations that are drawn at random."""

from __future__ import annotations

from lazygrad.errors import ArgumentError, fail
from lazygrad.tensor import Tensor


def rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """The element where it is not negative, else a slope times it: one drawn for each between `lower` and `upper` in
    training, else the mean of both.

    ArgumentError where `lower` is greater than `upper`.

    >>> rrelu(Tensor([-2.0, 1.0]), 0.25, 0.75).tolist()
    [-1.0, 1.0]
    """
    if lower > upper:
        fail(ArgumentError, f"rrelu: lower is {lower}, greater than upper, {upper}")
    if training:
        slope = Tensor.rand(*input.shape, dtype=input.dtype, device=input.device) * (upper - lower) + lower
        result = (input < 0)._choose(input * slope, input)
    else:
        result = input.leaky_relu((lower + upper) / 2)
    return input._become(result) if inplace else result
