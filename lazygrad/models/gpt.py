"""A GPT as nanoGPT has it: learned positions, layer norm before each part, and a head tied to the token embedding."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lazygrad import nn
from lazygrad.errors import ArgumentError, BoundsError, FileFormatError, ShapeError
from lazygrad.index.expr import Dim, dim_max
from lazygrad.index.variable import Variable
from lazygrad.io.json_table import make_plain
from lazygrad.models.config import MOST_LAYERS, Config
from lazygrad.models.pretrained import Pretrained
from lazygrad.ops.jit import jit
from lazygrad.ops.mode import no_grad
from lazygrad.tensor import Tensor
from lazygrad.text.sampling import check_sampling, sample


@dataclass(frozen=True)
class GPTConfig(Config):
    """The sizes of a GPT; the defaults are nanoGPT's for a CPU.

    Args:
        vocabulary: how many tokens there are.
        layers, heads, width: blocks, attention heads in each, and channels, a multiple of `heads`.
        context: the most tokens that the model sees at once.
        dropout: probability, in [0, 1), that a training step drops a value.
        bias: whether linear layers and layer norms have one.
    """

    model_type: ClassVar[str] = "lazygrad_gpt"
    architecture: ClassVar[str] = "GPT"

    vocabulary: int
    layers: int = 4
    heads: int = 4
    width: int = 128
    context: int = 64
    dropout: float = 0.0
    bias: bool = False

    def __post_init__(self) -> None:
        make_plain(self)
        for field in fields(self):
            if field.type == "int" and getattr(self, field.name) < 1:
                raise ArgumentError(f"{field.name} is {getattr(self, field.name)}; a GPT needs at least 1")
        if self.layers > MOST_LAYERS:
            raise ArgumentError(f"layers is {self.layers}; a GPT has at most {MOST_LAYERS}")
        if self.width % self.heads:
            raise ArgumentError(
                f"width {self.width} does not divide among {self.heads} heads; "
                f"use a multiple of the heads, such as {math.ceil(self.width / self.heads) * self.heads}"
            )
        if not 0 <= self.dropout < 1:
            raise ArgumentError(f"dropout is {self.dropout}; use a probability from 0 to below 1")

    def differences(self, other: GPTConfig) -> dict[str, tuple[object, object]]:
        """Field -> (here, there), for the fields that differ."""
        mine, theirs = asdict(self), asdict(other)
        return {name: (mine[name], theirs[name]) for name in mine if mine[name] != theirs[name]}

    def require_stored(self, path: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Raise FileFormatError where these are not the sizes of the parameters stored in a file.

        For what a file says of itself: a model of its sizes is made only once it has parameters of them.
        """
        for weight, sizes in (("wte.weight", ("vocabulary", "width")), ("wpe.weight", ("context", "width"))):
            there, here = shapes.get(weight), tuple(getattr(self, name) for name in sizes)
            if there != here:
                has = "has none" if there is None else f"has one of shape {list(there)}"
                told = f"{sizes[0]} {here[0]} and {sizes[1]} {here[1]}, so a {weight} of shape {list(here)}"
                raise FileFormatError(path, f"says that its model has {told}; it {has}")
        layers = len({name.split(".")[1] for name in shapes if name.startswith("h.")})
        if layers != self.layers:
            raise FileFormatError(path, f"says that its model has {self.layers} layers; it has tensors of {layers}")


class Attention(nn.Module):
    """Each position gathers from itself and the positions before it: (batch, time, width) to the same."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.c_attn = nn.Linear(config.width, 3 * config.width, bias=config.bias)
        self.c_proj = nn.Linear(config.width, config.width, bias=config.bias)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        batch, time, width = x.shape
        q, k, v = (
            part.reshape(batch, time, self.heads, width // self.heads).transpose(1, 2)
            for part in self.c_attn(x).split(width, dim=-1)
        )
        dropout = self.dropout if self.training else 0.0
        y: Tensor = q.scaled_dot_product_attention(k, v, dropout_p=dropout, is_causal=True)
        y = self.c_proj(y.transpose(1, 2).reshape(batch, time, width))
        return self.drop.forward(y)


class MLP(nn.Module):
    """Two linear layers with a GELU between them, four times as wide inside."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.c_fc = nn.Linear(config.width, 4 * config.width, bias=config.bias)
        self.c_proj = nn.Linear(4 * config.width, config.width, bias=config.bias)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.drop.forward(self.c_proj(self.c_fc(x).gelu()))


class Block(nn.Module):
    """Attention and MLP, each added to what it reads through a layer norm."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.width, bias=config.bias)
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config.width, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn.forward(self.ln_1(x))
        return x + self.mlp.forward(self.ln_2(x))


class GPT(Pretrained):
    """Predicts the next token at every position. Parameters have GPT-2's names.

    The weights come from `Tensor.randn`, so `manual_seed` decides them.

    >>> model = GPT(GPTConfig(vocabulary=65))
    >>> model.parameter_count()
    804096
    """

    config_class = GPTConfig
    layer_names: ClassVar[dict[str, str]] = {"layers": "h."}
    config: GPTConfig

    def __init__(self, config: GPTConfig) -> None:
        super().__init__(config)
        self.wte = nn.Embedding(config.vocabulary, config.width)
        self.wpe = nn.Embedding(config.context, config.width)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList([Block(config) for _ in range(config.layers)])
        self.ln_f = nn.LayerNorm(config.width, bias=config.bias)
        self._initialize()
        self._time = Variable("time", 1, config.context)
        self._next_logits = jit(self._last_logits)

    def _initialize(self) -> None:
        """N(0, 0.02); what is added to the residual stream is smaller, because 2 * layers such terms add up."""
        residual = 0.02 / math.sqrt(2 * self.config.layers)
        self._draw_weights(lambda name: residual if name.endswith("c_proj.weight") else 0.02)

    @property
    def device(self) -> str:
        """Where the parameters are."""
        return self.wte.weight.device

    def parameter_count(self) -> int:
        """How many numbers are trained; the head shares the token embedding's."""
        return sum(int(p.numel()) for p in self.parameters())

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of the next token: integer tokens (batch, time), time <= context, to (batch, time, vocabulary).

        Raises:
            ShapeError: tokens that are not (batch, time), or more than `context` of them.
        """
        return self._head(self._hidden(tokens))

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy, in nats per token, of `targets` (batch, time), the tokens that follow `tokens`."""
        logits = self.forward(tokens)
        return logits.reshape(-1, self.config.vocabulary).cross_entropy(targets.reshape(-1))

    def _hidden(self, tokens: Tensor) -> Tensor:
        if tokens.ndim != 2 or dim_max(tokens.shape[1]) > self.config.context:
            raise ShapeError(
                f"a GPT takes tokens of shape (batch, time), time at most {self.config.context}; these have shape "
                f"{tuple(tokens.shape)}: keep the last {self.config.context}, or make a model with a larger context"
            )
        x: Tensor = self.drop(self.wte(tokens) + self.wpe.weight[: tokens.shape[1]])
        for block in self.h:
            x = block(x)
        return x

    def _head(self, x: Tensor) -> Tensor:
        return self.ln_f.forward(x).linear(self.wte.weight)

    def _last_logits(self, window: Tensor, time: Dim) -> Tensor:
        """Logits (1, 1, vocabulary) after the first `time` tokens of `window` (1, context)."""
        with no_grad():
            return self._head(self._hidden(window[:, :time])[:, time - 1 : time])

    def next_logits(self, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        """Logits, of shape (vocabulary,), of the token that follows the last `context` of `tokens`.

        How many they are is a variable, so that one compiled plan serves every length.
        """
        window = np.zeros((1, self.config.context), dtype=np.int64)
        last = tokens[-self.config.context :]
        window[0, : len(last)] = last
        training = self.training
        self.eval()
        try:
            logits = self._next_logits(Tensor(window, device=self.device), self._time.bind(len(last))).numpy()
        finally:
            self.train(training)
        return np.asarray(logits, dtype=np.float32).reshape(-1)

    def generate(
        self,
        prompt: Sequence[int],
        max_new_tokens: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: np.random.Generator | None = None,
    ) -> Iterator[int]:
        """Continue `prompt`, yielding each new token as soon as it is drawn.

        All of the prompt counts, up to the last `context` tokens; the same `generator` state gives the same tokens.

        Args:
            prompt: at least one token.
            temperature, top_k: as in `lazygrad.text.sample`.

        Raises:
            ArgumentError: an empty prompt or a bad temperature, top_k or count.
            BoundsError: a token outside the vocabulary.
        """
        check_sampling(temperature, top_k)
        tokens = [int(token) for token in prompt]
        if not tokens or max_new_tokens < 0:
            raise ArgumentError(
                f"generate takes a prompt of at least one token and a count from 0; "
                f"these are {len(tokens)} tokens and {max_new_tokens}"
            )
        bad = next((token for token in tokens if not 0 <= token < self.config.vocabulary), None)
        if bad is not None:
            raise BoundsError(f"the prompt has token {bad}, outside the vocabulary's 0..{self.config.vocabulary - 1}")
        drawn = np.random.default_rng() if generator is None else generator
        return self._stream(tokens, max_new_tokens, temperature, top_k, drawn)

    def _stream(
        self, tokens: list[int], count: int, temperature: float, top_k: int | None, generator: np.random.Generator
    ) -> Iterator[int]:
        for _ in range(count):
            token = sample(self.next_logits(tokens), generator, temperature, top_k)
            tokens.append(token)
            yield token
