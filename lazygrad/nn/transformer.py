"""Transformers: layers of attention, stacks of them, and encoder and decoder together."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from lazygrad.dtype import DTypeLike
from lazygrad.errors import ArgumentError, ShapeError, fail
from lazygrad.nn.attention import MultiheadAttention
from lazygrad.nn.containers import copies
from lazygrad.nn.dropouts import Dropout
from lazygrad.nn.functional import gelu, relu
from lazygrad.nn.init import xavier_uniform_
from lazygrad.nn.linear import Linear
from lazygrad.nn.module import Module
from lazygrad.nn.normalization import LayerNorm
from lazygrad.tensor import Tensor

Activation = str | Callable[[Tensor], Tensor]
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": relu, "gelu": gelu}


class _Layer(Module):
    """What both kinds of layers have: attention to itself and two linear layers, each added to its input."""

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        if isinstance(activation, str) and activation not in _ACTIVATIONS:
            fail(ArgumentError, f"{type(self).__name__}: activation is relu, gelu or a function, not {activation!r}")
        for name in self._attentions:
            attention = MultiheadAttention(
                d_model, nhead, dropout, bias, batch_first=batch_first, device=device, dtype=dtype
            )
            setattr(self, name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias, device, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, device, dtype)
        self.norm_first = norm_first
        parts = range(1, len(self._attentions) + 2)
        for k in parts:
            setattr(self, f"norm{k}", LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype))
        for k in parts:
            setattr(self, f"dropout{k}", Dropout(dropout))
        self.activation = _ACTIVATIONS[activation] if isinstance(activation, str) else activation

    _attentions: tuple[str, ...] = ("self_attn",)
    self_attn: MultiheadAttention

    def _add(self, x: Tensor, part: int, function: Callable[[Tensor], Tensor]) -> Tensor:
        """`x` with `function` of it added, normalized before or after that."""
        norm, dropout = getattr(self, f"norm{part}"), getattr(self, f"dropout{part}")
        added: Tensor = x + dropout(function(norm(x) if self.norm_first else x))
        return added if self.norm_first else norm(added)

    def _feed_forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.linear2(self.dropout(self.activation(self.linear1(x))))
        return result


class TransformerEncoderLayer(_Layer):
    """Attention of a sequence to itself, then two linear layers; each is added to its input and normalized.

    Args:
        d_model: features of the input and of the result.
        nhead: heads, which divide d_model.
        dim_feedforward: features between the linear layers.
        dropout: the probability with which features and weights are dropped in training.
        activation: 'relu', 'gelu', or a function of tensors, between the linear layers.
        layer_norm_eps: of the normalizations.
        batch_first: inputs are (batch, length, d_model), not (length, batch, d_model).
        norm_first: the parts get their input normalized, instead of the sum being normalized.
        bias: whether the linear layers and the normalizations have one.

    >>> nn.TransformerEncoderLayer(8, 2, 16)(Tensor.ones(5, 3, 8)).shape
    (5, 3, 8)
    """

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """The same shape. The masks are those of `MultiheadAttention`."""

        def attend(x: Tensor) -> Tensor:
            y: Tensor = self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)[0]
            return y

        return self._add(self._add(src, 1, attend), 2, self._feed_forward)


class TransformerDecoderLayer(_Layer):
    """Attention of a sequence to itself, then to what an encoder made of another one, then two linear layers.

    The arguments are those of `TransformerEncoderLayer`.

    >>> nn.TransformerDecoderLayer(8, 2, 16)(Tensor.ones(5, 3, 8), Tensor.ones(7, 3, 8)).shape
    (5, 3, 8)
    """

    _attentions = ("self_attn", "multihead_attn")
    multihead_attn: MultiheadAttention

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The shape of `tgt`. The masks are those of `MultiheadAttention`."""

        def attend(x: Tensor) -> Tensor:
            y: Tensor = self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0]
            return y

        def look_up(x: Tensor) -> Tensor:
            masks = (memory_key_padding_mask, False, memory_mask)
            y: Tensor = self.multihead_attn(x, memory, memory, *masks, is_causal=memory_is_causal)[0]
            return y

        return self._add(self._add(self._add(tgt, 1, attend), 2, look_up), 3, self._feed_forward)


class TransformerEncoder(Module):
    """`num_layers` copies of a layer, one after the other, and a normalization after them if one is given.

    `enable_nested_tensor` and `mask_check` are accepted for PyTorch's sake.

    >>> layer = nn.TransformerEncoderLayer(8, 2, 16)
    >>> nn.TransformerEncoder(layer, 2)(Tensor.ones(5, 3, 8)).shape
    (5, 3, 8)
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Callable[..., Any] | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = copies(type(self).__name__, encoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """The same shape."""
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, is_causal=bool(is_causal))
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """`num_layers` copies of a layer, one after the other, and a normalization after them if one is given.

    >>> layer = nn.TransformerDecoderLayer(8, 2, 16)
    >>> nn.TransformerDecoder(layer, 2)(Tensor.ones(5, 3, 8), Tensor.ones(7, 3, 8)).shape
    (5, 3, 8)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Callable[..., Any] | None = None) -> None:
        super().__init__()
        self.layers = copies(type(self).__name__, decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The shape of `tgt`."""
        masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        for layer in self.layers:
            tgt = layer(tgt, memory, *masks, bool(tgt_is_causal), memory_is_causal)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder and a decoder that looks up what the encoder made.

    Args:
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias: those of
            `TransformerEncoderLayer`.
        num_encoder_layers, num_decoder_layers: how many layers there are.
        custom_encoder, custom_decoder: modules that take their places.

    Weights of two dimensions start as `nn.init.xavier_uniform_`.

    >>> net = nn.Transformer(8, 2, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=16)
    >>> net(Tensor.ones(7, 3, 8), Tensor.ones(5, 3, 8)).shape
    (5, 3, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = relu,
        custom_encoder: Callable[..., Any] | None = None,
        custom_decoder: Callable[..., Any] | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        settings = (dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device, dtype)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)

        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(d_model, nhead, *settings), num_encoder_layers, norm()
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(d_model, nhead, *settings), num_decoder_layers, norm()
        )
        for p in self.parameters():
            if p.ndim > 1:
                xavier_uniform_(p)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """What the decoder makes of `tgt`, of its shape."""
        batch = 0 if self.batch_first else 1
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            fail(ShapeError, f"Transformer: both inputs have {self.d_model} features, not {src.shape}, {tgt.shape}")
        if src.ndim == 3 and src.shape[batch] != tgt.shape[batch]:
            fail(ShapeError, f"Transformer: batches of {list(src.shape)} and {list(tgt.shape)} differ")
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        result: Tensor = self.decoder(tgt, memory, *masks, tgt_is_causal, memory_is_causal)
        return result

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: str | None = None, dtype: DTypeLike | None = None) -> Tensor:
        """The mask (sz, sz) that hides later positions: -inf above the diagonal, else 0.

        >>> nn.Transformer.generate_square_subsequent_mask(2).tolist()
        [[0.0, -inf], [0.0, 0.0]]
        """
        return Tensor.full((sz, sz), -math.inf, dtype=dtype, device=device).triu(1)
