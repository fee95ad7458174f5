"""Layers that change shapes, or compare two tensors, by PyTorch's names, arguments and defaults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lazygrad.nn import functional
from lazygrad.nn.applied import Applied
from lazygrad.nn.module import Module
from lazygrad.tensor import Tensor

__all__ = [
    "ChannelShuffle",
    "CosineSimilarity",
    "Flatten",
    "Fold",
    "Identity",
    "PairwiseDistance",
    "PixelShuffle",
    "PixelUnshuffle",
    "Unflatten",
    "Unfold",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
]


class Identity(Module):
    """The input as it is; arguments of any sort are accepted and forgotten.

    >>> nn.Identity(54, name="nothing")(Tensor([1])).tolist()
    [1]
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """The input."""
        return input


class Flatten(Module):
    """Dimensions `start_dim` to `end_dim` as one.

    >>> nn.Flatten()(Tensor.ones(2, 3, 4)).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        """The dimensions joined."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The dimensions."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Dimension `dim` as several of `unflattened_size`.

    >>> nn.Unflatten(1, (3, 4))(Tensor.ones(2, 12)).shape
    (2, 3, 4)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, input: Tensor) -> Tensor:
        """The dimension split."""
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        """The dimension and its sizes."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class PixelShuffle(Applied, of=functional.pixel_shuffle, shows="upscale_factor={upscale_factor}"):
    """`functional.pixel_shuffle`.

    >>> nn.PixelShuffle(2)(Tensor.ones(4, 3, 3)).shape
    (1, 6, 6)
    """


class PixelUnshuffle(Applied, of=functional.pixel_unshuffle, shows="downscale_factor={downscale_factor}"):
    """`functional.pixel_unshuffle`.

    >>> nn.PixelUnshuffle(3)(Tensor.ones(1, 6, 6)).shape
    (9, 2, 2)
    """


class ChannelShuffle(Applied, of=functional.channel_shuffle, shows="groups={groups}"):
    """`functional.channel_shuffle`.

    >>> nn.ChannelShuffle(2)(Tensor([[[1]], [[2]], [[3]], [[4]]]).reshape(1, 4, 1)).flatten().tolist()
    [1, 3, 2, 4]
    """


class Unfold(
    Applied,
    of=functional.unfold,
    shows="kernel_size={kernel_size}, dilation={dilation}, padding={padding}, stride={stride}",
):
    """`functional.unfold`.

    >>> nn.Unfold(2)(Tensor.ones(1, 3, 4, 4)).shape
    (1, 12, 9)
    """


class Fold(
    Applied,
    of=functional.fold,
    shows="output_size={output_size}, kernel_size={kernel_size}, dilation={dilation}, padding={padding}, "
    "stride={stride}",
):
    """`functional.fold`.

    >>> nn.Fold((4, 4), 2)(Tensor.ones(1, 12, 9)).shape
    (1, 3, 4, 4)
    """


class CosineSimilarity(Applied, of=functional.cosine_similarity):
    """`functional.cosine_similarity`.

    >>> nn.CosineSimilarity()(Tensor([[3.0, 4.0]]), Tensor([[0.0, 2.0]]))
    tensor([0.8000])
    """


class PairwiseDistance(Applied, of=functional.pairwise_distance):
    """`functional.pairwise_distance`.

    >>> nn.PairwiseDistance(eps=0.0)(Tensor([[3.0, 4.0]]), Tensor([[0.0, 0.0]])).tolist()
    [5.0]
    """


class Upsample(Applied, of=functional.interpolate, without=("antialias",)):
    """`functional.interpolate`.

    >>> nn.Upsample(scale_factor=2)(Tensor([[[1.0, 2.0]]])).tolist()
    [[[1.0, 1.0, 2.0, 2.0]]]
    """

    scale_factor: Any
    mode: str

    def extra_repr(self) -> str:
        """The size or the factor, and the mode."""
        name = "size" if self.scale_factor is None else "scale_factor"
        return f"{name}={getattr(self, name)}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample, of=functional.upsample_nearest):
    """`Upsample` with mode 'nearest'.

    >>> nn.UpsamplingNearest2d(scale_factor=2)(Tensor([[[[1.0]]]])).tolist()
    [[[[1.0, 1.0], [1.0, 1.0]]]]
    """

    mode = "nearest"


class UpsamplingBilinear2d(Upsample, of=functional.upsample_bilinear):
    """`Upsample` with mode 'bilinear' and aligned corners.

    >>> nn.UpsamplingBilinear2d(scale_factor=2)(Tensor([[[[1.0]]]])).tolist()
    [[[[1.0, 1.0], [1.0, 1.0]]]]
    """

    mode = "bilinear"
