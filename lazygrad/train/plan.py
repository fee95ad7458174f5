"""What a training run is to do, in numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lazygrad.errors import ArgumentError
from lazygrad.io.json_table import make_plain

MOST_WINDOWS = 1 << 16  # in a batch: more would be gigabytes of tokens


@dataclass(frozen=True)
class TrainingPlan:
    """The numbers of a run; the defaults are nanoGPT's for a CPU, but for a learning rate twice as high.

    Args:
        steps, batch: optimizer steps, and windows in each.
        lr, min_lr, warmup: the learning rate rises over `warmup` steps (at most all) to `lr`, and falls along a cosine
            to `min_lr` at the last step.
        beta1, beta2, weight_decay: AdamW's; only parameters of two dimensions or more decay.
        clip: the gradients' largest global norm; 0 for no limit.
        eval_every, eval_batches: steps between estimates of the losses, and batches in each; a checkpoint goes with it.
        seed: decides the first weights and the order of the batches.
    """

    steps: int = 2000
    batch: int = 12
    lr: float = 2e-3
    min_lr: float = 1e-4
    warmup: int = 100
    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float = 0.1
    clip: float = 1.0
    eval_every: int = 250
    eval_batches: int = 20
    seed: int = 1337

    def __post_init__(self) -> None:
        lowest = {"steps": 0, "batch": 1, "warmup": 0, "eval_every": 1, "eval_batches": 1, "seed": 0}
        make_plain(self)
        for name, low in lowest.items():
            if getattr(self, name) < low:
                raise ArgumentError(f"{name} is {getattr(self, name)}; it must be at least {low}")
        if self.batch > MOST_WINDOWS:
            raise ArgumentError(f"batch is {self.batch}; it must be at most {MOST_WINDOWS}")
        for name in ("lr", "min_lr", "weight_decay", "clip"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ArgumentError(f"{name} is {getattr(self, name)}; it must be a number from 0 up")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ArgumentError(f"{name} is {getattr(self, name)}; it must lie from 0 to below 1")
