"""The transformer of "Attention Is All You Need" (A. Vaswani et al., 2017): from one sequence of tokens to another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lazygrad import nn
from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.index.expr import Dim, dim_max
from lazygrad.models.config import Config, require_divides
from lazygrad.models.pretrained import Sized
from lazygrad.ops.joining import stack
from lazygrad.ops.mode import no_grad
from lazygrad.tensor import Tensor


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(Config):
    """The arguments of `Transformer`."""

    model_type: ClassVar[str] = "lazygrad_transformer"
    architecture: ClassVar[str] = "Transformer"
    layer_counts: ClassVar[tuple[str, ...]] = ("num_encoder_layers", "num_decoder_layers")
    sizes: ClassVar[tuple[str, ...]] = (*layer_counts, "d_model", "num_heads", "d_ff", "vocab_size", "max_seq_len")

    d_model: int
    num_heads: int
    num_encoder_layers: int
    num_decoder_layers: int
    d_ff: int
    vocab_size: int
    max_seq_len: int
    dropout: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require_divides("d_model", "heads", self.d_model, self.num_heads)


def sinusoids(length: Dim, width: int, like: Tensor) -> Tensor:
    """Positions (length, width), of the type of `like`, as waves: from one of 2 pi positions to one of 10000 times
    that, sines and cosines in turn."""

    places = Tensor.arange(length, device=like.device).cast(like.dtype)
    waves = Tensor.arange(0, width, 2, device=like.device).cast(like.dtype)
    turns = places[:, None] * (waves * (-math.log(10000) / width)).exp()
    return stack([turns.sin(), turns.cos()], -1).flatten(-2)[:, :width]


class Transformer(Sized):
    """An encoder reads the source; a decoder writes the target, looking at the source and at what it has written.

    Args:
        d_model, d_ff: channels, and channels inside the MLPs.
        num_heads: attention heads, which divide the channels.
        num_encoder_layers, num_decoder_layers: blocks of each.
        vocab_size: tokens, of source and target alike; each has a table of its own.
        max_seq_len: the most tokens of either.
        dropout: how likely training drops a value.

    >>> net = Transformer(d_model=64, num_heads=4, d_ff=256, vocab_size=16, max_seq_len=32)
    >>> sum(p.numel() for p in net.parameters())
    236560
    >>> net(Tensor([[5, 6, 7]]), Tensor([[1, 7]])).shape
    (1, 2, 16)
    """

    config_class = TransformerConfig
    layer_names: ClassVar[dict[str, str]] = {
        "num_encoder_layers": "encoder.layers.", "num_decoder_layers": "decoder.layers."
    }  # fmt: skip
    config: TransformerConfig

    def __init__(
        self,
        d_model: int = 512,
        num_heads: int = 8,
        num_encoder_layers: int = 2,
        num_decoder_layers: int = 2,
        d_ff: int = 2048,
        vocab_size: int = 16,
        max_seq_len: int = 512,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(
            d_model=d_model, num_heads=num_heads, num_encoder_layers=num_encoder_layers,
            num_decoder_layers=num_decoder_layers, d_ff=d_ff, vocab_size=vocab_size, max_seq_len=max_seq_len,
            dropout=dropout,
        )  # fmt: skip
        settings = (d_model, num_heads, d_ff, dropout)
        encoder_layer = nn.TransformerEncoderLayer(*settings, batch_first=True)
        decoder_layer = nn.TransformerDecoderLayer(*settings, batch_first=True)
        self.source_embedding = nn.Embedding(vocab_size, d_model)
        self.target_embedding = nn.Embedding(vocab_size, d_model)
        self.encoder = nn.TransformerEncoder(encoder_layer, num_encoder_layers)
        self.decoder = nn.TransformerDecoder(decoder_layer, num_decoder_layers)
        self.head = nn.Linear(d_model, vocab_size)
        self.dropout = nn.Dropout(dropout)
        for parameter in self.parameters():
            if parameter.ndim == 2:
                nn.init.xavier_uniform_(parameter)

    def forward(self, source: Tensor, target: Tensor, source_mask: Tensor | None = None) -> Tensor:
        """Logits of the token that follows each of `target`, (batch, length, vocab_size).

        In training `target` is what is to be written, behind a token that starts it and without its last one: position
        i sees positions 0 to i of it, and all of the source.

        Args:
            source: tokens (batch, length).
            target: tokens (batch, length), of as many sequences.
            source_mask: (batch, source's length), 0 where a token is padding, which no token sees.

        ShapeError for sequences that are not of these shapes, or too long.
        """
        return self._decoded(self._encoded(source, source_mask), target, source_mask)

    def _encoded(self, source: Tensor, source_mask: Tensor | None) -> Tensor:
        x: Tensor = self.encoder(self._embedded(source, self.source_embedding), None, _hidden(source_mask))
        return x

    def _decoded(self, memory: Tensor, target: Tensor, source_mask: Tensor | None) -> Tensor:
        if target.shape[0] != memory.shape[0]:
            raise ShapeError(f"Transformer: {memory.shape[0]} sources and {target.shape[0]} targets; give as many")
        time = target.shape[1]
        later = Tensor.ones(time, time, device=target.device).triu(1) != 0
        x = self._embedded(target, self.target_embedding)
        x = self.decoder(x, memory, later, memory_key_padding_mask=_hidden(source_mask))
        return self.head.forward(x)

    def _embedded(self, tokens: Tensor, table: nn.Embedding) -> Tensor:
        if tokens.ndim != 2 or dim_max(tokens.shape[1]) > self.config.max_seq_len:
            raise ShapeError(
                f"Transformer takes tokens of shape (batch, length), length at most {self.config.max_seq_len}; these "
                f"have shape {tuple(tokens.shape)}"
            )
        x = table(tokens) * math.sqrt(self.config.d_model)
        return self.dropout.forward(x + sinusoids(tokens.shape[1], self.config.d_model, x))

    def generate(
        self, source: Tensor, start: int, max_len: int, end: int | None = None, source_mask: Tensor | None = None
    ) -> Tensor:
        """What it writes for each source, (batch, max_len): always the likeliest token after its own ones before.

        Args:
            source: tokens (batch, length).
            start: the token that it starts behind, which is not part of the result.
            max_len: how many tokens, at most `max_seq_len`.
            end: a token behind which all further ones are `end` as well.
            source_mask: as for a call.

        ArgumentError for a length that is not from 1 to `max_seq_len`.
        """
        if not 1 <= max_len <= self.config.max_seq_len:
            raise ArgumentError(f"max_len is {max_len}; this model writes 1 to {self.config.max_seq_len} tokens")
        training = self.training
        self.eval()
        try:
            with no_grad():
                memory = self._encoded(source, source_mask).realize()
                written = np.full((int(memory.shape[0]), max_len + 1), start)
                for k in range(max_len):  # of one length, so that one plan serves all; what comes later is not seen
                    target = Tensor(written[:, :-1], device=source.device)
                    written[:, k + 1] = self._decoded(memory, target, source_mask).argmax(-1).numpy()[:, k]
                    if end is not None and k:
                        written[written[:, k] == end, k + 1] = end
        finally:
            self.train(training)
        return Tensor(written[:, 1:], device=source.device)


def _hidden(mask: Tensor | None) -> Tensor | None:
    return None if mask is None else mask == 0
