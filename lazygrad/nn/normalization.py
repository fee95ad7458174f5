"""Normalization layers."""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.dtype import DTypeLike, dtypes
from lazygrad.errors import ArgumentError, ShapeError, fail
from lazygrad.index.expr import as_dim
from lazygrad.nn.module import Module
from lazygrad.ops.mode import no_grad
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
        dtype: DTypeLike = dtypes.float32,
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
        dtype: DTypeLike = dtypes.float32,
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


class GroupNorm(Module):
    """`Tensor.group_norm` of (N, C, ...) with a weight and a bias (C,).

    ArgumentError where the channels do not divide among the groups.

    >>> nn.GroupNorm(2, 4)(Tensor.ones(3, 4, 5)).shape
    (3, 4, 5)
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: str | None = None,
        dtype: DTypeLike = dtypes.float32,
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            fail(ArgumentError, f"GroupNorm: {num_channels} channels do not divide among {num_groups} groups")
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        self.weight = Tensor.ones(num_channels, device=device, dtype=dtype, requires_grad=True) if affine else None
        self.bias = Tensor.zeros(num_channels, device=device, dtype=dtype, requires_grad=True) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x.group_norm(self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}"


class _BatchNorm(Module):
    """What batch normalization over inputs of `_dims` dimensions shares."""

    _dims: tuple[int, ...] = ()
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        device: str | None = None,
        dtype: DTypeLike = dtypes.float32,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = Tensor.ones(num_features, device=device, dtype=dtype, requires_grad=True) if affine else None
        self.bias = Tensor.zeros(num_features, device=device, dtype=dtype, requires_grad=True) if affine else None
        self.register_buffer("running_mean", Tensor.zeros(num_features, device=device, dtype=dtype))
        self.register_buffer("running_var", Tensor.ones(num_features, device=device, dtype=dtype))
        self.register_buffer("num_batches_tracked", Tensor.zeros(device=device, dtype=dtypes.int64))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape. In training, also moves the running statistics towards those of `x`."""
        if x.ndim not in self._dims or x.shape[1] != self.num_features:
            wanted = f"{' or '.join(map(str, self._dims))} dimensions and {self.num_features} channels (N, C, ...)"
            fail(ShapeError, f"{type(self).__name__}: needs {wanted}, not shape {list(x.shape)}")
        if not self.training:
            return x.batch_norm(self.running_mean, self.running_var, self.weight, self.bias, self.eps)
        n = as_dim(x.numel() // self.num_features)
        if n == 1:
            fail(
                ShapeError, f"{type(self).__name__}: one value for each channel has no variance: shape {list(x.shape)}"
            )
        mean, variance = x.channel_statistics()
        with no_grad():
            unbiased = variance * n / (n - 1)
            self.running_mean.assign(self.running_mean.lerp(mean, self.momentum))
            self.running_var.assign(self.running_var.lerp(unbiased, self.momentum))
            self.num_batches_tracked += 1
        return x.batch_norm(mean, variance, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class BatchNorm1d(_BatchNorm):
    """Mean 0 and variance 1 of each channel over a batch (N, C) or (N, C, L), then weight and bias (C,).

    In training by the statistics of the batch, which also move the running ones; in evaluation by the running ones.
    ShapeError for other shapes, and in training for one value in each channel.

    >>> nn.BatchNorm1d(1, eps=0.0)(Tensor([[1.0], [3.0]])).tolist()
    [[-1.0], [1.0]]
    """

    _dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """`BatchNorm1d` over (N, C, H, W).

    >>> nn.BatchNorm2d(3)(Tensor.rand(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    """

    _dims = (4,)
