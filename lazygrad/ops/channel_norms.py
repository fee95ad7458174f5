"""Normalization of each channel of (N, C, ...), by its statistics or by running ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazygrad.errors import ShapeError
from lazygrad.index.expr import as_dim, dim_product
from lazygrad.ops.core import Core, fail
from lazygrad.ops.joining import Joining
from lazygrad.ops.mode import no_grad
from lazygrad.ops.normalize import Normalize
from lazygrad.ops.operands import not_a_tensor

if TYPE_CHECKING:
    from typing_extensions import Self


class ChannelNorms(Normalize, Joining):
    """Batch and instance normalization."""

    __slots__ = ()

    def batch_norm(
        self,
        running_mean: Core | None,
        running_var: Core | None,
        weight: Core | None = None,
        bias: Core | None = None,
        training: bool = False,
        momentum: float | Core = 0.1,
        eps: float = 1e-5,
    ) -> Self:
        """(self - mean) / sqrt(variance + eps) by statistics (C,) of the channels of (N, C, ...), then weight and bias.

        In training by the statistics of this tensor itself (`channel_statistics`), towards which the running ones move
        by the share `momentum`; else by the running ones, and gradients flow through what is given. ShapeError where
        they do not fit, and in training for one value in each channel.

        >>> Tensor([[1.0], [3.0]]).batch_norm(Tensor([2.0]), Tensor([4.0]), eps=0.0).tolist()
        [[-0.5], [0.5]]
        """
        self._need_float("batch_norm")
        given = [t for t in (running_mean, running_var) if t is not None]
        self._same_device("batch_norm", *given)
        if self.ndim < 2 or any(t.shape != self.shape[1:2] for t in given):
            shapes = " and ".join(str(list(t.shape)) for t in given)
            fail(
                ShapeError, f"batch_norm: statistics {shapes} do not fit the channels (N, C, ...) of {list(self.shape)}"
            )
        if training:
            mean, variance = self._tracked_statistics(running_mean, running_var, momentum)
        elif len(given) == 2:
            mean, variance = (self._beside(t) for t in given)
        else:
            not_a_tensor("batch_norm", None)
        scale = (variance + eps).rsqrt()
        distance = self - self._channels(mean)
        return (distance * self._channels(scale)).cast(self.dtype)._affine_channels(weight, bias)

    def _tracked_statistics(
        self, mean: Core | None, variance: Core | None, momentum: float | Core
    ) -> tuple[Self, Self]:
        """`channel_statistics`, towards which running ones are moved; the running variance is the unbiased one."""
        n = as_dim(dim_product((self.shape[0], *self.shape[2:])))
        if n == 1:
            fail(ShapeError, f"batch_norm: one value for each channel has no variance: shape {list(self.shape)}")
        own = self.channel_statistics()
        if n == 0:
            return own
        with no_grad():
            if mean is not None:
                running = self._beside(mean)
                running.assign(running.lerp(own[0], momentum))
            if variance is not None:
                running = self._beside(variance)
                running.assign(running.lerp(own[1] * n / (n - 1), momentum))
        return own

    def instance_norm(
        self,
        running_mean: Core | None = None,
        running_var: Core | None = None,
        weight: Core | None = None,
        bias: Core | None = None,
        use_input_stats: bool = True,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Self:
        """`batch_norm` of each sample of (N, C, ...) by itself: by its own statistics, towards whose mean over samples
        the running ones move; without `use_input_stats` by the running ones.

        >>> Tensor([[[1.0, 3.0]]]).instance_norm(eps=0.0).tolist()
        [[[-1.0, 1.0]]]
        """
        if not use_input_stats:
            return self.batch_norm(running_mean, running_var, weight, bias, eps=eps)
        if self.ndim < 3 or dim_product(self.shape[2:]) == 1:
            fail(ShapeError, f"instance_norm: takes more than one value for each channel, not {list(self.shape)}")
        samples, channels = self.shape[:2]
        each = [None if t is None else self._beside(t).repeat(samples) for t in (running_mean, running_var)]
        flat = self.reshape(1, samples * channels, *self.shape[2:])
        normal = flat.batch_norm(each[0], each[1], training=True, momentum=momentum, eps=eps).reshape(self.shape)
        with no_grad():
            for running, moved in zip((running_mean, running_var), each):
                if running is not None and moved is not None:
                    self._beside(running).assign(moved.reshape(samples, channels).mean(0))
        return normal._affine_channels(weight, bias)
