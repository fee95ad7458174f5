"""Attention that does not see the future, paddings, or what lies too far back."""

from __future__ import annotations

from lazygrad.index.expr import dim_max
from lazygrad.tensor import Tensor


def causal_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, window: int | None = None, dropout: float = 0.0
) -> Tensor:
    """Values gathered by each position from itself and those before it, (batch, heads, time, features) like `q`.

    Args:
        k, v: (batch, heads or fewer, time, features): each serves as many heads of `q` as there are for one.
        mask: (batch, time), 0 where a position is padding that none sees.
        window: how many positions, itself included, each sees at most; None for all.
        dropout: how likely a weight is dropped.
    """
    grouped = q.shape[1] != k.shape[1]
    time = q.shape[2]
    if mask is None and (window is None or dim_max(time) <= window):
        return q.scaled_dot_product_attention(k, v, dropout_p=dropout, is_causal=True, enable_gqa=grouped)
    here = Tensor.arange(time, device=q.device)
    back = here[:, None] - here[None, :]
    seen = back >= 0
    if window is not None:
        seen = seen & (back < window)
    if mask is not None:
        seen = seen & (mask != 0)[:, None, None, :]
    return q.scaled_dot_product_attention(k, v, seen, dropout, enable_gqa=grouped)
