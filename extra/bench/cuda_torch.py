"""GPT-2 on PyTorch as its users would write it: autocast and `torch.compile`, a static cache, CUDA graphs."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from extra.bench.torch_gpt import CharGPT, Sizes


def training_step(sizes: Sizes, *, compiled: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """A function (tokens, targets) -> loss: bfloat16 by autocast, fused AdamW."""
    model = CharGPT(sizes).cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    forward = torch.compile(model) if compiled else model

    def step(tokens: Tensor, targets: Tensor) -> Tensor:
        with torch.autocast("cuda", torch.bfloat16):
            logits = forward(tokens)
            loss = functional.cross_entropy(logits.view(-1, sizes.vocabulary), targets.view(-1))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return step


class Decoder:
    """Greedy decoding of one sequence in bfloat16, with a cache of fixed size."""

    def __init__(self, sizes: Sizes, length: int) -> None:
        self.model = CharGPT(sizes).cuda().bfloat16().eval()
        self.sizes, self.length, self.width = sizes, length, sizes.width // sizes.heads
        shape = (sizes.layers, sizes.heads, length, self.width)
        self.keys, self.values = (torch.zeros(shape, device="cuda", dtype=torch.bfloat16) for _ in range(2))
        self.token, self.position = (torch.zeros(1, dtype=torch.int64, device="cuda") for _ in range(2))
        self.next = torch.compile(self._next, mode="reduce-overhead")

    def _next(self, token: Tensor, position: Tensor) -> Tensor:
        x = self.model.wte.weight[token] + self.model.wpe.weight[position]
        seen = torch.arange(self.length, device="cuda") <= position
        for layer, block in enumerate(self.model.h):
            parts = block.attn.c_attn(block.ln_1(x)).split(self.sizes.width, -1)
            q, k, v = (part.view(self.sizes.heads, 1, self.width) for part in parts)
            keys, values = self.keys[layer], self.values[layer]
            keys.index_copy_(1, position, k)
            values.index_copy_(1, position, v)
            scores = (q * (1 / math.sqrt(self.width))) @ keys.mT
            weights = scores.masked_fill(~seen, -math.inf).softmax(-1)
            x = x + block.attn.c_proj((weights @ values).view(1, -1))
            x = x + block.mlp(block.ln_2(x))
        return (self.model.ln_f(x) @ self.model.wte.weight.T).argmax(-1)

    def step(self) -> None:
        """The next token, on the device."""
        with torch.no_grad():
            self.token.copy_(self.next(self.token, self.position))
            self.position.add_(1)
