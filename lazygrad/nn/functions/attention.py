"""Attention of several heads, with its projections, as a function of its weights."""

from __future__ import annotations

import math

from lazygrad.errors import ArgumentError, DTypeError, ShapeError, fail
from lazygrad.ops.joining import cat
from lazygrad.tensor import Tensor

_WHAT = "multi_head_attention_forward"


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """What `nn.MultiheadAttention` computes, from queries (L, N, E) and keys and values (S, N, ...).

    Without the N, they are one sequence. `in_proj_weight` (3E, E) are the weights of queries, keys and values in one,
    or with `use_separate_proj_weight` those three are given apart. `bias_k`, `bias_v` (1, 1, E) are one more key and
    value; `add_zero_attn` adds another one of zeros. `static_k`, `static_v` (N * num_heads, S, E / num_heads) take the
    places of the projected ones. Masks are true, or -inf, where a key is not seen: `key_padding_mask` (N, S),
    `attn_mask` (L, S) or (N * num_heads, L, S); `is_causal` is a hint that `attn_mask` is the causal one.

    Gives (L, N, E), and with `need_weights` the weights, averaged over the heads (N, L, S) or of each of them
    (N, num_heads, L, S). ShapeError for what does not fit.

    >>> x, w = Tensor.ones(3, 2, 4), Tensor.ones(12, 4)
    >>> attend = nn.functional.multi_head_attention_forward
    >>> y, weights = attend(x, x, x, 4, 2, w, None, None, None, False, 0.0, Tensor.ones(4, 4), None)
    >>> y.shape, weights.shape
    ((3, 2, 4), (2, 3, 3))
    """
    _check(query, key, value, embed_dim_to_check, num_heads, key_padding_mask)
    weights = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else in_proj_weight
    if query.ndim == 2:
        query, key, value = (t.unsqueeze(1) for t in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
        squeezed = True
    else:
        squeezed = False
    if is_causal and attn_mask is None:
        fail(ArgumentError, f"{_WHAT}: is_causal is a hint about attn_mask, which is needed; see Transformer's method")
    mask = _merged(query, key, num_heads, attn_mask, key_padding_mask)
    q, k, v = _projected(query, key, value, weights, in_proj_bias)
    if bias_k is not None and bias_v is not None:
        more = [b.expand(1, k.shape[1], b.shape[-1]) for b in (bias_k, bias_v)]
        k, v = cat([k, more[0]]), cat([v, more[1]])
    q, k, v = (_heads(t, num_heads) for t in (q, k, v))
    k, v = (
        t if s is None else s.reshape(k.shape[0], num_heads, *s.shape[1:]) for t, s in ((k, static_k), (v, static_v))
    )
    if add_zero_attn:
        k, v = k.pad((0, 0, 0, 1)), v.pad((0, 0, 0, 1))
    if mask is not None:
        mask = mask.pad((0, (bias_k is not None) + add_zero_attn))
    y, seen = _attend(q, k, v, mask, dropout_p if training else 0.0, need_weights)
    y = y.permute(2, 0, 1, 3).flatten(2).linear(out_proj_weight, out_proj_bias)
    if seen is not None and average_attn_weights:
        seen = seen.mean(1)
    if squeezed:
        return y.squeeze(1), None if seen is None else seen.squeeze(0)
    return y, seen


def _check(query: Tensor, key: Tensor, value: Tensor, width: int, heads: int, padding: Tensor | None) -> None:
    n = query.ndim
    if n not in (2, 3) or key.ndim != n or value.ndim != n or (padding is not None and padding.ndim != n - 1):
        given = [list(t.shape) for t in (query, key, value, padding) if t is not None]
        fail(ShapeError, f"{_WHAT}: queries, keys, values and their mask of shapes {given} do not go together")
    if query.shape[-1] != width or width % heads:
        fail(ShapeError, f"{_WHAT}: {query.shape[-1]} features are not {heads} heads of embed_dim {width} together")
    if key.shape[:-1] != value.shape[:-1]:
        fail(ShapeError, f"{_WHAT}: keys {list(key.shape)} and values {list(value.shape)} are not as many")


def _projected(
    query: Tensor, key: Tensor, value: Tensor, weights: Tensor | tuple[Tensor | None, ...] | None, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    if weights is None or (isinstance(weights, tuple) and None in weights):
        fail(ArgumentError, f"{_WHAT}: the weights of the projections are missing")
    if isinstance(weights, Tensor) and query is key and key is value:
        q, k, v = query.linear(weights, bias).chunk(3, -1)
        return q, k, v
    three = weights.chunk(3) if isinstance(weights, Tensor) else weights
    biases = (None, None, None) if bias is None else bias.chunk(3)
    q, k, v = (x.linear(w, b) for x, w, b in zip((query, key, value), three, biases) if w is not None)
    return q, k, v


def _heads(x: Tensor, heads: int) -> Tensor:
    """(length, batch, features) to (batch, heads, length, features of one)."""
    return x.reshape(*x.shape[:2], heads, x.shape[2] // heads).permute(1, 2, 0, 3)


def added_mask(mask: Tensor, dtype: object, what: str) -> Tensor:
    """A mask as what is added to scores: -inf where a boolean one is true. DTypeError for integers.

    >>> added_mask(Tensor([True, False]), dtypes.float32, "attn_mask").tolist()
    [-inf, 0.0]
    """
    if mask.dtype.is_float:
        return mask
    if not mask.dtype.is_bool:
        fail(DTypeError, f"{what} is a bool or a float, not {mask.dtype}")
    zeros = Tensor.zeros(mask.shape, dtype=dtype, device=mask.device)  # type: ignore[arg-type]
    return zeros.masked_fill(mask, -math.inf)


def _merged(query: Tensor, key: Tensor, heads: int, attn: Tensor | None, padding: Tensor | None) -> Tensor | None:
    """Both masks in one that broadcasts to (batch, heads, length, keys)."""
    length, batch, keys = query.shape[0], query.shape[1], key.shape[0]
    merged = None
    if attn is not None:
        if attn.shape not in ((length, keys), (batch * heads, length, keys)):
            wanted = f"{[length, keys]} or {[batch * heads, length, keys]}"
            fail(ShapeError, f"{_WHAT}: attn_mask is of shape {wanted}, not {list(attn.shape)}")
        merged = added_mask(attn, query.dtype, "attn_mask")
        merged = merged.reshape(batch, heads, length, keys) if attn.ndim == 3 else merged
    if padding is not None:
        if padding.shape != (batch, keys):
            fail(ShapeError, f"{_WHAT}: key_padding_mask is of shape {[batch, keys]}, not {list(padding.shape)}")
        hidden = added_mask(padding, query.dtype, "key_padding_mask").reshape(batch, 1, 1, keys)
        merged = hidden if merged is None else merged + hidden
    return merged


def _attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float, need_weights: bool
) -> tuple[Tensor, Tensor | None]:
    if not need_weights:
        return q.scaled_dot_product_attention(k, v, mask, dropout), None
    scores = (q * math.sqrt(1 / int(q.shape[-1]))).matmul(k.mT)
    weights = (scores if mask is None else scores + mask).softmax(-1).dropout(dropout)
    return weights.matmul(v), weights
