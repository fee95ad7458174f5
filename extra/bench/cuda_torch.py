"""GPT-2 on PyTorch: parameters in float32 that are rounded to bfloat16 to compute with, a fused AdamW; decoding with
a cache of fixed size, captured as a graph."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from extra.bench.cuda_place import Place
from extra.bench.torch_gpt import CharGPT


def training_step(model: CharGPT, place: Place, *, compiled: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """A function (tokens, targets) -> loss that trains `model` by one step, and returns the loss before it."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)

    def loss_of(tokens: Tensor, targets: Tensor) -> Tensor:
        rounded = {name: p.bfloat16() for name, p in model.named_parameters()}
        logits = functional_call(model, rounded, (tokens,))
        return functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())

    forward = place.compiled(loss_of) if compiled else loss_of

    def step(tokens: Tensor, targets: Tensor) -> Tensor:
        loss = forward(tokens, targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return step


class Decoder:
    """Greedy decoding of one sequence in bfloat16, with a cache of fixed size.

    Attributes:
        token, position: of the next step, on the device.
    """

    def __init__(self, model: CharGPT, place: Place, length: int) -> None:
        self.model = model.to(place.torch_device).bfloat16().eval()
        self.length, self.heads = length, model.h[0].attn.heads
        self.width = model.wte.weight.shape[1] // self.heads
        where = {"device": place.torch_device}
        shape = (len(model.h), self.heads, length, self.width)
        self.keys, self.values = (torch.zeros(shape, dtype=torch.bfloat16, **where) for _ in range(2))
        self.token, self.position = (torch.zeros(1, dtype=torch.int64, **where) for _ in range(2))
        self.next = place.compiled(self.logits)

    def logits(self, token: Tensor, position: Tensor) -> Tensor:
        """Of the token after `token` (1) at `position` (1): (1, vocabulary); the cache takes in its keys and values."""
        x = self.model.wte.weight[token] + self.model.wpe.weight[position]
        seen = torch.arange(self.length, device=position.device) <= position
        for layer, block in enumerate(self.model.h):
            parts = block.attn.c_attn(block.ln_1(x)).chunk(3, -1)
            q, k, v = (part.view(self.heads, 1, self.width) for part in parts)
            keys, values = self.keys[layer], self.values[layer]
            keys.index_copy_(1, position, k)
            values.index_copy_(1, position, v)
            scores = (q * (1 / math.sqrt(self.width))) @ keys.mT
            weights = scores.masked_fill(~seen, -math.inf).softmax(-1)
            x = x + block.attn.c_proj((weights @ values).view(1, -1))
            x = x + block.mlp(block.ln_2(x))
        return self.model.ln_f(x) @ self.model.wte.weight.T

    def step(self) -> None:
        """Take the next token, on the device."""
        with torch.no_grad():
            self.token.copy_(self.next(self.token, self.position).argmax(-1))
            self.position.add_(1)

    def restart(self) -> None:
        """At the first position again."""
        self.position.zero_()
