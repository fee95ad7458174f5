"""Zeros and ones by chance: `bernoulli`, and the dropouts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from lazygrad.dtype import DTypeLike, as_dtype, get_default_dtype
from lazygrad.engine.generator import Generator
from lazygrad.errors import ArgumentError, DTypeError, ShapeError
from lazygrad.ops.arguments import number
from lazygrad.ops.core import Core, fail
from lazygrad.ops.random import Random

if TYPE_CHECKING:
    from typing_extensions import Self

_ALPHA = -1.7580993408473766  # what SELU's outputs tend to: Klambauer et al., "Self-normalizing neural networks" (2017)


class _OfSizesOrOfTensor:
    """A class method of sizes, which is PyTorch's method where it is asked of a tensor, or given one first."""

    def __init__(self, of_sizes: Callable[..., Any]) -> None:
        self.of_sizes, self.name = of_sizes, of_sizes.__name__
        self.__doc__ = of_sizes.__doc__

    def __get__(self, instance: Any, owner: type) -> Callable[..., Any]:
        call = partial(self.of_sizes, owner) if instance is None else partial(self.of_sizes, owner, instance)
        return wraps(self.of_sizes)(call)


def probability(what: str, p: Any) -> Any:
    """`p`, a number; ArgumentError for one outside [0, 1]."""
    p = number(what, p)
    if not 0 <= p <= 1:
        fail(ArgumentError, f"{what}: p={p} is no probability")
    return p


class Chance(Random):
    """What is drawn as 0 or 1."""

    __slots__ = ()

    def _drawn(self, p: Any, generator: Generator | None) -> Self:
        """True with probability `p`, a number or a tensor that broadcasts, in this shape."""
        return self.rand(self.shape, generator=generator, device=self.device).lt(p)

    @_OfSizesOrOfTensor
    def bernoulli(
        cls,  # noqa: N805 - the class, whether asked of it or of a tensor
        *size: Any,
        p: Any = None,
        generator: Generator | None = None,
        dtype: DTypeLike | None = None,
        device: str | None = None,
    ) -> Any:
        """Ones with probability `p` (0.5), else zeros, of some sizes; or, of a tensor of probabilities (or in the shape
        of a tensor, with `p`), in its dtype. ArgumentError for a `p` outside [0, 1], DTypeError for integers.

        >>> Tensor.bernoulli(3, p=1.0).tolist(), Tensor([0.0, 1.0]).bernoulli().tolist()
        ([1.0, 1.0, 1.0], [0.0, 1.0])
        """
        first = size[0] if size else None
        if not isinstance(first, Core):
            drawn = cls.rand(*size, generator=generator, device=device)
            return drawn.lt(probability("bernoulli", 0.5 if p is None else p)).cast(
                as_dtype(dtype, get_default_dtype())
            )
        assert isinstance(first, Chance)
        p = size[1] if len(size) == 2 and p is None else p
        if p is not None:
            return first._drawn(probability("bernoulli", p), generator).cast(first.dtype)
        if not first.dtype.is_float:
            fail(DTypeError, f"bernoulli: probabilities of {first.dtype}; floats are needed, or p=")
        return first._drawn(first.detach(), generator).cast(first.dtype)

    def dropout(self, p: float = 0.5, training: bool = True) -> Self:
        """Every element set to 0 with probability `p`, the others divided by 1 - p; unchanged unless `training`.

        ArgumentError for a `p` outside [0, 1].

        >>> Tensor([1.0, 2.0]).dropout(1.0).tolist(), Tensor([1.0, 2.0]).dropout(0.5, training=False).tolist()
        ([0.0, 0.0], [1.0, 2.0])
        """
        p = probability("dropout", p)
        return self._dropped(p, self.shape) if training and p else self

    def _dropped(self, p: float, shape: Any) -> Self:
        """Of the random numbers of `shape`, those below `p` are where this tensor becomes 0."""
        kept = self.rand(shape, device=self.device).ge(p)
        return kept._choose(self / (1 - p) if p < 1 else self * 0, 0)

    def dropout1d(self, p: float = 0.5, training: bool = True) -> Self:
        """`dropout` of whole channels of (N, C, L) or (C, L). ShapeError for other dimensions.

        >>> Tensor.ones(1, 2, 3).dropout1d(1.0).sum().item()
        0.0
        """
        return self._by_channel("dropout1d", p, training, 2)

    def dropout2d(self, p: float = 0.5, training: bool = True) -> Self:
        """`dropout` of whole channels of (N, C, H, W) or (C, H, W); of (N, C) each element.

        >>> Tensor.ones(1, 2, 3, 3).dropout2d(1.0).sum().item()
        0.0
        """
        return self._by_channel("dropout2d", p, training, 3)

    def dropout3d(self, p: float = 0.5, training: bool = True) -> Self:
        """`dropout` of whole channels of (N, C, D, H, W) or (C, D, H, W).

        >>> Tensor.ones(1, 2, 3, 3, 3).dropout3d(1.0).sum().item()
        0.0
        """
        return self._by_channel("dropout3d", p, training, 4)

    def _by_channel(self, what: str, p: float, training: bool, single: int) -> Self:
        p = probability(what, p)
        if self.ndim < 2:
            fail(ShapeError, f"{what}: shape {list(self.shape)} has no channels; (batch, channels, ...) is needed")
        outer = 1 if self.ndim == single and what != "dropout2d" else 2
        return self._dropped(p, (*self.shape[:outer], *(1 for _ in self.shape[outer:]))) if training and p else self

    def alpha_dropout(self, p: float = 0.5, training: bool = False) -> Self:
        """Every element set with probability `p` to what SELU's outputs tend to, and all scaled and moved so that mean
        and variance stay 0 and 1; unchanged unless `training`.

        >>> Tensor([1.0, 2.0]).alpha_dropout(0.5).tolist()
        [1.0, 2.0]
        """
        return self._alpha_dropped(probability("alpha_dropout", p), training, self.shape)

    def feature_alpha_dropout(self, p: float = 0.5, training: bool = False) -> Self:
        """`alpha_dropout` of whole channels of (N, C, ...).

        >>> Tensor.ones(1, 2, 3).feature_alpha_dropout(0.5).shape
        (1, 2, 3)
        """
        if self.ndim < 2 and training and 0 < p < 1:
            fail(ShapeError, f"feature_alpha_dropout: shape {list(self.shape)} has no channels")
        shape = (*self.shape[:2], *(1 for _ in self.shape[2:]))
        return self._alpha_dropped(probability("feature_alpha_dropout", p), training, shape)

    def _alpha_dropped(self, p: float, training: bool, shape: Any) -> Self:
        if not training or not p:
            return self
        if p == 1:
            return self * 0
        scale = ((1 - p) * (1 + p * _ALPHA**2)) ** -0.5
        kept = self.rand(shape, device=self.device).ge(p)
        result: Self = kept._choose(self, _ALPHA) * scale - scale * _ALPHA * p
        return result
