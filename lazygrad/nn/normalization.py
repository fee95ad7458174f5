"""Normalization layers."""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.dtype import DType, dtypes
from lazygrad.nn.module import Module
from lazygrad.tensor import Tensor


class LayerNorm(Module):
    """Mean 0 and variance 1 over the last dimensions, whose sizes are `normalized_shape`, then weight and bias.

    >>> nn.LayerNorm(2, eps=0.0)(Tensor([[1.0, 3.0]])).tolist()
    [[-1.0, 1.0]]
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: str | None = None,
        dtype: DType = dtypes.float32,
    ) -> None:
        super().__init__()
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape, self.eps = shape, eps
        affine = elementwise_affine
        self.weight = Tensor.ones(*shape, device=device, dtype=dtype, requires_grad=True) if affine else None
        self.bias = Tensor.zeros(*shape, device=device, dtype=dtype, requires_grad=True) if affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x.layer_norm(self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.normalized_shape}, eps={self.eps}"


class RMSNorm(Module):
    """Mean square 1 over the last dimensions, whose sizes are `normalized_shape`, then a weight.

    >>> nn.RMSNorm(2, eps=0.0)(Tensor([[3.0, 3.0]])).tolist()
    [[1.0, 1.0]]
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-6,
        elementwise_affine: bool = True,
        device: str | None = None,
        dtype: DType = dtypes.float32,
    ) -> None:
        super().__init__()
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape, self.eps = shape, eps
        ones = elementwise_affine
        self.weight = Tensor.ones(*shape, device=device, dtype=dtype, requires_grad=True) if ones else None

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x.rms_norm(self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.normalized_shape}, eps={self.eps}"
