"""GPT-2, as OpenAI published it and Hugging Face stores it: the head is the token embedding's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lazygrad import nn
from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.index.expr import dim_max
from lazygrad.models.config import LanguageConfig, require_divides
from lazygrad.models.masks import causal_attention
from lazygrad.models.pretrained import Pretrained
from lazygrad.tensor import Tensor

_SIZES = {"gpt2": (12, 12, 768), "gpt2-medium": (24, 16, 1024), "gpt2-large": (36, 20, 1280), "gpt2-xl": (48, 25, 1600)}


@dataclass(frozen=True, kw_only=True)
class GPT2Config(LanguageConfig):
    """The sizes of a GPT-2, by the names in its `config.json`; the defaults are those of the small one.

    Args:
        vocab_size, n_positions, n_embd: tokens, the most positions, and channels.
        n_layer, n_head: blocks, and attention heads in each, which divide the channels.
        n_inner: channels inside the MLP; None for four times as many as outside.
        layer_norm_epsilon: added to variances.
        embd_pdrop, attn_pdrop, resid_pdrop: how likely training drops a value of embeddings, of attention's weights,
            and of what a block adds.
    """

    model_type: ClassVar[str] = "gpt2"
    architecture: ClassVar[str] = "GPT2LMHeadModel"
    layer_counts: ClassVar[tuple[str, ...]] = ("n_layer",)
    sizes: ClassVar[tuple[str, ...]] = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "n_inner")
    other_names: ClassVar[dict[str, str]] = {
        "hidden_size": "n_embd", "max_position_embeddings": "n_positions", "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
    }  # fmt: skip
    fixed: ClassVar[dict[str, Any]] = {
        "activation_function": "gelu_new", "add_cross_attention": False, "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False, "tie_word_embeddings": True,
    }  # fmt: skip

    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int | None = None
    layer_norm_epsilon: float = 1e-5
    embd_pdrop: float = 0.1
    attn_pdrop: float = 0.1
    resid_pdrop: float = 0.1
    eos_token_id: tuple[int, ...] = (50256,)
    bos_token_id: int | None = 50256

    def __post_init__(self) -> None:
        super().__post_init__()
        require_divides("n_embd", "heads (n_head)", self.n_embd, self.n_head)

    @classmethod
    def named(cls, name: str) -> GPT2Config:
        """The sizes of "gpt2", "gpt2-medium", "gpt2-large" or "gpt2-xl"; ArgumentError for other names.

        >>> GPT2Config.named("gpt2-xl").n_embd
        1600
        """
        if name not in _SIZES:
            raise ArgumentError(f"there is no GPT-2 called {name!r}; there are {', '.join(_SIZES)}")
        layers, heads, width = _SIZES[name]
        return cls(n_layer=layers, n_head=heads, n_embd=width)


class Conv1D(nn.Module):
    """A linear layer whose weight is (inputs, outputs): as it lies in GPT-2's files, so that nothing is turned."""

    def __init__(self, outputs: int, inputs: int) -> None:
        super().__init__()
        self.weight = Tensor.randn(inputs, outputs, requires_grad=True)
        nn.init.normal_(self.weight, std=0.02)
        self.bias = Tensor.zeros(outputs, requires_grad=True)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias


class Attention(nn.Module):
    """Each position gathers from itself and the positions before it: (batch, time, channels) to the same."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.heads, self.dropout = config.n_head, config.attn_pdrop
        self.c_attn = Conv1D(3 * config.n_embd, config.n_embd)
        self.c_proj = Conv1D(config.n_embd, config.n_embd)
        self.resid_dropout = nn.Dropout(config.resid_pdrop)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.c_attn(x).split(x.shape[-1], dim=-1)
        )
        y = causal_attention(q, k, v, mask, dropout=self.dropout if self.training else 0.0)
        return self.resid_dropout.forward(self.c_proj(y.transpose(1, 2).flatten(-2)))


class MLP(nn.Module):
    """Two linear layers with a GELU, in its form with tanh, between them."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        inner = config.n_inner or 4 * config.n_embd
        self.c_fc = Conv1D(inner, config.n_embd)
        self.c_proj = Conv1D(config.n_embd, inner)
        self.dropout = nn.Dropout(config.resid_pdrop)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout.forward(self.c_proj(self.c_fc(x).gelu(approximate="tanh")))


class Block(nn.Module):
    """Attention and MLP, each added to what it reads through a layer norm."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, config.layer_norm_epsilon)
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, config.layer_norm_epsilon)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = x + self.attn.forward(self.ln_1(x), mask)
        return x + self.mlp.forward(self.ln_2(x))


class GPT2(Pretrained):
    """Predicts the next token at every position: integer tokens (batch, time) to logits (batch, time, vocabulary).

    >>> model = GPT2(GPT2Config(vocab_size=50, n_positions=16, n_embd=8, n_layer=1, n_head=2))
    >>> model(Tensor([[1, 2, 3]])).shape
    (1, 3, 50)
    """

    config_class = GPT2Config
    prefix = "transformer."
    layer_names: ClassVar[dict[str, str]] = {"n_layer": "h."}
    config: GPT2Config

    def __init__(self, config: GPT2Config) -> None:
        super().__init__(config)
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.n_positions, config.n_embd)
        for table in (self.wte, self.wpe):
            nn.init.normal_(table.weight, std=0.02)
        self.drop = nn.Dropout(config.embd_pdrop)
        self.h = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        self.ln_f = nn.LayerNorm(config.n_embd, config.layer_norm_epsilon)

    def forward(self, tokens: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Logits of the next token: tokens (batch, time), time <= n_positions, to (batch, time, vocab_size).

        Args:
            attention_mask: (batch, time), 0 where a token is padding, which no other token sees.

        ShapeError for tokens that are not (batch, time), or too many.
        """
        if tokens.ndim != 2 or dim_max(tokens.shape[1]) > self.config.n_positions:
            raise ShapeError(
                f"GPT2 takes tokens of shape (batch, time), time at most {self.config.n_positions}; these have shape "
                f"{tuple(tokens.shape)}: keep the last {self.config.n_positions}"
            )
        x: Tensor = self.drop(self.wte(tokens) + self.wpe.weight[: tokens.shape[1]])
        for block in self.h:
            x = block(x, attention_mask)
        return self.ln_f.forward(x).linear(self.wte.weight)

    @classmethod
    def _name_here(cls, name: str, config: GPT2Config) -> str | None:
        """The head is the embedding's table, and the masks of old files are not needed."""
        own = name.removeprefix(cls.prefix)
        return None if own == "lm_head.weight" or own.endswith((".attn.bias", ".attn.masked_bias")) else own
