"""einops' layers, as `einops.layers.torch` has them: `Rearrange`, `Reduce` and `EinMix`. Needs the package einops."""

from __future__ import annotations

from typing import Any

import einops.layers
import einops.layers._einmix

from lazygrad.nn.module import Module
from lazygrad.nn.parameter import Parameter
from lazygrad.ops.einsum import einsum
from lazygrad.tensor import Tensor

__all__ = ["EinMix", "Rearrange", "Reduce"]


class Rearrange(einops.layers.RearrangeMixin, Module):  # type: ignore[misc]
    """`einops.rearrange` as a layer.

    >>> from lazygrad.nn.einops import Rearrange
    >>> Rearrange("b (h w) -> b h w", h=2)(Tensor.zeros(3, 8)).shape
    (3, 2, 4)
    """

    def forward(self, input: Tensor) -> Tensor:
        """`input` in another order and shape."""
        return self._apply_recipe(input)  # type: ignore[no-any-return]


class Reduce(einops.layers.ReduceMixin, Module):  # type: ignore[misc]
    """`einops.reduce` as a layer.

    >>> from lazygrad.nn.einops import Reduce
    >>> Reduce("b (n two) -> b n", "max", two=2)(Tensor([[1.0, 2.0, 4.0, 3.0]])).tolist()
    [[2.0, 4.0]]
    """

    def forward(self, input: Tensor) -> Tensor:
        """`input` with axes reduced."""
        return self._apply_recipe(input)  # type: ignore[no-any-return]


class EinMix(einops.layers._einmix._EinmixMixin, Module):  # type: ignore[misc]
    """An einsum with a weight and a bias of its own, described by a pattern.

    >>> from lazygrad.nn.einops import EinMix
    >>> mix = EinMix("b (h c) -> b h d", weight_shape="h c d", bias_shape="h d", h=2, c=3, d=5)
    >>> mix(Tensor.zeros(7, 6)).shape, mix.weight.shape
    ((7, 2, 5), (2, 3, 5))
    """

    weight: Parameter
    bias: Parameter | None

    def _create_parameters(
        self, weight_shape: list[int], weight_bound: float, bias_shape: list[int] | None, bias_bound: float
    ) -> None:
        self.weight = _uniform(weight_shape, weight_bound)
        self.bias = None if bias_shape is None else _uniform(bias_shape, bias_bound)

    def _create_rearrange_layers(
        self, before: str | None, lengths_before: Any, after: str | None, lengths_after: Any
    ) -> None:
        make: Any = Rearrange
        self.pre_rearrange = make(before, **lengths_before) if before is not None else None
        self.post_rearrange = make(after, **lengths_after) if after is not None else None

    def forward(self, input: Tensor) -> Tensor:
        """The einsum of `input` and the weight, plus the bias."""
        x = input if self.pre_rearrange is None else self.pre_rearrange(input)
        mixed: Tensor = einsum(self.einsum_pattern, x, self.weight)
        mixed = mixed if self.bias is None else mixed + self.bias
        return mixed if self.post_rearrange is None else self.post_rearrange(mixed)


def _uniform(shape: list[int], bound: float) -> Parameter:
    return Parameter(Tensor.zeros(*shape).uniform_(-bound, bound))
