"""Layers that multiply by a matrix."""

from __future__ import annotations

from lazygrad.dtype import DTypeLike
from lazygrad.errors import ArgumentError, fail
from lazygrad.nn.starting import StartsWithin, within
from lazygrad.tensor import Tensor

__all__ = [
    "Bilinear",
    "Linear",
]


class Linear(StartsWithin):
    """x @ weight.T + bias: (..., in_features) to (..., out_features).

    Weight (out, in) and bias (out,) start uniform within 1 / sqrt(in_features), as PyTorch's do.

    >>> layer = nn.Linear(10, 5)
    >>> layer(Tensor.ones(2, 10)).shape, layer
    ((2, 5), Linear(in_features=10, out_features=5, bias=True))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = within((out_features, in_features), in_features, dtype, device)
        self.bias = within((out_features,), in_features, dtype, device) if bias else None

    @property
    def _fan_in(self) -> int:
        return self.in_features

    def forward(self, input: Tensor) -> Tensor:
        """(..., in_features) to (..., out_features)."""
        return input.linear(self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(StartsWithin):
    """x1 @ weight @ x2 + bias: (..., in1_features) and (..., in2_features) to (..., out_features).

    Weight (out, in1, in2) and bias (out,) start uniform within 1 / sqrt(in1_features), as PyTorch's do.

    >>> nn.Bilinear(3, 4, 5)(Tensor.ones(2, 3), Tensor.ones(2, 4)).shape
    (2, 5)
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        if in1_features < 1:
            fail(ArgumentError, f"Bilinear: in1_features is {in1_features}; it must be greater than 0")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = within((out_features, in1_features, in2_features), in1_features, dtype, device)
        self.bias = within((out_features,), in1_features, dtype, device) if bias else None

    @property
    def _fan_in(self) -> int:
        return self.in1_features

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """(..., in1_features) and (..., in2_features) to (..., out_features)."""
        return input1.bilinear(input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        inputs = f"in1_features={self.in1_features}, in2_features={self.in2_features}"
        return f"{inputs}, out_features={self.out_features}, bias={self.bias is not None}"
