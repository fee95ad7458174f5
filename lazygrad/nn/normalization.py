"""Normalization layers, by PyTorch's names, arguments, parameters and defaults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from lazygrad.dtype import DTypeLike, as_dtype, dtypes, get_default_dtype
from lazygrad.errors import ArgumentError, ShapeError, fail
from lazygrad.nn import functional
from lazygrad.nn.applied import Applied
from lazygrad.nn.starting import StartsAsIs, filled
from lazygrad.ops.mode import no_grad
from lazygrad.tensor import Tensor


class LayerNorm(StartsAsIs):
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
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        self.weight = filled(shape, 1.0, device, dtype) if elementwise_affine else None
        self.bias = filled(shape, 0.0, device, dtype) if elementwise_affine and bias else None

    def forward(self, input: Tensor) -> Tensor:
        """The same shape."""
        return input.layer_norm(self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The settings."""
        affine = f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        return f"{self.normalized_shape}, eps={self.eps}, {affine}"


class RMSNorm(StartsAsIs):
    """Mean square 1 over the last dimensions, whose sizes are `normalized_shape`, then a weight.

    >>> nn.RMSNorm(2, eps=0.0)(Tensor([[3.0, 3.0]])).tolist()
    [[1.0, 1.0]]
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        self.weight = filled(shape, 1.0, device, dtype) if elementwise_affine else None

    def forward(self, input: Tensor) -> Tensor:
        """The same shape."""
        return input.rms_norm(self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """The settings."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(StartsAsIs):
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
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            fail(ArgumentError, f"GroupNorm: {num_channels} channels do not divide among {num_groups} groups")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.weight = filled((num_channels,), 1.0, device, dtype) if affine else None
        self.bias = filled((num_channels,), 0.0, device, dtype) if affine and bias else None

    def forward(self, input: Tensor) -> Tensor:
        """The same shape."""
        return input.group_norm(self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The settings."""
        affine = f"affine={self.affine}, bias={self.bias is not None}"
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, {affine}"


class LocalResponseNorm(Applied, of=functional.local_response_norm, shows="{size}, alpha={alpha}, beta={beta}, k={k}"):
    """`functional.local_response_norm`.

    >>> nn.LocalResponseNorm(1, alpha=3.0, beta=0.5)(Tensor([[[1.0], [1.0]]])).tolist()
    [[[0.5], [0.5]]]
    """


class _Tracking(StartsAsIs):
    """What normalization by statistics of channels shares, over inputs of `_dims` dimensions."""

    _dims: ClassVar[tuple[int, ...]] = ()
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: str | None = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        size, tracks = (num_features,), track_running_stats
        dtype = as_dtype(dtype, get_default_dtype())
        self.weight = filled(size, 1.0, device, dtype) if affine else None
        self.bias = filled(size, 0.0, device, dtype) if affine and bias else None
        self.register_buffer("running_mean", filled(size, 0.0, device, dtype).detach() if tracks else None)
        self.register_buffer("running_var", filled(size, 1.0, device, dtype).detach() if tracks else None)
        count = Tensor.zeros(device=device, dtype=dtypes.int64) if tracks else None
        self.register_buffer("num_batches_tracked", count)

    def reset_parameters(self) -> None:
        """Initial values anew, in place, of running statistics too."""
        self.reset_running_stats()
        super().reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the running statistics, if there are some: mean 0, variance 1, no batches."""
        with no_grad():
            for t, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
                if t is not None:
                    t.fill_(value)

    def _check(self, input: Tensor, channels: int) -> None:
        if input.ndim not in self._dims or input.shape[channels] != self.num_features:
            wanted = f"{' or '.join(map(str, self._dims))} dimensions and {self.num_features} channels (N, C, ...)"
            fail(ShapeError, f"{type(self).__name__}: needs {wanted}, not shape {list(input.shape)}")

    def extra_repr(self) -> str:
        """The settings."""
        affine = f"affine={self.affine}, bias={self.bias is not None}"
        tracks = f"track_running_stats={self.track_running_stats}"
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, {affine}, {tracks}"


class _BatchNorm(_Tracking):
    """What batch normalization shares."""

    def forward(self, input: Tensor) -> Tensor:
        """The same shape. In training, also moves the running statistics towards those of `input`."""
        self._check(input, 1)
        tracks = self.training and self.track_running_stats
        momentum: float | Tensor = 0.0 if self.momentum is None else self.momentum
        count = self.num_batches_tracked
        if tracks and count is not None:
            count += 1
            if self.momentum is None and self.running_mean is not None:  # the mean of all batches
                momentum = count.cast(self.running_mean.dtype).reciprocal()
        mean, variance = (self.running_mean, self.running_var) if tracks or not self.training else (None, None)
        own = self.training or (mean is None and variance is None)
        return input.batch_norm(mean, variance, self.weight, self.bias, own, momentum, self.eps)


class BatchNorm1d(_BatchNorm):
    """Mean 0 and variance 1 of each channel over a batch (N, C) or (N, C, L), then weight and bias (C,).

    In training by the statistics of the batch, which also move the running ones (by the share `momentum`; None keeps
    their mean over all batches); in evaluation by the running ones, if these are tracked. ShapeError for other shapes,
    and in training for one value in each channel.

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


class BatchNorm3d(_BatchNorm):
    """`BatchNorm1d` over (N, C, D, H, W).

    >>> nn.BatchNorm3d(3)(Tensor.rand(2, 3, 4, 4, 4)).shape
    (2, 3, 4, 4, 4)
    """

    _dims = (5,)


class SyncBatchNorm(_BatchNorm):
    """`BatchNorm1d` over (N, C, ...): there is one process, whose batch is the whole one.

    >>> nn.SyncBatchNorm(3)(Tensor.rand(2, 3, 4)).shape
    (2, 3, 4)
    """

    _dims = (2, 3, 4, 5)


class _InstanceNorm(_Tracking):
    """What instance normalization shares; `_dims` are those without and with a batch."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: str | None = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """The same shape. In training, also moves the running statistics, if there are some."""
        alone = input.ndim == self._dims[0]
        self._check(input, 0 if alone else 1)
        x = input.unsqueeze(0) if alone else input
        own = self.training or not self.track_running_stats
        mean, variance = self.running_mean, self.running_var
        y = x.instance_norm(mean, variance, self.weight, self.bias, own, self.momentum or 0.0, self.eps)
        return y.squeeze(0) if alone else y


class InstanceNorm1d(_InstanceNorm):
    """Mean 0 and variance 1 of each channel of each sample of (N, C, L) or (C, L), then weight and bias if `affine`.

    By the statistics of the sample; with `track_running_stats` these move running ones, which count in evaluation.
    ShapeError for other shapes, and for one value in a channel.

    >>> nn.InstanceNorm1d(1, eps=0.0)(Tensor([[[1.0, 3.0]]])).tolist()
    [[[-1.0, 1.0]]]
    """

    _dims = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """`InstanceNorm1d` over (N, C, H, W) or (C, H, W).

    >>> nn.InstanceNorm2d(3)(Tensor.rand(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    """

    _dims = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """`InstanceNorm1d` over (N, C, D, H, W) or (C, D, H, W).

    >>> nn.InstanceNorm3d(3)(Tensor.rand(2, 3, 4, 4, 4)).shape
    (2, 3, 4, 4, 4)
    """

    _dims = (4, 5)
