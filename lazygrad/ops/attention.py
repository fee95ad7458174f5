"""Scaled dot-product attention, written out: making one kernel of it is the scheduler's business."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.ops.chance import Chance
from lazygrad.ops.core import Core, fail
from lazygrad.ops.diagonals import below_diagonal
from lazygrad.ops.joining import Joining
from lazygrad.ops.matmul import Matmul
from lazygrad.ops.normalize import Normalize

if TYPE_CHECKING:
    from typing_extensions import Self


class Attention(Normalize, Matmul, Joining, Chance):
    """Attention."""

    __slots__ = ()

    def scaled_dot_product_attention(
        self,
        key: Core,
        value: Core,
        attn_mask: Core | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Self:
        """softmax(self @ key.mT * scale + mask) @ value, this tensor being the queries.

        Queries (..., L, d), keys (..., S, d) and values (..., S, e) give (..., L, e). A boolean mask keeps where it is
        true, a floating one is added; both broadcast to (..., L, S). `is_causal` lets query i see keys 0 to i. A query
        that sees no key gives 0, without a gradient.
        `scale` is 1 / sqrt(d) unless given; `dropout_p` drops weights (always: pass 0 outside training). With
        `enable_gqa`, each head of keys and values (dim -3) serves as many heads of queries as there are for one.

        >>> q = k = v = Tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> q.scaled_dot_product_attention(k, v, is_causal=True)[0].tolist()
        [1.0, 0.0]
        """
        what = "scaled_dot_product_attention"
        self._same_device(what, key, value, *(() if attn_mask is None else (attn_mask,)))
        if min(self.ndim, key.ndim, value.ndim) < 2 or key.shape[-2] != value.shape[-2]:
            shapes = ", ".join(str(list(t.shape)) for t in (self, key, value))
            fail(ShapeError, f"{what}: queries, keys and values of shapes {shapes} do not fit")
        if attn_mask is not None and is_causal:
            fail(ArgumentError, f"{what}: give attn_mask or is_causal, not both")
        if enable_gqa:
            key, value = (self._for_heads(what, self._beside(t)) for t in (key, value))
        width = self._known(what, -1)
        factor = (1 / math.sqrt(width) if width else 1.0) if scale is None else scale
        scores = self.matmul(self._beside(key).mT) * factor
        if is_causal:
            scores = self._new(below_diagonal(scores.shape[-2:], 0))._choose(scores, -math.inf)
        elif attn_mask is not None:
            mask = self._beside(attn_mask)
            scores = mask._choose(scores, -math.inf) if mask.dtype.is_bool else scores + mask
        sees_all = attn_mask is None and scores.shape[-1] != 0
        weights = scores.softmax(-1) if sees_all else scores._softmax_or_nothing()
        return weights.dropout(dropout_p).matmul(value)

    def _for_heads(self, what: str, x: Self) -> Self:
        """Keys or values repeated for as many heads as these queries have."""
        if min(self.ndim, x.ndim) < 3 or (heads := self._known(what, -3)) % (own := x._known(what, -3)):
            fail(ShapeError, f"{what}: the heads of {list(x.shape)} do not divide those of {list(self.shape)}")
        before, after = x.shape[:-2], x.shape[-2:]
        return x.unsqueeze(-3).expand((*before, heads // own, *after)).reshape((*before[:-1], heads, *after))
