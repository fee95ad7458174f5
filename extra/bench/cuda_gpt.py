"""GPT-2 on lazygrad: a training step that computes in bfloat16, and decoding of one sequence with a cache."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from extra.bench.torch_gpt import Sizes
from lazygrad import Tensor, dtypes, no_grad, optim
from lazygrad.models.gpt import GPT, GPTConfig


def model_of(sizes: Sizes, weights: Mapping[str, np.ndarray[Any, Any]] | None = None) -> GPT:
    """A GPT with biases, of these sizes; with `weights` where they are given."""
    model = GPT(GPTConfig(sizes.vocabulary, sizes.layers, sizes.heads, sizes.width, sizes.context, bias=True))
    if weights is not None:
        model.load_state_dict(weights)
    return model


@contextmanager
def in_bfloat16(model: GPT) -> Iterator[None]:
    """The model computes with its parameters rounded to bfloat16; gradients arrive at the float32 ones."""
    modules = dict(model.named_modules())
    places = [(modules[name.rpartition(".")[0]], name.rpartition(".")[2], p) for name, p in model.named_parameters()]
    for owner, name, p in places:
        setattr(owner, name, p.bfloat16())
    try:
        yield
    finally:
        for owner, name, p in places:
            setattr(owner, name, p)


def mixed_loss(model: GPT, tokens: Tensor, targets: Tensor) -> Tensor:
    """The loss of a batch: in bfloat16 up to the logits, in float32 from there."""
    with in_bfloat16(model):
        logits = model.forward(tokens)
    return logits.reshape(-1, model.config.vocabulary).float().cross_entropy(targets.reshape(-1))


def training_step(model: GPT) -> Callable[[Tensor, Tensor], Tensor]:
    """A function (tokens, targets) -> loss that trains `model` by one step of AdamW."""
    optimizer = optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1)

    def step(tokens: Tensor, targets: Tensor) -> Tensor:
        loss = mixed_loss(model, tokens, targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return step


class Decoder:
    """Greedy decoding of one sequence: everything but the drawn tokens stays on the device.

    Args:
        model: with parameters in the type to compute in.
        length: tokens that the cache has room for.
    """

    def __init__(self, model: GPT, length: int) -> None:
        config, device, dtype = model.config, model.device, model.wte.weight.dtype
        self.model, self.length, self.width = model, length, config.width // config.heads
        shape = (config.heads, length, self.width)
        self.keys, self.values = (
            [Tensor.zeros(*shape, dtype=dtype, device=device) for _ in range(config.layers)] for _ in range(2)
        )
        self.token = Tensor(np.zeros(1, np.int64), device=device)
        self.position = Tensor(np.zeros(1, np.int64), device=device)

    def logits(self, token: Tensor, position: Tensor) -> Tensor:
        """Of the token after `token` (1) at `position` (1): (1, vocabulary); the cache takes in its keys and values."""
        model, heads = self.model, self.model.config.heads
        places = Tensor.arange(self.length, device=model.device)
        here, seen = places.eq(position), places.le(position)
        x = model.wte.weight[token] + model.wpe.weight[position]
        for block, keys, values in zip(model.h, self.keys, self.values):
            parts = block.attn.c_attn(block.ln_1(x)).split(model.config.width, dim=-1)
            q, k, v = (part.reshape(heads, 1, self.width) for part in parts)
            keys.assign(k.where(here.reshape(-1, 1), keys))
            values.assign(v.where(here.reshape(-1, 1), values))
            scores = (q * (1 / math.sqrt(self.width))) @ keys.mT
            scores = scores.where(seen, -math.inf).softmax(-1)
            x = x + block.attn.c_proj((scores @ values).reshape(1, -1))
            x = x + block.mlp(block.ln_2(x))
        return model.ln_f(x).linear(model.wte.weight)

    def step(self) -> Tensor:
        """The token after `self.token`, which it becomes."""
        with no_grad():
            drawn = self.logits(self.token, self.position).argmax(-1)
            self.token.assign(drawn.cast(dtypes.int64))
            self.position.assign(self.position + 1)
            return self.token

    def restart(self) -> None:
        """At the first position again."""
        self.position.assign(self.position * 0)
