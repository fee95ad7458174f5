"""Normalization by statistics of the tensor itself, composed naively: fusing it is the scheduler's business."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lazygrad.dtype import DTypeLike, dtypes
from lazygrad.errors import ShapeError
from lazygrad.ir.op import Combine
from lazygrad.ops.activation import Activation
from lazygrad.ops.core import Core, fail
from lazygrad.ops.precision import in_float
from lazygrad.ops.statistics import Statistics

if TYPE_CHECKING:
    from typing_extensions import Self


class Normalize(Activation, Statistics):
    """Softmax, layer normalization and relatives. Gradients flow through the statistics."""

    __slots__ = ()

    def softmax(self, dim: int | None = None, dtype: DTypeLike | None = None) -> Self:
        """exp(self) divided by its sum along `dim` (None: the last one), without overflow; computed in `dtype`, if any.

        >>> Tensor([1.0, 1.0]).softmax(-1).tolist()
        [0.5, 0.5]
        """
        return self._of_dtype(dtype)._softmax(-1 if dim is None else dim)

    def _of_dtype(self, dtype: DTypeLike | None) -> Self:
        return self if dtype is None else self.cast(dtype)

    @in_float
    def _softmax(self, dim: int) -> Self:
        exponential = (self - self.detach()._reduce(Combine.MAX, dim, keepdim=True)).exp()
        return exponential / exponential.sum(dim, keepdim=True)

    @in_float
    def _softmax_or_nothing(self) -> Self:
        """`softmax` along the last dimension, but 0 where all elements are -inf."""
        if self.shape[-1] == 0:
            return self
        largest = self.detach()._reduce(Combine.MAX, -1, keepdim=True)
        nothing = largest.eq(-math.inf)
        exponential = (self - nothing._choose(0.0, largest)).exp()
        return exponential / nothing._choose(1.0, exponential.sum(-1, keepdim=True))

    def softmin(self, dim: int | None = None, dtype: DTypeLike | None = None) -> Self:
        """`softmax` of -self.

        >>> Tensor([1.0, 1.0]).softmin(-1).tolist()
        [0.5, 0.5]
        """
        return (-self).softmax(dim, dtype)

    def log_softmax(self, dim: int | None = None, dtype: DTypeLike | None = None) -> Self:
        """log(softmax(self)) along `dim` (None: the last one), without overflow; computed in `dtype`, if any.

        >>> Tensor([1.0, 1.0]).log_softmax(-1)
        tensor([-0.6931, -0.6931])
        """
        return self._of_dtype(dtype)._log_softmax(-1 if dim is None else dim)

    def glu(self, dim: int = -1) -> Self:
        """The first half along `dim` times `sigmoid` of the second one. ShapeError for an odd size.

        >>> Tensor([3.0, 0.0]).glu().tolist()
        [1.5]
        """
        size = self.shape[self._axis(dim)] if self.ndim else 1
        if size % 2:
            fail(ShapeError, f"glu: dim {dim} of {list(self.shape)} has no halves: its size is odd")
        return self.narrow(dim, 0, size // 2) * self.narrow(dim, size // 2, size // 2).sigmoid()

    @in_float
    def _log_softmax(self, dim: int) -> Self:
        shifted = self - self.detach()._reduce(Combine.MAX, dim, keepdim=True)
        return shifted - shifted.exp().sum(dim, keepdim=True).log()

    def layernorm(
        self, dim: int | Sequence[int] = -1, weight: Core | None = None, bias: Core | None = None, eps: float = 1e-5
    ) -> Self:
        """(self - mean) / sqrt(variance + eps), with the statistics over `dim`, times `weight`, plus `bias`.

        >>> Tensor([[1.0, 3.0]]).layernorm(eps=0.0).tolist()
        [[-1.0, 1.0]]
        """
        self._need_float("layernorm")
        x = self.cast(dtypes.float32) if self.dtype.is_half else self
        distance = x - x.mean(dim, keepdim=True)
        variance = distance.square().mean(dim, keepdim=True)
        scale = (variance + (variance - variance).detach() + eps).rsqrt()  # nan, not 0, where the squares overflow
        return (distance * scale)._affine(weight, bias).cast(self.dtype)

    def layer_norm(
        self,
        normalized_shape: int | Sequence[int],
        weight: Core | None = None,
        bias: Core | None = None,
        eps: float = 1e-5,
    ) -> Self:
        """`layernorm` over the last dimensions, whose sizes are `normalized_shape`, as in PyTorch.

        >>> Tensor([[1.0, 3.0]]).layer_norm((2,), eps=0.0).tolist()
        [[-1.0, 1.0]]
        """
        return self.layernorm(self._last("layer_norm", normalized_shape), weight, bias, eps)

    def rms_norm(
        self, normalized_shape: int | Sequence[int], weight: Core | None = None, eps: float | None = None
    ) -> Self:
        """self / sqrt(mean square + eps) over the last dimensions, whose sizes are `normalized_shape`, times `weight`.

        None is the dtype's `eps`, the distance from 1 to the next number.

        >>> Tensor([[3.0, 3.0]]).rms_norm(2, eps=0.0).tolist()
        [[1.0, 1.0]]
        """
        self._need_float("rms_norm")
        x = self.cast(dtypes.float32) if self.dtype.is_half else self
        dims, least = self._last("rms_norm", normalized_shape), _EPS[self.dtype] if eps is None else eps
        return (x * (x.square().mean(dims, keepdim=True) + least).rsqrt())._affine(weight, None).cast(self.dtype)

    def group_norm(
        self, num_groups: int, weight: Core | None = None, bias: Core | None = None, eps: float = 1e-5
    ) -> Self:
        """`layernorm` over each of `num_groups` groups of channels of (N, C, ...), then a weight and bias of (C,).

        ShapeError where the channels do not divide among the groups.

        >>> Tensor([[[1.0], [3.0]]]).group_norm(1, eps=0.0).tolist()
        [[[-1.0], [1.0]]]
        """
        if self.ndim < 2 or num_groups < 1 or self.shape[1] % num_groups != 0:
            fail(
                ShapeError, f"group_norm: the channels (N, C, ...) of {list(self.shape)} do not divide by {num_groups}"
            )
        if 0 in self.shape:
            return self._apart()._affine_channels(weight, bias)
        grouped = self.reshape(self.shape[0], num_groups, -1).layernorm(-1, eps=eps)
        return grouped.reshape(self.shape)._affine_channels(weight, bias)

    def channel_statistics(self) -> tuple[Self, Self]:
        """Mean and biased variance of each channel of (N, C, ...): two tensors (C,).

        >>> [t.tolist() for t in Tensor([[1.0], [3.0]]).channel_statistics()]
        [[2.0], [1.0]]
        """
        dims = (0, *range(2, self.ndim))
        return self.mean(dims), self.var(dims, correction=0)

    def _channels(self, values: Self) -> Self:
        """(C,) as (C, 1, ...), which broadcasts over (N, C, ...)."""
        return values.reshape((-1,) + (1,) * (self.ndim - 2))

    def _affine_channels(self, weight: Core | None, bias: Core | None) -> Self:
        x = self if weight is None else self * self._channels(self._beside(weight).cast(self.dtype))
        return x if bias is None else x + self._channels(self._beside(bias).cast(self.dtype))

    def normalize(self, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Self:
        """self divided by its p-norm along `dim` (by `eps` where the norm is smaller).

        >>> Tensor([[3.0, 4.0]]).normalize()
        tensor([[0.6000, 0.8000]])
        """
        return self / self.norm(p, dim, keepdim=True).clamp(min=eps)

    def _affine(self, weight: Core | None, bias: Core | None) -> Self:
        x = self if weight is None else self * self._beside(weight).cast(self.dtype)
        return x if bias is None else x + self._beside(bias).cast(self.dtype)

    def _last(self, what: str, sizes: int | Sequence[int]) -> tuple[int, ...]:
        """The last dimensions, checked to have `sizes`."""
        shape = (sizes,) if isinstance(sizes, int) else tuple(sizes)
        if not shape or self.shape[-len(shape) :] != shape:
            fail(ShapeError, f"{what}: the last dimensions of {list(self.shape)} are not {list(shape)}")
        return tuple(range(-len(shape), 0))


# The distance from 1 to the next number
_EPS = {dtypes.float64: 2.0**-52, dtypes.float32: 2.0**-23, dtypes.float16: 2.0**-10, dtypes.bfloat16: 2.0**-7}
