"""Attention of several heads as a layer, and PyTorch's settings of how attention is computed."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lazygrad.dtype import DTypeLike
from lazygrad.errors import ArgumentError, fail
from lazygrad.nn.functions.attention import multi_head_attention_forward
from lazygrad.nn.init import xavier_normal_, xavier_uniform_, zeros_
from lazygrad.nn.linear import Linear
from lazygrad.nn.module import Module
from lazygrad.tensor import Tensor


class MultiheadAttention(Module):
    """`num_heads` attentions side by side, each over embed_dim / num_heads features, between linear layers.

    Args:
        embed_dim: features of the queries and of the result.
        num_heads: divides embed_dim.
        dropout: the probability with which weights are dropped in training.
        bias: whether the linear layers have one.
        add_bias_kv: learn one more key and value.
        add_zero_attn: one more key and value are zeros.
        kdim, vdim: features of keys and values (embed_dim unless given).
        batch_first: inputs are (batch, length, features), not (length, batch, features).

    The weights are named and start as PyTorch's. See A. Vaswani et al., "Attention Is All You Need", 2017.

    >>> y, weights = nn.MultiheadAttention(4, 2, batch_first=True)(*[Tensor.ones(3, 5, 4)] * 3)
    >>> y.shape, weights.shape
    ((3, 5, 4), (3, 5, 5))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0 or embed_dim % num_heads:
            fail(ArgumentError, f"MultiheadAttention: {num_heads} heads do not divide embed_dim {embed_dim}")
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim, self.vdim = kdim or embed_dim, vdim or embed_dim
        self.head_dim, self.add_zero_attn = embed_dim // num_heads, add_zero_attn

        def zeros(*shape: int) -> Tensor:
            return Tensor.zeros(*shape, device=device, dtype=dtype, requires_grad=True)

        one = self.kdim == self.vdim == embed_dim
        self.in_proj_weight = zeros(3 * embed_dim, embed_dim) if one else None
        self.q_proj_weight = None if one else zeros(embed_dim, embed_dim)
        self.k_proj_weight = None if one else zeros(embed_dim, self.kdim)
        self.v_proj_weight = None if one else zeros(embed_dim, self.vdim)
        self.in_proj_bias = zeros(3 * embed_dim) if bias else None
        self.bias_k = zeros(1, 1, embed_dim) if add_bias_kv else None
        self.bias_v = zeros(1, 1, embed_dim) if add_bias_kv else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, device, dtype)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Initial values anew, in place; the weight of the output stays."""
        for name, p in self.named_parameters(recurse=False):
            start = zeros_ if name == "in_proj_bias" else xavier_normal_ if p.ndim == 3 else xavier_uniform_
            start(p)
        if self.out_proj.bias is not None:
            zeros_(self.out_proj.bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The result, of the queries' shape, and the weights or None; `F.multi_head_attention_forward` says more."""
        turned = self.batch_first and query.ndim == 3
        if turned:
            same = query is key and key is value
            query = query.transpose(0, 1)
            key, value = (query, query) if same else (key.transpose(0, 1), value.transpose(0, 1))
        y, weights = multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            self.training,
            key_padding_mask,
            need_weights,
            attn_mask,
            self.in_proj_weight is None,
            self.q_proj_weight,
            self.k_proj_weight,
            self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return y.transpose(0, 1) if turned else y, weights


class SDPBackend(enum.IntEnum):
    """PyTorch's ways to compute `scaled_dot_product_attention`. Here it is one way, which stores no weights."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextmanager
def sdpa_kernel(backends: Sequence[SDPBackend] | SDPBackend, set_priority: bool = False) -> Iterator[None]:
    """Accepts the ways that attention may be computed in. ArgumentError for what is none of them.

    >>> from lazygrad.nn.attention import SDPBackend, sdpa_kernel
    >>> with sdpa_kernel([SDPBackend.MATH]):
    ...     nn.functional.scaled_dot_product_attention(*[Tensor.ones(1, 2, 2)] * 3).shape
    (1, 2, 2)
    """
    given = [backends] if isinstance(backends, SDPBackend) else list(backends)
    if not given or not all(isinstance(way, SDPBackend) for way in given):
        fail(ArgumentError, f"sdpa_kernel: {backends!r} are no SDPBackends; give one, or a list of them")
    yield


@contextmanager
def sdp_kernel(
    enable_flash: bool = True, enable_math: bool = True, enable_mem_efficient: bool = True, enable_cudnn: bool = True
) -> Iterator[None]:
    """`sdpa_kernel` by its older arguments. ArgumentError if none is enabled.

    >>> with sdp_kernel(enable_flash=False): pass
    """
    if not (enable_flash or enable_math or enable_mem_efficient or enable_cudnn):
        fail(ArgumentError, "sdp_kernel: no way to compute attention is left; enable one")
    yield
