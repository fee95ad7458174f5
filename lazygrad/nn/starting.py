"""How the parameters of layers start, when they are made and when they are reset."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lazygrad.dtype import DTypeLike, as_dtype, get_default_dtype
from lazygrad.nn.init import constant_, uniform_
from lazygrad.nn.module import Module
from lazygrad.ops.arguments import new_shape
from lazygrad.tensor import Tensor


def within(shape: tuple[int, ...], fan_in: int, dtype: DTypeLike | None, device: str | None) -> Tensor:
    """A parameter of uniform numbers within 1 / sqrt(fan_in); zeros where nothing comes in."""
    new_shape(shape, "weight")
    dtype = as_dtype(dtype, get_default_dtype())
    if not fan_in:
        return Tensor.zeros(*shape, dtype=dtype, device=device, requires_grad=True)
    bound = 1 / math.sqrt(fan_in)
    return Tensor.uniform(*shape, low=-bound, high=bound, dtype=dtype, device=device, requires_grad=True)


def filled(shape: Sequence[int], value: float, device: str | None, dtype: DTypeLike | None) -> Tensor:
    """A parameter that is `value` everywhere, float32 unless told."""
    kind = as_dtype(dtype, get_default_dtype())
    return Tensor.full(tuple(shape), value, device=device, dtype=kind, requires_grad=True)


class StartsWithin(Module):
    """Base of layers whose parameters start `within` 1 / sqrt(`_fan_in`)."""

    @property
    def _fan_in(self) -> int:
        raise NotImplementedError

    def reset_parameters(self) -> None:
        """Initial values anew, in place: uniform numbers.

        >>> layer = nn.Linear(4, 2)
        >>> layer.reset_parameters()
        >>> bool((layer.weight.abs() <= 0.5).all())
        True
        """
        bound = 1 / math.sqrt(self._fan_in) if self._fan_in else 0.0
        for p in self.parameters(recurse=False):
            uniform_(p, -bound, bound)


class StartsAsIs(Module):
    """Base of layers whose weight starts as ones and their bias as zeros: they pass on what they are given."""

    def reset_parameters(self) -> None:
        """Initial values anew, in place: ones and zeros.

        >>> layer = nn.LayerNorm(2)
        >>> layer.reset_parameters()
        >>> layer.weight.tolist()
        [1.0, 1.0]
        """
        for name, p in self.named_parameters(recurse=False):
            constant_(p, 1.0 if name == "weight" else 0.0)
