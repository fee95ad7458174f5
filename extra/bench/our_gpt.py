"""The lazygrad side of the training benchmark: the same step as in torch_gpt, on `lazygrad.models.gpt`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from extra.bench.harness import Side
from extra.bench.torch_gpt import Sizes
from lazygrad import Tensor, jit, nn, optim, synchronize
from lazygrad.models.gpt import GPT, GPTConfig


def training_step(sizes: Sizes, weights: Mapping[str, Any]) -> Callable[[Tensor, Tensor], Tensor]:
    """A function (inputs, targets) -> loss that trains a model, started from `weights`, by one step."""
    model = GPT(
        GPTConfig(
            vocabulary=sizes.vocabulary,
            layers=sizes.layers,
            heads=sizes.heads,
            width=sizes.width,
            context=sizes.context,
            bias=True,
        )
    )
    model.load_state_dict({name: Tensor(value) for name, value in weights.items()})
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))

    def step(inputs: Tensor, targets: Tensor) -> Tensor:
        loss = model.loss(inputs, targets)
        loss.backward()
        nn.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return step


def sides(sizes: Sizes, weights: Mapping[str, Any], batches: Sequence[Any]) -> dict[str, Side]:
    """The step under `jit`, over `batches` of (inputs, targets), each handed over as a NumPy array every time."""
    step = jit(training_step(sizes, weights))

    def side(number: int) -> Tensor:
        inputs, targets = batches[number % len(batches)]
        loss = step(Tensor(inputs), Tensor(targets)).realize()
        synchronize()
        return loss

    return {"lazygrad": side}
